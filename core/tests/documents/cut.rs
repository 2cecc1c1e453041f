//! Judges a document that was cut: valid, and nothing but the original with strings cut, arrays
//! without their last elements and objects without some pairs; and of an object's own pairs, that
//! none went or was shortened before a longer one.

use crate::model::{Json, quoted};

const MARK: &str = "[Truncated...]";

/// The least that is left of a string that is cut, and so the most that need not be.
const SHORTEST: usize = 2 + MARK.len();

/// What a JSON string can lose over its share: the longest character has 6 bytes.
const CHARACTER: usize = 6;

/// What was done to a document. Lengths are of JSON text, quotes included.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// The strings that were cut, as they are now.
    pub(crate) cut: Vec<usize>,
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

/// Judges which of an object's own pairs are there in at most `limit` bytes, and how long. `stays`
/// is the key that goes last.
pub(crate) fn judge_pairs(
    original: &[(String, Json)],
    document: &[u8],
    limit: usize,
    stays: Option<&str>,
) -> Result<(), String> {
    let least = (limit / 4096).max(SHORTEST);
    let mut expected = Vec::new();
    for (number, (key, value)) in original.iter().enumerate() {
        let value = match value {
            Json::Text(_) | Json::Array(_) | Json::Object(_) => value.text().len().min(least),
            scalar => scalar.text().len(),
        };
        let length = quoted(key).len() + 1 + value;
        expected.push((stays != Some(key), length, number));
    }
    expected.sort();
    let mut used = 1;
    expected.retain(|(_, length, _)| {
        used += length + 1;
        used <= limit
    });
    let mut expected: Vec<usize> = expected.into_iter().map(|(_, _, number)| number).collect();
    expected.sort();
    let expected: Vec<&str> = expected.iter().map(|at| &original[*at].0[..]).collect();

    let mut judge = Judge {
        rest: std::str::from_utf8(document).map_err(|error| error.to_string())?,
        cuts: Cuts::default(),
    };
    let mut there = Vec::new();
    let (mut whole, mut cut_strings, mut cut_containers) = (0, Vec::new(), 0);
    judge.pairs(original, |judge, (key, value)| {
        there.push(key.clone());
        let before = judge.rest.len();
        judge.value(value)?;
        let length = before - judge.rest.len();
        match value {
            // Numbers and the like can't be shortened.
            Json::Text(_) | Json::Array(_) | Json::Object(_) if length == value.text().len() => {
                whole = whole.max(length);
            }
            Json::Text(_) => cut_strings.push(length),
            Json::Array(_) | Json::Object(_) => cut_containers += 1,
            _ => {}
        }
        Ok(())
    })?;
    if there != expected {
        return Err(format!("has the pairs {there:?} instead of {expected:?}"));
    }
    // An array or object may leave some of its share, which the values behind it then get.
    if cut_containers > 0 {
        return Ok(());
    }
    let longest = cut_strings.iter().max().copied().unwrap_or(usize::MAX);
    if whole > longest.saturating_add(CHARACTER) {
        return Err(format!(
            "a value of {whole} bytes is whole, and a cut one has {longest}"
        ));
    }
    let lost = CHARACTER * cut_strings.len();
    let is_full = document.len() + lost >= limit;
    match there.len() < original.len() || is_full {
        true => Ok(()),
        false => Err(format!("{} of {limit} bytes: cut too far", document.len())),
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
            Json::Array(items) => self.items(items),
            Json::Object(pairs) => self.pairs(pairs, |judge, (_, value)| judge.value(value)),
            scalar => self.expect(&scalar.text()),
        }
    }

    fn items(&mut self, items: &[Json]) -> Result<(), String> {
        self.expect("[")?;
        for (number, item) in items.iter().enumerate() {
            if self.rest.starts_with(']') {
                self.cuts.is_short = true;
                break;
            }
            if number > 0 {
                self.expect(",")?;
            }
            self.value(item)?;
        }
        self.expect("]")
    }

    fn pairs(
        &mut self,
        pairs: &[(String, Json)],
        mut pair: impl FnMut(&mut Self, &(String, Json)) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect("{")?;
        let mut is_first = true;
        for next in pairs {
            let comma = if is_first { "" } else { "," };
            let start = format!("{comma}{}:", quoted(&next.0));
            if let Some(rest) = self.rest.strip_prefix(&start) {
                self.rest = rest;
                is_first = false;
                pair(self, next)?;
            } else {
                self.cuts.is_short = true;
            }
        }
        self.expect("}")
    }

    fn string(&mut self, original: &str) -> Result<(), String> {
        let length = string_length(self.rest)?;
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        if token == quoted(original) {
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
