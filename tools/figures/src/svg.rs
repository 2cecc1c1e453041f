//! What the pictures have in common. They are readable on light and on dark pages.

pub const WIDTH: f64 = 760.0;
/// Where the rows begin, below the title.
pub const TOP: f64 = 48.0;
pub const BAR_HEIGHT: f64 = 20.0;
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
pub fn text(anchor: &str, x: f64, middle: f64, text: &str) -> String {
    let baseline = middle + 4.5;
    let text = escape(text);
    format!("<text x=\"{x:.1}\" y=\"{baseline:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

pub fn bar(class: &str, x: f64, width: f64, middle: f64) -> String {
    let y = middle - BAR_HEIGHT / 2.0;
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\"/>\n"
    )
}

pub fn line(from: (f64, f64), to: (f64, f64)) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    format!("<line class=\"line\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
