//! What an output did since it started.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::batch::Record;
use crate::chunk::Tally;

#[derive(Debug, Default)]
pub struct Totals {
    pub documents: Counter,
    pub records: Counter,
    pub calls: Counter,
    pub bytes: Counter,
    /// Bytes as the bill counts them: each record rounded up.
    pub billed_bytes: Counter,
    pub refused_records: Counter,
    /// Documents of calls whose answer is not known; sent again, they may be stored twice.
    pub ambiguous: Counter,
    /// Events that gave no document, or one that the service refuses for good.
    pub dropped: Counter,
    pub truncated: Counter,
    pub retried_chunks: Counter,
    pub resumed_chunks: Counter,
    pub forgotten_chunks: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load(Ordering::Relaxed).fmt(f)
    }
}

impl Totals {
    pub fn accepted(&self, record: &Record) {
        self.documents.add(record.documents);
        self.records.add(1);
        self.bytes.add(record.bytes as u64);
        self.billed_bytes.add(record.billed_bytes() as u64);
    }

    pub fn tally(&self, tally: &Tally) {
        self.dropped.add(tally.without_log_key + tally.not_events);
        self.truncated.add(tally.truncated);
    }
}

impl fmt::Display for Totals {
    /// In a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "delivered {} documents in {} records and {} calls: {} bytes, billed as {}; \
             records refused and sent again: {}; documents ambiguous: {}, truncated: {}; \
             events dropped: {}; chunks handed back for a retry: {}, resumed: {}, forgotten: {}",
            self.documents,
            self.records,
            self.calls,
            self.bytes,
            self.billed_bytes,
            self.refused_records,
            self.ambiguous,
            self.truncated,
            self.dropped,
            self.retried_chunks,
            self.resumed_chunks,
            self.forgotten_chunks,
        )
    }
}
