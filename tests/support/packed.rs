//! What the packer makes of a chunk: the bodies of its calls, read back.

use std::ops::Range;

use firehose_core::deliver::ranges::Ranges;
use firehose_core::format::document::Format;
use firehose_core::format::outcome::Tally;
use firehose_core::limits::MAX_BATCH_BYTES;
use firehose_core::pack::batch::{self, Batch};
use firehose_core::pack::packer::{OneChunk, Packer, Packing, Room};

use super::body;

#[derive(Debug, PartialEq)]
pub(crate) struct Packed {
    /// In the order of the calls and their records.
    pub(crate) records: Vec<Record>,
    pub(crate) tally: Tally,
    /// What is neither in a record nor dropped.
    pub(crate) left: Ranges,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) data: Vec<u8>,
    pub(crate) documents: u64,
    /// The ranges of the chunk that it was made of.
    pub(crate) ranges: Vec<Range<usize>>,
}

/// What a chunk comes to when each document is a record.
#[derive(Debug, PartialEq)]
pub(crate) struct Formatted {
    pub(crate) documents: Vec<Vec<u8>>,
    pub(crate) tally: Tally,
}

pub(crate) const PLAIN: Packing = Packing {
    aggregation: None,
    compression: None,
};

/// As much as one call takes.
pub(crate) const ROOM: Room = Room {
    bytes: MAX_BATCH_BYTES,
    record_bytes: usize::MAX,
    documents: u64::MAX,
};

pub(crate) fn format(chunk: &[u8], format: &Format) -> Formatted {
    let packed = pack(chunk, format, PLAIN, None);
    let records = packed.records.into_iter();
    Formatted {
        documents: records.map(|record| record.data).collect(),
        tally: packed.tally,
    }
}

/// Packs a chunk, or what is left of it, as if every call were accepted.
pub(crate) fn pack(
    chunk: &[u8],
    format: &Format,
    packing: Packing,
    left: Option<Ranges>,
) -> Packed {
    let mut records = Vec::new();
    let (tally, left) = batches(chunk, format, packing, left, |batch| {
        records.extend(read_back(batch));
    });
    Packed {
        records,
        tally,
        left,
    }
}

/// Hands out each batch that a chunk comes to. What is left then is in none of them.
pub(crate) fn batches(
    chunk: &[u8],
    format: &Format,
    packing: Packing,
    left: Option<Ranges>,
    mut with: impl FnMut(&mut Batch),
) -> (Tally, Ranges) {
    let waiting = left.unwrap_or_else(|| Ranges::from(0..chunk.len()));
    let mut left = waiting.clone();
    let mut source = OneChunk::new(chunk);
    source.waiting = waiting;
    let mut packer = Packer::new("logs", packing);
    let mut batch = Batch::default();
    let mut tally = Tally::default();
    loop {
        packer.pack(format, &mut source, ROOM, &mut batch);
        for counted in &batch.counted {
            tally.add(&counted.tally);
        }
        source.packed(&batch);
        let shares = batch.shares.iter().map(|share| share.range.clone());
        let passed = batch.passed.iter().map(|piece| piece.range.clone());
        shares.chain(passed).for_each(|range| left.remove(range));
        if batch.records.is_empty() {
            return (tally, left);
        }
        with(&mut batch);
    }
}

fn read_back(batch: &mut Batch) -> Vec<Record> {
    let datas = body::datas(&batch.finish());
    assert_eq!(
        datas.len(),
        batch.records.len(),
        "another number of records"
    );
    assert!(datas.len() <= 500, "{} records", datas.len());
    let bytes: usize = datas.iter().map(Vec::len).sum();
    assert_eq!(bytes, batch.bytes);
    assert!(
        bytes <= MAX_BATCH_BYTES || datas.len() == 1,
        "{bytes} bytes"
    );
    let mut start = 0;
    let records = batch.records.iter().zip(datas);
    let record = |(record, data): (&batch::Record, Vec<u8>)| {
        assert_eq!(record.bytes, data.len());
        let shares = &batch.shares[start..record.end];
        start = record.end;
        Record {
            data,
            documents: record.documents,
            ranges: shares.iter().map(|share| share.range.clone()).collect(),
        }
    };
    records.map(record).collect()
}
