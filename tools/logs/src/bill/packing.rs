//! How many bytes Firehose bills for lines of these sizes, packed as the plugin packs them.

use std::collections::BTreeMap;

use firehose_core::limits::{MAX_BATCH_BYTES, MAX_RECORD_BYTES};
use firehose_core::options::Config;
use firehose_core::pack::batch::Batch;
use firehose_core::pack::packer::{OneChunk, Packer, Room};

/// About where Fluent Bit ends a chunk, which is sent alone then, however many lines there are.
/// Source: <https://docs.fluentbit.io/manual/administration/buffering-and-storage>.
const CHUNK_BYTES: usize = 2_000_000;

/// What was written, and what is billed for it.
#[derive(Default)]
pub(crate) struct Billed {
    pub(crate) written_bytes: usize,
    pub(crate) billed_bytes: usize,
    pub(crate) records: usize,
}

/// What is billed where an output has so many lines together, with `simple_aggregation` or without.
pub(crate) fn packed(sizes: &[usize], lines_together: f64, is_aggregated: bool) -> Billed {
    const ROOM: Room = Room {
        bytes: MAX_BATCH_BYTES,
        record_bytes: usize::MAX,
        documents: u64::MAX,
    };
    let config = Config::parse(|option| match option {
        "delivery_stream" => Some("logs".to_owned()),
        // A line goes out as it is.
        "log_key" => Some("log".to_owned()),
        "simple_aggregation" => Some(is_aggregated.to_string()),
        _ => None,
    });
    let config = config.expect("these options are allowed");
    let mut packer = Packer::new(&config.delivery_stream, config.packing);
    let mut batch = Batch::default();
    let mut billed = Billed::default();
    send(sizes, lines_together, |chunk| {
        let mut source = OneChunk::new(chunk);
        while !source.waiting.is_empty() {
            packer.pack(&config.delivery.format, &mut source, ROOM, &mut batch);
            source.packed(&batch);
            for record in &batch.records {
                billed.written_bytes += record.bytes;
                billed.billed_bytes += record.billed_bytes();
                billed.records += 1;
            }
        }
    });
    billed
}

/// Makes the chunks of a sample. It is gone through once, or over and over until one chunk is full.
fn send(sizes: &[usize], lines_together: f64, mut chunk_is_made: impl FnMut(&[u8])) {
    let text = "x".repeat(MAX_RECORD_BYTES);
    let mut lines = sizes.iter().cycle();
    let mut taken = 0;
    let mut due = 0.0;
    let mut chunk = Vec::new();
    while taken < sizes.len() {
        // What is sent has one line at least.
        due += lines_together.max(1.0);
        while due >= 1.0 && (chunk.len() < CHUNK_BYTES || taken < sizes.len()) {
            if chunk.len() >= CHUNK_BYTES {
                chunk_is_made(&chunk);
                chunk.clear();
            }
            let size = lines.next().expect("a cycle of a sample, which has lines");
            // The plugin writes the line's newline.
            let event = (0, BTreeMap::from([("log", &text[1..*size])]));
            rmp_serde::encode::write(&mut chunk, &event).expect("memory can be written");
            taken += 1;
            due -= 1.0;
        }
        chunk_is_made(&chunk);
        chunk.clear();
    }
}

// === impl Billed ===

impl Billed {
    /// For each byte that was written.
    pub(crate) fn ratio(&self) -> f64 {
        self.billed_bytes as f64 / self.written_bytes as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that were written, bytes that are billed, and records.
    fn aggregated(sizes: &[usize], lines_together: f64) -> [usize; 3] {
        let billed = packed(sizes, lines_together, true);
        [billed.written_bytes, billed.billed_bytes, billed.records]
    }

    #[test]
    fn a_record_is_as_full_as_what_is_together() {
        // A chunk of more records than a call takes.
        let single = packed(&[1, 5119, 5120, 5121], 1000.0, false);
        let expected = (130 * 25_600, 520);
        assert_eq!((single.billed_bytes, single.records), expected);
        let sizes = [500; 1000];
        for (lines_together, billed_bytes, records) in [
            // No two lines together: a record a line.
            (0.001, 1000 * 5120, 1000),
            // Two and three in turn.
            (2.5, 400 * 5120, 400),
            (20.0, 50 * 10_240, 50),
        ] {
            let expected = [500_000, billed_bytes, records];
            assert_eq!(aggregated(&sizes, lines_together), expected);
        }
        // 522 lines fill a record.
        assert_eq!(aggregated(&sizes, 522.0), [522_000, 2 * 261_120, 2]);
    }

    #[test]
    fn a_short_sample_is_repeated_until_all_are_together_or_a_chunk_is_full() {
        assert_eq!(aggregated(&[500], 1044.0), [522_000, 522_240, 2]);
        // An event has nine bytes more than its line: 3,930 of them are a chunk, and seven full
        // records and one of 276 lines.
        let billed = 7 * 261_120 + 27 * 5120;
        assert_eq!(aggregated(&[500], 1e12), [1_965_000, billed, 8]);
        // Two chunks, where the sample has one line more than fits into one.
        assert_eq!(aggregated(&[500; 3931], 1e12), [3_930_000, 2 * billed, 16]);
    }
}
