//! The CPU seconds over null as a bar chart.

use figures::svg;

use crate::bench::summary::{Row, Spread};

/// Where the bars begin, and the longest of them ends.
const BARS_LEFT: f64 = 290.0;
const BARS_RIGHT: f64 = 610.0;
const ROW_HEIGHT: f64 = 34.0;

/// A bar for each output that has the figure; a line across its end from the least to the most.
pub(crate) fn svg(rows: &[Row], caption: &str) -> String {
    let bars: Vec<(&Row, Spread)> = rows
        .iter()
        .filter_map(|row| Some((row, row.cpu_seconds_over_null?)))
        .collect();
    let most = bars
        .iter()
        .map(|(_, spread)| spread.max)
        .fold(0.0, f64::max);
    let height = ROW_HEIGHT * bars.len() as f64;
    let mut picture = String::new();
    for (number, (row, spread)) in bars.into_iter().enumerate() {
        let middle = svg::TOP + ROW_HEIGHT * (number as f64 + 0.5);
        picture += &bar(row, spread, middle, |seconds| position(seconds, most));
    }
    let title = "CPU seconds over Fluent Bit's null output: median, least and most";
    svg::picture(title, &picture, height, caption)
}

fn bar(row: &Row, spread: Spread, middle: f64, x: impl Fn(f64) -> f64) -> String {
    let class = match row.output.is_of_this_project() {
        true => "own",
        false => "bar",
    };
    let mut figure = format!("{:.2}", spread.median);
    if let Some(of_peer) = row.cpu_of_peer {
        figure += &format!(" ({:.2} of C's)", of_peer.median);
    }
    svg::text("end", BARS_LEFT - 10.0, middle, row.output.name())
        + &svg::bar(class, BARS_LEFT, x(spread.median) - BARS_LEFT, middle)
        + &svg::line((x(spread.min), middle), (x(spread.max), middle))
        + &svg::text("start", x(spread.max) + 8.0, middle, &figure)
}

/// Noise can put an output below null in a very short run: its bar is then empty.
fn position(seconds: f64, most: f64) -> f64 {
    let part = match most > 0.0 {
        true => (seconds / most).max(0.0),
        false => 0.0,
    };
    BARS_LEFT + part * (BARS_RIGHT - BARS_LEFT)
}

#[cfg(test)]
mod tests {
    use crate::run::Output;

    use super::*;
    use crate::bench::read_picture as read;
    use crate::bench::summary;

    fn row(output: Output, cpu: Option<(f64, f64, f64)>, cpu_of_peer: Option<f64>) -> Row {
        let spread = |(min, median, max)| Spread { min, median, max };
        Row {
            cpu_seconds_over_null: cpu.map(spread),
            cpu_of_peer: cpu_of_peer.map(|ratio| spread((ratio, ratio, ratio))),
            ..summary::row(output, &[])
        }
    }

    #[test]
    fn bars_are_as_long_as_their_figures_and_outputs_without_one_have_none() {
        let svg = svg(
            &[
                row(Output::Null, None, None),
                row(Output::Core, Some((1.0, 2.0, 4.0)), None),
                row(Output::Firehose, Some((0.5, 1.0, 1.5)), Some(0.5)),
                row(Output::FirehoseAggregated, Some((-0.2, -0.1, 0.0)), None),
            ],
            "a < b & c",
        );
        // 4.0 seconds reach from 290 to 610.
        assert_eq!(read::widths(&svg), [160.0, 80.0, 0.0]);
        let texts = read::texts(&svg);
        assert!(
            texts.contains(&"1.00 (0.50 of C's)".to_owned()),
            "{texts:?}"
        );
        assert_eq!(texts.last().unwrap(), "a < b & c");
    }

    #[test]
    fn without_any_figure_it_is_a_picture_still() {
        let svg = svg(&[row(Output::Null, None, None)], "nothing");
        assert!(read::widths(&svg).is_empty());
    }
}
