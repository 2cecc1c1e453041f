//! Packs documents into the records of a batch.
//!
//! Events are read where they lie in their chunks: a document is written to the record it
//! becomes a part of, and the record, once full, as base64 to the body of the call.

use std::ops::Range;

use crate::deliver::ranges::Ranges;
use crate::format::document::{Format, Formatter};
use crate::format::msgpack::Reader;
use crate::format::outcome::{self, Corrupt, Outcome, Tally};
use crate::limits::{MAX_BATCH_RECORDS, MAX_RECORD_BYTES};
use crate::pack::batch::{Batch, ChunkId, Counted, Piece};
use crate::pack::compress::{Compression, Compressor};

/// How documents become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// None: one document is one record.
    pub aggregation: Option<Aggregation>,
    pub compression: Option<Compression>,
}

/// How large a record of several documents may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Bytes of the record, after compression.
    pub max_bytes: usize,
    pub max_documents: usize,
}

/// Where pieces and their bytes come from.
pub trait Source {
    /// Takes the next piece that waits.
    fn next(&mut self) -> Option<Piece>;

    /// The offset up to which the events of a chunk were counted before.
    fn counted(&self, chunk: ChunkId) -> usize;

    /// Reads the bytes of a chunk; there are none once the host has them back.
    fn read<R>(&mut self, chunk: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R;
}

/// One chunk by itself, for whoever has no machine to take pieces from.
#[derive(Clone, Debug)]
pub struct OneChunk<'c> {
    bytes: &'c [u8],
    pub waiting: Ranges,
    counted: usize,
}

impl<'c> OneChunk<'c> {
    pub fn new(bytes: &'c [u8]) -> Self {
        Self {
            bytes,
            waiting: Ranges::from(0..bytes.len()),
            counted: 0,
        }
    }

    /// Has what a batch has no room for wait again, and counts no event twice.
    pub fn packed(&mut self, batch: &Batch) {
        for counted in &batch.counted {
            self.counted = self.counted.max(counted.to);
        }
        for piece in &batch.rest {
            self.waiting.insert(piece.range.clone());
        }
    }
}

impl Source for OneChunk<'_> {
    fn next(&mut self) -> Option<Piece> {
        let range = self.waiting.pop_first()?;
        let chunk = ChunkId(1);
        Some(Piece { chunk, range })
    }

    fn counted(&self, _: ChunkId) -> usize {
        self.counted
    }

    fn read<R>(&mut self, _: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
        reader(self.bytes)
    }
}

/// What a batch may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of data, before base64; but one record always has room.
    pub bytes: usize,
    /// Of a record of several documents, where that is less than the packing's own limit.
    pub record_bytes: usize,
    pub documents: u64,
}

/// Packs batches. Its buffers are kept from one to the next.
#[derive(Debug)]
pub struct Packer {
    stream: String,
    limit: Aggregation,
    /// The limit of bytes in force.
    max_bytes: usize,
    compressor: Option<Compressor>,
    /// The documents of the record that is being made.
    plain: Vec<u8>,
    marks: Vec<Mark>,
    /// How many plain bytes are gathered for a record.
    goal: usize,
    compressed: Vec<u8>,
    /// A little over what the last batches' bodies were long, so that the next one's memory is
    /// asked for once.
    usual_body: usize,
}

/// A document of the record that is being made.
#[derive(Debug)]
struct Mark {
    /// Where it ends in the record.
    end: usize,
    /// What it was made of.
    piece: Piece,
}

/// The most plain text that is gathered for one compressed record.
const MAX_PLAIN: usize = 4 * 1024 * 1024;

impl Packer {
    pub fn new(stream: &str, packing: Packing) -> Self {
        let limit = packing.aggregation.unwrap_or(Aggregation {
            max_bytes: MAX_RECORD_BYTES,
            max_documents: 1,
        });
        Self {
            stream: stream.to_owned(),
            limit,
            max_bytes: limit.max_bytes,
            compressor: packing.compression.map(Compression::compressor),
            plain: Vec::new(),
            marks: Vec::new(),
            goal: limit.max_bytes,
            compressed: Vec::new(),
            usual_body: 0,
        }
    }

    /// Makes a batch of the first documents of a source, as many as there is room for. Nothing of
    /// an earlier batch is left over, though it may have ended by a panic.
    pub fn pack(
        &mut self,
        format: &Format,
        source: &mut impl Source,
        room: Room,
        batch: &mut Batch,
    ) {
        self.plain.clear();
        self.marks.clear();
        self.max_bytes = self.limit.max_bytes.min(room.record_bytes);
        if self.compressor.is_none() {
            self.goal = self.max_bytes;
        }
        batch.begin(&self.stream, self.usual_body);
        let mut run = Run {
            documents: room.documents,
            room: room.bytes,
            packer: self,
            batch,
            is_full: false,
        };
        let mut formatter = Formatter::new(format);
        while !run.is_full
            && let Some(piece) = source.next()
        {
            let Piece { chunk, range } = piece.clone();
            let counted = source.counted(chunk);
            let read = |bytes: &[u8]| run.read(Walk::new(piece, bytes, counted), &mut formatter);
            let read_to = source.read(chunk, read);
            run.leave(chunk, read_to..range.end);
        }
        run.close_all();
        run.leave_marks();
        let length = batch.body_length();
        self.usual_body = (length + length / 16).max(self.usual_body - self.usual_body / 128);
        // One giant document does not keep its memory.
        self.plain.clear();
        self.plain.shrink_to(MAX_PLAIN);
    }

    /// How many of the first `count` documents become a record: fewer where they would compress
    /// to too much; none if to less than `at_least`, and then there is a higher goal.
    fn settle(&mut self, mut count: usize, at_least: usize) -> Option<usize> {
        let Some(compressor) = &mut self.compressor else {
            return Some(count);
        };
        loop {
            let plain = &self.plain[..self.marks[count - 1].end];
            compressor.compress(plain, &mut self.compressed);
            let size = self.compressed.len();
            // A sixteenth less than the ratio says, as no two stretches compress alike.
            let goal = (plain.len() * self.max_bytes / size.max(1)) / 16 * 15;
            self.goal = goal.clamp(1, MAX_PLAIN);
            if size < at_least && self.goal > plain.len() {
                return None;
            }
            if size <= self.max_bytes || count == 1 {
                return Some(count);
            }
            let fitting = self.marks.partition_point(|mark| mark.end <= self.goal);
            count = fitting.clamp(1, count - 1);
        }
    }

    /// The data of the record of the documents that were settled on.
    fn data(&self, count: usize) -> &[u8] {
        match self.compressor {
            Some(_) => &self.compressed,
            None => &self.plain[..self.marks[count - 1].end],
        }
    }
}

/// The making of one batch.
struct Run<'r> {
    packer: &'r mut Packer,
    batch: &'r mut Batch,
    /// How many bytes of data the batch may hold, and how many documents more.
    room: usize,
    documents: u64,
    is_full: bool,
}

impl Run<'_> {
    /// Packs the documents of a piece until the batch is full or the piece ends, and returns the
    /// offset at which it stopped.
    fn read(&mut self, mut walk: Walk<'_>, formatter: &mut Formatter<'_>) -> usize {
        loop {
            self.is_full = self.documents == 0 || !self.has_room();
            if self.is_full {
                break;
            }
            let Some(piece) = walk.next(formatter, &mut self.packer.plain, self.batch) else {
                break;
            };
            self.add(piece);
            if self.is_full {
                break;
            }
        }
        if let Some((to, tally)) = walk.noted {
            let chunk = walk.chunk;
            self.batch.counted.push(Counted { chunk, to, tally });
        }
        walk.read_to
    }

    /// Adds the document at the end of `plain` to the record that is being made.
    fn add(&mut self, piece: Piece) {
        let end = self.packer.plain.len();
        self.packer.marks.push(Mark { end, piece });
        self.documents -= 1;
        let count = self.packer.marks.len();
        if count > 1 && end > self.packer.goal {
            // A compressed record that is less than three quarters full waits for more documents.
            let at_least = match end < MAX_PLAIN {
                true => self.packer.max_bytes / 4 * 3,
                false => 0,
            };
            self.close(count - 1, at_least);
        }
        if self.packer.marks.len() == self.packer.limit.max_documents {
            self.close(self.packer.marks.len(), 0);
        }
    }

    /// Makes records of what was gathered, as far as there is room.
    fn close_all(&mut self) {
        self.is_full = false;
        while !self.packer.marks.is_empty() && !self.is_full {
            self.close(self.packer.marks.len(), 0);
        }
    }

    /// Makes a record of the first `count` documents, if there is room for it, and if its data is
    /// not less than `at_least`.
    fn close(&mut self, count: usize, at_least: usize) {
        if !self.has_room() {
            self.is_full = true;
            return;
        }
        let Some(count) = self.packer.settle(count, at_least) else {
            return;
        };
        let data = self.packer.data(count);
        if !self.batch.records().is_empty() && self.batch.bytes() + data.len() > self.room {
            self.is_full = true;
            return;
        }
        let documents = self.packer.marks[..count].iter();
        let documents = documents.map(|mark| mark.piece.clone());
        self.batch.push(data, documents);
        let end = self.packer.marks[count - 1].end;
        self.packer.plain.drain(..end);
        self.packer.marks.drain(..count);
        for mark in &mut self.packer.marks {
            mark.end -= end;
        }
    }

    /// Whether one more record may be made. A batch ends where a full record has no place, rather
    /// than with one that is billed for more than it holds.
    fn has_room(&self) -> bool {
        let records = self.batch.records().len();
        let needed = match self.packer.limit.max_documents {
            1 => 0,
            _ => self.packer.max_bytes,
        };
        records == 0 || (records < MAX_BATCH_RECORDS && self.batch.bytes() + needed <= self.room)
    }

    /// What was gathered and did not become a record is packed another time.
    fn leave_marks(&mut self) {
        let marks = self.packer.marks.drain(..);
        // It was read before what is left of its last piece.
        self.batch.rest.splice(..0, marks.map(|mark| mark.piece));
    }

    fn leave(&mut self, chunk: ChunkId, range: Range<usize>) {
        if !range.is_empty() {
            self.batch.rest.push(Piece { chunk, range });
        }
    }
}

/// Reads a piece, document by document.
struct Walk<'c> {
    chunk: ChunkId,
    reader: Reader<'c>,
    /// Where the reader began, and where the piece ends.
    base: usize,
    piece_end: usize,
    /// All events before this offset are in documents, or need none.
    read_to: usize,
    /// The events before this offset were counted before.
    counted: usize,
    /// What was counted now, and to where.
    noted: Option<(usize, Tally)>,
}

impl<'c> Walk<'c> {
    fn new(piece: Piece, chunk: &'c [u8], counted: usize) -> Self {
        let Piece { chunk: id, range } = piece;
        Self {
            chunk: id,
            reader: Reader::new(chunk.get(range.clone()).unwrap_or_default()),
            base: range.start,
            piece_end: range.end,
            read_to: range.start,
            counted,
            noted: None,
        }
    }

    /// Appends the next document: the range it was made of, from where the one before ended.
    fn next(
        &mut self,
        formatter: &mut Formatter<'_>,
        out: &mut Vec<u8>,
        batch: &mut Batch,
    ) -> Option<Piece> {
        let length = out.len();
        while !self.reader.is_empty() {
            let event = self.end();
            match outcome::write_next(&mut self.reader, formatter, out) {
                Ok(outcome) => {
                    let is_document = matches!(outcome, Outcome::Document { .. });
                    if !outcome.is_usual() {
                        self.note(self.end(), |tally| tally.count(outcome));
                    }
                    if is_document {
                        return Some(self.piece());
                    }
                }
                Err(cause) => {
                    out.truncate(length);
                    let end = self.piece_end;
                    let corrupt = Corrupt {
                        offset: event,
                        bytes: end - event,
                        cause,
                    };
                    self.note(end, |tally| tally.corrupt = Some(corrupt));
                    self.pass_over(batch, end);
                    return None;
                }
            }
        }
        self.pass_over(batch, self.end());
        None
    }

    /// Where what was read ends.
    fn end(&self) -> usize {
        self.base + self.reader.offset()
    }

    fn piece(&mut self) -> Piece {
        let end = self.end();
        let range = std::mem::replace(&mut self.read_to, end)..end;
        let chunk = self.chunk;
        Piece { chunk, range }
    }

    /// Counts an event that ends here, unless it was counted before.
    fn note(&mut self, end: usize, count: impl FnOnce(&mut Tally)) {
        if end > self.counted {
            let (to, tally) = self.noted.get_or_insert_default();
            *to = end;
            count(tally);
        }
    }

    /// Notes that nothing is to be sent of what was read since the last document.
    fn pass_over(&mut self, batch: &mut Batch, end: usize) {
        let range = std::mem::replace(&mut self.read_to, end)..end;
        if !range.is_empty() {
            let chunk = self.chunk;
            batch.passed.push(Piece { chunk, range });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event with one text of so many bytes.
    fn event(bytes: u32) -> Vec<u8> {
        let head = [b"\x92\x01\x81\xa1a\xdb", &bytes.to_be_bytes()[..]].concat();
        [head, vec![b'x'; bytes as usize]].concat()
    }

    #[test]
    fn a_giant_document_s_memory_is_given_back() {
        let format = Format {
            max_bytes: MAX_RECORD_BYTES,
            ..Format::default()
        };
        let packing = Packing {
            aggregation: None,
            compression: None,
        };
        let mut packer = Packer::new("logs", packing);
        let mut batch = Batch::default();
        let room = Room {
            bytes: MAX_RECORD_BYTES,
            record_bytes: usize::MAX,
            documents: u64::MAX,
        };
        let chunk = event(50_000_000);
        packer.pack(&format, &mut OneChunk::new(&chunk), room, &mut batch);
        assert_eq!(batch.counted[0].tally.truncated, 1);
        assert!(packer.plain.capacity() <= MAX_PLAIN);
        assert!(batch.finish().capacity() < 2_000_000);
    }
}
