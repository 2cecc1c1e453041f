//! A chunk: decoding it and writing its documents.

use std::collections::HashSet;
use std::fmt;

use firehose_core::format::document::Format;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::packed::{self, Formatted};

pub(crate) fn run(data: &[u8]) {
    let (bytes, mut options) = super::split(data);
    let Ok(format) = super::format(&mut options) else {
        return;
    };
    let formatted = packed::format(bytes, &format);
    check_documents(&formatted, &format);
    assert_eq!(
        packed::format(bytes, &format),
        formatted,
        "not the same a second time"
    );

    // A value takes a byte at least, and an event three: head, time and body.
    let tally = &formatted.tally;
    let others = tally.not_events + tally.without_log_key + tally.without_field;
    assert!(3 * formatted.documents.len() + others as usize <= bytes.len());
    let Some(corrupt) = formatted.tally.corrupt else {
        return;
    };
    assert!(corrupt.bytes > 0);
    assert_eq!(corrupt.offset + corrupt.bytes, bytes.len());
    // What can't be read takes nothing with it that can.
    let readable = packed::format(&bytes[..corrupt.offset], &format);
    assert_eq!(readable.tally.corrupt, None);
    assert_eq!(readable.documents, formatted.documents);
}

fn check_documents(formatted: &Formatted, format: &Format) {
    let is_cut = formatted.tally.truncated > 0;
    for document in &formatted.documents {
        assert!(
            document.len() <= format.max_bytes,
            "{} bytes",
            document.len()
        );
        let line = document.strip_suffix(b"\n");
        let line = line.expect("a document ends in a newline");
        if format.log_key.is_some() {
            assert!(!line.ends_with(b"\n"), "an empty line");
            continue;
        }
        let text = std::str::from_utf8(line).expect("a document is UTF-8");
        assert!(!text.contains('\n'), "{text:?} is two lines");
        assert!(text.starts_with('{'), "{text:?} is no object");
        assert!(is_cut || text != "{}", "a document without a field");
        // Reads without recursion, so depth is no error.
        let json: Result<IgnoredAny, _> = serde_json::from_str(text);
        assert!(json.is_ok(), "{text:?} is no JSON");
        // This one reads to a depth of 127.
        if let Err(error) = serde_json::from_str::<Once>(text) {
            assert!(!error.to_string().starts_with(TWICE), "{text:?}: {error}");
        }
    }
}

const TWICE: &str = "twice in one object: ";

/// Any JSON whose objects have each key once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, _)) = pairs.next_entry::<String, Self>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("{TWICE}{key}")));
            }
        }
        Ok(self)
    }
}
