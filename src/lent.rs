//! A flush: the chunk that the host lends as long as it lasts, and how the host is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firehose_core::deliver::ranges::Ranges;
use firehose_core::deliver::stream::OutputId;
use firehose_core::deliver::verdict::Verdict;
use firehose_core::pack::batch::ChunkId;
use firehose_core::tell::log::{Level, Line};

/// A chunk that the host waits for.
pub struct Flush {
    pub output: OutputId,
    pub chunk: LentChunk,
    pub tag: String,
    /// The host's thread that waits; none if the flush holds no thread.
    pub caller: Option<usize>,
    /// The ranges that go to the driver's stream, where the output has several.
    pub part: Option<Ranges>,
    pub host: Host,
}

/// Whoever waits for a flush.
pub type Host = Arc<dyn Fn(Told) + Send + Sync>;

/// What the waiting side of a flush is told.
pub enum Told {
    /// A line for the host's log.
    Line(Line),
    /// What became of the chunk, and where that is kept, what the machine calls it. The host has it
    /// back.
    Answer(Verdict, Option<ChunkId>),
}

impl Flush {
    pub fn answer(&self, verdict: Verdict, chunk: Option<ChunkId>) {
        (self.host)(Told::Answer(verdict, chunk));
    }

    /// Ends the flush after a panic.
    pub fn fail(&self, text: String) {
        let level = Level::Error;
        (self.host)(Told::Line(Line { level, text }));
        self.answer(Verdict::Retry, None);
    }
}

/// A chunk's bytes, for as long as their owner leaves them here.
#[derive(Clone)]
pub struct LentChunk(Arc<Mutex<Option<Bytes>>>);

type Bytes = Box<dyn AsRef<[u8]> + Send>;

impl LentChunk {
    pub fn new(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(bytes)))))
    }

    /// Reads the bytes, which stay while they are being read; there are none once they were taken
    /// back.
    pub fn read<R>(&self, reader: impl FnOnce(&[u8]) -> R) -> R {
        let bytes = self.bytes();
        reader(bytes.as_ref().map_or(&[], |bytes| (**bytes).as_ref()))
    }

    /// Returns when nobody reads the bytes anymore.
    pub fn take_back(&self) {
        *self.bytes() = None;
    }

    fn bytes(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_not_read() {
        let chunk = LentChunk::new(b"abc".to_vec());
        let other = chunk.clone();
        assert_eq!(other.read(<[u8]>::len), 3);
        chunk.take_back();
        assert_eq!(other.read(<[u8]>::len), 0);
    }
}
