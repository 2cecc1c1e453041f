//! What an output did since it started.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::deliver::failure::Cause;
use crate::format::outcome::Tally;
use crate::format::rejected::Reason;
use crate::pack::batch::Record;
use crate::route::Why;
use crate::schema::check::Fault;

/// The help of each metric in [`crate::tell::metrics`] says what its counter counts.
#[derive(Debug, Default)]
pub struct Totals {
    pub documents: Counter,
    pub records: Counter,
    pub bytes: Counter,
    pub billed_bytes: Counter,
    calls: [Counter; 2 + Cause::ALL.len()],
    pub call_time: Histogram,
    pub refused_records: Counter,
    pub ambiguous: Counter,
    pub truncated: Counter,
    pub doubled: Counter,
    pub unconvertible: Counter,
    /// Events without the key that `log_key` names.
    pub without_log_key: Counter,
    /// Events without a field to send.
    pub without_field: Counter,
    /// Values that are no events.
    pub not_events: Counter,
    /// Documents that the service refuses for good.
    pub rejected: Counter,
    pub unkept: Counter,
    pub delivered_chunks: Counter,
    pub retried_chunks: Counter,
    pub failed_chunks: Counter,
    pub resumed_chunks: Counter,
    pub forgotten_chunks: Counter,
    pub corrupt_chunks: Counter,
    /// Bytes of the journal that could not be read.
    pub journal_cut: Counter,
    /// Pages of the journal that could not be written.
    pub journal_failures: Counter,
    /// Places at which documents differ from the table, by [`Fault::NAMES`].
    pub findings: [Counter; Fault::NAMES.len()],
    pub checked: Counter,
    pub failing: Counter,
    pub flush_time: Histogram,
    pub throttled: Counter,
    /// Events that go to the default stream, by the reason's place.
    pub defaulted: [Counter; Why::NAMES.len()],
}

/// How things stand at a delivery stream, for whoever reads it from another thread.
#[derive(Debug, Default)]
pub struct Gauges {
    in_flight: AtomicU64,
    remembers: AtomicBool,
    /// The bits of a float; 0 if calls are held to no rate.
    rate: AtomicU64,
}

impl Gauges {
    pub fn set(&self, in_flight: usize, bytes_per_second: Option<f64>) {
        self.in_flight.store(in_flight as u64, Ordering::Relaxed);
        let rate = bytes_per_second.unwrap_or_default();
        self.rate.store(rate.to_bits(), Ordering::Relaxed);
    }

    pub fn set_remembers(&self, remembers: bool) {
        self.remembers.store(remembers, Ordering::Relaxed);
    }

    /// Whether chunks come again of which a part was accepted.
    pub fn remembers(&self) -> bool {
        self.remembers.load(Ordering::Relaxed)
    }

    /// Calls under way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The rate that calls are held to, the fixed one or the stream's own; 0 if neither is.
    pub fn bytes_per_second(&self) -> f64 {
        f64::from_bits(self.rate.load(Ordering::Relaxed))
    }
}

/// The sum of records that were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Accepted {
    pub documents: u64,
    pub records: usize,
    pub bytes: usize,
    pub billed_bytes: usize,
}

impl Accepted {
    pub fn add(&mut self, record: &Record) {
        self.documents += record.documents;
        self.records += 1;
        self.bytes += record.bytes;
        self.billed_bytes += record.billed_bytes();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All its records were accepted.
    Accepted,
    /// Some were.
    Partial,
    /// None was, or nothing is known of them.
    Failed(Cause),
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds to a counter of times, which counts microseconds.
    pub fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn seconds(&self) -> f64 {
        self.get() as f64 / 1e6
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// One for each bound, and one more.
const BUCKETS: usize = Histogram::BOUNDS.len() + 1;

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many took up to each bound and longer than the one before; last, longer than all.
    buckets: [Counter; BUCKETS],
    sum: Counter,
}

/// What a histogram held at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// How many took up to each bound; last, all.
    pub buckets: [u64; BUCKETS],
    /// In seconds.
    pub sum: f64,
}

impl Observed {
    pub fn count(&self) -> u64 {
        self.buckets[BUCKETS - 1]
    }
}

impl Histogram {
    /// In seconds: from a fast round trip to the longest flush that is usual.
    pub const BOUNDS: [f64; 12] = [
        0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ];

    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].add(1);
        self.sum.add_time(time);
    }

    pub fn read(&self) -> Observed {
        let mut all = 0;
        let buckets = std::array::from_fn(|at| {
            all += self.buckets[at].get();
            all
        });
        Observed {
            buckets,
            sum: self.sum.seconds(),
        }
    }
}

impl Totals {
    pub fn accepted(&self, accepted: &Accepted) {
        self.documents.add(accepted.documents);
        self.records.add(accepted.records as u64);
        self.bytes.add(accepted.bytes as u64);
        self.billed_bytes.add(accepted.billed_bytes as u64);
    }

    /// What was accepted beyond `before`, an earlier sum.
    pub fn since(&self, before: &Accepted) -> Accepted {
        let more = |counter: &Counter, before: usize| counter.get() as usize - before;
        Accepted {
            documents: self.documents.get() - before.documents,
            records: more(&self.records, before.records),
            bytes: more(&self.bytes, before.bytes),
            billed_bytes: more(&self.billed_bytes, before.billed_bytes),
        }
    }

    pub fn tally(&self, tally: &Tally) {
        self.without_log_key.add(tally.without_log_key);
        self.without_field.add(tally.without_field);
        self.not_events.add(tally.not_events);
        self.truncated.add(tally.truncated);
        self.doubled.add(tally.doubled.pairs);
        self.corrupt_chunks.add(tally.corrupt.iter().len() as u64);
        for finding in &tally.drift.findings {
            self.findings[finding.fault.number()].add(1);
        }
        self.checked.add(tally.drift.checked);
        self.failing.add(tally.drift.failing);
    }

    /// A call ended.
    pub fn call(&self, answer: Answer) {
        let place = match answer {
            Answer::Accepted => 0,
            Answer::Partial => 1,
            Answer::Failed(cause) => 2 + cause as usize,
        };
        self.calls[place].add(1);
    }

    /// The calls that ended, by the name of what became of them.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
        let failed = Cause::ALL.into_iter().map(Cause::topic);
        let names = ["accepted", "partial"].into_iter().chain(failed);
        names.zip(&self.calls)
    }

    /// The events that go to the default stream, by the name of the reason.
    pub fn defaulted(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
        Why::NAMES.into_iter().zip(&self.defaulted)
    }

    /// The events that are not delivered, by the name of the reason.
    pub fn dropped(&self) -> [(&'static str, &Counter); 4] {
        [
            (Reason::NoLogKey.name(), &self.without_log_key),
            (Reason::NoField.name(), &self.without_field),
            (Reason::NoEvent.name(), &self.not_events),
            (Reason::Rejected.name(), &self.rejected),
        ]
    }
}

impl fmt::Display for Totals {
    /// In a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: u64 = self.calls.iter().map(Counter::get).sum();
        let dropped = self.dropped().map(|(_, counter)| counter.get());
        let dropped: u64 = dropped.iter().sum();
        write!(
            f,
            "delivered {} documents in {} records and {calls} calls: {} bytes, billed as {}; \
             records refused and sent again: {}; documents ambiguous: {}, truncated: {}; \
             events dropped: {dropped}; chunks handed back for a retry: {}, resumed: {}, \
             forgotten: {}",
            self.documents,
            self.records,
            self.bytes,
            self.billed_bytes,
            self.refused_records,
            self.ambiguous,
            self.truncated,
            self.retried_chunks,
            self.resumed_chunks,
            self.forgotten_chunks,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_counted_apart() {
        let totals = Totals::default();
        let failed = Cause::ALL.map(|cause| (cause.topic(), Answer::Failed(cause)));
        let others = [("accepted", Answer::Accepted), ("partial", Answer::Partial)];
        let answers = others.into_iter().chain(failed);
        for (number, (_, answer)) in (1..).zip(answers.clone()) {
            (0..number).for_each(|_| totals.call(answer));
        }
        let counted = totals.calls().map(|(name, count)| (name, count.get()));
        assert!(counted.eq(answers.map(|(name, _)| name).zip(1..)));
    }

    #[test]
    fn a_histogram_counts_what_took_up_to_each_bound() {
        let histogram = Histogram::default();
        for millis in [0, 10, 11, 60_000, 60_001] {
            histogram.observe(Duration::from_millis(millis));
        }
        let observed = histogram.read();
        let mut expected = [3; BUCKETS];
        expected[0] = 2;
        expected[BUCKETS - 2] = 4;
        expected[BUCKETS - 1] = 5;
        assert_eq!(observed.buckets, expected);
        assert!((observed.sum - 120.022).abs() < 1e-9, "{}", observed.sum);
    }
}
