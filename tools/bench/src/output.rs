//! The outputs that are compared, and how Fluent Bit is told of them.

use crate::endpoint::{self, Endpoint};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Output {
    Null,
    /// Fluent Bit's own, in C.
    Core,
    CoreAggregated,
    /// This project's.
    Firehose,
    FirehoseAggregated,
}

// === impl Output ===

impl Output {
    /// In the order of the table.
    pub(crate) const ALL: [Output; 5] = [
        Output::Null,
        Output::Core,
        Output::CoreAggregated,
        Output::Firehose,
        Output::FirehoseAggregated,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Output::Null => "null",
            Output::Core => "C kinesis_firehose",
            Output::CoreAggregated => "C kinesis_firehose, simple_aggregation",
            Output::Firehose => "firehose",
            Output::FirehoseAggregated => "firehose, simple_aggregation",
        }
    }

    /// The peer that does the same work.
    pub(crate) fn peer(self) -> Option<Output> {
        match self {
            Output::Firehose => Some(Output::Core),
            Output::FirehoseAggregated => Some(Output::CoreAggregated),
            Output::Null | Output::Core | Output::CoreAggregated => None,
        }
    }

    pub(crate) fn is_of_this_project(self) -> bool {
        self.peer().is_some()
    }

    /// Its section of the configuration. `null` has no endpoint.
    pub(crate) fn section(self, endpoint: Option<&Endpoint>, workers: usize) -> String {
        let mut section = format!("[OUTPUT]\n    match *\n    workers {workers}\n");
        let mut set = |key: &str, value: &str| {
            section.push_str(&format!("    {key} {value}\n"));
        };
        let Some(endpoint) = endpoint else {
            set("name", "null");
            return section;
        };
        let port = endpoint.port;
        let ca_file = endpoint.ca_file.display().to_string();
        set("delivery_stream", endpoint::STREAM);
        set("region", endpoint::REGION);
        if self.is_of_this_project() {
            set("name", "firehose");
            set("endpoint", &format!("https://localhost:{port}"));
            set("ca_file", &ca_file);
        } else {
            set("name", "kinesis_firehose");
            set("endpoint", "localhost");
            set("port", &port.to_string());
            set("tls.verify", "on");
            set("tls.ca_file", &ca_file);
        }
        if matches!(self, Output::CoreAggregated | Output::FirehoseAggregated) {
            set("simple_aggregation", "true");
        }
        section
    }
}
