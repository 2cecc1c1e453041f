//! Documents in records, records in batches.

use std::io::Read;

use firehose_core::deliver::ranges::Ranges;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::compress::Compression;
use firehose_core::pack::packer::{Aggregation, Packer, Packing, Source};
use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value;

use crate::body;
use crate::cases;
use crate::packed::{self, Packed, Record};

const BILLING_UNIT: usize = 5120;

/// The event of each text.
fn events(texts: &[String]) -> Vec<Vec<u8>> {
    let event = |text: &String| {
        let body = Value::Map(vec![("log".into(), text.as_str().into())]);
        let event = Value::Array(vec![1_700_000_000.into(), body]);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &event).unwrap();
        bytes
    };
    texts.iter().map(event).collect()
}

/// Each text is a document, as it is.
fn pack(packing: Packing, texts: &[String], left: Option<Ranges>) -> Packed {
    let format = crate::config(&[("log_key", "log")]).delivery.format;
    packed::pack(&events(texts).concat(), &format, packing, left)
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

fn lines(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text}\n")).collect()
}

/// The records with their plain text, having checked that they hold all documents, whole and in
/// order.
fn check_records(
    packing: Packing,
    texts: &[String],
) -> Result<Vec<(Record, Vec<u8>)>, TestCaseError> {
    let packed = pack(packing, texts, None);
    prop_assert!(packed.left.is_empty(), "events left over");
    let mut rest = texts;
    let mut records = Vec::new();
    for record in packed.records {
        prop_assert!(record.documents > 0, "an empty record");
        let documents;
        (documents, rest) = rest.split_at(record.documents as usize);
        let plain = decompressed(packing.compression, &record.data);
        prop_assert_eq!(String::from_utf8_lossy(&plain), lines(documents));
        records.push((record, plain));
    }
    prop_assert!(rest.is_empty(), "documents left over");
    Ok(records)
}

fn compression() -> impl Strategy<Value = Option<Compression>> {
    prop::option::weighted(0.75, select(&Compression::ALL[..]))
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
        let records = check_records(packing, &texts)?;
        let Some(aggregation) = aggregation else {
            prop_assert_eq!(records.len(), texts.len());
            return Ok(());
        };
        let mut before = 0;
        for (record, plain) in &records {
            let count = record.documents as usize;
            before += count;
            prop_assert!(count <= aggregation.max_documents);
            prop_assert!(count == 1 || record.data.len() <= aggregation.max_bytes);
            if compression.is_none() && before < texts.len() {
                let is_full = plain.len() + texts[before].len() + 1 > aggregation.max_bytes;
                prop_assert!(is_full || count == aggregation.max_documents, "a record too many");
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn only_what_is_left_is_packed(
        texts in texts(),
        aggregation in aggregation(),
        compression in compression(),
        cuts in prop::collection::btree_set(0..60_usize, 0..12),
    ) {
        let packing = Packing { aggregation, compression };
        let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < texts.len()).collect();
        let wanted = cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]);
        let mut ends = vec![0];
        for event in events(&texts) {
            ends.push(ends[ends.len() - 1] + event.len());
        }
        let mut left = Ranges::default();
        wanted.clone().for_each(|range| left.insert(ends[range.start]..ends[range.end]));
        let packed = pack(packing, &texts, Some(left.clone()));
        let plain = packed.records.iter().map(|record| decompressed(compression, &record.data));
        let expected: String = wanted.map(|range| lines(&texts[range])).collect();
        let plain: Vec<u8> = plain.flatten().collect();
        prop_assert_eq!(String::from_utf8_lossy(&plain), expected);
        // What the records were made of is all that was left.
        let mut made = Ranges::default();
        for range in packed.records.iter().flat_map(|record| &record.ranges) {
            made.insert(range.clone());
        }
        prop_assert_eq!(made, left);
    }
}

/// Full records with the default aggregate size are billed at most 2 % over their bytes.
fn check_bill(lengths: &[usize]) -> Result<(), TestCaseError> {
    let config = crate::config(&[("simple_aggregation", "true")]);
    let texts: Vec<String> = lengths
        .iter()
        .map(|length| "x".repeat(length - 1))
        .collect();
    let records = pack(config.packing, &texts, None).records;
    let (_last, full) = records.split_last().unwrap();
    prop_assert!(!full.is_empty());
    for record in full {
        let raw = record.data.len();
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
    for compression in Compression::ALL {
        let packing = Packing {
            aggregation: Some(Aggregation {
                max_bytes: 8192,
                max_documents: usize::MAX,
            }),
            compression: Some(compression),
        };
        let records = check_records(packing, &texts).unwrap();
        let (_last, full) = records.split_last().unwrap();
        assert!(full.len() >= 3, "{compression:?}: {} records", full.len());
        for (record, _) in full {
            let length = record.data.len();
            assert!(
                (8192 * 3 / 4..=8192).contains(&length),
                "{compression:?}: {length}"
            );
        }
    }
}

/// The host takes a chunk back while a batch is made: what was packed of it stays, the rest waits.
#[test]
fn a_chunk_may_leave_between_two_pieces() {
    struct Leaving<'c> {
        reads: Vec<&'c [u8]>,
        pieces: Vec<Piece>,
    }
    impl Source for Leaving<'_> {
        fn next(&mut self) -> Option<Piece> {
            self.pieces.pop()
        }

        fn counted(&self, _: ChunkId) -> usize {
            0
        }

        fn read<R>(&mut self, _: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
            reader(self.reads.pop().unwrap_or_default())
        }
    }
    let chunk = b"\x92\xff\x81\xa1g\x01\x92\x05\x81\xa1a\x01\x92\x05\x81\xa1a\x02";
    let piece = |range| Piece {
        chunk: ChunkId(1),
        range,
    };
    let mut source = Leaving {
        reads: vec![chunk],
        pieces: vec![piece(12..18), piece(6..12)],
    };
    let format = crate::config(&[("group_key", "of")]).delivery.format;
    let mut batch = Batch::default();
    let mut packer = Packer::new("logs", packed::PLAIN);
    packer.pack(&format, &mut source, packed::ROOM, &mut batch);
    let records = body::datas(&batch.finish());
    assert_eq!(records, [b"{\"a\":1,\"of\":{\"g\":1}}\n"]);
    assert_eq!(batch.rest, [piece(12..18)]);
}
