//! What the packer makes of a chunk: the bodies of its calls, read back.

use std::iter;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use firehose::batch::{self, Batch, Share};
use firehose::chunk::{Chunk, Tally};
use firehose::document::Format;
use firehose::flush::{Fate, Flush};
use firehose::ledger::Left;
use firehose::limits::MAX_BATCH_BYTES;
use firehose::log::{Level, Sink};
use firehose::pack::{Packer, Packing, Piece, Room};
use tokio::time::Instant;

use super::body;

#[derive(Debug, PartialEq)]
pub(crate) struct Packed {
    /// In the order of the calls and their records.
    pub(crate) records: Vec<Record>,
    pub(crate) tally: Tally,
    /// What is neither in a record nor dropped.
    pub(crate) left: Left,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) data: Vec<u8>,
    pub(crate) documents: u64,
    /// The parts of the chunk that it was made of.
    pub(crate) parts: Vec<Range<usize>>,
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

pub(crate) fn format(chunk: &[u8], format: &Format) -> Formatted {
    let packed = pack(chunk, format, PLAIN, None);
    let records = packed.records.into_iter();
    Formatted {
        documents: records.map(|record| record.data).collect(),
        tally: packed.tally,
    }
}

/// Packs a chunk, or what is left of it, as if every call were accepted.
pub(crate) fn pack(chunk: &[u8], format: &Format, packing: Packing, left: Option<Left>) -> Packed {
    let mut records = Vec::new();
    let (fate, left) = batches(chunk, format, packing, left, |batch| {
        records.extend(read_back(batch));
    });
    Packed {
        records,
        tally: fate.tally,
        left,
    }
}

/// Hands out each batch that a chunk comes to.
pub(crate) fn batches(
    chunk: &[u8],
    format: &Format,
    packing: Packing,
    left: Option<Left>,
    mut with: impl FnMut(&mut Batch),
) -> (Fate, Left) {
    let flush = flush(chunk, left);
    let mut packer = Packer::new("logs", packing);
    let mut batch = Batch::default();
    loop {
        let mut pieces = iter::from_fn(|| {
            let flush = Arc::clone(&flush);
            flush.take().map(|part| Piece { flush, part })
        });
        let room = Room {
            bytes: MAX_BATCH_BYTES,
            documents: u64::MAX,
        };
        for piece in packer.pack(format, &mut pieces, room, &mut batch) {
            piece.flush.put_back(piece.part);
        }
        if batch.records().is_empty() {
            return flush.close();
        }
        for share in batch.shares() {
            flush.begin(share.documents);
            flush.accepted(share);
        }
        with(&mut batch);
    }
}

/// The flush of a chunk, or of what is left of it.
pub(crate) fn flush(chunk: &[u8], left: Option<Left>) -> Arc<Flush> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let chunk = Chunk::new(chunk.to_vec());
    Arc::new(Flush::new(chunk, "tag", Box::new(Silence), deadline, left))
}

fn read_back(batch: &mut Batch) -> Vec<Record> {
    let datas = body::datas(&batch.finish());
    assert_eq!(
        datas.len(),
        batch.records().len(),
        "another number of records"
    );
    assert!(datas.len() <= 500, "{} records", datas.len());
    let bytes: usize = datas.iter().map(Vec::len).sum();
    assert_eq!(bytes, batch.bytes());
    assert!(
        bytes <= MAX_BATCH_BYTES || datas.len() == 1,
        "{bytes} bytes"
    );
    let shares = batch.shares_by_record();
    let records = batch.records().iter().zip(shares).zip(datas);
    let record = |((record, shares), data): ((&batch::Record, &[Share]), Vec<u8>)| {
        assert_eq!(record.bytes, data.len());
        Record {
            data,
            documents: record.documents,
            parts: shares.iter().map(|share| share.part.clone()).collect(),
        }
    };
    records.map(record).collect()
}

struct Silence;

impl Sink for Silence {
    fn line(&self, _: Level, _: String) {}
}
