//! One chunk, as long as anything is known of it: from its first flush until all of it was
//! delivered, or until it is forgotten.

use std::time::Instant;

use crate::deliver::journal::Done;
use crate::deliver::ledger::Key;
use crate::deliver::ranges::Ranges;
use crate::deliver::verdict::History;
use crate::format::outcome::Tally;
use crate::pack::batch::Piece;

use super::flight::Suspicion;

#[derive(Debug)]
pub(super) struct Chunk {
    /// Of all its bytes.
    pub(super) length: usize,
    pub(super) tag: String,
    pub(super) key: Option<Key>,
    /// Only while the host waits.
    pub(super) flush: Option<Flush>,
    /// What is neither accepted nor given up.
    pub(super) left: Ranges,
    /// Ranges that may go into the next call: not in one now, and not suspected.
    pub(super) waiting: Ranges,
    /// Events before this offset are in the tally already: packing them again must not count them
    /// twice.
    pub(super) counted: usize,
    pub(super) history: History,
    /// The last page of the journal that has an entry of it; 0 for none.
    pub(super) page: u64,
    /// When the journal was told of it last, in Unix time.
    pub(super) done_at: u64,
    /// What was refused for its data in the last flush: the next one sends it a part at a time.
    pub(super) suspects: Vec<(Piece, Suspicion)>,
}

/// The host waits for an answer about a chunk.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) arrived: Instant,
    pub(super) deadline: Instant,
    /// The host's thread that waits.
    pub(super) caller: usize,
    /// What was counted since this flush began.
    pub(super) tally: Tally,
    pub(super) delivered: u64,
    /// How often packing ended by a panic at an event of this chunk.
    pub(super) panics: u32,
}

/// How often packing may end by a panic at one chunk. Then its flush ends.
const MOST_PANICS: u32 = 2;

impl Flush {
    /// Whether it ends before its time, as the chunk can't be packed.
    pub(super) fn is_given_up(&self) -> bool {
        self.panics >= MOST_PANICS
    }
}

impl Chunk {
    pub(super) fn new(tag: &str, length: usize) -> Self {
        let all = Ranges::from(0..length);
        Self {
            length,
            tag: tag.to_owned(),
            key: None,
            flush: None,
            waiting: all.clone(),
            left: all,
            counted: 0,
            history: History::default(),
            page: 0,
            done_at: 0,
            suspects: Vec::new(),
        }
    }
    /// Whether any of it is done with.
    pub(super) fn is_begun(&self) -> bool {
        self.left.bytes() < self.length
    }

    /// All that is done with.
    pub(super) fn done(&self) -> Done {
        let mut ranges = Ranges::from(0..self.length);
        for range in self.left.iter() {
            ranges.remove(range);
        }
        Done {
            ranges,
            delivered: self.history.delivered,
            rejected: self.history.rejected,
        }
    }
}
