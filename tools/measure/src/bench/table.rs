//! The outputs' figures and the targets as tables.

use figures::markdown;

use crate::bench::summary::{Row, Spread};
use crate::bench::targets::{Limit, Target};

/// What stands where there is no figure.
const NONE: &str = "-";

const OUTPUTS_HEAD: [&str; 9] = [
    "output",
    "CPU s",
    "CPU s over null",
    "of C's",
    "peak RSS MB",
    "over null",
    "calls",
    "billed MB",
    "billed/raw",
];

const TARGETS_HEAD: [&str; 6] = [
    "what",
    "this plugin",
    "C plugin",
    "of C's",
    "at most",
    "met",
];

/// Medians, with the least and the most where they differ as written.
pub(crate) fn outputs(rows: &[Row]) -> String {
    let cells: Vec<[String; 9]> = rows.iter().map(output).collect();
    markdown::table(OUTPUTS_HEAD, 1, &cells)
}

/// Every target, those that were not measured too.
pub(crate) fn targets(targets: &[Target]) -> String {
    let cells: Vec<[String; 6]> = targets.iter().map(target).collect();
    markdown::table(TARGETS_HEAD, 1, &cells)
}

/// The figure that is judged, and what it may be.
pub(crate) fn verdict(target: &Target) -> String {
    let show = |figure: f64| target.unit.show(figure);
    let figure = match target.limit {
        Limit::Own(_) => target.own.map_or(NONE.to_owned(), show),
        Limit::OfCore(_) => format!("{} of C's", of_core(target)),
    };
    format!("{figure}, at most {}", limit(target))
}

fn target(target: &Target) -> [String; 6] {
    let show = |figure: Option<f64>| figure.map_or(NONE.to_owned(), |it| target.unit.show(it));
    let limit = match target.limit {
        Limit::Own(_) => limit(target),
        Limit::OfCore(_) => format!("{} of C's", limit(target)),
    };
    let met = match target.is_met() {
        None => NONE,
        Some(true) => "yes",
        Some(false) => "NO",
    };
    [
        target.what.clone(),
        show(target.own),
        show(target.core),
        of_core(target),
        limit,
        met.to_owned(),
    ]
}

fn of_core(target: &Target) -> String {
    let ratio = target.of_core.map(|ratio| format!("{ratio:.2}"));
    ratio.unwrap_or(NONE.to_owned())
}

fn limit(target: &Target) -> String {
    match target.limit {
        Limit::Own(limit) => target.unit.show(limit),
        Limit::OfCore(limit) => format!("{limit:.2}"),
    }
}

fn output(row: &Row) -> [String; 9] {
    [
        row.output.name().to_owned(),
        spread(row.cpu_seconds, 2),
        spread(row.cpu_seconds_over_null, 2),
        spread(row.cpu_of_peer, 2),
        spread(row.peak_rss_mb, 0),
        spread(row.peak_rss_mb_over_null, 0),
        spread(row.calls, 0),
        spread(row.billed_mb, 0),
        spread(row.billed_over_raw, 3),
    ]
}

fn spread(spread: Option<Spread>, decimals: usize) -> String {
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
    use crate::run::Output;

    use super::*;
    use crate::bench::summary;
    use crate::bench::targets::Unit;

    fn row(output: Output, median: f64, half: f64) -> Row {
        let spread = Some(Spread {
            min: median - half,
            median,
            max: median + half,
        });
        Row {
            cpu_seconds: spread,
            cpu_seconds_over_null: spread,
            peak_rss_mb: spread,
            peak_rss_mb_over_null: spread,
            calls: spread,
            billed_mb: spread,
            billed_over_raw: spread,
            ..summary::row(output, &[])
        }
    }

    #[test]
    fn figures_stand_below_each_other_with_their_spread() {
        let rows = [
            row(Output::Null, 12.3451, 0.0),
            row(Output::CoreAggregated, 2.0, 1.0),
        ];
        let expected = "\
| output                                 |             CPU s |   CPU s over null | of C's | peak RSS MB | over null |    calls | billed MB |           billed/raw |
| -------------------------------------- | ----------------: | ----------------: | -----: | ----------: | --------: | -------: | --------: | -------------------: |
| null                                   |             12.35 |             12.35 |      - |          12 |        12 |       12 |        12 |               12.345 |
| C kinesis_firehose, simple_aggregation | 2.00 (1.00..3.00) | 2.00 (1.00..3.00) |      - |    2 (1..3) |  2 (1..3) | 2 (1..3) |  2 (1..3) | 2.000 (1.000..3.000) |
";
        assert_eq!(outputs(&rows), expected);
    }

    fn some_targets() -> [Target; 4] {
        let target = |what: &str, unit, own, core, of_core, limit| Target {
            what: what.to_owned(),
            unit,
            own,
            core,
            of_core,
            limit,
        };
        let [third, one] = [Limit::OfCore(0.333), Limit::Own(1.0)];
        [
            target("cpu", Unit::Seconds, Some(1.0), Some(2.0), Some(0.5), third),
            target("calls", Unit::Calls, Some(9.0), None, None, third),
            target("bill", Unit::Ratio, Some(1.0), Some(4.0), Some(0.25), one),
            target("file", Unit::Megabytes, None, None, None, one),
        ]
    }

    #[test]
    fn each_target_stands_beside_its_figures() {
        let expected = "\
| what  | this plugin | C plugin | of C's |     at most | met |
| ----- | ----------: | -------: | -----: | ----------: | --: |
| cpu   |      1.00 s |   2.00 s |   0.50 | 0.33 of C's |  NO |
| calls |           9 |        - |      - | 0.33 of C's |   - |
| bill  |       1.000 |    4.000 |   0.25 |       1.000 | yes |
| file  |           - |        - |      - |      1.0 MB |   - |
";
        assert_eq!(targets(&some_targets()), expected);
    }

    #[test]
    fn a_verdict_tells_what_is_judged() {
        let verdicts = some_targets().map(|target| verdict(&target));
        assert_eq!(
            verdicts,
            [
                "0.50 of C's, at most 0.33",
                "- of C's, at most 0.33",
                "1.000, at most 1.000",
                "-, at most 1.0 MB"
            ]
        );
    }
}
