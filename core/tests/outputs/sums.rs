//! What is counted, in the log's sentence and in the metrics.

use std::time::{Duration, SystemTime};

use firehose_core::deliver::failure::Cause;
use firehose_core::tell::metrics::{self, Metric, Values};
use firehose_core::tell::totals::{Answer, Gauges, Totals};

/// Each count is another number.
fn totals() -> Totals {
    let totals = Totals::default();
    let counters = [
        &totals.documents,
        &totals.records,
        &totals.bytes,
        &totals.billed_bytes,
        &totals.refused_records,
        &totals.ambiguous,
        &totals.truncated,
        &totals.doubled,
        &totals.unconvertible,
        &totals.without_log_key,
        &totals.without_field,
        &totals.not_events,
        &totals.rejected,
        &totals.delivered_chunks,
        &totals.retried_chunks,
        &totals.failed_chunks,
        &totals.resumed_chunks,
        &totals.forgotten_chunks,
        &totals.corrupt_chunks,
        &totals.journal_cut,
        &totals.journal_failures,
        &totals.unkept,
        &totals.findings[0],
        &totals.findings[1],
        &totals.findings[2],
        &totals.checked,
        &totals.failing,
        &totals.defaulted[0],
        &totals.defaulted[1],
        &totals.defaulted[2],
        &totals.defaulted[3],
    ];
    for (number, counter) in (1..).zip(counters) {
        counter.add(number);
    }
    totals.call(Answer::Partial);
    totals.call(Answer::Failed(Cause::Bug));
    totals.call_time.observe(Duration::from_millis(1_500));
    totals.flush_time.observe(Duration::from_millis(20));
    totals.flush_time.observe(Duration::from_secs(70));
    totals.throttled.add_time(Duration::from_millis(2_250));
    totals
}

#[test]
fn a_sentence_tells_the_sums() {
    assert_eq!(
        totals().to_string(),
        "delivered 1 documents in 2 records and 2 calls: 3 bytes, billed as 4; records refused and \
         sent again: 5; documents ambiguous: 6, truncated: 7; events dropped: 46; chunks handed \
         back for a retry: 15, resumed: 17, forgotten: 18"
    );
}

fn line(metric: &Metric) -> String {
    let value = match &metric.values {
        Values::Counter(value) | Values::Gauge(value) => value.to_string(),
        Values::Counters { label, values } => {
            let some = values.iter().filter(|(_, value)| *value > 0.0);
            let some = some.map(|(name, value)| format!(" {name} {value}"));
            format!("{label}{}", some.collect::<String>())
        }
        Values::Histogram(observed) => {
            format!(
                "{} in {} s, {:?}",
                observed.count(),
                observed.sum,
                observed.buckets
            )
        }
    };
    format!("{} {value}", metric.name)
}

/// Each metric with its values.
const EXPECTED: &str = "\
documents_total 1
records_total 2
bytes_total 3
billed_bytes_total 4
calls_total answer partial 1 bug 1
call_duration_seconds 1 in 1.5 s, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
refused_records_total 5
ambiguous_documents_total 6
truncated_documents_total 7
doubled_keys_total 8
unconvertible_documents_total 9
schema_findings_total kind no_column 23 wrong_type 24 same_name 25
schema_checked_documents_total 26
schema_failing_documents_total 27
dropped_events_total reason no_log_key 10 no_field 11 no_event 12 rejected 13
default_stream_events_total reason no_value 28 bad_name 29 not_allowed 30 too_many 31
unkept_documents_total 22
chunks_total answer ok 14 retry 15 error 16
flush_duration_seconds 2 in 70.02 s, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]
resumed_chunks_total 17
forgotten_chunks_total 18
corrupt_chunks_total 19
journal_cut_bytes_total 20
journal_failures_total 21
throttled_seconds_total 2.25
calls_in_flight 3
rate_limit_bytes_per_second 1.5
credentials_timestamp_seconds 9
";

#[test]
fn each_metric_has_its_own_count() {
    let gauges = Gauges::default();
    gauges.set(3, Some(1.5));
    let fetched = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
    let metrics = metrics::of(&totals(), &gauges, Some(fetched));
    let lines: Vec<String> = metrics.iter().map(line).collect();
    let expected: Vec<&str> = EXPECTED.lines().collect();
    let is_extra = |line: &&String| !expected.contains(&line.as_str());
    let extra: Vec<&String> = lines.iter().filter(is_extra).collect();
    let is_missing = |line: &&&str| !lines.iter().any(|told| told == **line);
    let missing: Vec<&&str> = expected.iter().filter(is_missing).collect();
    assert!(
        extra.is_empty() && missing.is_empty(),
        "told and not expected: {extra:?}; expected and not told: {missing:?}"
    );
    assert_eq!(lines, expected, "in this order");
}

#[test]
fn what_is_held_to_no_rate_has_the_rate_0() {
    let gauges = Gauges::default();
    gauges.set(0, None);
    assert_eq!((gauges.in_flight(), gauges.bytes_per_second()), (0, 0.0));
}
