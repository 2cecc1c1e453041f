//! Judges a document that was cut: valid, and nothing but the original with its longest strings
//! shortened and, only where that is not enough, elements missing from its end.

use crate::model::{Json, quoted};

const MARK: &str = "[Truncated...]";

/// What was done to a document. Lengths are of JSON text, quotes included.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// The strings that were cut, as they are now.
    pub(crate) cut: Vec<usize>,
    /// The strings that were not.
    pub(crate) kept: Vec<usize>,
    /// Elements are missing.
    pub(crate) is_short: bool,
}

/// Compares a cut document, newline excluded, with what it was.
pub(crate) fn judge(original: &Json, document: &[u8]) -> Result<Cuts, String> {
    let text = std::str::from_utf8(document).map_err(|error| error.to_string())?;
    let mut judge = Judge {
        rest: text,
        cuts: Cuts::default(),
    };
    judge.value(original)?;
    match judge.rest {
        "" => Ok(judge.cuts),
        rest => Err(format!("`{rest}` follows the document")),
    }
}

/// The smallest the text gets by cutting strings alone.
pub(crate) fn smallest(json: &Json) -> usize {
    let shortest = |text: &str| quoted(text).len().min(MARK.len() + 2);
    let commas = |count: usize| count.saturating_sub(1);
    match json {
        Json::Text(text) => shortest(text),
        Json::Array(items) => 2 + commas(items.len()) + items.iter().map(smallest).sum::<usize>(),
        Json::Object(pairs) => {
            let pair = |(key, value): &(String, Json)| quoted(key).len() + 1 + smallest(value);
            2 + commas(pairs.len()) + pairs.iter().map(pair).sum::<usize>()
        }
        scalar => scalar.text().len(),
    }
}

struct Judge<'t> {
    rest: &'t str,
    cuts: Cuts,
}

impl Judge<'_> {
    fn value(&mut self, original: &Json) -> Result<(), String> {
        match original {
            Json::Text(text) => self.string(text),
            Json::Array(items) => self.elements("[", "]", items, |judge, item| judge.value(item)),
            Json::Object(pairs) => self.elements("{", "}", pairs, |judge, (key, value)| {
                judge.expect(&quoted(key))?;
                judge.expect(":")?;
                judge.value(value)
            }),
            scalar => self.expect(&scalar.text()),
        }
    }

    fn elements<T>(
        &mut self,
        open: &str,
        close: &str,
        elements: &[T],
        element: impl Fn(&mut Self, &T) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect(open)?;
        for (number, next) in elements.iter().enumerate() {
            // Once an element is missing all containers around it must end.
            if self.cuts.is_short || self.rest.starts_with(close) {
                self.cuts.is_short = true;
                break;
            }
            if number > 0 {
                self.expect(",")?;
            }
            element(self, next)?;
        }
        self.expect(close)
    }

    fn string(&mut self, original: &str) -> Result<(), String> {
        let length = string_length(self.rest)?;
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        if token == quoted(original) {
            self.cuts.kept.push(length);
            return Ok(());
        }
        let text: String = serde_json::from_str(token).map_err(|error| error.to_string())?;
        self.cuts.cut.push(length);
        let kept = text.strip_suffix(MARK);
        match kept.is_some_and(|kept| original.starts_with(kept)) {
            true => Ok(()),
            false => Err(format!(
                "{token} is not the start of {original:?} and the mark"
            )),
        }
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        let wrong = || format!("{expected} is not at `{:.60}`", self.rest);
        self.rest = self.rest.strip_prefix(expected).ok_or_else(wrong)?;
        Ok(())
    }
}

fn string_length(text: &str) -> Result<usize, String> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if at > 0 && !is_escaped => return Ok(at + 1),
            _ if at == 0 && byte != b'"' => break,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    Err(format!("there is no string at `{text:.60}`"))
}
