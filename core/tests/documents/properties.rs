//! Any chunk, under any options.

use std::ops::Range;

use firehose_core::format::accessor::Accessor;
use firehose_core::format::document::{Format, TimeKey};
use firehose_core::format::time::TimeFormat;
use firehose_core::format::truncate;
use proptest::prelude::*;

use crate::cases;
use crate::cut;
use crate::model::{self, Document, Json, Options, Place, Step};
use crate::packed::{self, Formatted};
use crate::strategies;

const LIMIT: usize = 1_024_000;

pub(crate) fn format(options: &Options, max_bytes: usize) -> Format {
    let time_key = options.time_key.as_ref().map(|(key, format)| TimeKey {
        key: key.clone(),
        format: TimeFormat::parse(format).unwrap(),
    });
    Format {
        data_keys: options.data_keys.iter().map(accessor).collect(),
        log_key: options.log_key.as_ref().map(accessor),
        metadata_key: options.metadata_key.clone(),
        group_key: options.group_key.clone(),
        time_key,
        replace_dots: options.replace_dots.clone(),
        max_bytes,
    }
}

/// As an option names the place.
fn accessor(place: &Place) -> Accessor {
    let mut text = String::new();
    for step in place {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!("['{key}']")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    let dollar = if place.len() > 1 { "$" } else { "" };
    Accessor::of_option(&format!("{dollar}{text}")).unwrap()
}

/// The documents as the model has them, were there no limit.
fn lines(documents: &[Document]) -> Vec<Vec<u8>> {
    let line = |document: &Document| [document.text(), b"\n".to_vec()].concat();
    documents.iter().map(line).collect()
}

/// For comparing so that a difference can be read.
fn shown(documents: &[impl AsRef<[u8]>]) -> Vec<String> {
    let text = |document: &_| AsRef::<[u8]>::as_ref(document).escape_ascii().to_string();
    documents.iter().map(text).collect()
}

fn check_cut(
    original: &Document,
    document: &[u8],
    max_bytes: usize,
    stays: Option<&str>,
) -> Result<(), TestCaseError> {
    prop_assert!(document.len() <= max_bytes, "{} bytes", document.len());
    let text = document.strip_suffix(b"\n").unwrap();
    match original {
        Document::Json(json) => {
            cut::judge(json, text).map_err(TestCaseError::fail)?;
            prop_assert!(serde_json::from_slice::<serde_json::Value>(text).is_ok());
            if let Json::Object(pairs) = json {
                cut::judge_pairs(pairs, text, max_bytes - 1, stays).map_err(TestCaseError::fail)?;
            }
        }
        Document::Raw(original) => {
            let kept = text.strip_suffix(b"[Truncated...]").unwrap();
            prop_assert!(original.starts_with(kept));
            if std::str::from_utf8(original).is_ok() {
                prop_assert!(std::str::from_utf8(kept).is_ok());
                prop_assert!(document.len() > max_bytes - 4);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn documents_are_the_model_s(chunk in strategies::chunk(), options in strategies::options()) {
        let bytes = chunk.bytes();
        let format = format(&options, LIMIT);
        let formatted = packed::format(&bytes, &format);
        let expected = model::format(&bytes, &options);
        prop_assert_eq!(shown(&formatted.documents), shown(&lines(&expected.documents)));
        prop_assert_eq!(formatted.tally.not_events, expected.not_events);
        prop_assert_eq!(formatted.tally.without_log_key, expected.without_log_key);
        prop_assert_eq!(formatted.tally.without_field, expected.without_field);
        prop_assert_eq!(formatted.tally.doubled.pairs, expected.doubled);
        prop_assert_eq!(formatted.tally.truncated, 0);
        prop_assert_eq!(formatted.tally.corrupt, None);
        prop_assert_eq!(packed::format(&bytes, &format), formatted, "not the same a second time");
    }

    /// More keys than are remembered, and longer ones; nearly every map has some of them twice.
    #[test]
    fn a_key_stands_once_in_each_map(
        chunk in strategies::chunk_of_doubles(),
        options in strategies::options(),
    ) {
        let bytes = chunk.bytes();
        let formatted = packed::format(&bytes, &format(&options, LIMIT));
        let expected = model::format(&bytes, &options);
        prop_assert_eq!(shown(&formatted.documents), shown(&lines(&expected.documents)));
        prop_assert_eq!(formatted.tally.doubled.pairs, expected.doubled);
        prop_assert_eq!(formatted.tally.doubled.key.is_empty(), expected.doubled == 0);
    }

    #[test]
    fn a_document_over_the_limit_is_cut_and_others_are_left_alone(
        chunk in strategies::chunk(),
        options in strategies::options(),
        max_bytes in 40..400_usize,
    ) {
        let bytes = chunk.bytes();
        let formatted = packed::format(&bytes, &format(&options, max_bytes));
        let expected = model::format(&bytes, &options).documents;
        let documents = &formatted.documents;
        prop_assert_eq!(documents.len(), expected.len());
        let lines = lines(&expected);
        for ((document, line), original) in documents.iter().zip(&lines).zip(&expected) {
            if line.len() <= max_bytes {
                prop_assert_eq!(document, line);
            } else {
                let stays = model::written_time_key(&options);
                check_cut(original, document, max_bytes, stays.as_deref())?;
            }
        }
        let over = lines.iter().map(Vec::len).filter(|length| *length > max_bytes);
        let truncated = (formatted.tally.truncated, formatted.tally.largest);
        let expected = (over.clone().count() as u64, over.max().unwrap_or(0));
        prop_assert_eq!(truncated, expected);
    }

    #[test]
    fn what_comes_before_a_missing_end_is_kept(
        chunk in strategies::chunk(),
        options in strategies::options(),
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = chunk.bytes();
        let end = at.index(bytes.len() + 1);
        let whole = chunk.start_of(end);
        let formatted = packed::format(&bytes[..end], &format(&options, LIMIT));
        let expected = model::format(&bytes[..whole], &options);
        prop_assert_eq!(shown(&formatted.documents), shown(&lines(&expected.documents)));
        prop_assert_eq!(formatted.tally.not_events, expected.not_events);
        let corrupt = formatted.tally.corrupt.map(|corrupt| (corrupt.offset, corrupt.bytes));
        prop_assert_eq!(corrupt, (end > whole).then_some((whole, end - whole)));
    }

    #[test]
    fn damage_spares_what_comes_before_it(
        chunk in strategies::chunk(),
        options in strategies::options(),
        at in any::<prop::sample::Index>(),
        damage in prop::collection::vec(any::<u8>(), 0..4),
        lost in 0..4_usize,
    ) {
        let mut bytes = chunk.bytes();
        let start = at.index(bytes.len() + 1);
        let end = (start + lost).min(bytes.len());
        bytes.splice(start..end, damage);
        let formatted = packed::format(&bytes, &format(&options, LIMIT));
        let expected = model::format(&bytes[..chunk.start_of(start)], &options);
        let documents = &formatted.documents;
        let spared = lines(&expected.documents);
        prop_assert!(documents.len() >= spared.len());
        prop_assert_eq!(shown(&documents[..spared.len()]), shown(&spared));
        check_accounts(&formatted, &bytes, &options)?;
    }

    /// The writer keeps buffers, and the text of the last second, from event to event; and a part
    /// of a chunk may begin within a group.
    #[test]
    fn an_event_does_not_depend_on_those_around_it(
        chunk in strategies::chunk(),
        options in strategies::options(),
    ) {
        let format = format(&options, 200);
        let bytes = chunk.bytes();
        let documents = |left: Range<usize>| {
            let packed = packed::pack(&bytes, &format, packed::PLAIN, Some(left.into()));
            let records = packed.records.into_iter();
            records.map(|record| record.data).collect::<Vec<_>>().concat()
        };
        let mut end = 0;
        let alone = chunk.values.iter().map(|value| {
            let start = end;
            end += value.len();
            documents(start..end)
        });
        let alone: Vec<_> = alone.collect();
        prop_assert_eq!(documents(0..bytes.len()), alone.concat());
    }

    #[test]
    fn arbitrary_bytes_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        options in strategies::options(),
        max_bytes in 40..400_usize,
    ) {
        let formatted = packed::format(&bytes, &format(&options, max_bytes));
        check_accounts(&formatted, &bytes, &options)?;
        prop_assert!(formatted.documents.iter().all(|document| document.len() <= max_bytes));
    }

    /// Bytes after the heads of real events get further than bytes alone.
    #[test]
    fn arbitrary_bodies_are_survived(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
        options in strategies::options(),
    ) {
        let event = |body: &Vec<u8>| [&[0x92, 0x92, 0x05, 0x80, 0x83][..], body].concat();
        let bytes: Vec<u8> = bodies.iter().flat_map(event).collect();
        let formatted = packed::format(&bytes, &format(&options, LIMIT));
        check_accounts(&formatted, &bytes, &options)?;
    }
}

fn check_accounts(
    formatted: &Formatted,
    bytes: &[u8],
    options: &Options,
) -> Result<(), TestCaseError> {
    if let Some(corrupt) = formatted.tally.corrupt {
        prop_assert!(corrupt.bytes > 0);
        prop_assert_eq!(corrupt.offset + corrupt.bytes, bytes.len());
    }
    for document in &formatted.documents {
        prop_assert!(document.ends_with(b"\n"));
        if options.log_key.is_none() {
            let line: Result<serde_json::Value, _> = serde_json::from_slice(document);
            prop_assert!(line.is_ok(), "{}", document.escape_ascii());
            prop_assert!(!document[..document.len() - 1].contains(&b'\n'));
        }
    }
    Ok(())
}

/// A number can't be shortened, so it may be longer than a string that was cut.
#[test]
fn a_long_number_stays_beside_a_string_that_is_cut() {
    let number = Json::Number("-8.511518345034696e-134".to_owned());
    let text = Json::Text("\0\\\\\0".to_owned());
    let pairs = [("a".to_owned(), number), ("b".to_owned(), text)];
    let whole = Json::Object(pairs.to_vec()).text();
    let limit = whole.len() - 1;
    let document = truncate::json(whole.as_bytes(), limit, None);
    assert_eq!(
        String::from_utf8_lossy(&document),
        r#"{"a":-8.511518345034696e-134,"b":"[Truncated...]"}"#
    );
    assert_eq!(cut::judge_pairs(&pairs, &document, limit, None), Ok(()));
}
