//! The engine's part: a bounded queue of chunks, workers that flush them, and the scheduler that
//! flushes again what the plugin answered with FLB_RETRY.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::str::FromStr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chunk::Chunk;
use crate::{FLB_OK, FLB_RETRY};

/// Shared by the thread that reads input, the workers, and whoever watches.
pub struct Engine {
    options: EngineOptions,
    state: Mutex<State>,
    changed: Condvar,
}

/// The scheduler's settings.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// `retry_limit`.
    pub retry_limit: RetryLimit,
    /// `scheduler.base`: the shortest wait before a retry.
    pub retry_base: Duration,
    /// `scheduler.cap`: the longest wait before a retry.
    pub retry_cap: Duration,
    /// Input waits while this many chunks are queued, in flight or waiting for their retry, as an
    /// input with a `mem_buf_limit` does.
    pub max_chunks: usize,
}

/// How often a chunk is flushed again before it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryLimit {
    Times(u32),
    NoLimits,
}

/// What became of the chunks. At the end `chunks = ok + failed + dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub chunks: usize,
    pub events: usize,
    pub bytes: usize,
    /// Chunks answered with FLB_OK.
    pub ok: usize,
    /// Flushes that were scheduled again after FLB_RETRY.
    pub retried: usize,
    /// Chunks answered with FLB_ERROR, or anything that is no answer.
    pub failed: usize,
    /// Chunks given up because their retries were used up or the engine was stopped.
    pub dropped: usize,
}

struct State {
    ready: VecDeque<Pending>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    in_flight: usize,
    input_open: bool,
    stopping: bool,
    totals: Totals,
}

struct Pending {
    chunk: Chunk,
    retries: u32,
    /// Taken after the engine was stopped: there is no further retry.
    last_chance: bool,
}

struct Waiting {
    due: Instant,
    pending: Pending,
}

// === impl Engine ===

impl Engine {
    pub fn new(options: EngineOptions) -> Self {
        Self {
            options,
            state: Mutex::new(State {
                ready: VecDeque::new(),
                waiting: BinaryHeap::new(),
                in_flight: 0,
                input_open: true,
                stopping: false,
                totals: Totals::default(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Queues a chunk; waits while the engine is full, unless it is stopping.
    pub fn push(&self, chunk: Chunk) {
        let full = |state: &mut State| !state.stopping && state.held() >= self.options.max_chunks;
        let mut state = self
            .changed
            .wait_while(self.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        state.totals.chunks += 1;
        state.totals.events += chunk.events;
        state.totals.bytes += chunk.data.len();
        state.ready.push_back(Pending {
            chunk,
            retries: 0,
            last_chance: false,
        });
        self.changed.notify_all();
    }

    /// No chunk will be pushed any more: workers end when all are settled.
    pub fn close(&self) {
        self.lock().input_open = false;
        self.changed.notify_all();
    }

    /// Asks the input to end. Every chunk that is held gets one more flush, without waiting.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Waits until every chunk is settled, at most `timeout`; returns whether all are.
    pub fn wait_until_drained(&self, timeout: Duration) -> bool {
        let (_guard, result) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |state| !state.is_drained())
            .unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    /// A worker: flushes chunks until all are settled. Several threads may work at once.
    pub fn work(&self, flush: impl Fn(&Chunk) -> i32) {
        while let Some(pending) = self.next() {
            let answer = flush(&pending.chunk);
            self.settle(pending, answer);
        }
    }

    pub fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// The next chunk to flush, retries that are due first; none once everything is settled.
    fn next(&self) -> Option<Pending> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some(mut pending) = state.take(now) {
                pending.last_chance = state.stopping;
                state.in_flight += 1;
                return Some(pending);
            }
            if state.is_drained() {
                return None;
            }
            state = match state.waiting.peek() {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(Reverse(waiting)) => {
                    let wait = waiting.due.saturating_duration_since(now);
                    self.changed
                        .wait_timeout(state, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    fn settle(&self, mut pending: Pending, answer: i32) {
        let mut state = self.lock();
        state.in_flight -= 1;
        match answer {
            FLB_OK => state.totals.ok += 1,
            FLB_RETRY if pending.last_chance => state.totals.dropped += 1,
            FLB_RETRY if !self.options.retry_limit.allows(pending.retries) => {
                state.totals.dropped += 1;
            }
            FLB_RETRY => {
                pending.retries += 1;
                state.totals.retried += 1;
                let wait = self.options.back_off(pending.retries, fastrand::f64());
                state.waiting.push(Reverse(Waiting {
                    due: Instant::now() + wait,
                    pending,
                }));
            }
            _ => state.totals.failed += 1,
        }
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn held(&self) -> usize {
        self.ready.len() + self.waiting.len() + self.in_flight
    }

    fn is_drained(&self) -> bool {
        !self.input_open && self.held() == 0
    }

    fn take(&mut self, now: Instant) -> Option<Pending> {
        let due = self
            .waiting
            .peek()
            .is_some_and(|Reverse(waiting)| self.stopping || waiting.due <= now);
        if due {
            return self.waiting.pop().map(|Reverse(waiting)| waiting.pending);
        }
        self.ready.pop_front()
    }
}

// === impl EngineOptions ===

impl EngineOptions {
    /// Before retry `number` (from 1): anything between the base and the base doubled that many
    /// times, the cap at most. `random` is in 0..1.
    fn back_off(&self, number: u32, random: f64) -> Duration {
        let doubled = self.retry_base.saturating_mul(2_u32.saturating_pow(number));
        let longest = doubled.min(self.retry_cap);
        let shortest = self.retry_base.min(longest);
        shortest + (longest - shortest).mul_f64(random)
    }
}

impl Default for EngineOptions {
    /// Fluent Bit's defaults, and room for 16 chunks.
    fn default() -> Self {
        Self {
            retry_limit: RetryLimit::Times(1),
            retry_base: Duration::from_secs(5),
            retry_cap: Duration::from_secs(2000),
            max_chunks: 16,
        }
    }
}

// === impl RetryLimit ===

impl RetryLimit {
    fn allows(self, retries_so_far: u32) -> bool {
        match self {
            Self::Times(limit) => retries_so_far < limit,
            Self::NoLimits => true,
        }
    }
}

impl FromStr for RetryLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "no_limits" | "false" | "off" => Ok(Self::NoLimits),
            "no_retries" => Ok(Self::Times(0)),
            number => number.parse().map(Self::Times).map_err(|_| {
                format!("retry_limit {text:?}: it must be a number, no_limits or no_retries")
            }),
        }
    }
}

// === impl Waiting ===

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::FLB_ERROR;

    fn options(retry_limit: RetryLimit) -> EngineOptions {
        EngineOptions {
            retry_limit,
            retry_base: Duration::ZERO,
            ..EngineOptions::default()
        }
    }

    fn chunk(number: u8) -> Chunk {
        Chunk {
            data: vec![number; 10],
            events: 2,
        }
    }

    /// Works off `chunks` chunks; `answer` is given a chunk's number and its flushes so far.
    fn run(engine: &Engine, chunks: u8, answer: impl Fn(u8, usize) -> i32) -> HashMap<u8, usize> {
        let flushes = Mutex::new(HashMap::new());
        for number in 0..chunks {
            engine.push(chunk(number));
        }
        engine.close();
        engine.work(|flushed| {
            let number = flushed.data[0];
            assert_eq!(flushed, &chunk(number));
            let mut flushes = flushes.lock().unwrap();
            let count = flushes.entry(number).or_insert(0);
            *count += 1;
            answer(number, *count)
        });
        flushes.into_inner().unwrap()
    }

    #[test]
    fn retries_come_again_with_the_same_bytes_until_they_succeed() {
        let engine = Engine::new(options(RetryLimit::NoLimits));
        let flushes = run(&engine, 5, |number, count| {
            if count <= usize::from(number) {
                FLB_RETRY
            } else {
                FLB_OK
            }
        });
        assert_eq!(flushes, (0..5).map(|n| (n, usize::from(n) + 1)).collect());
        let expected = Totals {
            chunks: 5,
            events: 10,
            bytes: 50,
            ok: 5,
            retried: 10,
            ..Totals::default()
        };
        assert_eq!(engine.totals(), expected);
    }

    #[test]
    fn the_limit_counts_retries_not_flushes() {
        for (limit, flushes_expected) in [(0, 1), (1, 2), (3, 4)] {
            let engine = Engine::new(options(RetryLimit::Times(limit)));
            let flushes = run(&engine, 1, |_, _| FLB_RETRY);
            assert_eq!(flushes[&0], flushes_expected);
            assert_eq!((engine.totals().dropped, engine.totals().ok), (1, 0));
        }
    }

    #[test]
    fn any_other_answer_is_an_error_and_final() {
        for answer in [FLB_ERROR, 3, -1, i32::MIN] {
            let engine = Engine::new(options(RetryLimit::NoLimits));
            assert_eq!(run(&engine, 1, |_, _| answer)[&0], 1);
            assert_eq!(engine.totals().failed, 1);
        }
    }

    #[test]
    fn a_stop_gives_waiting_chunks_one_flush_without_waiting() {
        let engine = Engine::new(EngineOptions {
            retry_limit: RetryLimit::NoLimits,
            retry_base: Duration::from_secs(3600),
            ..EngineOptions::default()
        });
        let flushes = run(&engine, 2, |number, count| {
            if number == 1 && count == 1 {
                engine.stop();
            }
            FLB_RETRY
        });
        assert_eq!(flushes, HashMap::from([(0, 2), (1, 2)]));
        assert_eq!((engine.totals().retried, engine.totals().dropped), (2, 2));
    }

    #[test]
    fn a_full_engine_holds_the_input_back_until_a_chunk_is_settled() {
        let engine = Engine::new(EngineOptions {
            max_chunks: 1,
            ..options(RetryLimit::NoLimits)
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..20 {
                    engine.push(chunk(number));
                }
                engine.close();
            });
            engine.work(|_| {
                assert_eq!(engine.lock().held(), 1);
                FLB_OK
            });
        });
        assert_eq!(engine.totals().ok, 20);
    }

    #[test]
    fn workers_flush_at_the_same_time() {
        let engine = Engine::new(options(RetryLimit::NoLimits));
        let both_inside = Barrier::new(2);
        engine.push(chunk(0));
        engine.push(chunk(1));
        engine.close();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    engine.work(|_| {
                        both_inside.wait();
                        FLB_OK
                    });
                });
            }
        });
        assert_eq!(engine.totals().ok, 2);
        assert!(engine.wait_until_drained(Duration::ZERO));
    }

    #[test]
    fn back_off_lies_between_the_base_and_its_doubles_below_the_cap() {
        let seconds = |number, random| {
            EngineOptions::default()
                .back_off(number, random)
                .as_secs_f64()
        };
        assert_eq!(seconds(1, 0.0), 5.0);
        assert_eq!(seconds(1, 0.5), 7.5);
        assert_eq!(seconds(3, 1.0), 40.0);
        assert_eq!(seconds(30, 1.0), 2000.0);
        assert_eq!(seconds(u32::MAX, 0.0), 5.0);
    }
}
