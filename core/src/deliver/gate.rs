//! When the next call may begin, and how large it may be: by what the stream takes, by what is
//! under way, and by fixed limits.

use std::fmt;
use std::time::{Duration, Instant};

use crate::deliver::bucket::Bucket;
use crate::deliver::pace::Pace;

pub use crate::deliver::pace::Answer;

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

impl Limits {
    pub const NONE: Self = Self {
        max_in_flight: usize::MAX,
        max_bytes_in_flight: usize::MAX,
        bytes_per_second: None,
        records_per_second: None,
        requests_per_second: None,
    };

    /// The lower ones of two outputs' limits.
    pub fn merge(self, other: Self) -> Self {
        let lower = |one: Option<usize>, other| one.into_iter().chain(other).min();
        Self {
            max_in_flight: self.max_in_flight.min(other.max_in_flight),
            max_bytes_in_flight: self.max_bytes_in_flight.min(other.max_bytes_in_flight),
            bytes_per_second: lower(self.bytes_per_second, other.bytes_per_second),
            records_per_second: lower(self.records_per_second, other.records_per_second),
            requests_per_second: lower(self.requests_per_second, other.requests_per_second),
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, bytes) = (self.max_in_flight, self.max_bytes_in_flight);
        write!(f, "max_in_flight {calls}, max_bytes_in_flight {bytes}")?;
        for (name, limit) in [
            ("max_bytes_per_second", self.bytes_per_second),
            ("max_records_per_second", self.records_per_second),
            ("max_requests_per_second", self.requests_per_second),
        ] {
            if let Some(limit) = limit {
                write!(f, ", {name} {limit}")?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    pace: Pace,
    /// Of bytes, records and calls.
    fixed: [Option<Bucket>; 3],
    in_flight: usize,
    bytes_in_flight: usize,
    /// No call begins before this time.
    closed_until: Instant,
    /// Calls in a row of which nothing was accepted.
    strikes: u32,
    /// After a failed connection no pause was made, and nothing was accepted since.
    pub(super) is_let_off: bool,
    /// Whether anything is accepted at all is not known: one call at a time finds out.
    is_probing: bool,
}

/// The first pause after a call of which nothing was accepted; it doubles with each in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// When a call may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Now,
    At(Instant),
    /// When a call that is under way has ended.
    AfterACall,
}

impl Gate {
    /// Without limits of its own.
    pub fn new(now: Instant) -> Self {
        Self {
            limits: Limits::NONE,
            pace: Pace::new(now),
            fixed: [None, None, None],
            in_flight: 0,
            bytes_in_flight: 0,
            closed_until: now,
            strikes: 0,
            is_let_off: false,
            is_probing: false,
        }
    }

    pub fn set_limits(&mut self, now: Instant, limits: Limits) {
        self.limits = limits;
        let rates = [
            limits.bytes_per_second,
            limits.records_per_second,
            limits.requests_per_second,
        ];
        self.fixed = rates.map(|rate| Some(Bucket::new(rate? as f64, now)));
    }

    pub fn admit(&mut self, now: Instant) -> Admission {
        let most = if self.is_probing {
            1
        } else {
            self.limits.max_in_flight
        };
        if self.in_flight >= most || self.bytes_in_flight >= self.limits.max_bytes_in_flight {
            return Admission::AfterACall;
        }
        let Some(paced) = self.pace.due(now, self.bytes_in_flight) else {
            return Admission::AfterACall;
        };
        let paced = paced.max(self.closed_until);
        let fixed = self.fixed.iter_mut().flatten();
        let due = fixed
            .map(|bucket| bucket.due(now))
            .fold(paced, Instant::max);
        match due > now {
            true => Admission::At(due),
            false => Admission::Now,
        }
    }

    /// What the next call should carry at most.
    pub fn call_bytes(&self) -> usize {
        self.pace.call_bytes()
    }

    /// How large a record of several documents should be at most.
    pub fn record_bytes(&self) -> usize {
        self.pace.record_bytes()
    }

    /// `random` is within 0.0 and 1.0, here and below.
    pub fn began(&mut self, now: Instant, bytes: usize, records: usize, random: f64) {
        self.in_flight += 1;
        self.bytes_in_flight += bytes;
        self.pace.began(now, bytes, random);
        for (bucket, amount) in self.fixed.iter_mut().zip([bytes, records, 1]) {
            if let Some(bucket) = bucket {
                bucket.take(amount);
            }
        }
    }

    /// A call of so many bytes has ended. The caller tells first what became of it.
    pub fn ended(&mut self, bytes: usize) {
        self.in_flight -= 1;
        self.bytes_in_flight -= bytes;
    }

    /// The service told of each record.
    pub fn answered(&mut self, now: Instant, answer: &Answer, random: f64) {
        self.pace
            .answered(now, answer, self.bytes_in_flight, random);
        if answer.accepted_bytes == 0 {
            return self.pause(now, random);
        }
        self.strikes = 0;
        self.is_let_off = false;
        self.is_probing = false;
    }

    /// The service refuses the data of a call: it can be reached, but whether it takes anything is
    /// not known where `is_all_refused`.
    pub(super) fn doubted(&mut self, is_all_refused: bool) {
        self.is_probing = is_all_refused;
    }

    /// A call had no answer for its records. After a failed connection there may be no pause, once.
    pub fn failed(&mut self, now: Instant, may_let_off: bool, random: f64) {
        if !may_let_off || std::mem::replace(&mut self.is_let_off, true) {
            self.pause(now, random);
        }
    }

    /// The stream takes calls, but has taken too many.
    pub fn throttled(&mut self, now: Instant, random: f64) {
        self.is_probing = false;
        self.pause(now, random);
    }

    /// Nothing can be delivered until an operator fixes something: one call at a time finds out
    /// whether that was done.
    pub(super) fn blocked(&mut self, now: Instant, random: f64) {
        self.is_probing = true;
        self.pause(now, random);
    }

    fn pause(&mut self, now: Instant, random: f64) {
        let pause = FIRST_PAUSE
            .saturating_mul(1_u32.checked_shl(self.strikes).unwrap_or(u32::MAX))
            .min(LONGEST_PAUSE);
        self.strikes = self.strikes.saturating_add(1);
        let until = now + pause.mul_f64(0.5 + random / 2.0);
        self.closed_until = self.closed_until.max(until);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Bytes per second that calls are held to.
    pub fn rate(&self) -> Option<f64> {
        let fixed = self.limits.bytes_per_second.map(|rate| rate as f64);
        fixed.into_iter().chain(self.pace.rate()).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests;
