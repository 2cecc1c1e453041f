//! One chunk, as long as anything is known of it: from its first flush until all of it was
//! delivered, or until it is forgotten.

use std::ops::Range;
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
    /// Whether any of it is done with.
    pub(super) is_begun: bool,
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
    /// The host's thread that waits; none if the flush holds no thread.
    pub(super) caller: Option<usize>,
    /// What was counted since this flush began.
    pub(super) tally: Tally,
    pub(super) delivered: u64,
    /// How often packing ended by a panic at an event of this chunk.
    pub(super) panics: u32,
    /// The ranges that go to this delivery stream, if the others of the chunk go to other ones.
    pub(super) part: Option<Ranges>,
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
            is_begun: false,
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

    /// Whether anything is known of it that a flush of the same bytes must know: some of it is done
    /// with, in a call, suspected or counted.
    pub(super) fn has_past(&self) -> bool {
        self.is_begun || self.counted > 0 || self.waiting != self.left
    }

    /// Nothing needs to be known of a range anymore.
    pub(super) fn pass(&mut self, range: Range<usize>) {
        self.left.remove(range);
        self.is_begun = true;
    }

    /// Takes a new flush of it, for this part of the chunk, if only a part of it comes here.
    pub(super) fn arrive(&mut self, flush: Flush) {
        if let Some(part) = &flush.part {
            self.left = self.left.intersection(part);
            self.waiting = self.waiting.intersection(part);
        }
        self.flush = Some(flush);
    }

    /// Whether only a part of it comes here, and the host is answered of it when other delivery
    /// streams have theirs.
    pub(super) fn is_shared(&self) -> bool {
        let part = self.flush.as_ref().and_then(|flush| flush.part.as_ref());
        part.is_some_and(|part| part.bytes() < self.length)
    }

    /// Keeps what is left in few ranges: the next flush tells again which of them come here.
    pub(super) fn join_ranges(&mut self, part: &Ranges) {
        self.left = self.left.joined(part);
        self.waiting = self.waiting.joined(part);
    }

    /// All that is done with. What goes to other delivery streams may be in it: it never comes
    /// here.
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
