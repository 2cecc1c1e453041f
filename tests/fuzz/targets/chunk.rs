//! A chunk: decoding it and writing its documents.

use firehose::document::Format;
use serde::de::IgnoredAny;

use super::packed;

pub(crate) fn run(data: &[u8]) {
    let (bytes, mut options) = super::split(data);
    let Ok(format) = super::format(&mut options) else {
        return;
    };
    let formatted = packed::format(bytes, &format);
    check_documents(&formatted.documents, &format);
    assert_eq!(
        packed::format(bytes, &format),
        formatted,
        "not the same a second time"
    );

    // A value takes a byte at least, and an event three: head, time and body.
    let others = formatted.tally.not_events + formatted.tally.without_log_key;
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

fn check_documents(documents: &[Vec<u8>], format: &Format) {
    for document in documents {
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
        // Reads without recursion, so depth is no error.
        let json: Result<IgnoredAny, _> = serde_json::from_str(text);
        assert!(json.is_ok(), "{text:?} is no JSON");
    }
}
