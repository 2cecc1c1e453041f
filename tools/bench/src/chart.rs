//! The CPU seconds over null as a bar chart, readable on light and on dark pages.

use crate::summary::{Row, Spread};

const WIDTH: f64 = 760.0;
/// Where the bars begin, and the longest of them ends.
const BARS_LEFT: f64 = 290.0;
const BARS_RIGHT: f64 = 610.0;
const TOP: f64 = 48.0;
const ROW_HEIGHT: f64 = 34.0;
const BAR_HEIGHT: f64 = 20.0;
const FOOT_HEIGHT: f64 = 40.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.caption { font-size: 11px; fill: #59636e }
.bar { fill: #8c959f }
.own { fill: #1a7f37 }
.spread { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.caption { fill: #9198a1 }
.bar { fill: #6e7681 }
.own { fill: #3fb950 }
.spread { stroke: #e6edf3 }
}";

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
    let height = TOP + ROW_HEIGHT * bars.len() as f64 + FOOT_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <style>\n{STYLE}\n</style>\n\
         <text class=\"title\" x=\"16\" y=\"28\">CPU seconds over Fluent Bit's null output: \
         median, least and most</text>\n"
    );
    for (number, (row, spread)) in bars.into_iter().enumerate() {
        let middle = TOP + ROW_HEIGHT * (number as f64 + 0.5);
        svg += &bar(row, spread, middle, |seconds| position(seconds, most));
    }
    svg + &format!(
        "<text class=\"caption\" x=\"16\" y=\"{:.1}\">{}</text>\n</svg>\n",
        height - 14.0,
        escape(caption)
    )
}

fn bar(row: &Row, spread: Spread, middle: f64, x: impl Fn(f64) -> f64) -> String {
    let class = match row.output.is_of_this_project() {
        true => "bar own",
        false => "bar",
    };
    let baseline = middle + 4.5;
    let mut figure = format!("{:.2}", spread.median);
    if let Some(of_peer) = row.cpu_of_peer {
        figure += &format!(" ({:.2} of C's)", of_peer.median);
    }
    format!(
        "<text x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\">{}</text>\n\
         <rect class=\"{class}\" x=\"{BARS_LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR_HEIGHT}\"/>\n\
         <line class=\"spread\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\n\
         <text x=\"{:.1}\" y=\"{baseline:.1}\">{figure}</text>\n",
        BARS_LEFT - 10.0,
        escape(row.output.name()),
        middle - BAR_HEIGHT / 2.0,
        x(spread.median) - BARS_LEFT,
        x(spread.min),
        x(spread.max),
        x(spread.max) + 8.0,
    )
}

/// Noise can put an output below null in a very short run: its bar is then empty.
fn position(seconds: f64, most: f64) -> f64 {
    let part = match most > 0.0 {
        true => (seconds / most).max(0.0),
        false => 0.0,
    };
    BARS_LEFT + part * (BARS_RIGHT - BARS_LEFT)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use fluent_bit_run::Output;

    fn row(output: Output, cpu: Option<(f64, f64, f64)>, cpu_of_peer: Option<f64>) -> Row {
        let spread = |(min, median, max)| Spread { min, median, max };
        Row {
            output,
            cpu_seconds: None,
            cpu_seconds_over_null: cpu.map(spread),
            cpu_of_peer: cpu_of_peer.map(|ratio| spread((ratio, ratio, ratio))),
            peak_rss_mb: None,
            peak_rss_mb_over_null: None,
            calls: None,
            billed_mb: None,
            billed_over_raw: None,
        }
    }

    fn widths(svg: &str) -> Vec<&str> {
        svg.lines()
            .filter(|line| line.starts_with("<rect"))
            .map(|line| {
                let (_, rest) = line.split_once("width=\"").unwrap();
                rest.split_once('"').unwrap().0
            })
            .collect()
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
        assert_eq!(widths(&svg), ["160.0", "80.0", "0.0"]);
        assert!(svg.contains(">1.00 (0.50 of C's)<"), "{svg}");
        assert!(svg.contains(">a &lt; b &amp; c<"), "{svg}");
    }

    #[test]
    fn without_any_figure_it_is_a_picture_still() {
        let svg = svg(&[row(Output::Null, None, None)], "nothing");
        assert_eq!(widths(&svg), [""; 0]);
        assert!(svg.ends_with("</svg>\n"));
    }
}
