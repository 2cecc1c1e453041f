//! Each `tests/chunks/<host version>/<scenario>.msgpack` is a case: it must come to the documents
//! of `<scenario>.jsonl`, byte for byte, and to the counts of `<scenario>.rest.json`, if any.

use std::path::{Path, PathBuf};
use std::{fs, iter, thread};

use serde::Deserialize as _;
use serde_json::Value;

use crate::model::{self, Options};
use crate::packed;

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn recorded() -> Vec<PathBuf> {
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

/// More levels than any of the chunks has, and the stack that they take.
const LEVELS: usize = 10_000;
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// rmp-serde reads the chunks, and what a fuzzer found, to where they stop being msgpack.
#[test]
fn rmp_serde_reads_the_same() {
    let check = || {
        let seeds = entries(&crate::chunks().join("../../fuzz/seeds/chunk"));
        for path in recorded().into_iter().chain(seeds) {
            check_by_rmp_serde(&path);
        }
    };
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(check);
    thread.unwrap().join().unwrap();
}

fn check_by_rmp_serde(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let values = iter::from_fn(|| {
        let mut reader = rmp_serde::Deserializer::new(&mut rest);
        reader.set_max_depth(LEVELS);
        rmpv::Value::deserialize(&mut reader).ok()
    });
    let expected = model::of_values(values, &Options::default()).documents;
    let documents = packed::format(&bytes, &crate::config(&[]).delivery.format).documents;
    assert_eq!(documents.len(), expected.len(), "{}", path.display());
    for (document, expected) in documents.iter().zip(expected) {
        let document = str::from_utf8(document).unwrap();
        // To serde, text that is no UTF-8 is bytes.
        if !document.contains(char::REPLACEMENT_CHARACTER) {
            let expected = String::from_utf8(expected.text()).unwrap() + "\n";
            assert_eq!(document, expected, "{}", path.display());
        }
    }
}
