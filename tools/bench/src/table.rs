//! The rows as a table.

use fluent_bit_run::markdown;

use crate::summary::{Row, Spread};

/// What stands where there is no figure.
const NONE: &str = "-";

const HEAD: [&str; 9] = [
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

/// Medians, with the least and the most where they differ as written.
pub(crate) fn render(rows: &[Row]) -> String {
    let cells: Vec<[String; 9]> = rows.iter().map(cells).collect();
    markdown::table(HEAD, 1, &cells)
}

fn cells(row: &Row) -> [String; 9] {
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
    use super::*;
    use fluent_bit_run::Output;

    fn row(output: Output, median: f64, half: f64) -> Row {
        let spread = Some(Spread {
            min: median - half,
            median,
            max: median + half,
        });
        Row {
            output,
            cpu_seconds: spread,
            cpu_seconds_over_null: spread,
            cpu_of_peer: None,
            peak_rss_mb: spread,
            peak_rss_mb_over_null: spread,
            calls: spread,
            billed_mb: spread,
            billed_over_raw: spread,
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
        assert_eq!(render(&rows), expected);
    }
}
