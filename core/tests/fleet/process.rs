//! A process that sends what its source gives, when its gate lets it.

use std::time::{Duration, Instant};

use fastrand::Rng;
use firehose_core::deliver::gate::{Admission, Answer, Gate, Limits};

use crate::stream::{SECOND, Time, Verdict};

/// Bytes of a line.
pub(crate) const LINE: usize = 400;
const MOST_RECORDS: usize = 500;
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_RECORD_BYTES: usize = 1_000 * 1024;

const LIMITS: Limits = Limits {
    max_in_flight: 16,
    max_bytes_in_flight: MOST_BYTES,
    ..Limits::NONE
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Endless,
    /// So many lines, there from the start.
    Backlog(u64),
    /// Lines per second, handed over once a second.
    Steady(f64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) process: usize,
    began: Instant,
    pub(crate) records: usize,
    lines: usize,
    pub(crate) latency: Time,
    pub(crate) verdict: Verdict,
}

pub(crate) enum Next {
    Begin(Call),
    /// Not before then.
    Wake(Time),
    /// Not before a call ended.
    Wait,
}

pub(crate) struct Process {
    gate: Gate,
    source: Source,
    /// So many lines of a backlog wait for their delivery at once, as with chunks of a host.
    pub(crate) window: u64,
    is_aggregated: bool,
    started: Time,
    /// What its clock shows at the model's start, and how much faster it runs.
    epoch: Instant,
    speed: f64,
    rng: Rng,
    /// Lines taken from the source, less those refused.
    taken: u64,
    delivered: u64,
}

impl Call {
    pub(crate) fn record_bytes(&self) -> usize {
        self.lines * LINE
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records * self.record_bytes()
    }
}

impl Process {
    pub(crate) fn new(source: Source, is_aggregated: bool, started: Time, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let epoch = Instant::now() + Duration::from_secs(rng.u64(0..1_000_000));
        let speed = 1.0 + 1e-4 * (rng.f64() - 0.5);
        let mut process = Self {
            gate: Gate::new(epoch),
            source,
            window: u64::MAX,
            is_aggregated,
            started,
            epoch,
            speed,
            rng,
            taken: 0,
            delivered: 0,
        };
        let clock = process.clock(started);
        process.gate = Gate::new(clock);
        process.gate.set_limits(clock, LIMITS);
        process
    }

    fn clock(&self, now: Time) -> Instant {
        self.epoch + Duration::from_micros((now as f64 * self.speed) as u64)
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.source, Source::Backlog(lines) if self.delivered >= lines)
    }

    /// Whether all is delivered but what its source gave in the last two seconds.
    pub(crate) fn has_all(&self, now: Time) -> bool {
        self.delivered >= self.given(now - 2 * SECOND)
    }

    fn given(&self, now: Time) -> u64 {
        match self.source {
            Source::Endless => u64::MAX,
            Source::Backlog(lines) => lines.min(self.delivered.saturating_add(self.window)),
            Source::Steady(rate) => (((now - self.started) / SECOND + 1) as f64 * rate) as u64,
        }
    }

    pub(crate) fn next(&mut self, process: usize, now: Time) -> Next {
        let lines = self.given(now) - self.taken;
        if lines == 0 {
            return match self.source {
                Source::Steady(_) => Next::Wake(now + SECOND - (now - self.started) % SECOND),
                _ => Next::Wait,
            };
        }
        let clock = self.clock(now);
        match self.gate.admit(clock) {
            Admission::Now => {}
            Admission::AfterACall => return Next::Wait,
            Admission::At(due) => {
                // Timers are late by a little.
                let wait = due.duration_since(clock).as_micros() as Time;
                return Next::Wake(now + wait + self.rng.u64(1..3_000));
            }
        }
        let most = self.gate.record_bytes().min(MOST_RECORD_BYTES) / LINE;
        let per_record = match self.is_aggregated {
            true => most.min(usize::try_from(lines).unwrap_or(most)),
            false => 1,
        };
        let fitting = self.gate.call_bytes().min(MOST_BYTES) / (per_record * LINE);
        let records = fitting.clamp(1, MOST_RECORDS) as u64;
        let call = Call {
            process,
            began: clock,
            records: records.min(lines / per_record as u64) as usize,
            lines: per_record,
            latency: self.rng.u64(20_000..150_000),
            verdict: Verdict::Lost,
        };
        self.taken += (call.records * call.lines) as u64;
        let random = self.rng.f64();
        self.gate.began(clock, call.bytes(), call.records, random);
        Next::Begin(call)
    }

    /// Learns what became of a call.
    pub(crate) fn learn(&mut self, now: Time, call: Call) {
        let clock = self.clock(now);
        let accepted = match call.verdict {
            Verdict::Answered { accepted, .. } => accepted,
            Verdict::Throttled | Verdict::Lost => 0,
        };
        self.taken -= ((call.records - accepted) * call.lines) as u64;
        self.delivered += (accepted * call.lines) as u64;
        let random = self.rng.f64();
        match call.verdict {
            Verdict::Answered { throttled, .. } => {
                let answer = Answer {
                    began: call.began,
                    bytes: call.bytes(),
                    records: call.records,
                    accepted_bytes: accepted * call.record_bytes(),
                    throttled,
                };
                self.gate.answered(clock, &answer, random);
            }
            Verdict::Throttled => self.gate.throttled(clock, random),
            Verdict::Lost => self.gate.failed(clock, false, random),
        }
        self.gate.ended(call.bytes());
    }
}
