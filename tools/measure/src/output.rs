//! The outputs that are compared, and how Fluent Bit is told of them.

use std::path::Path;

pub(crate) const REGION: &str = "us-east-1";

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

    /// The end of a configuration: its section, to which more keys may be added. It delivers what
    /// has this tag to a service on loopback, over TLS by this authority. Without a number of
    /// workers it is as short as can be.
    pub(crate) fn section(
        self,
        (port, ca_file): (u16, &Path),
        stream: &str,
        tag: &str,
        workers: Option<usize>,
    ) -> String {
        let ca_file = ca_file.display();
        let mut section = format!("[OUTPUT]\n    match {tag}\n");
        if let Some(workers) = workers {
            section += &format!("    workers {workers}\n");
        }
        let delivers = format!("    region {REGION}\n    delivery_stream {stream}\n");
        section += &match self {
            Output::Null => "    name null\n".to_owned(),
            Output::Firehose | Output::FirehoseAggregated => format!(
                "    name firehose\n    endpoint https://localhost:{port}\n    ca_file {ca_file}\n{delivers}"
            ),
            Output::Core | Output::CoreAggregated => format!(
                "    name kinesis_firehose\n    endpoint localhost\n    port {port}\n    \
                 tls.verify on\n    tls.ca_file {ca_file}\n{delivers}"
            ),
        };
        if matches!(self, Output::CoreAggregated | Output::FirehoseAggregated) {
            section += "    simple_aggregation true\n";
        }
        section
    }
}
