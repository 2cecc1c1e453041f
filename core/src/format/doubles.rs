//! Makes each key stand once in an object: the last value wins. Neither of Athena's JSON readers
//! takes an object that has a key twice.
//!
//! It works on the finished text, so an ordinary document pays nothing for it.

use std::ops::Range;

use crate::format::tokens::{Kind, Tokens, string_length};

/// Leaves pairs out. Its buffers are kept from one document to the next.
#[derive(Debug, Default)]
pub struct Doubles {
    /// For each open container, where its pairs begin.
    open: Vec<usize>,
    /// The pairs of the open objects.
    pairs: Vec<Pair>,
    /// The ranges to leave out; a range inside another one comes before it.
    left_out: Vec<Range<usize>>,
    doubled: Doubled,
}

/// What was left out of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubled {
    pub pairs: u64,
    /// The start of a key that stood again, to name it in the log.
    pub key: String,
}

impl Doubled {
    /// Adds what was left out of another document. The key stays.
    pub fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        if self.key.is_empty() {
            self.key.push_str(&other.key);
        }
    }
}

#[derive(Debug)]
struct Pair {
    /// Quotes included.
    key: Range<usize>,
    /// Where the object's next pair starts; 0 for the last one.
    next: usize,
}

impl Doubles {
    /// Leaves out of `text[start..]`, which is valid, compact JSON, each pair whose key stands
    /// again behind it in the same object.
    pub fn leave_out(&mut self, text: &mut Vec<u8>, start: usize) -> Option<&Doubled> {
        self.open.clear();
        self.pairs.clear();
        self.left_out.clear();
        for (kind, range) in (Tokens { text, at: start }) {
            match kind {
                Kind::Open => self.open.push(self.pairs.len()),
                Kind::Key => self.begin_pair(range),
                Kind::Close => self.close(text),
                _ => {}
            }
        }
        self.left_out.sort_unstable_by_key(|range| range.start);
        let first = self.left_out.first()?;
        self.doubled.pairs = 0;
        self.doubled.key.clear();
        self.doubled.key.push_str(&name(&text[first.start..]));
        let (mut write, mut read) = (start, start);
        for range in &self.left_out {
            if range.start < read {
                continue;
            }
            text.copy_within(read..range.start, write);
            write += range.start - read;
            read = range.end;
            self.doubled.pairs += 1;
        }
        text.copy_within(read.., write);
        text.truncate(write + text.len() - read);
        Some(&self.doubled)
    }

    fn begin_pair(&mut self, key: Range<usize>) {
        let first = self.open.last().copied().unwrap_or_default();
        if let Some(before) = self.pairs[first..].last_mut() {
            before.next = key.start;
        }
        self.pairs.push(Pair { key, next: 0 });
    }

    /// A container ends: of pairs with the same key all but the last are left out.
    fn close(&mut self, text: &[u8]) {
        let first = self.open.pop().unwrap_or_default();
        let pairs = &mut self.pairs[first..];
        let order = |pair: &Pair| (&text[pair.key.clone()], pair.key.start);
        pairs.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        for pair in pairs.windows(2) {
            if order(&pair[0]).0 == order(&pair[1]).0 {
                self.left_out.push(pair[0].key.start..pair[0].next);
            }
        }
        self.pairs.truncate(first);
    }
}

/// The start of the key at the start of `text`, on one line.
fn name(text: &[u8]) -> String {
    const LENGTH: usize = 60;
    let end = string_length(text) - 1;
    let is_line_end = |letter: char| letter.is_control() || "\u{2028}\u{2029}".contains(letter);
    let key = String::from_utf8_lossy(&text[1..end]).replace(is_line_end, "\u{fffd}");
    let mut name: String = key.chars().take(LENGTH).collect();
    if name.len() < key.len() {
        name.push('…');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_on_one_short_line() {
        let named = |key: &str| {
            let mut document = format!(r#"{{"{key}":1,"{key}":2}}"#).into_bytes();
            let doubled = Doubles::default().leave_out(&mut document, 0).cloned();
            doubled.unwrap().key
        };
        assert_eq!(named("é key"), "é key");
        assert_eq!(named("a\u{2028}b\u{85}c\\n"), "a\u{fffd}b\u{fffd}c\\n");
        assert_eq!(named(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(named(&"é".repeat(61)), "é".repeat(60) + "…");
    }
}
