//! The bill as a bar chart, readable on light and on dark pages.

use crate::bill::Row;

const WIDTH: f64 = 760.0;
/// Where the bars begin, and the longest of them ends.
const BARS_LEFT: f64 = 220.0;
const BARS_RIGHT: f64 = 660.0;
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
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.caption { fill: #9198a1 }
.bar { fill: #6e7681 }
.own { fill: #3fb950 }
}";

/// A bar for each row; the last one, which is what the plugin is for, stands out.
pub(crate) fn svg(rows: &[Row], title: &str, caption: &str) -> String {
    let [title, caption] = [title, caption].map(escape);
    let most = rows
        .iter()
        .map(Row::total)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP + ROW_HEIGHT * rows.len() as f64 + FOOT_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <style>\n{STYLE}\n</style>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{title}</text>\n"
    );
    for (number, row) in rows.iter().enumerate() {
        let class = match number + 1 == rows.len() {
            true => "bar own",
            false => "bar",
        };
        let middle = TOP + ROW_HEIGHT * (number as f64 + 0.5);
        let length = row.total() / most * (BARS_RIGHT - BARS_LEFT);
        let (baseline, top) = (middle + 4.5, middle - BAR_HEIGHT / 2.0);
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"{class}\" x=\"{BARS_LEFT}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\"/>\n\
             <text x=\"{:.1}\" y=\"{baseline:.1}\">${:.2}</text>\n",
            BARS_LEFT - 10.0,
            row.name,
            BARS_LEFT + length + 8.0,
            row.total(),
        );
    }
    svg + &format!(
        "<text class=\"caption\" x=\"16\" y=\"{:.1}\">{caption}</text>\n</svg>\n",
        height - 14.0
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_amounts() {
        let row = |name, ingestion, conversion| Row {
            name,
            billed_ratio: 1.0,
            ingestion,
            conversion,
        };
        let rows = [
            row("a", 10.0, None),
            row("b", 3.0, Some(2.0)),
            row("c", 0.0, None),
        ];
        let svg = svg(&rows, "title", "caption");
        let bars: Vec<&str> = svg
            .lines()
            .filter(|line| line.starts_with("<rect"))
            .collect();
        for (bar, (class, width)) in bars.iter().zip([
            ("\"bar\"", "\"440.0\""),
            ("\"bar\"", "\"220.0\""),
            ("\"bar own\"", "\"0.0\""),
        ]) {
            assert!(bar.contains(&format!("class={class}")), "{bar}");
            assert!(bar.contains(&format!("width={width}")), "{bar}");
        }
        assert_eq!(bars.len(), 3);
        assert!(
            svg.contains(">$5.00<") && svg.ends_with("</svg>\n"),
            "{svg}"
        );
    }
}
