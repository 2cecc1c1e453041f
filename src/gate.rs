//! Lets calls of one delivery stream through at the rate the stream takes, for all flushes and
//! outputs of the process that use it.
//!
//! While the gate is closed flushes wait in it, so chunks stay in Fluent Bit's storage, and the
//! limits of the inputs come to bear.

mod bucket;
mod pace;
mod window;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use bucket::Bucket;
use pace::{Call, Pace};
use window::Window;

/// What one stream may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls under way at once.
    pub max_in_flight: usize,
    /// No call begins while calls with so many bytes of data are under way.
    pub max_bytes_in_flight: usize,
    /// Fixed rates, beside those that the stream itself makes known by throttling.
    pub bytes_per_second: Option<usize>,
    pub records_per_second: Option<usize>,
    pub requests_per_second: Option<usize>,
}

/// The gate of one delivery stream.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    /// Calls take turns in the order they came.
    turnstile: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// A call ended.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    bytes_in_flight: usize,
    window: Window,
    pace: Pace,
    fixed: Vec<(Unit, Bucket)>,
    /// Nothing passes before this.
    closed_until: Instant,
    /// Calls in a row of which nothing was accepted.
    strikes: u32,
    /// Whether a strike was let off, as it may have been the connection's.
    is_let_off: bool,
    /// An operator must mend something: one call at a time finds out whether that was done.
    is_probing: bool,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Bytes,
    Records,
    Requests,
}

/// How things stand at a gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Calls under way.
    pub in_flight: usize,
    /// The rate that calls are held to, the fixed one or the stream's own; none if neither is.
    pub bytes_per_second: Option<f64>,
}

/// The right to make the next call, which nobody else may decide on meanwhile.
pub struct Turn<'g> {
    gate: &'g Gate,
    throttled: Duration,
    _turn: tokio::sync::MutexGuard<'g, ()>,
}

/// The right to make one call, which ends when it is dropped.
#[derive(Debug)]
pub struct Pass<'g> {
    gate: &'g Gate,
    began: Instant,
    bytes: usize,
    records: usize,
}

/// The first pause after a call of which nothing was accepted; it doubles with each in a row.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The gates of the process that are in use, by what names a stream.
static GATES: Mutex<BTreeMap<String, Weak<Gate>>> = Mutex::new(BTreeMap::new());

impl Gate {
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let fixed = [
            (Unit::Bytes, limits.bytes_per_second),
            (Unit::Records, limits.records_per_second),
            (Unit::Requests, limits.requests_per_second),
        ];
        let bucket = |(unit, rate): (Unit, Option<usize>)| {
            let rate = rate? as f64;
            Some((unit, Bucket::new(rate, now)))
        };
        Self {
            limits,
            turnstile: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                in_flight: 0,
                bytes_in_flight: 0,
                window: Window::new(limits.max_bytes_in_flight, now),
                pace: Pace::new(),
                fixed: fixed.into_iter().filter_map(bucket).collect(),
                closed_until: now,
                strikes: 0,
                is_let_off: false,
                is_probing: false,
            }),
            changed: Notify::new(),
        }
    }

    /// The gate that all outputs of a stream share; the first one's limits are the stream's.
    pub fn of(stream: &str, limits: Limits) -> Arc<Self> {
        let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| gate.strong_count() > 0);
        if let Some(gate) = gates.get(stream).and_then(Weak::upgrade) {
            return gate;
        }
        let gate = Arc::new(Self::new(limits));
        gates.insert(stream.to_owned(), Arc::downgrade(&gate));
        gate
    }

    /// Waits behind those that came before, and until a call may be made. What the call will hold
    /// is decided only then.
    pub async fn turn(&self) -> Turn<'_> {
        let turn = self.turnstile.lock().await;
        let mut throttled = Duration::ZERO;
        loop {
            let changed = self.changed.notified();
            let admission = self.state().admit(Instant::now(), &self.limits);
            match admission {
                Admission::Now => break,
                Admission::At(time) => {
                    let began = Instant::now();
                    _ = timeout_at(time, changed).await;
                    throttled += began.elapsed();
                }
                Admission::AfterACall => changed.await,
            }
        }
        Turn {
            gate: self,
            throttled,
            _turn: turn,
        }
    }

    pub fn reading(&self) -> Reading {
        let fixed = self.limits.bytes_per_second.map(|rate| rate as f64);
        let state = self.state();
        let rates = fixed.into_iter().chain(state.pace.rate());
        Reading {
            in_flight: state.in_flight,
            bytes_per_second: rates.reduce(f64::min),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'g> Turn<'g> {
    /// The bytes that the next call should carry at most.
    pub fn max_bytes(&self) -> usize {
        self.gate.state().pace.call_bytes()
    }

    /// How long it waited for a rate or the end of a pause. What others waited before it is not
    /// part of it, nor is what a call under way took to end.
    pub fn throttled(&self) -> Duration {
        self.throttled
    }

    /// Begins a call of this size.
    pub fn pass(self, bytes: usize, records: usize) -> Pass<'g> {
        self.gate.state().enter(bytes, records);
        Pass {
            gate: self.gate,
            began: Instant::now(),
            bytes,
            records,
        }
    }
}

enum Admission {
    Now,
    At(Instant),
    AfterACall,
}

impl State {
    fn admit(&mut self, now: Instant, limits: &Limits) -> Admission {
        let most = if self.is_probing {
            1
        } else {
            limits.max_in_flight
        };
        if self.in_flight >= most || self.bytes_in_flight >= self.window.bytes() {
            return Admission::AfterACall;
        }
        let waits = self.fixed.iter_mut().map(|(_, bucket)| bucket.wait(now));
        let wait = waits.fold(self.pace.wait(now), Duration::max);
        let time = self.closed_until.max(now + wait);
        if time > now {
            return Admission::At(time);
        }
        Admission::Now
    }

    fn enter(&mut self, bytes: usize, records: usize) {
        self.in_flight += 1;
        self.bytes_in_flight += bytes;
        self.pace.take(bytes);
        for (unit, bucket) in &mut self.fixed {
            bucket.take(match unit {
                Unit::Bytes => bytes,
                Unit::Records => records,
                Unit::Requests => 1,
            });
        }
    }

    /// Something was accepted.
    fn recover(&mut self) {
        self.strikes = 0;
        self.is_let_off = false;
        self.is_probing = false;
    }

    fn close(&mut self, now: Instant, random: f64) {
        let pause = FIRST_PAUSE
            .saturating_mul(1_u32.checked_shl(self.strikes).unwrap_or(u32::MAX))
            .min(LONGEST_PAUSE);
        self.strikes = self.strikes.saturating_add(1);
        let until = now + pause.mul_f64(0.5 + random / 2.0);
        self.closed_until = self.closed_until.max(until);
    }
}

impl Pass<'_> {
    /// The stream accepted the call as a whole.
    pub fn accepted(self) {
        let (now, call) = (Instant::now(), self.call(self.bytes));
        let mut state = self.gate.state();
        let under_way = state.bytes_in_flight;
        state.window.answered(now, call, under_way);
        state.pace.answered(now, call);
        state.recover();
    }

    /// The stream accepted so many bytes and refused the rest. `random` is within 0.0 and 1.0.
    pub fn throttled(self, accepted: usize, random: f64) {
        let now = Instant::now();
        let mut state = self.gate.state();
        state.pace.answered(now, self.call(accepted));
        state.is_probing = false;
        if accepted > 0 {
            state.recover();
        } else {
            if state.pace.is_kept() {
                // The rate will do: what this call lacked others got.
                state.strikes = 0;
            }
            state.close(now, random);
        }
    }

    /// Nothing was accepted, for a cause that passes. `at_once` lets the first such call off.
    pub fn failed(self, at_once: bool, random: f64) {
        let mut state = self.gate.state();
        if at_once && !std::mem::replace(&mut state.is_let_off, true) {
            return;
        }
        state.close(Instant::now(), random);
    }

    /// Whether no call failed since the last that was accepted.
    pub fn is_first_failure(&self) -> bool {
        let state = self.gate.state();
        state.strikes == 0 && !state.is_let_off
    }

    fn call(&self, accepted_bytes: usize) -> Call {
        Call {
            began: self.began,
            bytes: self.bytes,
            records: self.records,
            accepted_bytes,
        }
    }

    /// Nothing of it was accepted, and it may be that nothing is: one call at a time finds out.
    pub fn doubted(self) {
        self.gate.state().is_probing = true;
    }

    /// Nothing can be delivered until an operator mends something.
    pub fn blocked(self, random: f64) {
        let now = Instant::now();
        let mut state = self.gate.state();
        state.is_probing = true;
        state.close(now, random);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.in_flight -= 1;
        state.bytes_in_flight -= self.bytes;
        drop(state);
        self.gate.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
