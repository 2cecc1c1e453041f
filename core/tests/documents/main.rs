//! What a chunk comes to, from the host's bytes to Firehose records, judged from outside:
//!
//! - [`corpus`]: chunks recorded from real hosts, with the documents expected of them as files;
//! - [`options`]: the same chunks under options, with the records expected written by hand;
//! - [`properties`]: any chunk and options against a simple reference model, and damaged chunks;
//! - [`packing`]: how documents become records and batches;
//! - [`rejected`]: what is noted of events that are not delivered as a whole;
//! - [`schema`]: what is told of documents that a table does not take whole;
//! - [`huge`]: documents over the service's limit, and depth.

#[path = "../../../tests/support/body.rs"]
mod body;
mod corpus;
mod cut;
mod huge;
mod model;
mod options;
#[path = "../../../tests/support/packed.rs"]
mod packed;
mod packing;
mod properties;
mod rejected;
mod schema;
mod strategies;

use std::path::PathBuf;

use firehose_core::options::Config;
use proptest::test_runner::Config as ProptestConfig;

/// The recorded chunks.
fn chunks() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/chunks")
}

/// What an `[OUTPUT]` section with these options means.
fn config(options: &[(&str, &str)]) -> Config {
    Config::parse(|key| {
        let stream = ("delivery_stream", "logs");
        let found = options
            .iter()
            .chain([&stream])
            .find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

/// A failure shows its input; no file of it is kept.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
