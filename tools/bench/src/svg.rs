//! What the pictures have in common. They are readable on light and on dark pages.

pub(crate) const WIDTH: f64 = 760.0;
/// Where the rows begin, below the title.
pub(crate) const TOP: f64 = 48.0;
pub(crate) const BAR_HEIGHT: f64 = 20.0;
const FOOT_HEIGHT: f64 = 40.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.caption { font-size: 11px; fill: #59636e }
.bar { fill: #8c959f }
.own, .met { fill: #1a7f37 }
.missed { fill: #bc4c00 }
.line { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.caption { fill: #9198a1 }
.bar { fill: #6e7681 }
.own, .met { fill: #3fb950 }
.missed { fill: #f0883e }
.line { stroke: #e6edf3 }
}";

/// A picture of rows that take so much height together.
pub(crate) fn picture(title: &str, rows: &str, rows_height: f64, caption: &str) -> String {
    let height = TOP + rows_height + FOOT_HEIGHT;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <style>\n{STYLE}\n</style>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{}</text>\n{rows}\
         <text class=\"caption\" x=\"16\" y=\"{:.1}\">{}</text>\n</svg>\n",
        escape(title),
        height - 14.0,
        escape(caption)
    )
}

/// Text that is level with a bar of this middle; the anchor is `start` or `end`.
pub(crate) fn text(anchor: &str, x: f64, middle: f64, text: &str) -> String {
    let baseline = middle + 4.5;
    let text = escape(text);
    format!("<text x=\"{x:.1}\" y=\"{baseline:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

pub(crate) fn bar(class: &str, x: f64, width: f64, middle: f64) -> String {
    let y = middle - BAR_HEIGHT / 2.0;
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\"/>\n"
    )
}

pub(crate) fn line(from: (f64, f64), to: (f64, f64)) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    format!("<line class=\"line\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// What the tests of the pictures read in them.
#[cfg(test)]
pub(crate) mod read {
    /// The widths of all bars. The picture must be well-formed.
    pub(crate) fn widths(svg: &str) -> Vec<f64> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let bars = document
            .descendants()
            .filter(|node| node.has_tag_name("rect"));
        bars.map(|bar| bar.attribute("width").unwrap().parse().unwrap())
            .collect()
    }

    /// All texts, the style left out.
    pub(crate) fn texts(svg: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let texts = document
            .descendants()
            .filter(|node| node.has_tag_name("text"));
        texts
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }
}
