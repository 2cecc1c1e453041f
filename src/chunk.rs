//! A chunk that the host lends for a flush, and what its events come to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::document::{Changes, Formatter, Written};
use crate::doubles::Doubled;
use crate::event::{self, Head};
use crate::msgpack::{Malformed, Reader};

/// A chunk's bytes, for as long as their owner leaves them here.
#[derive(Clone)]
pub struct Chunk(Arc<Mutex<Option<Box<dyn Bytes>>>>);

/// Whatever holds a chunk's bytes.
pub trait Bytes: AsRef<[u8]> + Send {}

impl<B: AsRef<[u8]> + Send> Bytes for B {}

impl Chunk {
    pub fn new(bytes: impl Bytes + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(bytes)))))
    }

    /// The bytes, which stay while they are being read; none once they were taken back.
    pub fn read<R>(&self, reader: impl FnOnce(&[u8]) -> R) -> R {
        let bytes = self.bytes();
        reader(bytes.as_ref().map_or(&[], |bytes| (**bytes).as_ref()))
    }

    /// Returns when nobody reads the bytes anymore.
    pub fn take_back(&self) {
        *self.bytes() = None;
    }

    fn bytes(&self) -> MutexGuard<'_, Option<Box<dyn Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Chunk {
    /// Logs are nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chunk")
    }
}

/// What a value of a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'w> {
    /// A document was written.
    Document(Changes<'w>),
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
    let time = match event::read_head(reader)? {
        Head::Event(time) => time,
        Head::GroupMarker => {
            reader.skip()?;
            return Ok(Outcome::GroupMarker);
        }
        Head::Other => {
            reader.skip()?;
            return Ok(Outcome::NotAnEvent);
        }
    };
    Ok(match formatter.write(time, reader, out)? {
        Written::NotAMap => Outcome::NotAnEvent,
        Written::NoLogKey => Outcome::WithoutLogKey,
        Written::NoField => Outcome::WithoutField,
        Written::Document(changes) => Outcome::Document(changes),
    })
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
    pub fn count(&mut self, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Document(Changes { cut_from, doubled }) => {
                if let Some(size) = cut_from {
                    self.truncated += 1;
                    self.largest = self.largest.max(size);
                }
                if let Some(doubled) = doubled {
                    self.doubled.add(doubled);
                }
            }
            Outcome::NotAnEvent => self.not_events += 1,
            Outcome::WithoutLogKey => self.without_log_key += 1,
            Outcome::WithoutField => self.without_field += 1,
            Outcome::GroupMarker => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_not_read() {
        let chunk = Chunk::new(b"abc".to_vec());
        let other = chunk.clone();
        assert_eq!(other.read(<[u8]>::len), 3);
        chunk.take_back();
        assert_eq!(other.read(<[u8]>::len), 0);
    }
}
