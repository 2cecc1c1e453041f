//! Chunks for which the host has the answer that they are done with, until it has surely heard.
//!
//! Fluent Bit hands an answer on when the worker's thread comes to it: if another flush waits for
//! the thread, after that one. Until then the chunk's file is there, and comes again if the
//! process dies.

use std::time::{Duration, Instant};

use crate::pack::batch::ChunkId;

use super::flight::OutputId;

/// A thread without a flush hands an answer on at once, and the engine takes it within this time.
const HEARS: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Unheard(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    chunk: ChunkId,
    output: OutputId,
    caller: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is heard by this time, unless its thread begins another flush before.
    Next(Instant),
    /// It is handed on after the flush that its thread is in.
    Behind,
    /// It is heard by this time.
    By(Instant),
}

impl Unheard {
    /// A thread's flush ended with the answer that its chunk is done with.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        output: OutputId,
        caller: usize,
        chunk: ChunkId,
    ) {
        self.0.push(Entry {
            chunk,
            output,
            caller,
            state: State::Next(now + HEARS),
        });
    }

    pub(super) fn flush_begins(&mut self, now: Instant, output: OutputId, caller: usize) {
        for entry in self.of(output, caller) {
            if matches!(entry.state, State::Next(by) if now < by) {
                entry.state = State::Behind;
            }
        }
    }

    pub(super) fn flush_ends(&mut self, now: Instant, output: OutputId, caller: usize) {
        for entry in self.of(output, caller) {
            if entry.state == State::Behind {
                entry.state = State::By(now + HEARS);
            }
        }
    }

    fn of(&mut self, output: OutputId, caller: usize) -> impl Iterator<Item = &mut Entry> {
        let entries = self.0.iter_mut();
        entries.filter(move |entry| (entry.output, entry.caller) == (output, caller))
    }

    /// Takes those that the host has heard of.
    pub(super) fn heard(&mut self, now: Instant) -> Vec<ChunkId> {
        let heard = |entry: &mut Entry| entry.due().is_some_and(|due| due <= now);
        let heard = self.0.extract_if(.., heard);
        heard.map(|entry| entry.chunk).collect()
    }

    /// When the host will have heard of the next one, as far as is known.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().filter_map(Entry::due).min()
    }

    /// An output ends. Returns the chunks whose answers its threads have handed on, and the others.
    pub(super) fn leave(&mut self, output: OutputId) -> (Vec<ChunkId>, Vec<ChunkId>) {
        let own = self.0.extract_if(.., |entry| entry.output == output);
        let (behind, heard): (Vec<_>, Vec<_>) = own.partition(|it| it.state == State::Behind);
        let chunks = |entries: Vec<Entry>| entries.iter().map(|entry| entry.chunk).collect();
        (chunks(heard), chunks(behind))
    }
}

impl Entry {
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Next(due) | State::By(due) => Some(due),
            State::Behind => None,
        }
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
            self.0.answered(now, OUTPUT, 7, ChunkId(chunk));
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
    fn a_thread_in_a_flush_hands_on_after_it() {
        let mut thread = Thread::new();
        thread.answers(0.0, 1);
        thread.begins(0.5);
        assert_eq!(thread.heard(20.0), NONE);
        assert_eq!(thread.0.due(), None);
        thread.answers(30.0, 2);
        // It is not behind the next one, too.
        thread.begins(30.1);
        assert_eq!(thread.heard(30.9), NONE);
        assert_eq!(thread.heard(31.0), [1]);
        assert_eq!(thread.heard(60.0), NONE);
        thread.answers(60.0, 3);
        assert_eq!(thread.heard(61.0), [2, 3]);
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
        assert_eq!(thread.0.leave(OutputId(2)), (vec![], vec![]));
        assert_eq!(thread.0.leave(OUTPUT), (vec![], vec![ChunkId(2)]));
        assert_eq!(thread.0.leave(OUTPUT), (vec![], vec![]));
        thread.answers(10.0, 3);
        assert_eq!(thread.0.leave(OUTPUT), (vec![ChunkId(3)], vec![]));
    }
}
