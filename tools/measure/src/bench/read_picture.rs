//! What the tests of the pictures read in them.

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
