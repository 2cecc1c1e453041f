//! The limits of Amazon Data Firehose.
//!
//! Sources: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>
//! and <https://docs.aws.amazon.com/firehose/latest/dev/limits.html>.

/// A record's data before base64: 1,000 KiB.
pub const MAX_RECORD_BYTES: usize = 1_024_000;

/// Records in one PutRecordBatch call.
pub const MAX_BATCH_RECORDS: usize = 500;

/// Data in one PutRecordBatch call, before base64: 4 MiB.
pub const MAX_BATCH_BYTES: usize = 4_194_304;

/// Documents of one record that a stream takes apart, for dynamic partitioning or for a Lambda
/// function. It refuses none with more, but leaves them together.
/// Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html> and
/// <https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html>.
pub const MAX_DEAGGREGATED_DOCUMENTS: usize = 500;

/// Letters in a delivery stream's name.
pub const MAX_STREAM_NAME: usize = 64;

/// Every record is billed as if it had a multiple of this many bytes.
/// Source: <https://aws.amazon.com/firehose/pricing/>.
pub const BILLING_UNIT: usize = 5_120;

/// What a stream with direct PUTs takes by default, in a second: bytes are 1 or 5 MiB.
/// Source: <https://docs.aws.amazon.com/firehose/latest/dev/limits.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub bytes: usize,
    pub records: usize,
    pub requests: usize,
}

impl Quota {
    pub fn of(region: &str) -> Self {
        match region {
            "us-east-1" | "us-west-2" | "eu-west-1" => Self {
                bytes: 5_242_880,
                records: 500_000,
                requests: 2_000,
            },
            _ => Self {
                bytes: 1_048_576,
                records: 100_000,
                requests: 1_000,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_three_regions_take_more() {
        let (much, less) = (5 * 1024 * 1024, 1024 * 1024);
        for (region, bytes, records, requests) in [
            ("us-east-1", much, 500_000, 2_000),
            ("us-west-2", much, 500_000, 2_000),
            ("eu-west-1", much, 500_000, 2_000),
            ("us-east-2", less, 100_000, 1_000),
            ("cn-north-1", less, 100_000, 1_000),
        ] {
            let quota = Quota {
                bytes,
                records,
                requests,
            };
            assert_eq!(Quota::of(region), quota, "{region}");
        }
    }
}
