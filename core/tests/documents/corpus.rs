//! Each `tests/chunks/<host version>/<scenario>.msgpack` is a case: it must come to the documents
//! of `<scenario>.jsonl`, byte for byte, and to the counts of `<scenario>.rest.json`, if any.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::packed;

fn recorded() -> Vec<PathBuf> {
    let entries = |directory: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let versions = entries(&crate::chunks());
    let mut chunks: Vec<PathBuf> = versions
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|version| entries(version))
        .filter(|path| path.extension().is_some_and(|end| end == "msgpack"))
        .collect();
    chunks.sort();
    chunks
}

/// What did not become a document.
#[derive(Debug, Default, PartialEq)]
struct Rest {
    not_events: u64,
    without_field: u64,
    corrupt_offset: Option<usize>,
}

impl Rest {
    fn read(path: &Path) -> Self {
        let Ok(text) = fs::read_to_string(path) else {
            return Self::default();
        };
        let note: Value = serde_json::from_str(&text).unwrap();
        let number = |key: &str| note.get(key).map(|value| value.as_u64().unwrap());
        Self {
            not_events: number("not_events").unwrap_or(0),
            without_field: number("without_field").unwrap_or(0),
            corrupt_offset: number("corrupt_offset").map(|offset| offset as usize),
        }
    }
}

#[test]
fn recorded_chunks_become_the_documents_expected() {
    let chunks = recorded();
    assert!(!chunks.is_empty(), "no recorded chunks");
    for path in chunks {
        let name = path.display();
        let bytes = fs::read(&path).unwrap();
        let formatted = packed::format(&bytes, &crate::config(&[]).delivery.format);

        let expected = fs::read(path.with_extension("jsonl")).unwrap();
        let lines: Vec<&[u8]> = expected.split_inclusive(|byte| *byte == b'\n').collect();
        let documents = &formatted.documents;
        for (number, (document, line)) in documents.iter().zip(&lines).enumerate() {
            assert_eq!(
                String::from_utf8_lossy(document),
                String::from_utf8_lossy(line),
                "{name}, document {number}"
            );
        }
        assert_eq!(*documents, lines, "{name}");

        let rest = Rest {
            not_events: formatted.tally.not_events,
            without_field: formatted.tally.without_field,
            corrupt_offset: formatted.tally.corrupt.map(|corrupt| corrupt.offset),
        };
        assert_eq!(
            rest,
            Rest::read(&path.with_extension("rest.json")),
            "{name}"
        );
        if let Some(corrupt) = formatted.tally.corrupt {
            assert_eq!(corrupt.offset + corrupt.bytes, bytes.len(), "{name}");
        }
        assert_eq!(
            (formatted.tally.truncated, formatted.tally.without_log_key),
            (0, 0),
            "{name}"
        );
    }
}
