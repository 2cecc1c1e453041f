//! What an output tells of itself in the host's metrics: each name, what it means, and its value.
//!
//! Whoever counts something keeps the count in [`Totals`]. All of them are read here at once.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::schema::check::Fault;
use crate::tell::totals::{Counter, Gauges, Histogram, Observed, Totals};

pub const NAMESPACE: &str = "fluentbit";
pub const SUBSYSTEM: &str = "output_firehose";

/// The labels that every metric has: the output's name and its delivery stream.
pub const LABELS: [&str; 2] = ["name", "stream"];

/// In seconds: the upper bounds of all histograms' buckets.
pub const BOUNDS: &[f64] = &Histogram::BOUNDS;

#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Without namespace and subsystem.
    pub name: &'static str,
    pub help: &'static str,
    pub values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Counter(f64),
    /// One counter for each value of a label that the metric has beside the common ones.
    Counters {
        label: &'static str,
        values: Vec<(&'static str, f64)>,
    },
    Gauge(f64),
    /// Of times, in seconds.
    Histogram(Observed),
}

/// All metrics of an output. Their names and labels are the same each time, and in this order.
pub fn of(totals: &Totals, stream: &Gauges, credentials: Option<SystemTime>) -> Vec<Metric> {
    let counter = |counter: &Counter| Values::Counter(counter.get() as f64);
    let histogram = |histogram: &Histogram| Values::Histogram(histogram.read());
    let counters = |label, all: Vec<(&'static str, &Counter)>| {
        let read = |(value, counter): (_, &Counter)| (value, counter.get() as f64);
        let values = all.into_iter().map(read).collect();
        Values::Counters { label, values }
    };
    let chunks = [
        ("ok", &totals.delivered_chunks),
        ("retry", &totals.retried_chunks),
        ("error", &totals.failed_chunks),
    ];
    let fetched = credentials.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    #[rustfmt::skip] // A help stands in a line of its own.
    let metrics = [
        ("documents_total", counter(&totals.documents),
            "Documents delivered: accepted by the service."),
        ("records_total", counter(&totals.records),
            "Records delivered, of one or several documents each."),
        ("bytes_total", counter(&totals.bytes),
            "Bytes of the records delivered, before base64."),
        ("billed_bytes_total", counter(&totals.billed_bytes),
            "The same bytes as the bill counts them: each record rounded up to a multiple of 5120."),
        ("calls_total", counters("answer", totals.calls().collect()),
            "PutRecordBatch calls that ended, by what became of them."),
        ("call_duration_seconds", histogram(&totals.call_time),
            "How long calls took, connection included."),
        ("refused_records_total", counter(&totals.refused_records),
            "Records refused within calls that were answered, and sent again."),
        ("ambiguous_documents_total", counter(&totals.ambiguous),
            "Documents of calls whose answer is not known: sent again, they may be stored twice."),
        ("truncated_documents_total", counter(&totals.truncated),
            "Documents cut to the size of the largest record."),
        ("doubled_keys_total", counter(&totals.doubled),
            "Values left out of documents, as their key comes again later in the same object."),
        ("unconvertible_documents_total", counter(&totals.unconvertible),
            "Documents delivered with a time that the conversion to Parquet does not read as one: see time_key_format."),
        ("schema_findings_total", counters("kind", Fault::NAMES.into_iter().zip(&totals.findings).collect()),
            "Keys at which documents and the table of schema_file differ, each counted once."),
        ("schema_checked_documents_total", counter(&totals.checked),
            "Documents whose types were compared with the table of schema_file."),
        ("schema_failing_documents_total", counter(&totals.failing),
            "Those of them that the conversion to Parquet fails for."),
        ("dropped_events_total", counters("reason", totals.dropped().into()),
            "Events that are not delivered, by reason."),
        ("default_stream_events_total", counters("reason", totals.defaulted().collect()),
            "Events that went to delivery_stream_default instead of a stream of their own, by reason."),
        ("unkept_documents_total", counter(&totals.unkept),
            "Documents that could not be written to the file of rejected_path."),
        ("chunks_total", counters("answer", chunks.into()),
            "Flushes that ended, by what Fluent Bit was answered."),
        ("flush_duration_seconds", histogram(&totals.flush_time),
            "How long Fluent Bit waited for flushes."),
        ("resumed_chunks_total", counter(&totals.resumed_chunks),
            "Chunks that came again, and of which only the rest was sent."),
        ("forgotten_chunks_total", counter(&totals.forgotten_chunks),
            "Chunks whose rest was forgotten for want of room: they are sent whole."),
        ("corrupt_chunks_total", counter(&totals.corrupt_chunks),
            "Chunks of which a part was no msgpack, and is lost."),
        ("journal_cut_bytes_total", counter(&totals.journal_cut),
            "Bytes of the journal in state_path that could not be read when it was opened."),
        ("journal_failures_total", counter(&totals.journal_failures),
            "Writes of the journal in state_path that failed."),
        ("throttled_seconds_total", Values::Counter(totals.throttled.seconds()),
            "How long calls that were due waited for a rate or the end of a pause."),
        ("calls_in_flight", Values::Gauge(stream.in_flight() as f64),
            "Calls under way to the delivery stream, of all outputs of the process."),
        ("rate_limit_bytes_per_second", Values::Gauge(stream.bytes_per_second()),
            "The rate that calls to the delivery stream are held to; 0 if to none."),
        ("credentials_timestamp_seconds", Values::Gauge(fetched.unwrap_or_default().as_secs_f64()),
            "When the credentials in use were fetched, in Unix time; 0 before the first."),
    ];
    let metric = |(name, values, help)| Metric { name, help, values };
    metrics.map(metric).into()
}
