//! Chunks that the host was answered are done with, until it has surely heard.
//!
//! Fluent Bit hands an answer on when the worker's thread comes to it: at once where no flush holds
//! the thread. Else, if another flush waits for the thread, after that one, and where its loop ends
//! a round, after one more. Until then the chunk's file is there, and comes again if the process
//! dies.

use std::time::{Duration, Instant};

use crate::pack::batch::ChunkId;

use super::flight::OutputId;

/// A thread that is without a flush for so long has handed all its answers on, and the engine has
/// taken them.
const IDLE: Duration = Duration::from_secs(1);

/// A thread that has ended so many flushes more has handed an answer on: two of them would do.
const FLUSHES: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Unheard(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    chunk: ChunkId,
    output: OutputId,
    /// None: the flush held no thread.
    caller: Option<usize>,
    /// Those that its thread has ended since.
    flushes: u32,
    /// When its thread will have been idle for long enough; none while it is in a flush.
    due: Option<Instant>,
}

impl Unheard {
    /// A thread's flush ended with the answer that its chunk is done with.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        output: OutputId,
        caller: Option<usize>,
        chunk: ChunkId,
    ) {
        self.0.push(Entry {
            chunk,
            output,
            caller,
            flushes: 0,
            due: Some(now + IDLE),
        });
    }

    pub(super) fn flush_begins(&mut self, now: Instant, output: OutputId, caller: usize) {
        for entry in self.of(output, caller) {
            entry.due = entry.due.filter(|due| *due <= now);
        }
    }

    pub(super) fn flush_ends(&mut self, now: Instant, output: OutputId, caller: usize) {
        for entry in self.of(output, caller) {
            entry.flushes += 1;
            let is_sure = entry.flushes >= FLUSHES;
            let due = if is_sure { now } else { now + IDLE };
            entry.due = entry.due.or(Some(due));
        }
    }

    fn of(&mut self, output: OutputId, caller: usize) -> impl Iterator<Item = &mut Entry> {
        let entries = self.0.iter_mut();
        entries.filter(move |entry| (entry.output, entry.caller) == (output, Some(caller)))
    }

    /// Takes those that the host has heard of.
    pub(super) fn heard(&mut self, now: Instant) -> Vec<ChunkId> {
        let heard = |entry: &mut Entry| entry.due.is_some_and(|due| due <= now);
        let heard = self.0.extract_if(.., heard);
        heard.map(|entry| entry.chunk).collect()
    }

    /// When the next one is heard of, as far as is known.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|entry| entry.due).min()
    }

    /// Takes those of an output that ends.
    pub(super) fn leave(&mut self, output: OutputId) -> Vec<ChunkId> {
        let own = self.0.extract_if(.., |entry| entry.output == output);
        own.map(|entry| entry.chunk).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: OutputId = OutputId(1);

    struct Thread(Unheard, Instant);

    impl Thread {
        fn new() -> Self {
            Self(Unheard::default(), Instant::now())
        }

        fn at(&mut self, seconds: f64) -> Instant {
            self.1 + Duration::from_secs_f64(seconds)
        }

        fn answers(&mut self, seconds: f64, chunk: u64) {
            let now = self.at(seconds);
            self.0.flush_ends(now, OUTPUT, 7);
            self.0.answered(now, OUTPUT, Some(7), ChunkId(chunk));
        }

        fn begins(&mut self, seconds: f64) {
            let now = self.at(seconds);
            self.0.flush_begins(now, OUTPUT, 7);
        }

        fn heard(&mut self, seconds: f64) -> Vec<u64> {
            let now = self.at(seconds);
            self.0.heard(now).iter().map(|chunk| chunk.0).collect()
        }
    }

    const NONE: [u64; 0] = [];

    #[test]
    fn a_thread_without_a_flush_hands_on_at_once() {
        let mut thread = Thread::new();
        thread.answers(0.0, 1);
        assert_eq!(thread.heard(0.9), NONE);
        assert_eq!(thread.0.due(), Some(thread.at(1.0)));
        assert_eq!(thread.heard(1.0), [1]);
        assert_eq!(thread.0.due(), None);
    }

    #[test]
    fn a_thread_that_is_never_idle_hands_on_after_some_flushes() {
        let mut thread = Thread::new();
        for flush in 0..10_u32 {
            // Half a second after the last one ended, for ten.
            let end = 10.5 * f64::from(flush);
            thread.answers(end, flush.into());
            let expected = flush.checked_sub(4).map(u64::from);
            assert_eq!(thread.heard(end), Vec::from_iter(expected));
            thread.begins(end + 0.5);
            assert_eq!(thread.heard(end + 10.0), NONE);
            assert_eq!(thread.0.due(), None);
        }
        let now = thread.at(200.0);
        thread.0.flush_ends(now, OUTPUT, 7);
        assert_eq!(thread.heard(200.0), [6]);
        assert_eq!(thread.heard(200.9), NONE);
        assert_eq!(thread.heard(201.0), [7, 8, 9]);
    }

    #[test]
    fn other_threads_and_outputs_do_not_matter() {
        let mut thread = Thread::new();
        thread.answers(0.0, 1);
        let now = thread.at(0.1);
        thread.0.flush_begins(now, OUTPUT, 8);
        thread.0.flush_begins(now, OutputId(2), 7);
        assert_eq!(thread.heard(1.0), [1]);
        thread.answers(2.0, 2);
        thread.begins(2.1);
        let now = thread.at(2.2);
        thread.0.flush_ends(now, OUTPUT, 8);
        thread.0.flush_ends(now, OutputId(2), 7);
        assert_eq!(thread.heard(9.0), NONE);
        assert_eq!(thread.0.leave(OutputId(2)), []);
        assert_eq!(thread.0.leave(OUTPUT), [ChunkId(2)]);
        assert_eq!(thread.0.leave(OUTPUT), []);
    }
}
