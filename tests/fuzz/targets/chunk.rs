//! A chunk: decoding it and writing its documents.

use firehose::chunk::{self, Documents};
use firehose::document::Format;
use serde::de::IgnoredAny;

pub(crate) fn run(data: &[u8]) {
    let (bytes, mut options) = super::split(data);
    let Ok(format) = super::format(&mut options) else {
        return;
    };
    let formatted = chunk::format(bytes, &format);
    check_documents(&formatted.documents, &format);
    assert_eq!(
        chunk::format(bytes, &format),
        formatted,
        "not the same a second time"
    );

    // A value takes a byte at least, and an event three: head, time and body.
    let others = formatted.not_events + formatted.without_log_key;
    assert!(3 * formatted.documents.len() + others as usize <= bytes.len());
    let Some(corrupt) = formatted.corrupt else {
        return;
    };
    assert!(corrupt.bytes > 0);
    assert_eq!(corrupt.offset + corrupt.bytes, bytes.len());
    // What can't be read takes nothing with it that can.
    let readable = chunk::format(&bytes[..corrupt.offset], &format);
    assert_eq!(readable.corrupt, None);
    assert_eq!(readable.documents, formatted.documents);
}

fn check_documents(documents: &Documents, format: &Format) {
    let mut bytes = 0;
    for document in documents.iter() {
        bytes += document.len();
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
    assert_eq!(bytes, documents.bytes().len());
}
