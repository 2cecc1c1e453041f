//! The outputs' figures and the targets as tables.

use figures::markdown;

use super::summary::{self, Round, Spread, of_peer, spread};
use super::targets::{Limit, Target};
use crate::output::Output;

/// What stands where there is no figure.
const NONE: &str = "-";

const OUTPUTS_HEAD: &str = "output | CPU s | CPU s over null | of C's | peak RSS MB | over null \
                            | calls | billed MB | billed/raw";
const TARGETS_HEAD: &str = "what | this plugin | C plugin | of C's | at most | met";

/// Medians, with the least and the most where they differ as written.
pub(super) fn outputs(rounds: &[Round]) -> String {
    let row = |output: Output| {
        [
            output.name().to_owned(),
            show(spread(rounds, output, summary::cpu_seconds), 2),
            show(spread(rounds, output, summary::cpu_over_null), 2),
            show(of_peer(rounds, output, summary::cpu_over_null), 2),
            show(spread(rounds, output, summary::rss_mb), 0),
            show(spread(rounds, output, summary::rss_over_null), 0),
            show(spread(rounds, output, summary::calls), 0),
            show(spread(rounds, output, summary::billed_mb), 0),
            show(spread(rounds, output, summary::billed_ratio), 3),
        ]
    };
    markdown::table(OUTPUTS_HEAD, 1, &Output::ALL.map(row))
}

/// Every target, those that were not measured too.
pub(super) fn targets(targets: &[Target]) -> String {
    let cells: Vec<[String; 6]> = targets.iter().map(target).collect();
    markdown::table(TARGETS_HEAD, 1, &cells)
}

fn target(target: &Target) -> [String; 6] {
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| NONE.to_owned());
    let show = |figure: Option<f64>| or_none(figure.map(|figure| target.unit.show(figure)));
    [
        target.what.clone(),
        show(target.own),
        show(target.core),
        or_none(target.of_core.map(|ratio| format!("{ratio:.2}"))),
        match target.limit {
            Limit::Own(limit) => target.unit.show(limit),
            Limit::OfCore(limit) => format!("{limit:.2} of C's"),
        },
        match target.is_met() {
            None => NONE,
            Some(true) => "yes",
            Some(false) => "NO",
        }
        .to_owned(),
    ]
}

fn show(spread: Option<Spread>, decimals: usize) -> String {
    let Some(Spread { min, median, max }) = spread else {
        return NONE.to_owned();
    };
    let [min, median, max] = [min, median, max].map(|figure| format!("{figure:.decimals$}"));
    if min == max {
        return median;
    }
    format!("{median} ({min}..{max})")
}

#[cfg(test)]
mod tests {
    use super::super::targets::Unit;
    use super::*;

    #[test]
    fn a_spread_that_cannot_be_seen_is_not_shown() {
        let spread = |min, median, max| Some(Spread { min, median, max });
        assert_eq!(show(None, 2), "-");
        assert_eq!(show(spread(12.341, 12.342, 12.343), 2), "12.34");
        assert_eq!(show(spread(1.0, 2.0, 3.0), 1), "2.0 (1.0..3.0)");
    }

    #[test]
    fn each_target_stands_beside_its_figures() {
        let target = |what: &str, unit, own, core, of_core, limit| Target {
            what: what.to_owned(),
            unit,
            own,
            core,
            of_core,
            limit,
        };
        let [third, one] = [Limit::OfCore(0.333), Limit::Own(1.0)];
        let targets = [
            target("cpu", Unit::Seconds, Some(1.0), Some(2.0), Some(0.5), third),
            target("calls", Unit::Calls, Some(9.0), None, None, third),
            target("bill", Unit::Ratio, Some(1.0), Some(4.0), Some(0.25), one),
            target("file", Unit::Megabytes, None, None, None, one),
        ];
        let expected = "\
| what  | this plugin | C plugin | of C's |     at most | met |
| ----- | ----------: | -------: | -----: | ----------: | --: |
| cpu   |      1.00 s |   2.00 s |   0.50 | 0.33 of C's |  NO |
| calls |           9 |        - |      - | 0.33 of C's |   - |
| bill  |       1.000 |    4.000 |   0.25 |       1.000 | yes |
| file  |           - |        - |      - |      1.0 MB |   - |
";
        assert_eq!(super::targets(&targets), expected);
    }
}
