//! How many bytes Firehose bills for documents of these sizes.

/// Every record counts as a multiple of this. Source: <https://aws.amazon.com/firehose/pricing/>.
const BILLING_UNIT: u64 = 5 * 1024;
/// The plugin's default `aggregation_size`.
const AGGREGATION_BYTES: u64 = 51 * BILLING_UNIT;
/// About where Fluent Bit ends a chunk, which is sent alone then, however many lines there are.
/// Source: <https://docs.fluentbit.io/manual/administration/buffering-and-storage>.
const CHUNK_BYTES: u64 = 2_000_000;

/// What was written, and what is billed for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Billed {
    pub(crate) written_bytes: u64,
    pub(crate) billed_bytes: u64,
    pub(crate) records: u64,
}

/// Each document a record of its own.
pub(crate) fn single(sizes: &[u32]) -> Billed {
    let mut billed = Billed::default();
    for size in sizes {
        billed.add(u64::from(*size));
    }
    billed
}

/// With `simple_aggregation`, where an output has so many lines together. The sample is gone through
/// once, or over and over until one chunk is full.
pub(crate) fn aggregated(sizes: &[u32], lines_together: f64) -> Billed {
    let mut billed = Billed::default();
    let mut documents = sizes.iter().cycle().map(|size| u64::from(*size));
    let mut taken = 0;
    let mut due = 0.0;
    while taken < sizes.len() {
        // What is sent has one line at least.
        due += lines_together.max(1.0);
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while due >= 1.0 && (bytes < CHUNK_BYTES || taken < sizes.len()) {
            if bytes >= CHUNK_BYTES {
                billed.add_packed(&chunk, AGGREGATION_BYTES);
                chunk.clear();
                bytes = 0;
            }
            let size = documents
                .next()
                .expect("a cycle of a sample, which has lines");
            chunk.push(size);
            bytes += size;
            taken += 1;
            due -= 1.0;
        }
        billed.add_packed(&chunk, AGGREGATION_BYTES);
    }
    billed
}

// === impl Billed ===

impl Billed {
    /// For each byte that was written.
    pub(crate) fn ratio(&self) -> f64 {
        self.billed_bytes as f64 / self.written_bytes as f64
    }

    fn add(&mut self, record: u64) {
        self.written_bytes += record;
        self.billed_bytes += record.next_multiple_of(BILLING_UNIT);
        self.records += 1;
    }

    /// The documents of one chunk, packed as the plugin does: whole, in order, as many as fit.
    fn add_packed(&mut self, chunk: &[u64], max_bytes: u64) {
        let mut record = 0;
        for size in chunk {
            if record > 0 && record + size > max_bytes {
                self.add(record);
                record = 0;
            }
            record += size;
        }
        if record > 0 {
            self.add(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use firehose_core::limits::MAX_BATCH_BYTES;
    use firehose_core::options::Config;
    use firehose_core::pack::batch::Batch;
    use firehose_core::pack::packer::{OneChunk, Packer, Room};
    use proptest::prelude::*;
    use rmpv::Value;

    use super::*;

    fn billed(written_bytes: u64, billed_bytes: u64, records: u64) -> Billed {
        Billed {
            written_bytes,
            billed_bytes,
            records,
        }
    }

    #[test]
    fn each_record_counts_as_a_multiple_of_5_kb() {
        assert_eq!(single(&[1, 5119, 5120, 5121]), billed(15_361, 25_600, 4));
        assert_eq!(single(&[1_024_000]), billed(1_024_000, 1_024_000, 1));
    }

    #[test]
    fn a_record_is_as_full_as_what_is_together() {
        let sizes = [500; 1000];
        // No two lines together: a record a line.
        assert_eq!(aggregated(&sizes, 0.001), single(&sizes));
        assert_eq!(aggregated(&sizes, 1.0), single(&sizes));
        // Two and three in turn.
        assert_eq!(aggregated(&sizes, 2.5), billed(500_000, 400 * 5120, 400));
        assert_eq!(aggregated(&sizes, 10.0), billed(500_000, 100 * 5120, 100));
        assert_eq!(aggregated(&sizes, 20.0), billed(500_000, 50 * 10_240, 50));
        assert_eq!(aggregated(&[5120; 51], 51.0), billed(261_120, 261_120, 1));
        // 522 lines fill a record.
        assert_eq!(aggregated(&sizes, 522.0), billed(522_000, 2 * 261_120, 2));
    }

    #[test]
    fn a_short_sample_is_repeated_until_all_are_together_or_a_chunk_is_full() {
        assert_eq!(aggregated(&[500], 1044.0), billed(522_000, 522_240, 2));
        // A chunk of 4,000 lines of 500 bytes: seven full records and one of 346 lines.
        let chunk = billed(2_000_000, 7 * 261_120 + 34 * 5120, 8);
        assert_eq!(aggregated(&[500], 1e12), chunk);
        // Two chunks, where the sample has one line more than fits into one.
        let both = aggregated(&[500; 4001], 1e12);
        assert_eq!(both, billed(4_000_000, 2 * chunk.billed_bytes, 16));
    }

    #[test]
    fn documents_over_the_size_are_records_of_their_own() {
        assert_eq!(
            aggregated(&[100, 300_000, 100], 3.0),
            billed(300_200, 5120 + 302_080 + 5120, 3)
        );
    }

    /// The sizes of the records that the plugin makes of a chunk with such documents.
    fn records_of_plugin(sizes: &[u32]) -> Vec<u32> {
        let mut bytes = Vec::new();
        for size in sizes {
            // The document is this text and a newline.
            let text = "x".repeat(*size as usize - 1);
            let body = Value::Map(vec![("log".into(), text.into())]);
            rmpv::encode::write_value(&mut bytes, &Value::Array(vec![0.into(), body])).unwrap();
        }
        let config = Config::parse(|key| match key {
            "delivery_stream" => Some("logs".to_owned()),
            "log_key" => Some("log".to_owned()),
            "simple_aggregation" => Some("true".to_owned()),
            _ => None,
        });
        let config = config.unwrap();
        let mut source = OneChunk::new(&bytes);
        let room = Room {
            bytes: MAX_BATCH_BYTES,
            record_bytes: usize::MAX,
            documents: u64::MAX,
        };
        let mut batch = Batch::default();
        let mut packer = Packer::new("logs", config.packing);
        packer.pack(&config.delivery.format, &mut source, room, &mut batch);
        assert!(batch.rest.is_empty(), "more than a batch holds");
        let records = batch.records.iter();
        records.map(|record| record.bytes as u32).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_chunk_is_packed_as_the_plugin_packs_it(
            sizes in prop_oneof![
                prop::collection::vec(2_u32..6_000, 1..300),
                prop::collection::vec(prop_oneof![2_u32..6_000, 100_000_u32..300_000], 1..12),
            ],
        ) {
            let chunk: Vec<u64> = sizes.iter().map(|size| u64::from(*size)).collect();
            let mut foretold = Billed::default();
            foretold.add_packed(&chunk, AGGREGATION_BYTES);
            prop_assert_eq!(foretold, single(&records_of_plugin(&sizes)));
        }
    }
}
