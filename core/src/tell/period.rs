//! What the log says once in a while: what was delivered lately, and what it will be billed.

use std::fmt;
use std::time::{Duration, Instant};

use crate::limits::BILLING_UNIT;
use crate::tell::log::count;
use crate::tell::totals::{Accepted, Totals};

/// The first line comes soon, as something to check a new configuration by.
const FIRST: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(600);

/// If so many times the bytes sent are billed, the records are small enough for a warning.
const WASTEFUL: f64 = 2.0;

/// The periods of an output's life. They end with flushes: without a delivery there is no line.
#[derive(Debug)]
pub struct Periods {
    began: Instant,
    before: Accepted,
    due: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    lasted: Duration,
    delivered: Accepted,
}

impl Periods {
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            before: Accepted::default(),
            due: now + FIRST,
        }
    }

    /// The period that ends now, if it is time and anything was delivered.
    pub fn due(&mut self, now: Instant, totals: &Totals) -> Option<Period> {
        if now < self.due {
            return None;
        }
        let delivered = totals.since(&self.before);
        if delivered.records == 0 {
            return None;
        }
        let lasted = now.saturating_duration_since(self.began);
        *self = Self {
            began: now,
            before: totals.since(&Accepted::default()),
            due: now + INTERVAL,
        };
        Some(Period { lasted, delivered })
    }
}

impl Period {
    /// How many times what was sent is billed.
    fn ratio(&self) -> f64 {
        self.delivered.billed_bytes as f64 / self.delivered.bytes.max(1) as f64
    }

    pub fn is_wasteful(&self) -> bool {
        self.ratio() >= WASTEFUL
    }

    /// What small records cost, and the remedy.
    pub fn waste(&self) -> String {
        let sent = self.delivered;
        format!(
            "billed {:.1} times what was sent: {} bytes in {} count as {}, as each record \
             is rounded up to a multiple of {BILLING_UNIT}; set simple_aggregation true",
            self.ratio(),
            sent.bytes,
            count(sent.records, "record"),
            sent.billed_bytes,
        )
    }
}

impl fmt::Display for Period {
    /// In a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.delivered;
        write!(
            f,
            "in the last {} s: {} delivered in {}: {} bytes, billed as {} ({:.2} times)",
            self.lasted.as_secs(),
            count(sent.documents, "document"),
            count(sent.records, "record"),
            sent.bytes,
            sent.billed_bytes,
            self.ratio(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(totals: &Totals, records: u64, bytes: u64) {
        totals.documents.add(records);
        totals.records.add(records);
        totals.bytes.add(records * bytes);
        let billed = bytes.next_multiple_of(BILLING_UNIT as u64);
        totals.billed_bytes.add(records * billed);
    }

    #[test]
    fn a_period_ends_after_a_minute_and_then_every_ten() {
        let (totals, start) = (Totals::default(), Instant::now());
        let mut periods = Periods::new(start);
        let mut ends = Vec::new();
        for minute in 0..45 {
            deliver(&totals, 1, 100);
            let now = start + Duration::from_secs(60 * minute);
            if let Some(period) = periods.due(now, &totals) {
                ends.push((minute, period.delivered.records));
            }
        }
        assert_eq!(ends, [(1, 2), (11, 10), (21, 10), (31, 10), (41, 10)]);
    }

    #[test]
    fn a_period_without_a_delivery_goes_on() {
        let (totals, start) = (Totals::default(), Instant::now());
        let mut periods = Periods::new(start);
        let now = start + Duration::from_secs(7200);
        assert_eq!(periods.due(now, &totals), None);
        deliver(&totals, 1000, 502);
        let period = periods.due(now, &totals).expect("a period has ended");
        assert_eq!(
            period.to_string(),
            "in the last 7200 s: 1000 documents delivered in 1000 records: 502000 bytes, billed as \
             5120000 (10.20 times)"
        );
        assert_eq!(
            period.waste(),
            "billed 10.2 times what was sent: 502000 bytes in 1000 records count as 5120000, as \
             each record is rounded up to a multiple of 5120; set simple_aggregation true"
        );
        assert_eq!(periods.due(now, &totals), None);
    }

    #[test]
    fn records_of_half_a_billing_unit_are_wasteful_and_larger_ones_are_not() {
        for (bytes, expected) in [(2560, true), (2561, false), (5120, false), (5121, false)] {
            let totals = Totals::default();
            deliver(&totals, 10, bytes);
            let delivered = totals.since(&Accepted::default());
            let lasted = INTERVAL;
            let period = Period { lasted, delivered };
            assert_eq!(period.is_wasteful(), expected, "{bytes}");
        }
    }
}
