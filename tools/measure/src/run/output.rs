//! The outputs that are compared, and how Fluent Bit is told of them.

use std::path::PathBuf;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Where an output delivers: a service on loopback, over TLS.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) port: u16,
    /// The authority to trust.
    pub(crate) ca_file: PathBuf,
    pub(crate) stream: &'static str,
}

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

    /// Its section of the configuration, to which more keys may be added. `null` has no target.
    /// Without a number of workers it is as short as can be.
    pub(crate) fn section(self, target: Option<&Target>, workers: Option<usize>) -> String {
        let mut section = "[OUTPUT]\n".to_owned();
        let mut set = |key: &str, value: &str| {
            section.push_str(&format!("    {key} {value}\n"));
        };
        if let Some(workers) = workers {
            set("workers", &workers.to_string());
        }
        let Some(target) = target else {
            set("name", "null");
            return section;
        };
        let port = target.port;
        let ca_file = target.ca_file.display().to_string();
        set("delivery_stream", target.stream);
        set("region", REGION);
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
