//! What was measured as pictures: CPU beside the other outputs', and each figure beside its target.

use figures::svg::{Bar, Bars};

use super::summary::{Round, Spread, cpu_over_null, of_peer, spread};
use super::table;
use super::targets::Target;
use crate::output::Output;

/// How long the longest bar for CPU is.
const LONGEST_CPU: f64 = 320.0;
/// How long a bar is at its target. Longer ones end at twice that, and have an arrow.
const AT_TARGET: f64 = 110.0;
const MOST_OF_TARGET: f64 = 2.0;

/// A bar for each output that has the figure; a line across its end from the least to the most.
pub(super) fn cpu(rounds: &[Round], caption: &str) -> String {
    let outputs = Output::ALL.into_iter();
    let found: Vec<(Output, Spread)> = outputs
        .filter_map(|output| Some((output, spread(rounds, output, cpu_over_null)?)))
        .collect();
    let most = found.iter().map(|(_, spread)| spread.max);
    let most = most.fold(f64::MIN_POSITIVE, f64::max);
    // Noise can put an output below null in a very short run: its bar is then empty.
    let length = |seconds: f64| (seconds / most).max(0.0) * LONGEST_CPU;
    let bar = |(output, spread): (Output, Spread)| {
        let of_peer = of_peer(rounds, output, cpu_over_null);
        let of_peer = of_peer.map(|of_peer| format!(" ({:.2} of C's)", of_peer.median));
        Bar {
            label: output.name().to_owned(),
            class: match output.is_of_this_project() {
                true => "own",
                false => "bar",
            },
            length: length(spread.median),
            spread: Some((length(spread.min), length(spread.max))),
            text: format!("{:.2}{}", spread.median, of_peer.unwrap_or_default()),
            text_from: length(spread.max),
        }
    };
    let title = "CPU seconds over Fluent Bit's null output: median, least and most";
    let bars = Bars {
        left: 290.0,
        row_height: 34.0,
        line_at: None,
        bars: found.into_iter().map(bar).collect(),
    };
    bars.picture(title, caption)
}

/// A bar for each target that was measured, and a line across all where the targets are.
pub(super) fn targets(targets: &[Target], caption: &str) -> String {
    let bar = |target: &Target| {
        let of_limit = target.of_limit()?;
        let arrow = if of_limit > MOST_OF_TARGET {
            "→ "
        } else {
            ""
        };
        let length = of_limit.clamp(0.0, MOST_OF_TARGET) * AT_TARGET;
        Some(Bar {
            label: target.what.clone(),
            class: match of_limit <= 1.0 {
                true => "met",
                false => "missed",
            },
            length,
            spread: None,
            text: format!("{arrow}{}", table::verdict(target)),
            // Behind the line, too.
            text_from: length.max(AT_TARGET),
        })
    };
    let title = "What was measured beside its target, which is at the line: shorter is better";
    let bars = Bars {
        left: 330.0,
        row_height: 26.0,
        line_at: Some(AT_TARGET),
        bars: targets.iter().filter_map(bar).collect(),
    };
    bars.picture(title, caption)
}

#[cfg(test)]
mod tests {
    use super::super::targets::{Limit, Unit};
    use super::*;

    #[test]
    fn a_bar_at_its_target_ends_at_the_line_and_none_is_longer_than_twice_that() {
        let target = |own, of_core, limit| Target {
            what: "what".to_owned(),
            unit: Unit::Seconds,
            own,
            core: None,
            of_core,
            limit,
        };
        let targets = [
            target(Some(10.0), None, Limit::Own(20.0)),
            target(None, Some(0.4), Limit::OfCore(0.4)),
            target(None, Some(0.6), Limit::OfCore(0.4)),
            target(Some(90.0), None, Limit::Own(20.0)),
            target(None, Some(-0.1), Limit::OfCore(0.4)),
            target(None, None, Limit::Own(1.0)),
        ];
        let svg = super::targets(&targets, "caption");
        for length in ["55.0", "110.0", "165.0", "220.0", "0.0"] {
            assert_eq!(svg.matches(&format!(" width=\"{length}\"")).count(), 1);
        }
        assert!(svg.contains(">→ 90.00 s, at most 20.00 s<"), "{svg}");
        assert_eq!(svg.matches("class=\"missed\"").count(), 2);
    }
}
