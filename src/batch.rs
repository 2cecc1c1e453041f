//! The records of one PutRecordBatch call: the call's body, written once, and which documents of
//! which flushes each record holds.

use std::ops::Range;
use std::sync::Arc;

use crate::flush::Flush;
use crate::json;
use crate::limits::BILLING_UNIT;

/// At most so many bytes of the body stand around a record's data, the body's end included.
const AROUND_DATA: usize = 16;

#[derive(Debug, Default)]
pub struct Batch {
    body: Vec<u8>,
    records: Vec<Record>,
    shares: Vec<Share>,
    flushes: Vec<Arc<Flush>>,
    /// Of the records' data, before base64.
    bytes: usize,
}

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of its data, before base64.
    pub bytes: usize,
    pub documents: u64,
    /// Where its shares end.
    end: usize,
}

/// What a record holds of one flush: documents that follow each other in its chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its place among the batch's flushes.
    flush: usize,
    pub part: Range<usize>,
    pub documents: u64,
}

impl Batch {
    /// Empties it and begins the body anew, with memory for so many bytes. `stream` holds no
    /// character that JSON escapes: its option's check allows none.
    pub fn begin(&mut self, stream: &str, length: usize) {
        self.records.clear();
        self.shares.clear();
        self.flushes.clear();
        self.bytes = 0;
        self.body.clear();
        self.body.reserve_exact(length);
        self.body.extend_from_slice(b"{\"DeliveryStreamName\":\"");
        self.body.extend_from_slice(stream.as_bytes());
        self.body.extend_from_slice(b"\",\"Records\":[");
    }

    /// Begins the share of another flush: its place.
    pub fn join(&mut self, flush: &Arc<Flush>) -> usize {
        let last = self.flushes.last();
        if !last.is_some_and(|last| Arc::ptr_eq(last, flush)) {
            self.flushes.push(Arc::clone(flush));
        }
        self.flushes.len() - 1
    }

    /// Appends a record of documents, each the part of a flush.
    pub fn push(
        &mut self,
        data: &[u8],
        documents: impl ExactSizeIterator<Item = (usize, Range<usize>)>,
    ) {
        self.make_room(data.len().div_ceil(3) * 4 + AROUND_DATA);
        if !self.records.is_empty() {
            self.body.push(b',');
        }
        self.body.extend_from_slice(b"{\"Data\":");
        json::push_base64(&mut self.body, data);
        self.body.push(b'}');
        self.bytes += data.len();
        let count = documents.len() as u64;
        let start = self.shares.len();
        for (flush, part) in documents {
            let share = Share {
                flush,
                part,
                documents: 1,
            };
            let last = self.shares[start..].last_mut();
            if !last.is_some_and(|last| last.join(&share)) {
                self.shares.push(share);
            }
        }
        self.records.push(Record {
            bytes: data.len(),
            documents: count,
            end: self.shares.len(),
        });
    }

    /// By a quarter at least: a body keeps its memory, and doubled it might hold a megabyte that is
    /// never used.
    fn make_room(&mut self, length: usize) {
        let capacity = self.body.capacity();
        if capacity - self.body.len() < length {
            self.body.reserve_exact(length.max(capacity / 4));
        }
    }

    /// Ends the body and takes it.
    pub fn finish(&mut self) -> Vec<u8> {
        self.body.extend_from_slice(b"]}");
        let mut body = std::mem::take(&mut self.body);
        // Memory it has no use for is not to be held as long as its call takes.
        if body.len() < body.capacity() / 2 {
            body.shrink_to_fit();
        }
        body
    }

    pub fn body_length(&self) -> usize {
        self.body.len()
    }

    /// Gives the memory of a body back, to be written to again.
    pub fn reuse(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn documents(&self) -> u64 {
        self.shares.iter().map(|share| share.documents).sum()
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    pub fn flushes(&self) -> &[Arc<Flush>] {
        &self.flushes
    }

    pub fn flush_of(&self, share: &Share) -> &Arc<Flush> {
        &self.flushes[share.flush]
    }

    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// Each flush, once for each run of its shares, and how many documents those are.
    pub fn documents_by_flush(&self) -> impl Iterator<Item = (&Arc<Flush>, u64)> {
        let runs = self.shares.chunk_by(|one, next| one.flush == next.flush);
        runs.map(|run| {
            let documents = run.iter().map(|share| share.documents).sum();
            (self.flush_of(&run[0]), documents)
        })
    }

    /// The shares of each record.
    pub fn shares_by_record(&self) -> impl Iterator<Item = &[Share]> {
        let mut start = 0;
        self.records.iter().map(move |record| {
            let shares = &self.shares[start..record.end];
            start = record.end;
            shares
        })
    }
}

impl Share {
    /// Takes the next one in, if it follows this one in a flush's chunk.
    pub fn join(&mut self, next: &Self) -> bool {
        let follows = self.flush == next.flush && self.part.end == next.part.start;
        if follows {
            self.part.end = next.part.end;
            self.documents += next.documents;
        }
        follows
    }
}

impl Record {
    /// As the bill counts them.
    pub fn billed_bytes(&self) -> usize {
        self.bytes.next_multiple_of(BILLING_UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_firehose::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_firehose::primitives::Blob;
    use aws_sdk_firehose::types::Record;
    use aws_smithy_http_client::test_util::capture_request;

    /// What the SDK itself would send.
    async fn serialized_by_the_sdk(stream: &str, records: &[&[u8]]) -> Vec<u8> {
        let (http, captured) = capture_request(None);
        let config = aws_sdk_firehose::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http)
            .build();
        let record = |data: &&[u8]| Record::builder().data(Blob::new(*data)).build().unwrap();
        _ = aws_sdk_firehose::Client::from_conf(config)
            .put_record_batch()
            .delivery_stream_name(stream)
            .set_records(Some(records.iter().map(record).collect()))
            .send()
            .await;
        captured.expect_request().body().bytes().unwrap().to_vec()
    }

    #[tokio::test]
    async fn the_body_equals_what_the_sdk_would_send() {
        let batches: [&[&[u8]]; 4] = [
            &[],
            &[b""],
            &[b"{\"a\":1}\n"],
            &[b"a", b"ab", b"abc", b"\x00\xff\xfe\xfd", &[7; 5000]],
        ];
        let mut batch = Batch::default();
        for records in batches {
            batch.begin("my-stream_1.x", 0);
            for data in records {
                batch.push(data, [(0, 0..1)].into_iter());
            }
            let ours = batch.finish();
            let theirs = serialized_by_the_sdk("my-stream_1.x", records).await;
            assert_eq!(ours, theirs, "{} records", records.len());
        }
    }

    #[test]
    fn a_body_holds_little_memory_that_it_does_not_use() {
        let mut batch = Batch::default();
        batch.begin("logs", 0);
        for length in [400, 30_000, 261_120, 1].into_iter().cycle().take(40) {
            batch.push(&vec![7; length], [(0, 0..1)].into_iter());
            let (used, held) = (batch.body.len(), batch.body.capacity());
            assert!(held <= used + used / 4 + AROUND_DATA, "{held} for {used}");
        }
        let held = batch.body.capacity();
        assert_eq!(batch.finish().capacity(), held, "the end has its place");
    }

    #[test]
    fn neighbours_of_one_flush_are_one_share() {
        let mut batch = Batch::default();
        batch.begin("logs", 0);
        let documents = [(0, 0..3), (0, 3..5), (0, 7..9), (1, 9..10)];
        batch.push(b"0123456", documents.into_iter());
        batch.push(b"0", [(1, 10..11)].into_iter());
        let shares = |at: usize| {
            let shares = batch.shares_by_record().nth(at).unwrap();
            let share = |share: &Share| (share.flush, share.part.clone(), share.documents);
            shares.iter().map(share).collect::<Vec<_>>()
        };
        assert_eq!(shares(0), [(0, 0..5, 2), (0, 7..9, 1), (1, 9..10, 1)]);
        assert_eq!(shares(1), [(1, 10..11, 1)]);
        assert_eq!((batch.bytes(), batch.documents()), (8, 5));
        assert_eq!(batch.records()[0].billed_bytes(), 5120);
    }
}
