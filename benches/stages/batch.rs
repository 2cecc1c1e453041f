//! From a chunk to the bodies of its calls, beside what no other way could leave out: base64 of
//! the same records, and the hash that is signed. And the body alone.

use std::hint::black_box;
use std::iter;
use std::ops::Range;

use base64_simd::STANDARD;
use criterion::{Criterion, Throughput};
use firehose_core::format::document::Format;
use firehose_core::limits::MAX_RECORD_BYTES;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::packer::{Aggregation, OneChunk, Packer, Packing, Room};
use sha2::{Digest, Sha256};

use crate::shapes;

const PLAIN: Packing = Packing {
    aggregation: None,
    compression: None,
};
const AGGREGATED: Packing = Packing {
    aggregation: Some(Aggregation {
        max_bytes: 261_120,
        max_documents: usize::MAX,
    }),
    compression: None,
};

pub(crate) fn benchmarks(criterion: &mut Criterion) {
    for shape in shapes::all() {
        let chunk = shape.chunk;
        let mut group = criterion.benchmark_group(format!("pack/{}", shape.name));
        group.throughput(Throughput::Bytes(chunk.len() as u64));
        for (name, packing) in [("a record a document", PLAIN), ("aggregated", AGGREGATED)] {
            group.bench_function(name, |bencher| {
                let mut packer = Packer::new("logs", packing);
                let mut batch = Batch::default();
                bencher.iter(|| {
                    pack(&chunk, &mut packer, &mut batch, |body| {
                        black_box(body);
                    });
                });
            });
        }
        group.finish();
    }
    body(criterion);
}

/// Of records as long as an HTTP log line, and of full aggregates.
fn body(criterion: &mut Criterion) {
    for length in [400, 261_120] {
        let record = vec![b'x'; length];
        let count = (1_048_576 / length).min(500);
        let mut group =
            criterion.benchmark_group(format!("body/{count} records of {length} bytes"));
        group.throughput(Throughput::Bytes((count * length) as u64));
        let mut batch = Batch::default();
        group.bench_function("firehose", |bencher| {
            bencher.iter(|| {
                batch.begin("logs", 0);
                for at in 0..count {
                    batch.push(&record, iter::once(piece(at..at + 1)));
                }
                let body = batch.finish();
                black_box(&body);
                batch.reuse(body);
            });
        });
        let mut text = Vec::new();
        group.bench_function("base64 alone", |bencher| {
            bencher.iter(|| {
                text.clear();
                for _ in 0..count {
                    STANDARD.encode_append(&record, &mut text);
                }
                black_box(&text);
            });
        });
        group.bench_function("SHA-256 of the body", |bencher| {
            bencher.iter(|| black_box(Sha256::digest(&text)));
        });
        group.finish();
    }
}

fn piece(range: Range<usize>) -> Piece {
    let chunk = ChunkId(1);
    Piece { chunk, range }
}

fn pack(chunk: &[u8], packer: &mut Packer, batch: &mut Batch, mut with: impl FnMut(&[u8])) {
    let format = Format {
        max_bytes: MAX_RECORD_BYTES,
        ..Format::default()
    };
    let mut source = OneChunk::new(chunk);
    loop {
        let room = Room {
            bytes: 1_048_576,
            record_bytes: usize::MAX,
            documents: u64::MAX,
        };
        packer.pack(&format, &mut source, room, batch);
        let is_last = batch.records.is_empty();
        let body = batch.finish();
        with(&body);
        batch.reuse(body);
        if is_last {
            return;
        }
        source.packed(batch);
    }
}
