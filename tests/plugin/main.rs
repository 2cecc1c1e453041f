//! The plugin as it is shipped, through the C ABI, in the place of a 3.2 or 5.1 host, against a
//! fake Firehose.

#[path = "../support/mod.rs"]
mod support;

mod configuration;
mod delivery;
mod faults;
mod host;
mod hostile;
mod instances;
mod log;
mod rejected;
mod resume;
mod scenarios;
mod settings;
