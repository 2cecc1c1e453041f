//! The tokens of JSON text that is valid and compact, as the plugin writes it.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Open,
    Close,
    Key,
    /// A comma, a colon, or a value that is no container.
    Other,
}

/// Walks the text from a place on: what each token is, and where.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    pub text: &'a [u8],
    pub at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = (Kind, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.text[self.at..];
        let (kind, length) = match *rest.first()? {
            b'{' | b'[' => (Kind::Open, 1),
            b'}' | b']' => (Kind::Close, 1),
            b',' | b':' => (Kind::Other, 1),
            b'"' => {
                let length = string_length(rest);
                match rest.get(length) {
                    Some(b':') => (Kind::Key, length),
                    _ => (Kind::Other, length),
                }
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']');
                let length = rest.iter().position(is_end);
                (Kind::Other, length.unwrap_or(rest.len()))
            }
        };
        let start = self.at;
        self.at += length;
        Some((kind, start..self.at))
    }
}

/// The length of the string at the start of `text`, quotes included.
pub fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}
