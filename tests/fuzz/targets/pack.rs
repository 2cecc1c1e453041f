//! Documents in records.

use std::io::Read;

use arbitrary::Unstructured;
use firehose::chunk;
use firehose::compress::Compression;
use firehose::pack::{Aggregation, Packed, Packing};

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
    let documents = chunk::format(&bytes.repeat(times), &format).documents;
    let lines: Vec<Vec<u8>> = documents.iter().map(<[u8]>::to_vec).collect();
    let wanted = [
        0..lines.len() * gap / 512,
        lines.len() * gap / 256..lines.len(),
    ];
    let packed = packing.pack(documents, &wanted);
    check_records(&packed, &packing, &lines, wanted.into_iter().flatten());
}

/// How to pack, how often the chunk is repeated, and which part of the documents is left out.
fn options_of(options: &mut Unstructured<'_>) -> arbitrary::Result<(Packing, usize, usize)> {
    let compression = *options.choose(&[
        None,
        Some(Compression::Gzip),
        Some(Compression::Zstd),
        Some(Compression::Snappy),
    ])?;
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
fn check_records(
    packed: &Packed,
    packing: &Packing,
    lines: &[Vec<u8>],
    wanted: impl Iterator<Item = usize>,
) {
    let records = packed.records().iter();
    let held: Vec<usize> = records
        .flat_map(|record| record.documents.clone())
        .collect();
    assert_eq!(held, wanted.collect::<Vec<_>>(), "not the documents wanted");
    for record in packed.records() {
        let documents = record.documents.len();
        let data = packed.data(record);
        assert_eq!(
            plain(packing.compression, data),
            lines[record.documents.clone()].concat()
        );
        match packing.aggregation {
            None => assert_eq!(documents, 1),
            Some(limit) => {
                assert!((1..=limit.max_documents).contains(&documents));
                assert!(documents == 1 || data.len() <= limit.max_bytes);
            }
        }
    }
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
