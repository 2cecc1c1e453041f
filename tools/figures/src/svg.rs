//! Pictures that are readable on light and on dark pages.

pub const WIDTH: f64 = 760.0;
/// Where the rows begin, below the title.
pub const TOP: f64 = 48.0;
const ROW_HEIGHT: f64 = 34.0;
const BAR_HEIGHT: f64 = 20.0;
const FOOT_HEIGHT: f64 = 40.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.caption { font-size: 11px; fill: #59636e }
.bar { fill: #8c959f }
.own { fill: #1a7f37 }
.line { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.caption { fill: #9198a1 }
.bar { fill: #6e7681 }
.own { fill: #3fb950 }
.line { stroke: #e6edf3 }
}";

/// A picture of bars, each with a label before it and a text behind it.
pub struct Bars {
    /// Where the bars begin.
    pub left: f64,
    pub bars: Vec<Bar>,
}

/// All lengths count from where the bars begin.
pub struct Bar {
    pub label: String,
    pub class: &'static str,
    pub length: f64,
    /// Of a line across the bar's end, from the least to the most.
    pub spread: Option<(f64, f64)>,
    pub text: String,
    /// What the text stands behind.
    pub text_from: f64,
}

impl Bars {
    pub fn picture(&self, title: &str, caption: &str) -> String {
        let height = ROW_HEIGHT * self.bars.len() as f64;
        let mut rows = String::new();
        for (number, bar) in self.bars.iter().enumerate() {
            let middle = TOP + ROW_HEIGHT * (number as f64 + 0.5);
            rows += &self.row(bar, middle);
        }
        picture(title, &rows, height, caption)
    }

    fn row(&self, bar: &Bar, middle: f64) -> String {
        let Bar { class, length, .. } = bar;
        let (x, y) = (self.left, middle - BAR_HEIGHT / 2.0);
        let mut row = text("end", x - 10.0, middle, &bar.label);
        row += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\"/>\n"
        );
        if let Some((least, most)) = bar.spread {
            row += &line((x + least, middle), (x + most, middle));
        }
        row + &text("start", x + bar.text_from + 8.0, middle, &bar.text)
    }
}

/// A picture of rows that take so much height together.
pub fn picture(title: &str, rows: &str, rows_height: f64, caption: &str) -> String {
    let height = TOP + rows_height + FOOT_HEIGHT;
    let title = escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <style>\n{STYLE}\n</style>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{title}</text>\n{rows}\
         <text class=\"caption\" x=\"16\" y=\"{:.1}\">{}</text>\n</svg>\n",
        height - 14.0,
        escape(caption)
    )
}

/// Text that is level with a bar of this middle; the anchor is `start` or `end`.
fn text(anchor: &str, x: f64, middle: f64, text: &str) -> String {
    let baseline = middle + 4.5;
    let text = escape(text);
    format!("<text x=\"{x:.1}\" y=\"{baseline:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

fn line(from: (f64, f64), to: (f64, f64)) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    format!("<line class=\"line\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
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
    fn bars_stand_below_each_other_between_their_labels_and_texts() {
        let bar = |spread| Bar {
            label: "a < b & c".to_owned(),
            class: "own",
            length: 60.0,
            spread,
            text: "6.00".to_owned(),
            text_from: 70.0,
        };
        let bars = Bars {
            left: 100.0,
            bars: vec![bar(Some((50.0, 70.0))), bar(None)],
        };
        let picture = bars.picture("title", "caption");
        let rows = picture.split("</style>\n").nth(1).unwrap();
        let expected = "\
<text class=\"title\" x=\"16\" y=\"28\">title</text>
<text x=\"90.0\" y=\"69.5\" text-anchor=\"end\">a &lt; b &amp; c</text>
<rect class=\"own\" x=\"100.0\" y=\"55.0\" width=\"60.0\" height=\"20\"/>
<line class=\"line\" x1=\"150.0\" y1=\"65.0\" x2=\"170.0\" y2=\"65.0\"/>
<text x=\"178.0\" y=\"69.5\" text-anchor=\"start\">6.00</text>
<text x=\"90.0\" y=\"103.5\" text-anchor=\"end\">a &lt; b &amp; c</text>
<rect class=\"own\" x=\"100.0\" y=\"89.0\" width=\"60.0\" height=\"20\"/>
<text x=\"178.0\" y=\"103.5\" text-anchor=\"start\">6.00</text>
<text class=\"caption\" x=\"16\" y=\"142.0\">caption</text>
</svg>
";
        assert_eq!(rows, expected);
    }
}
