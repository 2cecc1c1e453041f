//! Documents in records.

use std::io::Read;
use std::iter;

use arbitrary::Unstructured;
use firehose_core::deliver::ranges::Ranges;
use firehose_core::pack::compress::Compression;
use firehose_core::pack::packer::{Aggregation, Packing};

use super::packed::{self, Packed};

/// The most of which a chunk is repeated, so that there are documents for many records.
const MAX_CHUNK: usize = 64 * 1024;

pub(crate) fn run(data: &[u8]) {
    let (bytes, mut options) = super::split(data);
    let Ok(format) = super::format(&mut options) else {
        return;
    };
    let Ok((packing, times, gap)) = options_of(&mut options) else {
        return;
    };
    let times = times.min(MAX_CHUNK / bytes.len().max(1)).max(1);
    let chunk = bytes.repeat(times);
    let alone = packed::pack(&chunk, &format, packed::PLAIN, None);
    // What was accepted before lies in the middle.
    let middle = alone.records.len() * gap / 512..alone.records.len() * gap / 256;
    let mut left = Ranges::from(0..chunk.len());
    for record in &alone.records[middle.clone()] {
        for range in &record.ranges {
            left.remove(range.clone());
        }
    }
    let wanted = alone.records.iter().enumerate();
    let wanted = wanted.filter(|(number, _)| !middle.contains(number));
    let wanted: Vec<&[u8]> = wanted.map(|(_, record)| &record.data[..]).collect();
    let packed = packed::pack(&chunk, &format, packing, Some(left));
    check_records(&packed, &packing, &wanted);
}

/// How to pack, how often the chunk is repeated, and which part of the documents is left out.
fn options_of(options: &mut Unstructured<'_>) -> arbitrary::Result<(Packing, usize, usize)> {
    let compressions: Vec<_> = iter::once(None).chain(Compression::ALL.map(Some)).collect();
    let compression = *options.choose(&compressions)?;
    let aggregation = Aggregation {
        max_bytes: options.int_in_range(1..=20_000)?,
        max_documents: *options.choose(&[usize::MAX, 1, 2, 500])?,
    };
    let packing = Packing {
        aggregation: options.arbitrary::<bool>()?.then_some(aggregation),
        compression,
    };
    let times = *options.choose(&[1, 1, 600])?;
    Ok((packing, times, options.int_in_range(0..=255)?))
}

/// Every wanted document is in one record, whole and in order, and no other is in any.
fn check_records(packed: &Packed, packing: &Packing, wanted: &[&[u8]]) {
    assert!(packed.left.is_empty(), "{:?} is left", packed.left);
    let mut wanted = wanted.iter();
    for record in &packed.records {
        let documents = wanted.by_ref().take(record.documents as usize);
        assert_eq!(
            plain(packing.compression, &record.data),
            documents.copied().collect::<Vec<_>>().concat(),
            "not the documents wanted"
        );
        match packing.aggregation {
            None => assert_eq!(record.documents, 1),
            Some(limit) => {
                assert!((1..=limit.max_documents as u64).contains(&record.documents));
                assert!(record.documents == 1 || record.data.len() <= limit.max_bytes);
            }
        }
    }
    assert_eq!(wanted.next(), None, "a document is missing");
}

fn plain(compression: Option<Compression>, data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match compression {
        None => plain.extend_from_slice(data),
        Some(Compression::Gzip) => {
            let size = flate2::read::MultiGzDecoder::new(data).read_to_end(&mut plain);
            size.expect("a record is gzip");
        }
        Some(Compression::Zstd) => {
            plain = zstd::stream::decode_all(data).expect("a record is zstd");
        }
        Some(Compression::Snappy) => {
            let unpacked = snap::raw::Decoder::new().decompress_vec(data);
            plain = unpacked.expect("a record is snappy");
        }
    }
    plain
}
