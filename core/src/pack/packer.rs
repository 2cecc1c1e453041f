//! Packs documents into the records of a batch.
//!
//! Events are read where they lie in their chunks: a document is written to the record it
//! becomes a part of, and the record, once full, as base64 to the body of the call.

use std::collections::HashMap;

use crate::deliver::ranges::Ranges;
use crate::format::document::{Format, Formatter};
use crate::format::group::Groups;
use crate::format::msgpack::{Malformed, Reader};
use crate::format::outcome::{self, Corrupt, Outcome, Tally};
use crate::format::rejected::Reason;
use crate::limits::{MAX_BATCH_RECORDS, MAX_RECORD_BYTES};
use crate::pack::batch::{Batch, ChunkId, Counted, Noted, Piece};
use crate::pack::compress::{Compression, Compressor};
use crate::schema::streams::Schema;
use crate::schema::watch::Watch;

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

    /// Events of a chunk before this offset are in the tally already.
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

    /// Lets what a batch has no room for wait again, and counts no event twice.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Of data, before base64; but one record always has room.
    pub bytes: usize,
    /// Of a record of several documents, where that is less than the packing's own limit.
    pub record_bytes: usize,
    pub documents: u64,
}

/// Packs batches. Its buffers are kept from one to the next.
pub struct Packer {
    /// Whether it notes where what is not delivered as a whole lies in its chunk.
    pub notes: bool,
    /// The table that documents are compared with.
    pub schema: Option<Schema>,
    /// Made by the first batch, and anew after a panic.
    watch: Option<Box<Watch>>,
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
    /// What the batch that is being made may hold. `documents` shrinks with each document that is
    /// added; the others stay.
    room: Room,
    is_full: bool,
    /// Of the chunks of the batch, where documents have their group's attributes.
    groups: HashMap<ChunkId, Groups>,
    /// A little more than the length of the last batches' bodies, so that the next body's memory is
    /// allocated once.
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
            notes: false,
            schema: None,
            watch: None,
            stream: stream.to_owned(),
            limit,
            max_bytes: limit.max_bytes,
            compressor: packing.compression.map(Compression::compressor),
            plain: Vec::new(),
            marks: Vec::new(),
            goal: limit.max_bytes,
            compressed: Vec::new(),
            room: Room::default(),
            is_full: false,
            groups: HashMap::new(),
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
        self.groups.clear();
        self.max_bytes = self.limit.max_bytes.min(room.record_bytes);
        if self.compressor.is_none() {
            self.goal = self.max_bytes;
        }
        batch.begin(&self.stream, self.usual_body);
        self.room = room;
        self.is_full = false;
        let mut formatter = Formatter::new(format);
        let anew = || Some(Box::new(Watch::new(self.schema.clone()?)));
        formatter.watch(self.watch.take().or_else(anew));
        while !self.is_full
            && let Some(piece) = source.next()
        {
            let (chunk, end) = (piece.chunk, piece.range.end);
            let counted = source.counted(chunk);
            let read = |bytes: &[u8]| self.read(piece, bytes, counted, &mut formatter, batch);
            let read_to = source.read(chunk, read);
            if read_to < end {
                let range = read_to..end;
                batch.rest.push(Piece { chunk, range });
            }
        }
        self.watch = formatter.into_watch();
        self.close_all(batch);
        // What was gathered and did not become a record is packed another time, before what is
        // left of its last piece.
        let marks = self.marks.drain(..);
        batch.rest.splice(..0, marks.map(|mark| mark.piece));
        let length = batch.body.len();
        self.usual_body = (length + length / 16).max(self.usual_body - self.usual_body / 128);
        // One giant document does not keep its memory.
        self.plain.clear();
        self.plain.shrink_to(MAX_PLAIN);
    }

    /// Returns how many of the first `count` documents go into the record. Fewer, if all would
    /// compress to more than the limit. None, if to less than `at_least`: then more are gathered
    /// first.
    fn settle(&mut self, mut count: usize, at_least: usize) -> Option<usize> {
        let Some(compressor) = &mut self.compressor else {
            return Some(count);
        };
        loop {
            let plain = &self.plain[..self.marks[count - 1].end];
            compressor(plain, &mut self.compressed);
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

    /// Packs the documents of a piece until the batch is full or the piece ends, and returns the
    /// offset at which it stopped. The events before `counted` were counted before.
    fn read(
        &mut self,
        Piece { chunk, range }: Piece,
        bytes: &[u8],
        counted: usize,
        formatter: &mut Formatter<'_>,
        batch: &mut Batch,
    ) -> usize {
        if formatter.adds_group() {
            let groups = self.groups.entry(chunk).or_default();
            let group = groups.open_at(bytes, range.start);
            formatter.set_group(bytes.get(group).unwrap_or_default());
        }
        let mut reader = Reader::new(bytes.get(range.clone()).unwrap_or_default());
        let mut end = range.start;
        // All events before it are in documents, or need none.
        let mut read_to = end;
        let mut tally = Tally::default();
        loop {
            self.is_full |= self.room.documents == 0 || !self.has_room(batch);
            if self.is_full || reader.is_empty() {
                break;
            }
            let (offset, length) = (end, self.plain.len());
            let outcome = outcome::write_next(&mut reader, formatter, &mut self.plain);
            end = match outcome {
                Ok(_) => range.start + reader.offset(),
                Err(_) => range.end,
            };
            let is_document = matches!(outcome, Ok(Outcome::Document { .. }));
            let is_corrupt = outcome.is_err();
            match outcome {
                // Nearly all.
                Ok(Outcome::Document {
                    cut_from: None,
                    doubled: None,
                }) => {}
                _ if end <= counted => {}
                outcome => {
                    let range = offset..end;
                    self.count(outcome, Piece { chunk, range }, bytes, &mut tally, batch);
                }
            }
            if is_document {
                let range = read_to..end;
                self.add(Piece { chunk, range }, batch);
                read_to = end;
            } else if is_corrupt {
                self.plain.truncate(length);
                break;
            }
        }
        tally.drift = formatter.drift();
        if tally != Tally::default() {
            let to = end;
            batch.counted.push(Counted { chunk, to, tally });
        }
        // Nothing is to be sent of what comes behind the last document.
        if end == range.end && read_to < end {
            batch.passed.push(Piece {
                chunk,
                range: read_to..end,
            });
            read_to = end;
        }
        read_to
    }

    /// Counts what is not delivered as a whole, and notes where it is.
    #[cold]
    fn count(
        &mut self,
        outcome: Result<Outcome<'_>, Malformed>,
        piece: Piece,
        bytes: &[u8],
        tally: &mut Tally,
        batch: &mut Batch,
    ) {
        let reason = match outcome {
            Ok(outcome) => tally.count(outcome),
            Err(cause) => {
                tally.corrupt = Some(Corrupt {
                    offset: piece.range.start,
                    bytes: piece.range.len(),
                    cause,
                });
                Some(Reason::Corrupt)
            }
        };
        if let Some(reason) = reason.filter(|_| self.notes) {
            let group = match self.groups.get_mut(&piece.chunk) {
                Some(groups) if reason.is_of_event() => groups.open_at(bytes, piece.range.start),
                _ => 0..0,
            };
            batch.noted.push(Noted {
                piece,
                reason,
                group,
            });
        }
    }

    /// Adds the document at the end of `plain` to the record that is being made.
    fn add(&mut self, piece: Piece, batch: &mut Batch) {
        let end = self.plain.len();
        self.marks.push(Mark { end, piece });
        self.room.documents -= 1;
        let count = self.marks.len();
        if count > 1 && end > self.goal {
            // A compressed record that is less than three quarters full waits for more documents.
            let at_least = match end < MAX_PLAIN {
                true => self.max_bytes / 4 * 3,
                false => 0,
            };
            self.close(count - 1, at_least, batch);
        }
        if self.marks.len() == self.limit.max_documents {
            self.close(self.marks.len(), 0, batch);
        }
    }

    /// Makes records of what was gathered, as far as there is room.
    fn close_all(&mut self, batch: &mut Batch) {
        self.is_full = false;
        while !self.marks.is_empty() && !self.is_full {
            self.close(self.marks.len(), 0, batch);
        }
    }

    /// Makes a record of the first `count` documents, if there is room for it, and if its data is
    /// not less than `at_least`.
    fn close(&mut self, count: usize, at_least: usize, batch: &mut Batch) {
        if !self.has_room(batch) {
            self.is_full = true;
            return;
        }
        let Some(count) = self.settle(count, at_least) else {
            return;
        };
        let end = self.marks[count - 1].end;
        let data = match self.compressor {
            Some(_) => &self.compressed[..],
            None => &self.plain[..end],
        };
        if !batch.records.is_empty() && batch.bytes + data.len() > self.room.bytes {
            self.is_full = true;
            return;
        }
        let documents = self.marks[..count].iter();
        let documents = documents.map(|mark| mark.piece.clone());
        batch.push(data, documents);
        self.plain.drain(..end);
        self.marks.drain(..count);
        for mark in &mut self.marks {
            mark.end -= end;
        }
    }

    /// Whether one more record may be made. A batch ends when no full record has room, as a smaller
    /// one is billed for more than it holds.
    fn has_room(&self, batch: &Batch) -> bool {
        let records = batch.records.len();
        let needed = match self.limit.max_documents {
            1 => 0,
            _ => self.max_bytes,
        };
        records == 0 || (records < MAX_BATCH_RECORDS && batch.bytes + needed <= self.room.bytes)
    }
}
