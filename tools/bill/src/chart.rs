//! The bill as a bar chart.

use figures::svg;

use crate::bill::Row;

/// Where the bars begin, and the longest of them ends.
const BARS_LEFT: f64 = 220.0;
const BARS_RIGHT: f64 = 660.0;
const ROW_HEIGHT: f64 = 34.0;

/// A bar for each row; the last one, which is what the plugin is for, stands out.
pub(crate) fn svg(rows: &[Row], title: &str, caption: &str) -> String {
    let most = rows
        .iter()
        .map(Row::total)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut picture = String::new();
    for (number, row) in rows.iter().enumerate() {
        let class = match number + 1 == rows.len() {
            true => "own",
            false => "bar",
        };
        let middle = svg::TOP + ROW_HEIGHT * (number as f64 + 0.5);
        let length = row.total() / most * (BARS_RIGHT - BARS_LEFT);
        let amount = format!("${:.2}", row.total());
        picture += &svg::text("end", BARS_LEFT - 10.0, middle, row.name);
        picture += &svg::bar(class, BARS_LEFT, length, middle);
        picture += &svg::text("start", BARS_LEFT + length + 8.0, middle, &amount);
    }
    svg::picture(title, &picture, ROW_HEIGHT * rows.len() as f64, caption)
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
            ("\"own\"", "\"0.0\""),
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
