//! Documents in records, records in batches.

use std::io::Read;

use firehose::chunk::{self, Documents};
use firehose::compress::Compression;
use firehose::pack::{Aggregation, Packed, Packing};
use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value;

use crate::cases;

const BILLING_UNIT: usize = 5120;

/// A document for each text, the text as it is.
fn documents(texts: &[String]) -> Documents {
    let mut bytes = Vec::new();
    for text in texts {
        let body = Value::Map(vec![("log".into(), text.as_str().into())]);
        let event = Value::Array(vec![1_700_000_000.into(), body]);
        rmpv::encode::write_value(&mut bytes, &event).unwrap();
    }
    chunk::format(&bytes, &crate::config(&[("log_key", "log")]).format).documents
}

fn decompressed(compression: Option<Compression>, data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match compression {
        None => plain.extend_from_slice(data),
        Some(Compression::Gzip) => {
            let mut decoder = flate2::read::MultiGzDecoder::new(data);
            decoder.read_to_end(&mut plain).unwrap();
        }
        Some(Compression::Zstd) => plain = zstd::stream::decode_all(data).unwrap(),
        Some(Compression::Snappy) => {
            plain = snap::raw::Decoder::new().decompress_vec(data).unwrap();
        }
    }
    plain
}

/// The plain text of each record, having checked that records hold all documents, whole and in
/// order.
fn check_records(
    packing: &Packing,
    texts: &[String],
) -> Result<(Packed, Vec<Vec<u8>>), TestCaseError> {
    let packed = crate::pack_all(packing, documents(texts));
    let mut next = 0;
    let mut plain = Vec::new();
    for record in packed.records() {
        prop_assert_eq!(record.documents.start, next, "documents left out or twice");
        prop_assert!(record.documents.end > next, "an empty record");
        next = record.documents.end;
        let lines = texts[record.documents.clone()]
            .iter()
            .map(|text| format!("{text}\n"));
        let data = decompressed(packing.compression, packed.data(record));
        prop_assert_eq!(String::from_utf8_lossy(&data), lines.collect::<String>());
        plain.push(data);
    }
    prop_assert_eq!(next, texts.len(), "documents left over");
    Ok((packed, plain))
}

fn compression() -> impl Strategy<Value = Option<Compression>> {
    select(vec![
        None,
        Some(Compression::Gzip),
        Some(Compression::Zstd),
        Some(Compression::Snappy),
    ])
}

fn aggregation() -> impl Strategy<Value = Option<Aggregation>> {
    let max_documents = prop_oneof![Just(usize::MAX), 1..20_usize];
    let limits =
        (20..2000_usize, max_documents).prop_map(|(max_bytes, max_documents)| Aggregation {
            max_bytes,
            max_documents,
        });
    prop::option::weighted(0.8, limits)
}

/// Lines that compress well and lines that don't.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let text = prop_oneof!["[a-z ]{0,200}", "(GET /items/[0-9] ){0,20}", "[ab]{0,10}"];
    prop::collection::vec(text, 0..60)
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn records_hold_all_documents_in_order_and_keep_their_limits(
        texts in texts(),
        aggregation in aggregation(),
        compression in compression(),
    ) {
        let packing = Packing { aggregation, compression };
        let (packed, plain) = check_records(&packing, &texts)?;
        let Some(aggregation) = aggregation else {
            prop_assert_eq!(packed.records().len(), texts.len());
            return Ok(());
        };
        for (number, record) in packed.records().iter().enumerate() {
            let count = record.documents.len();
            prop_assert!(count <= aggregation.max_documents);
            prop_assert!(count == 1 || packed.data(record).len() <= aggregation.max_bytes);
            if compression.is_none() && record.documents.end < texts.len() {
                let next = texts[record.documents.end].len() + 1;
                let is_full = plain[number].len() + next > aggregation.max_bytes;
                prop_assert!(is_full || count == aggregation.max_documents, "a record too many");
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn only_the_wanted_documents_are_packed(
        texts in texts(),
        aggregation in aggregation(),
        compression in compression(),
        cuts in prop::collection::btree_set(0..60_usize, 0..12),
    ) {
        let packing = Packing { aggregation, compression };
        let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < texts.len()).collect();
        let wanted: Vec<_> = cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
        let packed = packing.pack(documents(&texts), &wanted);
        let mut numbers = Vec::new();
        for record in packed.records() {
            let lines = texts[record.documents.clone()].iter().map(|text| format!("{text}\n"));
            let data = decompressed(compression, packed.data(record));
            prop_assert_eq!(String::from_utf8_lossy(&data), lines.collect::<String>());
            numbers.extend(record.documents.clone());
        }
        prop_assert_eq!(numbers, wanted.into_iter().flatten().collect::<Vec<_>>());
    }
}

/// Full records with the default aggregate size are billed at most 2 % over their bytes.
fn check_bill(lengths: &[usize]) -> Result<(), TestCaseError> {
    let config = crate::config(&[("simple_aggregation", "true")]);
    let texts: Vec<String> = lengths
        .iter()
        .map(|length| "x".repeat(length - 1))
        .collect();
    let packed = crate::pack_all(&config.packing, documents(&texts));
    let (_last, full) = packed.records().split_last().unwrap();
    prop_assert!(!full.is_empty());
    for record in full {
        let raw = packed.data(record).len();
        let billed = raw.next_multiple_of(BILLING_UNIT);
        prop_assert!(billed * 100 <= raw * 102, "{billed} billed for {raw}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn full_records_of_documents_up_to_5_kib_waste_little(
        lengths in prop::collection::vec(1..=BILLING_UNIT, 300..400),
    ) {
        check_bill(&lengths)?;
    }
}

#[test]
fn the_worst_documents_for_the_bill_waste_under_2_percent() {
    // Fifty of 5 KiB and one byte: a document more would be one byte too many.
    let worst = [vec![BILLING_UNIT; 50], vec![1]].concat().repeat(3);
    check_bill(&worst).unwrap();
    for length in [1024, 4000, BILLING_UNIT - 1, BILLING_UNIT] {
        check_bill(&vec![length; 600_000 / length]).unwrap();
    }
}

/// Compressing must not throw away what aggregating is for: many documents in a record.
#[test]
fn compressed_records_are_filled_to_near_the_aggregate_size() {
    let line = |n: u32| {
        format!(
            "{:08x} GET /items/{} 200 in {} ms",
            n.wrapping_mul(2_654_435_761),
            n % 97,
            n % 13
        )
    };
    let texts: Vec<String> = (0..4000).map(line).collect();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Snappy] {
        let packing = Packing {
            aggregation: Some(Aggregation {
                max_bytes: 8192,
                max_documents: usize::MAX,
            }),
            compression: Some(compression),
        };
        let (packed, _) = check_records(&packing, &texts).unwrap();
        let (_last, full) = packed.records().split_last().unwrap();
        assert!(full.len() >= 3, "{compression:?}: {} records", full.len());
        for record in full {
            let length = packed.data(record).len();
            assert!(
                (8192 * 3 / 4..=8192).contains(&length),
                "{compression:?}: {length}"
            );
        }
    }
}
