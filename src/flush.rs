//! One flush: a chunk on its way out, and what became of its documents so far.

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::batch::Share;
use crate::chunk::{Chunk, Corrupt, Outcome, Tally};
use crate::ledger::Left;
use crate::log::Sink;
use crate::parts::Parts;

pub struct Flush {
    pub chunk: Chunk,
    pub tag: String,
    /// Takes the lines that are written of this chunk.
    pub sink: Box<dyn Sink + Send + Sync>,
    pub arrived: Instant,
    state: Mutex<State>,
    /// It may be settled, or its deadline may have moved.
    changed: Notify,
}

struct State {
    deadline: Instant,
    /// What is neither accepted nor dropped.
    left: Parts,
    /// What of it is to be packed.
    waiting: Parts,
    /// The host has its answer, or is about to get it.
    is_closed: bool,
    /// To where the events were counted that give no document, or less than a whole one.
    counted: usize,
    fate: Fate,
}

/// What became of a flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Documents that were accepted.
    pub delivered: u64,
    /// Documents that the service refuses for good.
    pub dropped: u64,
    /// Documents of calls that are not answered yet.
    pub under_way: u64,
    /// Documents of calls whose answer was lost.
    pub ambiguous: u64,
    pub tally: Tally,
}

impl Flush {
    /// `left` is what an earlier flush left of the same chunk.
    pub fn new(
        chunk: Chunk,
        tag: &str,
        sink: Box<dyn Sink + Send + Sync>,
        deadline: Instant,
        left: Option<Left>,
    ) -> Self {
        let left = left.unwrap_or_else(|| Left {
            parts: Parts::from(0..chunk.read(<[u8]>::len)),
            counted: 0,
        });
        Self {
            chunk,
            tag: tag.to_owned(),
            sink,
            arrived: Instant::now(),
            state: Mutex::new(State {
                deadline,
                waiting: left.parts.clone(),
                left: left.parts,
                is_closed: false,
                counted: left.counted,
                fate: Fate::default(),
            }),
            changed: Notify::new(),
        }
    }

    /// Whether nothing is left of the chunk, or nothing more can be done.
    pub fn is_settled(&self) -> bool {
        self.state().is_settled()
    }

    /// Returns when it is settled, or its deadline has passed.
    pub async fn ended(&self) {
        while !self.is_settled() && Instant::now() < self.deadline() {
            _ = timeout_at(self.deadline(), self.changed.notified()).await;
        }
    }

    /// When it has to have ended.
    pub fn deadline(&self) -> Instant {
        self.state().deadline
    }

    pub fn set_deadline(&self, deadline: Instant) {
        self.state().deadline = deadline;
        self.changed.notify_one();
    }

    /// Whether a call may begin for it. One that is cut off may have been stored all the same, and
    /// the chunk's next flush would store it twice: so not with too little time.
    pub fn has_time(&self, shortest_call: Duration) -> bool {
        let state = self.state();
        let left = state.deadline.saturating_duration_since(Instant::now());
        left >= shortest_call && !state.is_closed
    }

    pub fn waiting_bytes(&self) -> usize {
        self.state().waiting.bytes()
    }

    /// Takes the first part that waits.
    pub fn take(&self) -> Option<Range<usize>> {
        self.state().waiting.pop_first()
    }

    /// Has a part that was taken wait again.
    pub fn put_back(&self, part: Range<usize>) {
        self.state().waiting.insert(part);
    }

    /// Counts an event that ends at an offset, unless it was counted before.
    pub fn count(&self, end: usize, outcome: Outcome<'_>) {
        let mut state = self.state();
        if end > state.counted {
            state.counted = end;
            state.fate.tally.count(outcome);
        }
    }

    /// Gives up a part that is no msgpack.
    pub fn corrupt(&self, corrupt: Corrupt) {
        let end = corrupt.offset + corrupt.bytes;
        let mut state = self.state();
        if end > state.counted {
            state.counted = end;
            state.fate.tally.corrupt = Some(corrupt);
        }
        drop(state);
        self.done(corrupt.offset..end);
    }

    /// A call with so many of its documents begins.
    pub fn begin(&self, documents: u64) {
        self.state().fate.under_way += documents;
    }

    /// A call with so many of its documents ended, and they are to be sent again.
    pub fn end(&self, documents: u64) {
        self.state().fate.under_way -= documents;
    }

    /// So many of its documents may have been stored without the service saying so.
    pub fn ambiguous(&self, documents: u64) {
        self.state().fate.ambiguous += documents;
    }

    pub fn accepted(&self, share: &Share) {
        let mut state = self.state();
        state.fate.under_way -= share.documents;
        state.fate.delivered += share.documents;
        self.done_in(&mut state, share.part.clone());
    }

    pub fn dropped(&self, share: &Share) {
        let mut state = self.state();
        state.fate.under_way -= share.documents;
        state.fate.dropped += share.documents;
        self.done_in(&mut state, share.part.clone());
    }

    /// Nothing is to be sent of a part.
    pub fn done(&self, part: Range<usize>) {
        self.done_in(&mut self.state(), part);
    }

    fn done_in(&self, state: &mut State, part: Range<usize>) {
        state.left.remove(part);
        if state.is_settled() {
            self.changed.notify_one();
        }
    }

    /// Ends the flush: what became of it, and what is left.
    pub fn close(&self) -> (Fate, Left) {
        let mut state = self.state();
        state.is_closed = true;
        state.waiting = Parts::default();
        let left = Left {
            parts: std::mem::take(&mut state.left),
            counted: state.counted,
        };
        (state.fate.clone(), left)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").finish_non_exhaustive()
    }
}

impl State {
    fn is_settled(&self) -> bool {
        self.left.is_empty()
    }
}
