//! The targets as a bar chart: each figure as a part of what is allowed.

use figures::svg;

use crate::bench::table;
use crate::bench::targets::Target;

/// Where the bars begin, and where they would be as long as the target allows.
const BARS_LEFT: f64 = 330.0;
const LIMIT_AT: f64 = 440.0;
/// Longer ones end here, and are shown with an arrow.
const LONGEST: f64 = 2.0;
const ROW_HEIGHT: f64 = 26.0;

/// A bar for each target that was measured, and a line across all where the targets are.
pub(crate) fn svg(targets: &[Target], caption: &str) -> String {
    let bars: Vec<(&Target, f64)> = targets
        .iter()
        .filter_map(|target| Some((target, target.of_limit()?)))
        .collect();
    let height = ROW_HEIGHT * bars.len() as f64;
    let mut picture = String::new();
    for (number, (target, of_limit)) in bars.into_iter().enumerate() {
        picture += &bar(
            target,
            of_limit,
            svg::TOP + ROW_HEIGHT * (number as f64 + 0.5),
        );
    }
    picture += &svg::line((LIMIT_AT, svg::TOP), (LIMIT_AT, svg::TOP + height));
    let title = "What was measured beside its target, which is at the line: shorter is better";
    svg::picture(title, &picture, height, caption)
}

fn bar(target: &Target, of_limit: f64, middle: f64) -> String {
    let class = match of_limit <= 1.0 {
        true => "met",
        false => "missed",
    };
    let arrow = match of_limit > LONGEST {
        true => "→ ",
        false => "",
    };
    let width = of_limit.clamp(0.0, LONGEST) * (LIMIT_AT - BARS_LEFT);
    // The figures begin behind the line, too.
    let figure_at = (BARS_LEFT + width).max(LIMIT_AT) + 8.0;
    let figure = format!("{arrow}{}", table::verdict(target));
    svg::text("end", BARS_LEFT - 10.0, middle, &target.what)
        + &svg::bar(class, BARS_LEFT, width, middle)
        + &svg::text("start", figure_at, middle, &figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::read_picture as read;
    use crate::bench::targets::{Limit, Unit};

    fn target(what: &str, own: Option<f64>, of_core: Option<f64>, limit: Limit) -> Target {
        Target {
            what: what.to_owned(),
            unit: Unit::Seconds,
            own,
            core: None,
            of_core,
            limit,
        }
    }

    #[test]
    fn a_bar_at_its_target_ends_at_the_line_and_none_is_longer_than_twice_that() {
        let targets = [
            target("half & half", Some(10.0), None, Limit::Own(20.0)),
            target("at", None, Some(0.4), Limit::OfCore(0.4)),
            target("beyond", None, Some(0.6), Limit::OfCore(0.4)),
            target("far beyond", Some(90.0), None, Limit::Own(20.0)),
            target("below nothing", None, Some(-0.1), Limit::OfCore(0.4)),
            target("not measured", None, None, Limit::Own(1.0)),
        ];
        let svg = svg(&targets, "caption");
        let to_line = LIMIT_AT - BARS_LEFT;
        assert_eq!(
            read::widths(&svg),
            [0.5, 1.0, 1.5, 2.0, 0.0].map(|part| part * to_line)
        );
        let texts = read::texts(&svg);
        let labels: Vec<&str> = texts[1..].iter().step_by(2).map(String::as_str).collect();
        assert_eq!(
            labels,
            [
                "half & half",
                "at",
                "beyond",
                "far beyond",
                "below nothing",
                "caption"
            ]
        );
        assert_eq!(texts[8], "→ 90.00 s, at most 20.00 s");
        assert_eq!(svg.matches("class=\"missed\"").count(), 2);
    }
}
