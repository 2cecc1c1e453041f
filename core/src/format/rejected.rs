//! What is kept of a document that is not delivered, or not as it is: a line of JSON.
//!
//! It is made anew from the event, for those few, so an ordinary document pays nothing for it.

use crate::format::document::{Format, Formatter};
use crate::format::event::Time;
use crate::format::json;
use crate::format::msgpack::{Malformed, Reader};
use crate::format::outcome::{self, Outcome};
use crate::format::time::{self, TimeFormat, TimeWriter};
use crate::format::transcode::Transcoder;

/// Why it is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The service refuses it for good.
    Rejected,
    /// The rest of a chunk that is no msgpack.
    Corrupt,
    NoLogKey,
    NoField,
    NoEvent,
    /// Delivered, but cut.
    Truncated,
    /// Delivered, but without the values of keys that come again.
    DoubledKeys,
}

impl Reason {
    /// Whether it is said of an event that can be read.
    pub fn is_of_event(self) -> bool {
        !matches!(self, Self::Rejected | Self::Corrupt | Self::NoEvent)
    }

    /// The name by which the metrics count it too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Corrupt => "corrupt",
            Self::NoLogKey => "no_log_key",
            Self::NoField => "no_field",
            Self::NoEvent => "no_event",
            Self::Truncated => "truncated",
            Self::DoubledKeys => "doubled_keys",
        }
    }
}

/// An event behind the start of its group, of which the attributes are given, if it is in one.
pub fn in_group(attributes: &[u8], event: &[u8]) -> Vec<u8> {
    // An array of two: the time -1, and the attributes.
    const START: &[u8] = &[0x92, 0xff];
    match attributes.is_empty() {
        true => event.to_vec(),
        false => [START, attributes, event].concat(),
    }
}

/// The document of a value of a chunk, without its newline: uncut, and with all its pairs. What
/// was dropped is its whole event, with what options add to it. The start of its group may stand
/// before it.
pub fn whole(value: &[u8], reason: Reason, format: &Format) -> Vec<u8> {
    let mut format = Format {
        max_bytes: usize::MAX,
        ..format.clone()
    };
    if matches!(reason, Reason::NoLogKey | Reason::NoField) {
        format.data_keys.clear();
        format.log_key = None;
    }
    let mut out = Vec::new();
    match write(value, reason, &format, &mut out) {
        Ok(()) => out,
        // What can't be read is kept as it is.
        Err(_) => value.to_vec(),
    }
}

fn write(
    value: &[u8],
    reason: Reason,
    format: &Format,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(value);
    match reason {
        Reason::Rejected | Reason::Corrupt => out.extend_from_slice(value),
        Reason::NoEvent => Transcoder::default().value(&mut reader, out)?,
        _ => {
            let mut formatter = Formatter::of_all_pairs(format);
            loop {
                match outcome::write_next(&mut reader, &mut formatter, out)? {
                    Outcome::GroupMarker => continue,
                    Outcome::Document { .. } => _ = out.pop(),
                    _ => out.extend_from_slice(b"{}"),
                }
                break;
            }
        }
    }
    Ok(())
}

/// Appends the line of a document. `error` is what the service said of it.
pub fn push_line(
    out: &mut Vec<u8>,
    time: Time,
    [tag, stream]: [&str; 2],
    reason: Reason,
    error: Option<&str>,
    document: &[u8],
) {
    let format = TimeFormat::parse(time::DEFAULT).unwrap_or_default();
    out.extend_from_slice(b"{\"time\":");
    out.extend_from_slice(TimeWriter::new(format).write(time));
    let texts = [("tag", tag), ("stream", stream), ("reason", reason.name())];
    for (key, text) in texts.into_iter().chain(error.map(|text| ("error", text))) {
        push_key(out, key);
        json::push_string(out, text.as_bytes());
    }
    match str::from_utf8(document) {
        Ok(text) if reason != Reason::Corrupt => {
            push_key(out, "document");
            json::push_string(out, text.as_bytes());
        }
        _ => {
            push_key(out, "document_base64");
            json::push_base64(out, document);
        }
    }
    out.extend_from_slice(b"}\n");
}

fn push_key(out: &mut Vec<u8>, key: &str) {
    out.push(b',');
    json::push_string(out, key.as_bytes());
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::accessor::Accessor;
    use base64_simd::STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn line(reason: Reason, error: Option<&str>, document: &[u8]) -> Value {
        let time = Time {
            seconds: 1_700_000_000,
            nanoseconds: 7_999_999,
        };
        let mut out = Vec::new();
        push_line(&mut out, time, ["a\"b", "logs"], reason, error, document);
        assert_eq!(out.pop(), Some(b'\n'));
        assert!(!out.contains(&b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_has_time_tag_stream_reason_and_document() {
        let expected = json!({
            "time": "2023-11-14T22:13:20.007Z", "tag": "a\"b", "stream": "logs",
            "reason": "rejected", "error": "too\nlong", "document": "{\"a\":1}",
        });
        let told = line(Reason::Rejected, Some("too\nlong"), b"{\"a\":1}");
        assert_eq!(told, expected);
        let expected = json!({
            "time": "2023-11-14T22:13:20.007Z", "tag": "a\"b", "stream": "logs",
            "reason": "corrupt", "document_base64": "YQ==",
        });
        assert_eq!(line(Reason::Corrupt, None, b"a"), expected);
    }

    proptest! {
        #[test]
        fn any_document_comes_back(document in any::<Vec<u8>>(), text in ".{0,40}") {
            for bytes in [&document[..], text.as_bytes()] {
                let line = line(Reason::Truncated, None, bytes);
                let base64 = line["document_base64"].as_str();
                let back = match base64 {
                    Some(text) => STANDARD.decode_to_vec(text).unwrap(),
                    None => line["document"].as_str().unwrap().as_bytes().to_vec(),
                };
                prop_assert_eq!(back, bytes);
                prop_assert_eq!(base64.is_none(), str::from_utf8(bytes).is_ok());
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_value_is_all_of_it() {
        let format = Format {
            data_keys: vec![Accessor::of_option("a").unwrap()],
            log_key: Some(Accessor::of_option("a").unwrap()),
            max_bytes: 10,
            ..Format::default()
        };
        let json = Format {
            log_key: None,
            ..format.clone()
        };
        let long = [&b"\x92\x01\x81\xa1a\xb4"[..], &[b'x'; 20]].concat();
        let cases: [(&[u8], Reason, &Format, &str); 7] = [
            (
                b"\x92\x01\x81\xa1b\x02",
                Reason::NoLogKey,
                &format,
                "{\"b\":2}",
            ),
            (
                b"\x92\x01\x81\xa1b\x02",
                Reason::NoField,
                &json,
                "{\"b\":2}",
            ),
            (b"\x92\x01\x80", Reason::NoField, &json, "{}"),
            (b"\x92\x01\xa1b", Reason::NoEvent, &json, "[1,\"b\"]"),
            (&long, Reason::Truncated, &format, "xxxxxxxxxxxxxxxxxxxx"),
            (
                b"\x92\x01\x82\xa1a\x01\xa1a\x02",
                Reason::DoubledKeys,
                &json,
                "{\"a\":1,\"a\":2}",
            ),
            (b"a\xc1", Reason::Corrupt, &json, "a\u{fffd}"),
        ];
        for (value, reason, format, expected) in cases {
            let kept = whole(value, reason, format);
            assert_eq!(String::from_utf8_lossy(&kept), expected, "{reason:?}");
        }
    }
}
