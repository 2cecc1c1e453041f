//! Finds the rate that a delivery stream takes: it grows until the stream throttles, and falls
//! to what got through.
//!
//! Refusals need not tell of the rate: a stream may refuse a share of the records however slowly
//! they come. So each fall is looked back on. Had the rate been too high, a smaller share is
//! refused at the lower one, and the rate goes on falling until that helps no more. What is still
//! refused then has nothing to do with the rate: it is tolerated from then on, and that part of
//! the fall which it caused is taken back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::deliver::bucket::Bucket;

/// Bytes per second; none as long as the stream never throttled.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Option<Limit>,
    /// What a call may carry while there is no limit: twice what was accepted whole.
    opening: usize,
    /// What was accepted when, lately.
    recent: VecDeque<(Instant, usize)>,
    /// The share of the records that is refused whatever the rate, as far as is known.
    tolerated: f64,
    /// The calls by which the next decision is taken.
    tally: Tally,
}

/// A call that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) began: Instant,
    pub(super) bytes: usize,
    pub(super) records: usize,
    pub(super) accepted_bytes: usize,
}

#[derive(Debug)]
struct Limit {
    bucket: Bucket,
    /// The rate at which the stream throttled last.
    ceiling: f64,
    fell: Instant,
    grown: Instant,
    /// The last fall, until it has been looked back on.
    fall: Option<Fall>,
}

/// What was before a fall.
#[derive(Clone, Copy, Debug)]
struct Fall {
    /// The share of the records that was refused.
    refused: f64,
    /// The most bytes per second that were accepted.
    accepted: f64,
    /// Whether the fall before this one had lowered the share.
    is_second: bool,
}

/// Records in calls, and how many of them were refused.
#[derive(Debug, Default)]
struct Tally {
    calls: u32,
    records: f64,
    refused: f64,
}

/// Over which time the accepted rate is measured, and which a fall gets at least to show what it
/// did.
const WINDOW: Duration = Duration::from_secs(1);

/// It never falls below this, a quarter of the smallest default quota: less is a matter of longer
/// pauses, which the gate makes where nothing is accepted.
const LOWEST: f64 = 256.0 * 1024.0;

/// A rate that was not throttled for a while is no limit anymore.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// How much of a second's rate one call should carry: small enough that little is sent in vain
/// when the stream refuses, large enough to keep calls few.
const CALL_SECONDS: f64 = 0.25;

/// A quarter of what the smallest default quota takes in a second: several may be under way.
const OPENING: usize = 256 * 1024;

/// A fall goes to so much of what got through, so that the stream catches up.
const BELOW: f64 = 0.95;

/// Refusals beyond the tolerated share that make the rate fall: by so many records, in so many
/// calls, where the share may be off by so much.
const EXCESS_RECORDS: f64 = 3.0;
const EXCESS_CALLS: u32 = 4;
const MARGIN: f64 = 0.05;

/// So many refused records, had the fall been in vain, tell whether it was; and so many records
/// do in any case.
const TELLING_REFUSED: f64 = 3.0;
const TELLING_RECORDS: f64 = 10.0;

/// A fall has helped if less than this part of the share is left.
const HELPED: f64 = 0.7;

/// A stream that refuses more than this is throttling, whatever it looks like.
const MOST_TOLERATED: f64 = 0.75;

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            limit: None,
            opening: OPENING,
            recent: VecDeque::new(),
            tolerated: 0.0,
            tally: Tally::default(),
        }
    }

    /// The bytes that a call should carry at most.
    pub(super) fn call_bytes(&self) -> usize {
        match &self.limit {
            Some(limit) => limit.call_bytes(),
            None => self.opening,
        }
    }

    /// Bytes per second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.limit.as_ref().map(|limit| limit.bucket.rate())
    }

    /// When the next call may begin.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        match &mut self.limit {
            Some(limit) => limit.bucket.due(now),
            None => now,
        }
    }

    pub(super) fn take(&mut self, bytes: usize) {
        if let Some(limit) = &mut self.limit {
            limit.bucket.take(bytes);
        }
    }

    /// Whether there is a rate, at which the stream takes something.
    pub(super) fn is_kept(&self) -> bool {
        self.limit.is_some() && self.recent.iter().any(|(_, bytes)| *bytes > 0)
    }

    /// A call was accepted, or refused for throttling in part or as a whole.
    pub(super) fn answered(&mut self, now: Instant, call: Call) {
        self.note(now, call.accepted_bytes);
        // Calls that were under way at the last fall tell of the rate before it.
        if let Some(limit) = &self.limit
            && call.began < limit.fell
        {
            return;
        }
        self.tally.add(call);
        match self.limit.as_ref().map(|limit| limit.fall) {
            None => self.look_for_a_limit(now, call),
            Some(None) => self.grow_or_fall(now),
            Some(Some(fall)) => self.look_back(now, fall),
        }
    }

    fn look_for_a_limit(&mut self, now: Instant, call: Call) {
        if call.accepted_bytes == call.bytes {
            self.opening = self.opening.max(call.bytes.saturating_mul(2));
        }
        // Where nothing was accepted, nothing tells of a rate that would do.
        let accepted = self.accepted_lately();
        if accepted == 0.0 {
            self.tally = Tally::default();
        }
        if self.tally.excess(self.tolerated) < EXCESS_RECORDS {
            return;
        }
        let rate = accepted.max(2.0 * LOWEST);
        let mut limit = Limit {
            bucket: Bucket::new(rate, now),
            ceiling: rate,
            fell: now,
            grown: now,
            fall: None,
        };
        // What the stream had saved up went into the rate: the share is no measure of it.
        let fall = Fall {
            refused: 1.0,
            accepted: rate,
            is_second: false,
        };
        limit.fall_to(rate, fall, now);
        self.limit = Some(limit);
        self.tally = Tally::default();
    }

    fn grow_or_fall(&mut self, now: Instant) {
        let accepted_lately = self.accepted_lately();
        let Some(limit) = &mut self.limit else {
            return;
        };
        let excess = self.tally.excess(self.tolerated);
        // The larger the tolerated share's own variance, the more it takes to tell.
        let enough = EXCESS_RECORDS + 20.0 * self.tolerated * (1.0 - self.tolerated);
        if excess >= enough && self.tally.calls >= EXCESS_CALLS {
            let refused = self.tally.cautious_share();
            let accepted = limit.bucket.rate() * (1.0 - refused);
            let fall = Fall {
                refused,
                accepted,
                is_second: false,
            };
            // Half of what was tolerated is put to the test again.
            limit.fall_to(accepted / (1.0 - self.tolerated / 2.0), fall, now);
            self.tally = Tally::default();
            return;
        }
        if excess <= 0.0 {
            self.tally = Tally::default();
        }
        if excess < enough / 2.0 {
            if now.duration_since(limit.fell) > FORGOTTEN {
                *self = Self::new();
                return;
            }
            limit.grow(now, accepted_lately / (1.0 - self.tolerated));
        }
    }

    fn look_back(&mut self, now: Instant, fall: Fall) {
        let Some(limit) = &mut self.limit else {
            return;
        };
        let refused = self.tally.share();
        let in_vain = self.tally.records * fall.refused.max(refused);
        let is_telling = in_vain >= TELLING_REFUSED || self.tally.records >= TELLING_RECORDS;
        if !is_telling || now.duration_since(limit.fell) < WINDOW {
            return;
        }
        let has_helped = refused < HELPED * fall.refused;
        // More, by twice the standard deviation at the most, means that the stream had saved up.
        let is_worse = refused > fall.refused + self.tally.records.sqrt().recip();
        let is_lowest = limit.bucket.rate() <= LOWEST;
        let is_left = refused > self.tolerated / 2.0 + MARGIN;
        self.tally = Tally::default();
        if is_left && !is_lowest && (has_helped || is_worse) {
            let accepted = limit.bucket.rate() * (1.0 - refused);
            let next = Fall {
                refused,
                accepted: match is_worse {
                    true => accepted,
                    false => accepted.max(fall.accepted),
                },
                is_second: fall.refused < 1.0 && has_helped,
            };
            limit.fall_to(accepted, next, now);
            return;
        }
        self.tolerated = refused.min(MOST_TOLERATED);
        let before = fall.accepted / (1.0 - fall.refused);
        let fitting = (fall.accepted / (1.0 - self.tolerated)).min(before);
        let was_in_vain = refused > MARGIN && !has_helped && (is_lowest || !fall.is_second);
        limit.resume(fitting, was_in_vain, now);
    }

    fn note(&mut self, now: Instant, bytes: usize) {
        self.recent.push_back((now, bytes));
        while let Some(&(at, _)) = self.recent.front()
            && now.duration_since(at) > WINDOW
        {
            self.recent.pop_front();
        }
    }

    fn accepted_lately(&self) -> f64 {
        let bytes: usize = self.recent.iter().map(|(_, bytes)| bytes).sum();
        bytes as f64 / WINDOW.as_secs_f64()
    }
}

impl Limit {
    fn call_bytes(&self) -> usize {
        (self.bucket.rate() * CALL_SECONDS) as usize
    }

    /// Falls below what got through.
    fn fall_to(&mut self, accepted: f64, fall: Fall, now: Instant) {
        self.fell = now;
        self.fall = Some(fall);
        self.set_rate(accepted * BELOW, now);
        // A stream that throttles has nothing saved up for the first call.
        self.bucket.take(self.call_bytes());
    }

    /// Goes on after a fall, at what fits the stream; if the fall was in vain, by far beyond it.
    fn resume(&mut self, fitting: f64, was_in_vain: bool, now: Instant) {
        self.fall = None;
        self.grown = now;
        self.ceiling = if was_in_vain { LOWEST } else { fitting };
        let rate = if was_in_vain { 1.5 * fitting } else { fitting };
        self.set_rate(rate * BELOW, now);
    }

    /// The farther from where the stream throttled last, the quicker.
    fn grow(&mut self, now: Instant, used: f64) {
        let seconds = now.duration_since(self.grown).as_secs_f64().min(1.0);
        self.grown = now;
        let rate = self.bucket.rate();
        // What nobody sends is no sign that the stream would take it.
        if rate > 2.0 * used {
            return;
        }
        let a_second = (rate / self.ceiling - 1.0).abs().clamp(0.04, 1.0);
        self.set_rate(rate * (1.0 + a_second * seconds), now);
    }

    fn set_rate(&mut self, rate: f64, now: Instant) {
        self.bucket.set_rate(rate.max(LOWEST), now);
    }
}

impl Tally {
    fn add(&mut self, call: Call) {
        let refused = 1.0 - call.accepted_bytes as f64 / call.bytes.max(1) as f64;
        let records = call.records as f64;
        self.calls += 1;
        self.records += records;
        self.refused += refused * records;
    }

    fn share(&self) -> f64 {
        self.refused / self.records.max(1.0)
    }

    /// Of a few records that were all refused it is not known that all others would be.
    fn cautious_share(&self) -> f64 {
        self.refused / (self.records + 2.0)
    }

    /// Records refused beyond a share.
    fn excess(&self, tolerated: f64) -> f64 {
        self.refused - (tolerated + MARGIN) * self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_BYTES: usize = 1_000_000;

    impl Pace {
        /// A call of 1,000 records.
        fn ended(&mut self, now: Instant, began: Instant, accepted_bytes: usize) {
            let call = Call {
                began,
                bytes: CALL_BYTES,
                records: 1_000,
                accepted_bytes,
            };
            self.answered(now, call);
        }
    }

    #[test]
    fn a_stream_that_never_throttles_is_never_limited() {
        let mut pace = Pace::new();
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(pace.due(now), now);
            pace.take(CALL_BYTES);
            pace.ended(now, now, CALL_BYTES);
        }
        assert!(pace.limit.is_none());
    }

    #[test]
    fn calls_grow_with_what_was_accepted_whole() {
        let mut pace = Pace::new();
        let now = Instant::now();
        assert_eq!(pace.call_bytes(), OPENING);
        for _ in 0..3 {
            // All were under way at once: none of them shows more than the others.
            pace.ended(now, now, CALL_BYTES);
        }
        assert_eq!(pace.call_bytes(), 2 * CALL_BYTES);
    }

    #[test]
    fn calls_of_before_the_fall_are_not_held_against_it() {
        let mut pace = Pace::new();
        let mut now = Instant::now();
        let began = now;
        now += Duration::from_millis(10);
        pace.ended(now, began, CALL_BYTES / 2);
        let bytes = pace.call_bytes();
        now += 2 * WINDOW;
        for _ in 0..10 {
            pace.ended(now, began, 0);
        }
        assert_eq!(pace.call_bytes(), bytes);
        pace.ended(now, now, CALL_BYTES / 2);
        assert!(pace.call_bytes() < bytes);
    }

    #[test]
    fn a_call_refused_as_a_whole_tells_of_no_rate() {
        let mut pace = Pace::new();
        let now = Instant::now();
        pace.ended(now, now, 0);
        assert!(pace.limit.is_none());
    }

    #[test]
    fn an_old_limit_is_forgotten() {
        let mut pace = Pace::new();
        let mut now = Instant::now();
        pace.ended(now, now, CALL_BYTES / 2);
        assert!(pace.limit.is_some());
        // The first ends the look back on the fall.
        for _ in 0..2 {
            now += FORGOTTEN + Duration::from_secs(1);
            pace.ended(now, now, CALL_BYTES);
        }
        assert!(pace.limit.is_none());
    }
}
