//! Packs documents into the records of a batch.
//!
//! Events are read where they lie in their chunks: a document is written to the record it
//! becomes a part of, and the record, once full, as base64 to the body of the call.

use std::ops::Range;
use std::sync::Arc;

use crate::batch::Batch;
use crate::chunk::{self, Corrupt, Outcome};
use crate::compress::{Compression, Compressor};
use crate::document::{Format, Formatter};
use crate::flush::Flush;
use crate::limits::{MAX_BATCH_RECORDS, MAX_RECORD_BYTES};
use crate::msgpack::Reader;

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

/// A part of a flush's chunk.
#[derive(Clone, Debug)]
pub struct Piece {
    pub flush: Arc<Flush>,
    pub part: Range<usize>,
}

/// What a batch may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of data, before base64; but one record always has room.
    pub bytes: usize,
    pub documents: u64,
}

/// Packs batches. Its buffers are kept from one to the next.
#[derive(Debug)]
pub struct Packer {
    stream: String,
    limit: Aggregation,
    compressor: Option<Compressor>,
    /// The documents of the record that is being made.
    plain: Vec<u8>,
    marks: Vec<Mark>,
    /// So many plain bytes make a record.
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
    /// Its flush's place in the batch, and what it was made of.
    flush: usize,
    part: Range<usize>,
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
            compressor: packing.compression.map(Compression::compressor),
            plain: Vec::new(),
            marks: Vec::new(),
            goal: limit.max_bytes,
            compressed: Vec::new(),
            usual_body: 0,
        }
    }

    /// Makes a batch of the first documents of these pieces, as many as there is room for. What
    /// was read and is not in it comes back, in order; the pieces behind are not read.
    pub fn pack(
        &mut self,
        format: &Format,
        pieces: &mut impl Iterator<Item = Piece>,
        room: Room,
        batch: &mut Batch,
    ) -> Vec<Piece> {
        batch.begin(&self.stream, self.usual_body);
        let mut run = Run {
            documents: room.documents,
            room: room.bytes,
            packer: self,
            batch,
            is_full: false,
        };
        let mut formatter = Formatter::new(format);
        let mut rest = None;
        while !run.is_full
            && rest.is_none()
            && let Some(piece) = pieces.next()
        {
            rest = run.read(piece, &mut formatter);
        }
        run.close_all();
        let mut unpacked = run.take_marks();
        unpacked.extend(rest);
        let length = batch.body_length();
        self.usual_body = (length + length / 16).max(self.usual_body - self.usual_body / 128);
        unpacked
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
            let goal = (plain.len() * self.limit.max_bytes / size.max(1)) / 16 * 15;
            self.goal = goal.clamp(1, MAX_PLAIN);
            if size < at_least && self.goal > plain.len() {
                return None;
            }
            if size <= self.limit.max_bytes || count == 1 {
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
    /// Packs the documents of a piece: what is left of it when the batch is full.
    fn read(&mut self, piece: Piece, formatter: &mut Formatter<'_>) -> Option<Piece> {
        let flush = self.batch.join(&piece.flush);
        let read_to = piece.flush.chunk.read(|bytes| {
            let mut walk = Walk::new(&piece, bytes);
            loop {
                self.is_full = self.documents == 0 || !self.has_room();
                if self.is_full {
                    break;
                }
                let Some(part) = walk.next(formatter, &mut self.packer.plain) else {
                    break;
                };
                self.add(flush, part);
                if self.is_full {
                    break;
                }
            }
            walk.read_to
        });
        let rest = read_to..piece.part.end;
        (!rest.is_empty()).then_some(Piece {
            part: rest,
            ..piece
        })
    }

    /// Adds the document at the end of `plain` to the record that is being made.
    fn add(&mut self, flush: usize, part: Range<usize>) {
        let end = self.packer.plain.len();
        self.packer.marks.push(Mark { end, flush, part });
        self.documents -= 1;
        let count = self.packer.marks.len();
        if count > 1 && end > self.packer.goal {
            // Without what compresses well to three quarters at least, more is gathered.
            let at_least = match end < MAX_PLAIN {
                true => self.packer.limit.max_bytes / 4 * 3,
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
        let documents = documents.map(|mark| (mark.flush, mark.part.clone()));
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
            _ => self.packer.limit.max_bytes,
        };
        records == 0 || (records < MAX_BATCH_RECORDS && self.batch.bytes() + needed <= self.room)
    }

    /// What was gathered and did not become a record.
    fn take_marks(&mut self) -> Vec<Piece> {
        self.packer.plain.clear();
        let piece = |mark: Mark| Piece {
            flush: Arc::clone(&self.batch.flushes()[mark.flush]),
            part: mark.part,
        };
        self.packer.marks.drain(..).map(piece).collect()
    }
}

/// Reads a piece, document by document.
struct Walk<'p> {
    piece: &'p Piece,
    reader: Reader<'p>,
    /// Where the reader began.
    base: usize,
    /// To here all is in documents, or done with.
    read_to: usize,
}

impl<'p> Walk<'p> {
    fn new(piece: &'p Piece, chunk: &'p [u8]) -> Self {
        // Nothing is there to be read when the host has its chunk back.
        let bytes = chunk.get(piece.part.clone()).unwrap_or_default();
        Self {
            piece,
            reader: Reader::new(bytes),
            base: piece.part.start,
            read_to: piece.part.start,
        }
    }

    /// Appends the next document: the part it was made of, from where the one before ended.
    fn next(&mut self, formatter: &mut Formatter<'_>, out: &mut Vec<u8>) -> Option<Range<usize>> {
        let length = out.len();
        while !self.reader.is_empty() {
            let event = self.end();
            match chunk::write_next(&mut self.reader, formatter, out) {
                Ok(Outcome::Document(changes)) if changes.are_none() => return Some(self.part()),
                Ok(outcome) => {
                    self.piece.flush.count(self.end(), outcome);
                    if matches!(outcome, Outcome::Document(_)) {
                        return Some(self.part());
                    }
                }
                Err(cause) => {
                    out.truncate(length);
                    self.pass_over(event);
                    let end = self.piece.part.end;
                    self.piece.flush.corrupt(Corrupt {
                        offset: event,
                        bytes: end - event,
                        cause,
                    });
                    self.read_to = end;
                    return None;
                }
            }
        }
        self.pass_over(self.end());
        None
    }

    /// Where what was read ends.
    fn end(&self) -> usize {
        self.base + self.reader.offset()
    }

    fn part(&mut self) -> Range<usize> {
        let end = self.end();
        std::mem::replace(&mut self.read_to, end)..end
    }

    /// Nothing is to be sent of what was read since the last document to here.
    fn pass_over(&mut self, end: usize) {
        self.piece.flush.done(self.read_to..end);
        self.read_to = end;
    }
}
