//! What became of the events of a chunk.

use crate::format::document::Formatter;
use crate::format::doubles::Doubled;
use crate::format::event::{self, Head};
use crate::format::msgpack::{Malformed, Reader};
use crate::format::rejected::Reason;
use crate::schema::watch::Drift;

/// What a value of a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'w> {
    /// A document was written. Neither field is set if nothing of its event was left out.
    Document {
        /// It was cut from this many bytes.
        cut_from: Option<usize>,
        /// Objects of it had a key twice.
        doubled: Option<&'w Doubled>,
    },
    GroupMarker,
    /// A value that is no event, or an event that is no map.
    NotAnEvent,
    WithoutLogKey,
    /// An event without a field of its own that is to be sent.
    WithoutField,
}

/// Appends the document of the next value, if it gives one. On an error `out` may hold a part of
/// a document.
pub fn write_next<'w>(
    reader: &mut Reader<'_>,
    formatter: &'w mut Formatter<'_>,
    out: &mut Vec<u8>,
) -> Result<Outcome<'w>, Malformed> {
    let start = *reader;
    let head = event::read_head(reader)?;
    let outcome = match head {
        Head::Event(time) => {
            if formatter.adds_metadata() {
                formatter.set_metadata(event::metadata(start));
            }
            return formatter.write(time, reader, out);
        }
        Head::GroupStart | Head::GroupEnd => Outcome::GroupMarker,
        Head::Other => Outcome::NotAnEvent,
    };
    let value = *reader;
    reader.skip()?;
    if formatter.adds_group() {
        match head {
            Head::GroupStart => formatter.set_group(reader.since(&value)),
            Head::GroupEnd => formatter.set_group(&[]),
            _ => {}
        }
    }
    Ok(outcome)
}

/// What a chunk came to besides its documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that have no `log_key`.
    pub without_log_key: u64,
    /// Events that have no field of their own that is to be sent.
    pub without_field: u64,
    /// Values that are no event, and events that are no map.
    pub not_events: u64,
    /// Documents that had to be cut.
    pub truncated: u64,
    /// The size of the largest before it was cut.
    pub largest: usize,
    /// Pairs left out of documents for a later one with the same key in the same object, and one
    /// such key.
    pub doubled: Doubled,
    /// How documents differ from the table of `schema_file`.
    pub drift: Drift,
    pub corrupt: Option<Corrupt>,
}

/// Where a chunk stops being msgpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Of the event that can't be read.
    pub offset: usize,
    /// The bytes from there to the end of the chunk.
    pub bytes: usize,
    pub cause: Malformed,
}

impl Tally {
    /// Counts what a value came to: why it is not delivered as a whole, if it is not.
    pub fn count(&mut self, outcome: Outcome<'_>) -> Option<Reason> {
        let mut reason = None;
        match outcome {
            Outcome::Document { cut_from, doubled } => {
                if let Some(doubled) = doubled {
                    self.doubled.add(doubled);
                    reason = Some(Reason::DoubledKeys);
                }
                if let Some(size) = cut_from {
                    self.truncated += 1;
                    self.largest = self.largest.max(size);
                    reason = Some(Reason::Truncated);
                }
            }
            Outcome::NotAnEvent => {
                self.not_events += 1;
                reason = Some(Reason::NoEvent);
            }
            Outcome::WithoutLogKey => {
                self.without_log_key += 1;
                reason = Some(Reason::NoLogKey);
            }
            Outcome::WithoutField => {
                self.without_field += 1;
                reason = Some(Reason::NoField);
            }
            Outcome::GroupMarker => {}
        }
        reason
    }

    pub fn add(&mut self, other: &Self) {
        self.without_log_key += other.without_log_key;
        self.without_field += other.without_field;
        self.not_events += other.not_events;
        self.truncated += other.truncated;
        self.largest = self.largest.max(other.largest);
        self.doubled.add(&other.doubled);
        self.drift.add(&other.drift);
        self.corrupt = self.corrupt.or(other.corrupt);
    }
}
