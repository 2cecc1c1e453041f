//! The records of one PutRecordBatch call: the call's body, written once, and which documents of
//! which chunks each record holds.

use std::ops::Range;

use base64_simd::STANDARD;

use crate::format::json;
use crate::format::outcome::Tally;
use crate::format::rejected::Reason;
use crate::limits::BILLING_UNIT;

/// At most so many bytes of the body stand around a record's data, the body's end included.
const AROUND_DATA: usize = 16;

#[derive(Debug, Default)]
pub struct Batch {
    pub(super) body: Vec<u8>,
    pub records: Vec<Record>,
    /// Those of all records.
    pub shares: Vec<Share>,
    /// Tallies of events that were dropped, shortened or unreadable.
    pub counted: Vec<Counted>,
    /// Where those events are, if the packer notes it.
    pub noted: Vec<Noted>,
    /// Ranges of which nothing is to be sent.
    pub passed: Vec<Piece>,
    /// What was taken to be packed and found no room.
    pub rest: Vec<Piece>,
    /// Of the records' data, before base64.
    pub bytes: usize,
}

/// Names a chunk as long as anything is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub u64);

/// A range of a chunk's bytes, of whole events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub chunk: ChunkId,
    pub range: Range<usize>,
}

/// The tally of a chunk's events, up to an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub chunk: ChunkId,
    pub to: usize,
    pub tally: Tally,
}

/// A value of a chunk, or its rest, that is not delivered as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub piece: Piece,
    pub reason: Reason,
    /// Where in the chunk the attributes of its group are, if its document has them.
    pub group: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of its data, before base64.
    pub bytes: usize,
    pub documents: u64,
    /// Where its shares end.
    pub end: usize,
}

/// What a record holds of one chunk: documents that follow each other there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub chunk: ChunkId,
    pub range: Range<usize>,
    pub documents: u64,
}

impl Batch {
    /// Empties the batch and begins the body anew, with memory for `length` bytes. `stream` holds
    /// no character that JSON escapes: its option's check allows none.
    pub fn begin(&mut self, stream: &str, length: usize) {
        self.records.clear();
        self.shares.clear();
        self.counted.clear();
        self.noted.clear();
        self.passed.clear();
        self.rest.clear();
        self.bytes = 0;
        self.body.clear();
        self.body.reserve_exact(length);
        self.body.extend_from_slice(b"{\"DeliveryStreamName\":\"");
        self.body.extend_from_slice(stream.as_bytes());
        self.body.extend_from_slice(b"\",\"Records\":[");
    }

    /// Appends a record of documents, each the range of a chunk.
    pub fn push(&mut self, data: &[u8], documents: impl ExactSizeIterator<Item = Piece>) {
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
        for Piece { chunk, range } in documents {
            let share = Share {
                chunk,
                range,
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

    /// Grows by a quarter at least. A body keeps its memory: if it doubled, it might hold a
    /// megabyte that is never used.
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
        // A call may take long: its body keeps no memory that it does not use.
        if body.len() < body.capacity() / 2 {
            body.shrink_to_fit();
        }
        body
    }

    /// Gives the memory of a body back, to be written to again.
    pub fn reuse(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    pub fn documents(&self) -> u64 {
        self.shares.iter().map(|share| share.documents).sum()
    }
}

/// The data of the first record of a call's body.
pub fn first_data(body: &[u8]) -> Option<Vec<u8>> {
    const START: &[u8] = b"{\"Data\":\"";
    let place = body.windows(START.len()).position(|at| at == START)?;
    let data = body[place + START.len()..].split(|byte| *byte == b'"');
    STANDARD.decode_to_vec(data.into_iter().next()?).ok()
}

impl Share {
    pub fn piece(&self) -> Piece {
        Piece {
            chunk: self.chunk,
            range: self.range.clone(),
        }
    }

    /// Takes the next one in, if it follows this one in a chunk.
    pub fn join(&mut self, next: &Self) -> bool {
        let follows = self.chunk == next.chunk && self.range.end == next.range.start;
        if follows {
            self.range.end = next.range.end;
            self.documents += next.documents;
        }
        follows
    }
}

impl Record {
    /// Its bytes as the bill counts them.
    pub fn billed_bytes(&self) -> usize {
        self.bytes.next_multiple_of(BILLING_UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(chunk: u64, range: Range<usize>) -> Piece {
        let chunk = ChunkId(chunk);
        Piece { chunk, range }
    }

    #[test]
    fn a_body_holds_little_memory_that_it_does_not_use() {
        let mut batch = Batch::default();
        batch.begin("logs", 0);
        for length in [400, 30_000, 261_120, 1].into_iter().cycle().take(40) {
            batch.push(&vec![7; length], [piece(0, 0..1)].into_iter());
            let (used, held) = (batch.body.len(), batch.body.capacity());
            assert!(held <= used + used / 4 + AROUND_DATA, "{held} for {used}");
        }
        let held = batch.body.capacity();
        assert_eq!(batch.finish().capacity(), held, "the end has its place");
    }

    #[test]
    fn neighbours_of_one_chunk_are_one_share() {
        let mut batch = Batch::default();
        batch.begin("logs", 0);
        let documents = [(0, 0..3), (0, 3..5), (0, 7..9), (1, 9..10)];
        let documents = documents.map(|(chunk, range)| piece(chunk, range));
        batch.push(b"0123456", documents.into_iter());
        batch.push(b"0", [piece(1, 10..11)].into_iter());
        let share = |share: &Share| (share.chunk.0, share.range.clone(), share.documents);
        let shares: Vec<_> = batch.shares.iter().map(share).collect();
        let expected = [(0, 0..5, 2), (0, 7..9, 1), (1, 9..10, 1), (1, 10..11, 1)];
        assert_eq!(shares, expected);
        assert_eq!((batch.records[0].end, batch.records[1].end), (3, 4));
        assert_eq!((batch.bytes, batch.documents()), (8, 5));
        assert_eq!(batch.records[0].billed_bytes(), 5120);
        assert_eq!(first_data(&batch.finish()).unwrap(), b"0123456");
        assert_eq!(first_data(b"{}"), None);
    }
}
