//! Finds the rate that a delivery stream takes from this process, which may be one of many that
//! share the stream and know nothing of each other.
//!
//! A process begins small and doubles what it has under way with each call that is accepted, so
//! that it has all of a stream with room within a second or two. The first refusals tell that there
//! is a limit. From then on there is a rate. A second search finds it from below; after that the
//! rate grows slowly all the time, and each refused call makes it smaller by a step.
//!
//! The rates of many processes become equal, because a larger one has more calls to be refused, or
//! grows more slowly. The steps are large at first, so that the rates get there soon, and small
//! later, so that they stay there.
//!
//! Refusals need not come from the rate: a service in trouble refuses a share of the records
//! however slowly they come, and may say that it throttles. One process can not tell that from a
//! stream that many others keep full. So it remembers the rate that the stream took for long. If
//! its rate fell far below that and as much is refused as before, it goes back there and tolerates
//! that share.

use std::f64::consts::LN_2;
use std::time::{Duration, Instant};

use crate::limits::BILLING_UNIT;

/// What the service told of a call's records.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub began: Instant,
    pub bytes: usize,
    pub records: usize,
    pub accepted_bytes: usize,
    /// Records refused for the stream's quota; others were refused for a cause of their own.
    pub throttled: usize,
}

#[derive(Debug)]
pub(super) struct Pace {
    opening: Opening,
    /// None while no limit is known.
    limit: Option<Limit>,
    proven: Proven,
}

/// How much is sent until a limit is known.
#[derive(Debug)]
struct Opening {
    /// So many bytes may be under way.
    most: usize,
    /// What was accepted so far.
    accepted: usize,
    /// Records refused beyond half of those sent lately.
    excess: f64,
}

#[derive(Debug)]
struct Limit {
    /// Bytes per second.
    rate: f64,
    /// Whether the rate had doubled when it was refused: then it is known from both sides.
    is_found: bool,
    has_doubled: bool,
    /// How often it fell since it was found.
    falls: u32,
    fell: Instant,
    grown: Instant,
    /// What was sent and is not paid off by time.
    debt: f64,
    paid: Instant,
    /// Whether all of the rate is asked for.
    is_used: bool,
    /// Whether nothing of the last calls was accepted. The gate makes longer and longer pauses then:
    /// a rate that falls too would only make the way back longer. It is not quiet, either.
    is_shut: bool,
    tolerance: Tolerance,
}

/// The share of the records that is refused whatever the rate.
#[derive(Debug)]
struct Tolerance {
    share: f64,
    since: Instant,
    /// Records refused beyond it lately.
    excess: f64,
    /// Those of calls at a rate far below what is proven: how many, and how many were refused.
    far_below: (usize, usize),
}

/// The most that was accepted on average over [`AVERAGE`], and that lately.
#[derive(Debug)]
struct Proven {
    rate: f64,
    average: f64,
    noted: Instant,
}

/// Where calls and records are smallest: less is billed as much.
const UNIT: f64 = BILLING_UNIT as f64;

/// The first rate, once there has to be one: a unit in two seconds. So hundreds of processes begin
/// below the smallest quota.
const FIRST_RATE: f64 = UNIT / 2.0;

/// It is higher where more was accepted before there was one: that in so many seconds.
const OPENED_SECONDS: f64 = 16.0;

/// It never falls below this: a unit in twenty seconds.
const LOWEST_RATE: f64 = UNIT / 20.0;

/// While the rate is searched for it doubles that often, if calls are accepted.
const DOUBLING: Duration = Duration::from_millis(250);

/// How much smaller a refused call makes the rate, in the long run.
const STEP: f64 = 0.05;

/// The most growth in a second, and the rate that grows so. Smaller rates have fewer calls to be
/// refused, so they grow less, or too much would be refused. Larger ones have as many calls: they
/// grow less, too, or they would stay the larger ones. While the steps are large this matters less
/// than to get there soon.
const MOST_GROWTH: f64 = 0.014;
const MOST_GROWTH_RATE: f64 = 128.0 * 1024.0;

/// The first steps are so many times larger, for growing and for falling. Each so many falls halve
/// that.
const FIRST_STEPS: f64 = 20.0;
const HALVING_FALLS: f64 = 12.0;

/// If it was not refused for so many times as long as is usual, growth quickens: there is more room
/// than there was.
const PATIENCE: f64 = 4.0;

/// While no limit is known, more than half of the records must be refused, by so many records: more
/// of them where they are small beside what may be under way. A call that is less than a quarter of
/// that counts for less.
const FEWEST_BEYOND: f64 = 2.0;
const MOST_BEYOND: f64 = 8.0;
const TELLING_SHARE: f64 = 1.0 / 4.0;

/// Once some were refused, records of several documents are this share of what may be under way:
/// more records tell more.
const OPENING_RECORD_SHARE: usize = 64;

/// A call is refused if more than this share of its records is: a stream may refuse a few for a
/// reason of its own.
const REFUSED_SHARE: f64 = 1.0 / 8.0;

/// A call carries what the rate gives in so many seconds, and a record of several documents a
/// sixteenth of that: what is refused is little, and tells how much is too much.
const CALL_SECONDS: f64 = 1.0 / 16.0;
const RECORD_SECONDS: f64 = CALL_SECONDS / 16.0;

/// What is proven is an average over so long, and holds for so long; so does what is tolerated.
const AVERAGE: Duration = Duration::from_secs(300);
const PROVEN: Duration = Duration::from_secs(3600);

/// A rate is far below what is proven if it is so many times smaller: chance brings no process of
/// many there that share a stream.
const FAR_BELOW: f64 = 6.0;

/// So many records tell which share is refused there.
const FAR_BELOW_RECORDS: usize = 24;

/// A call is refused if the records refused beyond the tolerated share and this margin add up to
/// more than chance explains.
const MARGIN: f64 = 0.05;
const CHANCE: f64 = 70.0;
const MOST_TOLERATED: f64 = 0.75;

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            opening: Opening {
                most: BILLING_UNIT,
                accepted: 0,
                excess: 0.0,
            },
            limit: None,
            proven: Proven {
                rate: 0.0,
                average: 0.0,
                noted: now,
            },
        }
    }

    /// When the next call may begin, while calls with so many bytes are under way; none if not
    /// before one of them has ended.
    pub(super) fn due(&self, now: Instant, under_way: usize) -> Option<Instant> {
        match &self.limit {
            None => (under_way < self.opening.most).then_some(now),
            Some(limit) => {
                let seconds = (limit.debt / limit.rate).max(0.0);
                Some(limit.paid + Duration::from_secs_f64(seconds))
            }
        }
    }

    /// What the next call should carry at most.
    pub(super) fn call_bytes(&self) -> usize {
        match &self.limit {
            None => self.opening.most,
            Some(limit) => (limit.rate * CALL_SECONDS).max(UNIT) as usize,
        }
    }

    /// How large a record of several documents should be at most: full billing units.
    pub(super) fn record_bytes(&self) -> usize {
        let bytes = match &self.limit {
            None if self.opening.excess > 0.0 => self.opening.most / OPENING_RECORD_SHARE,
            None => self.opening.most,
            Some(limit) => (limit.rate * RECORD_SECONDS) as usize,
        };
        (bytes / BILLING_UNIT).max(1) * BILLING_UNIT
    }

    /// Bytes per second that calls are held to; none while no limit is known.
    pub(super) fn rate(&self) -> Option<f64> {
        self.limit.as_ref().map(|limit| limit.rate)
    }

    /// `random` is within 0.0 and 1.0, here and below.
    pub(super) fn began(&mut self, now: Instant, bytes: usize, random: f64) {
        if let Some(limit) = &mut self.limit {
            limit.pay(now);
            limit.is_used = limit.debt > -0.9 * limit.saved();
            // Processes do not fall into step.
            limit.debt += bytes as f64 * (0.9 + 0.2 * random);
        }
    }

    /// Calls with so many bytes were under way, this one among them.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        answer: &Answer,
        under_way: usize,
        random: f64,
    ) {
        self.proven.add(now, answer.accepted_bytes);
        if let Some(limit) = &mut self.limit {
            if limit.is_refused(now, answer, self.proven.rate) {
                limit.fall(now, answer.began);
            } else if answer.accepted_bytes > 0 {
                limit.grow(now, answer.began);
            }
            let is_shut = answer.throttled > 0 || limit.is_shut;
            limit.is_shut = is_shut && answer.accepted_bytes == 0;
        } else if self.opening.is_over(answer) {
            let rate = FIRST_RATE.max(self.opening.accepted as f64 / OPENED_SECONDS);
            self.limit = Some(Limit::new(now, rate, random));
        } else {
            self.opening.grow(answer, under_way);
        }
    }
}

impl Opening {
    fn is_over(&mut self, answer: &Answer) -> bool {
        let telling = TELLING_SHARE * self.most as f64;
        let bytes = answer.bytes as f64;
        let records = answer.records as f64;
        let weight = (bytes / telling).min(1.0);
        let beyond = answer.throttled as f64 - records / 2.0;
        self.excess = (self.excess + weight * beyond).max(0.0);
        self.excess >= (telling * records / bytes).clamp(FEWEST_BEYOND, MOST_BEYOND)
    }

    fn grow(&mut self, answer: &Answer, under_way: usize) {
        if answer.accepted_bytes > 0 {
            self.accepted = self.accepted.saturating_add(answer.accepted_bytes);
            // What is not in use does not grow.
            let more = self.most.saturating_add(answer.bytes);
            self.most = more.min(2 * under_way).max(self.most);
        }
    }
}

impl Limit {
    fn new(now: Instant, rate: f64, random: f64) -> Self {
        Self {
            rate,
            is_found: false,
            has_doubled: false,
            falls: 0,
            fell: now,
            grown: now,
            debt: UNIT * random,
            paid: now,
            is_used: true,
            is_shut: false,
            tolerance: Tolerance::none(now),
        }
    }

    /// What may be saved up: one call.
    fn saved(&self) -> f64 {
        self.rate * CALL_SECONDS
    }

    fn pay(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.paid).as_secs_f64();
        self.debt = (self.debt - seconds * self.rate).max(-self.saved());
        self.paid = now;
    }

    /// So many times as large as in the long run.
    fn steps(&self) -> f64 {
        (FIRST_STEPS * (-f64::from(self.falls) / HALVING_FALLS).exp2()).max(1.0)
    }

    /// Whether what was refused of a call tells of the rate.
    fn is_refused(&mut self, now: Instant, answer: &Answer, proven: f64) -> bool {
        let tolerated = now.saturating_duration_since(self.tolerance.since);
        if self.tolerance.share > 0.0 && tolerated > PROVEN {
            self.tolerance = Tolerance::none(now);
            self.falls = 0;
        }
        // A call of before the last fall tells of the rate of before.
        if self.is_found && answer.began >= self.fell {
            let is_far_below = self.rate * FAR_BELOW < proven;
            if self.tolerance.begins(now, answer, is_far_below) {
                self.pay(now);
                self.rate = proven;
                self.fell = now;
                return false;
            }
        }
        self.tolerance.is_exceeded(answer)
    }

    fn fall(&mut self, now: Instant, began: Instant) {
        if began < self.fell {
            return;
        }
        self.pay(now);
        self.fell = now;
        self.grown = now;
        if self.is_shut {
            return;
        }
        let factor = match self.is_found {
            true => (-STEP * self.steps()).exp(),
            // It had doubled since the last calls were accepted.
            false => 0.5,
        };
        self.falls += u32::from(self.is_found);
        self.is_found |= self.has_doubled;
        self.rate = (self.rate * factor).max(LOWEST_RATE);
    }

    fn grow(&mut self, now: Instant, began: Instant) {
        let since = now.saturating_duration_since(self.grown);
        if !self.is_found && (since < DOUBLING || began < self.fell) {
            return;
        }
        self.pay(now);
        self.grown = now;
        if !self.is_used {
            return;
        }
        self.rate *= match self.is_found {
            true => (self.growth(now) * since.as_secs_f64()).min(LN_2).exp(),
            false => 2.0,
        };
        self.has_doubled = true;
    }

    /// In a second.
    fn growth(&self, now: Instant) -> f64 {
        let root = (self.rate / MOST_GROWTH_RATE).powf(0.5 / self.steps());
        let growth = MOST_GROWTH * root.min(1.0 / root);
        let usual = STEP / growth;
        let quiet = now.saturating_duration_since(self.fell).as_secs_f64();
        let quicker = (quiet / usual / PATIENCE).max(1.0).powi(2);
        // Twice as much in a second, at the most.
        (growth * quicker * self.steps()).min(0.7)
    }
}

impl Tolerance {
    fn none(now: Instant) -> Self {
        Self {
            share: 0.0,
            since: now,
            excess: 0.0,
            far_below: (0, 0),
        }
    }

    /// Whether, with this call, as much is refused far below the proven rate as at it.
    fn begins(&mut self, now: Instant, answer: &Answer, is_far_below: bool) -> bool {
        let (records, throttled) = std::mem::take(&mut self.far_below);
        if self.share > 0.0 || !is_far_below {
            return false;
        }
        let (records, throttled) = (records + answer.records, throttled + answer.throttled);
        if records < FAR_BELOW_RECORDS {
            self.far_below = (records, throttled);
            return false;
        }
        self.share = (throttled as f64 / records as f64).min(MOST_TOLERATED);
        self.since = now;
        self.share > 0.0
    }

    fn is_exceeded(&mut self, answer: &Answer) -> bool {
        let margin = if self.share > 0.0 {
            MARGIN
        } else {
            REFUSED_SHARE
        };
        let expected = (self.share + margin) * answer.records as f64;
        self.excess = (self.excess + answer.throttled as f64 - expected).max(0.0);
        let is_exceeded = self.excess > CHANCE * self.share * (1.0 - self.share);
        if is_exceeded {
            self.excess = 0.0;
        }
        is_exceeded
    }
}

impl Proven {
    fn add(&mut self, now: Instant, accepted: usize) {
        let since = now.saturating_duration_since(self.noted).as_secs_f64();
        self.noted = now;
        let left = |over: Duration| (-since / over.as_secs_f64()).exp();
        self.average = self.average * left(AVERAGE) + accepted as f64 / AVERAGE.as_secs_f64();
        self.rate = (self.rate * left(PROVEN)).max(self.average);
    }
}
