//! Nothing is allocated for a document or a record: packing few of them takes as many allocations
//! as packing many.

#[path = "support/body.rs"]
mod body;
#[path = "support/packed.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod packed;
#[path = "../benches/stages/shapes.rs"]
mod shapes;

use allocation_counter::measure;
use firehose_core::format::document::{Format, TimeKey};
use firehose_core::format::time::{self as time_format, TimeFormat};
use firehose_core::pack::batch::Batch;
use firehose_core::pack::compress::Compression;
use firehose_core::pack::packer::{Aggregation, OneChunk, Packer, Packing, Room};
use packed::PLAIN;

/// Records of two documents.
const AGGREGATED: Packing = Packing {
    aggregation: Some(Aggregation {
        max_bytes: 1_024_000,
        max_documents: 2,
    }),
    compression: None,
};

#[test]
fn no_document_and_no_record_is_allocated_for() {
    let compressed = Compression::ALL.map(|compression| Packing {
        compression: Some(compression),
        ..PLAIN
    });
    let packings: Vec<Packing> = [PLAIN, AGGREGATED].into_iter().chain(compressed).collect();
    let format = Format {
        time_key: Some(TimeKey {
            key: "timestamp".to_owned(),
            format: TimeFormat::parse(time_format::DEFAULT).unwrap(),
        }),
        replace_dots: Some("_".to_owned()),
        max_bytes: 1_024_000,
        ..Format::default()
    };
    for shape in shapes::all() {
        for &packing in &packings {
            let [few, many] = allocations(&shape.chunk, &format, packing);
            assert!(
                many <= few + GROWTH,
                "{} {packing:?}: {few} and {many} allocations",
                shape.name
            );
        }
    }
}

const FEW: u64 = 20;
const MANY: u64 = 120;
/// Two for each second of the events' times, of which these documents have a few, and those for a
/// longer body.
const GROWTH: u64 = 15;

/// Of packing few documents and many, once the memory that is kept is there.
fn allocations(chunk: &[u8], format: &Format, packing: Packing) -> [u64; 2] {
    let mut packer = Packer::new("logs", packing);
    let mut batch = Batch::default();
    let mut pack = |documents| {
        let mut source = OneChunk::new(chunk);
        let room = Room {
            bytes: usize::MAX,
            record_bytes: usize::MAX,
            documents,
        };
        let info = measure(|| {
            packer.pack(format, &mut source, room, &mut batch);
            assert!(
                !batch.rest.is_empty(),
                "the chunk has more than {documents} documents"
            );
            let body = batch.finish();
            batch.reuse(body);
        });
        assert_eq!(batch.documents(), documents);
        info.count_total
    };
    pack(MANY);
    [FEW, MANY].map(pack)
}
