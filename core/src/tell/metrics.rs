//! What an output tells of itself in the host's metrics: each name, what it means, and its value.
//!
//! All values are kept in [`Totals`] by whoever counts, and read here all at once.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::tell::totals::{Answer, Counter, Gauges, Histogram, Observed, Totals};

/// What all names begin with.
pub const NAMESPACE: &str = "fluentbit";
pub const SUBSYSTEM: &str = "output_firehose";

/// The labels that every metric has: the output's name and its delivery stream.
pub const LABELS: [&str; 2] = ["name", "stream"];

/// In seconds: the upper bounds of all histograms' buckets.
pub const BOUNDS: &[f64] = &Histogram::BOUNDS;

/// One metric of one output.
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
    let counter = |name, counter: &Counter, help| Metric {
        name,
        help,
        values: Values::Counter(counter.get() as f64),
    };
    let counters = |name, label, values: Vec<(&'static str, u64)>, help| {
        let values = values.into_iter();
        let values = values.map(|(name, count)| (name, count as f64)).collect();
        Metric {
            name,
            help,
            values: Values::Counters { label, values },
        }
    };
    let gauge = |name, value, help| Metric {
        name,
        help,
        values: Values::Gauge(value),
    };
    let histogram = |name, histogram: &Histogram, help| Metric {
        name,
        help,
        values: Values::Histogram(histogram.read()),
    };
    let calls = Answer::all().map(|answer| (answer.name(), totals.calls(answer)));
    let dropped = [
        ("no_log_key", &totals.without_log_key),
        ("no_field", &totals.without_field),
        ("no_event", &totals.not_events),
        ("rejected", &totals.rejected),
    ];
    let chunks = [
        ("ok", &totals.delivered_chunks),
        ("retry", &totals.retried_chunks),
        ("error", &totals.failed_chunks),
    ];
    let fetched = credentials.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    vec![
        counter(
            "documents_total",
            &totals.documents,
            "Documents delivered: accepted by the service.",
        ),
        counter(
            "records_total",
            &totals.records,
            "Records delivered, of one or several documents each.",
        ),
        counter(
            "bytes_total",
            &totals.bytes,
            "Bytes of the records delivered, before base64.",
        ),
        counter(
            "billed_bytes_total",
            &totals.billed_bytes,
            "The same bytes as the bill counts them: each record rounded up to a multiple of 5120.",
        ),
        counters(
            "calls_total",
            "answer",
            calls.collect(),
            "PutRecordBatch calls that ended, by what became of them.",
        ),
        histogram(
            "call_duration_seconds",
            &totals.call_time,
            "How long calls took, connection included.",
        ),
        counter(
            "refused_records_total",
            &totals.refused_records,
            "Records refused within calls that were answered, and sent again.",
        ),
        counter(
            "ambiguous_documents_total",
            &totals.ambiguous,
            "Documents of calls whose answer is not known: sent again, they may be stored twice.",
        ),
        counter(
            "truncated_documents_total",
            &totals.truncated,
            "Documents cut to the size of the largest record.",
        ),
        counter(
            "doubled_keys_total",
            &totals.doubled,
            "Values left out of documents, as their key comes again later in the same object.",
        ),
        counter(
            "unconvertible_documents_total",
            &totals.unconvertible,
            "Documents delivered with a time that the conversion to Parquet does not read as one: see time_key_format.",
        ),
        counters(
            "dropped_events_total",
            "reason",
            dropped.map(|(name, count)| (name, count.get())).into(),
            "Events that are not delivered, by reason.",
        ),
        counters(
            "chunks_total",
            "answer",
            chunks.map(|(name, count)| (name, count.get())).into(),
            "Flushes that ended, by what Fluent Bit was answered.",
        ),
        histogram(
            "flush_duration_seconds",
            &totals.flush_time,
            "How long Fluent Bit waited for flushes.",
        ),
        counter(
            "resumed_chunks_total",
            &totals.resumed_chunks,
            "Chunks that came again, and of which only the rest was sent.",
        ),
        counter(
            "forgotten_chunks_total",
            &totals.forgotten_chunks,
            "Chunks whose rest was forgotten for want of room: they are sent whole.",
        ),
        counter(
            "corrupt_chunks_total",
            &totals.corrupt_chunks,
            "Chunks of which a part was no msgpack, and is lost.",
        ),
        Metric {
            name: "throttled_seconds_total",
            help: "How long calls that were due waited for a rate or the end of a pause.",
            values: Values::Counter(totals.throttled.seconds()),
        },
        gauge(
            "calls_in_flight",
            stream.in_flight() as f64,
            "Calls under way to the delivery stream, of all outputs of the process.",
        ),
        gauge(
            "rate_limit_bytes_per_second",
            stream.bytes_per_second(),
            "The rate that calls to the delivery stream are held to; 0 if to none.",
        ),
        gauge(
            "credentials_timestamp_seconds",
            fetched.unwrap_or_default().as_secs_f64(),
            "When the credentials in use were fetched, in Unix time; 0 before the first.",
        ),
    ]
}
