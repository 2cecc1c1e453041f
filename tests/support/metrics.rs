//! The metrics that an output registers, and their names in Prometheus.

#![allow(
    dead_code,
    reason = "each test executable compiles its own copy and uses a part of it"
)]

use std::collections::BTreeSet;

use firehose_core::tell::metrics::{self, Metric, Values};
use firehose_core::tell::totals::{Gauges, Totals};

pub(crate) const PREFIX: &str = "fluentbit_output_firehose_";

/// Those of an output that has done nothing yet.
pub(crate) fn registered() -> Vec<Metric> {
    metrics::of(&Totals::default(), &Gauges::default(), None)
}

pub(crate) fn full_name(metric: &Metric) -> String {
    format!("{PREFIX}{}", metric.name)
}

pub(crate) fn kind(metric: &Metric) -> &'static str {
    match metric.values {
        Values::Counter(_) | Values::Counters { .. } => "counter",
        Values::Gauge(_) => "gauge",
        Values::Histogram(_) => "histogram",
    }
}

/// The names of the plugin's series in a text.
pub(crate) fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.starts_with("fluentbit_"));
    names.map(str::to_owned).collect()
}

/// The metric of a series: a histogram has several.
pub(crate) fn base(series: &str) -> &str {
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|end| series.strip_suffix(end))
        .unwrap_or(series)
}
