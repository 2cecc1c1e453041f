//! Which chunks of an output wait to be sent, and when a call for them is due.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::pack::batch::ChunkId;

/// How long small chunks wait for others, to share records and calls: until `time` is over or
/// `bytes` of chunks wait, and a tenth of a second at most if no other is likely to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linger {
    pub time: Duration,
    pub bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// The host's threads that a flush held so far, and when the last one of each ended. None where
    /// flushes hold no thread, or have other delivery streams too: then any chunk may still come.
    callers: HashMap<usize, Option<Instant>>,
    /// Something was refused, or the host stops: nothing lingers until all that waits is sent.
    is_urgent: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    chunk: ChunkId,
    arrived: Instant,
    lingers_until: Instant,
}

/// If a thread of the host comes back so soon, a chunk was waiting for it, and likely more are.
const SOON: Duration = Duration::from_millis(100);

impl Queue {
    /// A flush begins. Returns how long its chunk waits for others.
    pub(super) fn arrive(&mut self, now: Instant, caller: usize, linger: Duration) -> Duration {
        let last_end = self.callers.entry(caller).or_default();
        let is_soon = last_end.is_some_and(|end| now.saturating_duration_since(end) < SOON);
        // Such chunks queue up in the host, and each comes when the one before it was answered. If
        // each waited the whole linger, the last one of a long queue would come late by all of them
        // together.
        if is_soon { linger.min(SOON) } else { linger }
    }

    /// A flush of this thread ended.
    pub(super) fn depart(&mut self, now: Instant, caller: usize) {
        self.callers.insert(caller, Some(now));
    }

    pub(super) fn push(&mut self, chunk: ChunkId, now: Instant, linger: Duration) {
        self.waiting.push_back(Waiting {
            chunk,
            arrived: now,
            lingers_until: now + linger,
        });
    }

    /// What was refused goes first.
    pub(super) fn put_back(&mut self, chunk: ChunkId, now: Instant) {
        if !self.waiting.iter().any(|other| other.chunk == chunk) {
            self.waiting.push_front(Waiting {
                chunk,
                arrived: now,
                lingers_until: now,
            });
        }
    }

    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    pub(super) fn first(&self) -> Option<ChunkId> {
        self.waiting.front().map(|waiting| waiting.chunk)
    }

    pub(super) fn pop(&mut self) {
        self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.is_urgent = false;
        }
    }

    pub(super) fn remove(&mut self, chunk: ChunkId) {
        self.waiting.retain(|waiting| waiting.chunk != chunk);
    }

    /// When a call is due, if anything waits. `open` flushes have an answer to wait for, and
    /// `bytes` tells how much of a chunk waits.
    pub(super) fn due(
        &self,
        enough: usize,
        open: usize,
        bytes: impl Fn(ChunkId) -> usize,
    ) -> Option<Instant> {
        let times = self.waiting.iter().map(|waiting| waiting.lingers_until);
        let arrivals = self.waiting.iter().map(|waiting| waiting.arrived);
        let (mut time, first) = (times.min()?, arrivals.min()?);
        let callers = match self.callers.len() {
            0 => usize::MAX,
            callers => callers,
        };
        if open >= callers {
            // Nobody else comes before a call under way has ended.
            time = time.min(first + SOON);
        }
        let bytes = self.waiting.iter().map(|waiting| bytes(waiting.chunk));
        let is_now = self.is_urgent
            // All the host's threads wait here: no chunk can come anymore.
            || self.waiting.len() >= callers
            || bytes.sum::<usize>() >= enough;
        Some(if is_now { first.min(time) } else { time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINGER: Duration = Duration::from_secs(5);
    const ENOUGH: usize = 1_000;

    /// A queue that knows so many of the host's threads, all of which ended a flush long ago.
    fn queue(callers: usize, now: Instant) -> Queue {
        let mut queue = Queue::default();
        for caller in 0..callers {
            queue.arrive(now, caller, LINGER);
            queue.depart(now, caller);
        }
        queue
    }

    /// After how long a call is due for one chunk of so many bytes, of so many open flushes.
    fn due_after(queue: &Queue, start: Instant, open: usize, bytes: usize) -> Option<Duration> {
        let due = queue.due(ENOUGH, open, |_| bytes)?;
        Some(due.saturating_duration_since(start))
    }

    #[test]
    fn a_chunk_waits_for_others_as_long_as_some_can_come() {
        let start = Instant::now();
        let now = start + 10 * LINGER;
        let mut queue = queue(3, start);
        assert_eq!(due_after(&queue, now, 0, 1), None);
        let linger = queue.arrive(now, 0, LINGER);
        queue.push(ChunkId(1), now, linger);
        assert_eq!(due_after(&queue, now, 1, 1), Some(LINGER));
        assert_eq!(due_after(&queue, now, 1, ENOUGH), Some(Duration::ZERO));
        // The others wait for calls under way.
        assert_eq!(due_after(&queue, now, 3, 1), Some(SOON));
        queue.push(ChunkId(2), now, linger);
        assert_eq!(due_after(&queue, now, 2, 1), Some(LINGER));
        queue.push(ChunkId(3), now, linger);
        assert_eq!(due_after(&queue, now, 3, 1), Some(Duration::ZERO));
    }

    #[test]
    fn a_thread_that_is_back_at_once_waits_for_a_moment_only() {
        let start = Instant::now();
        let mut queue = queue(2, start);
        assert_eq!(queue.arrive(start + SOON / 2, 0, LINGER), SOON);
        assert_eq!(queue.arrive(start + SOON, 1, LINGER), LINGER);
    }

    #[test]
    fn what_is_urgent_is_due_until_all_is_sent() {
        let start = Instant::now();
        let now = start + 10 * LINGER;
        let mut queue = queue(3, start);
        queue.push(ChunkId(1), now, LINGER);
        queue.hurry();
        assert_eq!(due_after(&queue, now, 1, 1), Some(Duration::ZERO));
        queue.pop();
        queue.push(ChunkId(2), now, LINGER);
        assert_eq!(due_after(&queue, now, 1, 1), Some(LINGER));
    }

    #[test]
    fn what_comes_back_goes_first_and_once() {
        let now = Instant::now();
        let mut queue = queue(2, now);
        queue.push(ChunkId(1), now, LINGER);
        queue.put_back(ChunkId(2), now);
        queue.put_back(ChunkId(1), now);
        assert_eq!(queue.first(), Some(ChunkId(2)));
        queue.remove(ChunkId(2));
        assert_eq!(queue.first(), Some(ChunkId(1)));
        queue.pop();
        assert_eq!(queue.first(), None);
    }
}
