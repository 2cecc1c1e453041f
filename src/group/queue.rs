//! What waits to be sent, and when it is due.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::flush::Flush;
use crate::pack::Piece;

#[derive(Debug, Default)]
pub(super) struct Queue {
    flushes: VecDeque<Arc<Flush>>,
    suspects: Vec<Suspect>,
    /// Flushes that the host waits for, those included that are all under way.
    open: usize,
    /// The host's threads that a flush came from so far.
    callers: HashSet<usize>,
    /// Something was refused, or the host stops: nothing lingers.
    is_urgent: bool,
    pub(super) is_stopping: bool,
    pub(super) lanes: usize,
}

/// Documents among which one is bad.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) pieces: Vec<Piece>,
    /// How many of them to send together.
    pub(super) documents: u64,
}

/// When the next call is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Never,
    At(Instant),
    Now,
}

/// What lets small chunks meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linger {
    /// The longest that a flush waits for others.
    pub time: Duration,
    /// As soon as so many bytes of chunks wait, nothing waits for more.
    pub bytes: usize,
}

impl Queue {
    pub(super) fn join(&mut self, flush: &Arc<Flush>, caller: usize) {
        self.open += 1;
        self.callers.insert(caller);
        if flush.waiting_bytes() > 0 {
            self.flushes.push_back(Arc::clone(flush));
        }
    }

    pub(super) fn leave(&mut self, flush: &Arc<Flush>) {
        self.open -= 1;
        self.flushes.retain(|other| !Arc::ptr_eq(other, flush));
    }

    /// What was refused of a flush goes first.
    pub(super) fn put_back(&mut self, piece: Piece) {
        let flush = &piece.flush;
        flush.put_back(piece.part);
        if !self.flushes.iter().any(|other| Arc::ptr_eq(other, flush)) {
            self.flushes.push_front(Arc::clone(flush));
        }
    }

    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    pub(super) fn suspect(&mut self, suspect: Suspect) {
        self.suspects.push(suspect);
    }

    pub(super) fn next_suspect(&mut self) -> Option<Suspect> {
        self.suspects.pop()
    }

    /// The next piece of a flush for which there is time.
    pub(super) fn next_piece(&mut self, shortest_call: Duration) -> Option<Piece> {
        while let Some(flush) = self.flushes.front() {
            if flush.has_time(shortest_call)
                && let Some(part) = flush.take()
            {
                let flush = Arc::clone(flush);
                return Some(Piece { flush, part });
            }
            self.flushes.pop_front();
        }
        self.is_urgent = self.is_stopping;
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flushes.is_empty() && self.suspects.is_empty()
    }

    pub(super) fn due(&self, linger: Linger) -> Due {
        let Some(oldest) = self.flushes.iter().map(|flush| flush.arrived).min() else {
            return match self.suspects.is_empty() {
                true => Due::Never,
                false => Due::Now,
            };
        };
        let bytes = || self.flushes.iter().map(|flush| flush.waiting_bytes()).sum();
        let time = oldest + linger.time;
        // When all the host's threads wait here, no chunk can come anymore.
        let is_now = !self.suspects.is_empty()
            || self.is_urgent
            || self.open >= self.callers.len()
            || time <= Instant::now()
            || linger.bytes <= bytes();
        if is_now { Due::Now } else { Due::At(time) }
    }
}
