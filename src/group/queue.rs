//! What waits to be sent, and when it is due.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Suspicion;
use crate::flush::Flush;
use crate::pack::Piece;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    suspects: VecDeque<Suspect>,
    /// Flushes that the host waits for, those included that are all under way.
    open: Vec<Arc<Flush>>,
    /// The host's threads that a flush came from so far, and when the last one of each ended.
    callers: HashMap<usize, Option<Instant>>,
    /// Something was refused, or the host stops: nothing lingers.
    is_urgent: bool,
    /// The host stops: all flushes end until then.
    stop: Option<Instant>,
    pub(super) lanes: usize,
    /// How many calls have begun, and which was the last of which something was accepted.
    begun: u64,
    accepted: u64,
}

#[derive(Debug)]
struct Waiting {
    flush: Arc<Flush>,
    /// It waits for company until then.
    lingers_until: Instant,
}

/// Documents among which one is bad.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) pieces: Vec<Piece>,
    pub(super) suspicion: Suspicion,
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

/// A thread of the host that is back so soon had a chunk waiting, and is likely to have another.
const SOON: Duration = Duration::from_millis(100);

impl Queue {
    pub(super) fn join(&mut self, flush: &Arc<Flush>, caller: usize, linger: Duration) {
        self.open.push(Arc::clone(flush));
        if let Some(deadline) = self.stop {
            flush.set_deadline(deadline);
        }
        let last_end = self.callers.entry(caller).or_default();
        let is_soon = last_end.is_some_and(|end| flush.arrived.duration_since(end) < SOON);
        // The others would have to come now, and one after the other would not add up.
        let linger = if is_soon { linger.min(SOON) } else { linger };
        if flush.waiting_bytes() > 0 {
            self.waiting.push_back(Waiting {
                flush: Arc::clone(flush),
                lingers_until: flush.arrived + linger,
            });
        }
    }

    pub(super) fn leave(&mut self, flush: &Arc<Flush>, caller: usize) {
        self.open.retain(|other| !Arc::ptr_eq(other, flush));
        self.callers.insert(caller, Some(Instant::now()));
        self.waiting
            .retain(|waiting| !Arc::ptr_eq(&waiting.flush, flush));
    }

    /// What was refused of a flush goes first.
    pub(super) fn put_back(&mut self, piece: Piece) {
        let flush = &piece.flush;
        flush.put_back(piece.part);
        let mut flushes = self.waiting.iter().map(|waiting| &waiting.flush);
        if !flushes.any(|other| Arc::ptr_eq(other, flush)) {
            self.waiting.push_front(Waiting {
                flush: Arc::clone(flush),
                lingers_until: flush.arrived,
            });
        }
    }

    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    pub(super) fn stop(&mut self, deadline: Instant) {
        self.stop = Some(deadline);
        self.hurry();
        for flush in &self.open {
            flush.set_deadline(deadline.min(flush.deadline()));
        }
    }

    pub(super) fn begin_call(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    pub(super) fn last_call(&self) -> u64 {
        self.begun
    }

    /// Something of this call was accepted.
    pub(super) fn accepted(&mut self, call: u64) {
        self.accepted = self.accepted.max(call);
    }

    /// Whether something was accepted of a call that began after this one.
    pub(super) fn has_accepted_since(&self, call: u64) -> bool {
        self.accepted > call
    }

    /// A flush that the host waits for.
    pub(super) fn first_open(&self) -> Option<Arc<Flush>> {
        self.open.first().cloned()
    }

    /// What was refused alone goes last: what others are accepted tells whether it is bad.
    pub(super) fn suspect(&mut self, suspect: Suspect) {
        match self.is_held(&suspect) {
            true => self.suspects.push_front(suspect),
            false => self.suspects.push_back(suspect),
        }
    }

    fn is_held(&self, suspect: &Suspect) -> bool {
        let suspicion = suspect.suspicion;
        suspicion.is_alone && !self.has_accepted_since(suspicion.since)
    }

    pub(super) fn next_suspect(&mut self) -> Option<Suspect> {
        let is_held = self.is_held(self.suspects.back()?);
        if is_held && !self.waiting.is_empty() {
            return None;
        }
        self.suspects.pop_back()
    }

    /// The next piece of a flush for which there is time.
    pub(super) fn next_piece(&mut self, shortest_call: Duration) -> Option<Piece> {
        while let Some(Waiting { flush, .. }) = self.waiting.front() {
            if flush.has_time(shortest_call)
                && let Some(part) = flush.take()
            {
                let flush = Arc::clone(flush);
                return Some(Piece { flush, part });
            }
            self.waiting.pop_front();
        }
        self.is_urgent = self.stop.is_some();
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.suspects.is_empty()
    }

    /// `enough` bytes of chunks wait for no more.
    pub(super) fn due(&self, enough: usize) -> Due {
        let times = self.waiting.iter().map(|waiting| waiting.lingers_until);
        let arrivals = self.waiting.iter().map(|waiting| waiting.flush.arrived);
        let (Some(mut time), Some(first)) = (times.min(), arrivals.min()) else {
            return match self.suspects.is_empty() {
                true => Due::Never,
                false => Due::Now,
            };
        };
        let bytes = || {
            let flushes = self.waiting.iter().map(|waiting| &waiting.flush);
            flushes.map(|flush| flush.waiting_bytes()).sum::<usize>()
        };
        // Whose fate is known is about to leave, and its thread to come again.
        let open = self.open.iter().filter(|flush| !flush.is_settled());
        if open.count() >= self.callers.len() {
            // Nobody else comes before a call under way has ended.
            time = time.min(first + SOON);
        }
        let is_now = !self.suspects.is_empty()
            || self.is_urgent
            // All the host's threads wait here: no chunk can come anymore.
            || self.waiting.len() >= self.callers.len()
            || time <= Instant::now()
            || enough <= bytes();
        if is_now { Due::Now } else { Due::At(time) }
    }
}
