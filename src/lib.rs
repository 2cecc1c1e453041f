//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.
//!
//! Data flows one way, and a log line can be followed through the modules in this order:
//!
//! ```text
//! ffi -> output (ledger) -> group -> pack -> batch -> client -> Firehose
//! ```
//!
//! - [`ffi`] is what Fluent Bit calls. Flush lends the chunk to the embedded [`runtime`] and waits.
//! - [`output`] is one output section. Its [`ledger`] knows what is left of a chunk that was
//!   handed back before.
//! - [`group`] delivers what all its flushes have waiting until it is accepted, dropped for good,
//!   or out of time, through the stream's [`gate`] and by what [`failure`] says of each error.
//!   Each [`flush`] knows what became of its own documents.
//! - [`pack`] reads events where they lie in a [`chunk`] ([`msgpack`], [`event`]), writes each as
//!   a [`document`] (with [`transcode`], [`json`], [`time_format`], [`doubles`], [`truncate`]) to a record, and
//!   the record to a [`batch`]: the body of one call.
//! - [`client`] is the only module that names the AWS SDK.
//!
//! Up to the batch all is pure: no AWS types, and of tokio no more than its clock and its
//! notifications. Code that is `unsafe` is in [`ffi`] alone.

#![deny(unsafe_code)]

pub mod batch;
pub mod ca;
pub mod chunk;
pub mod client;
pub mod compress;
pub mod config;
pub mod document;
pub mod doubles;
pub mod event;
pub mod failure;
pub mod ffi;
pub mod flush;
pub mod gate;
pub mod group;
pub mod json;
mod keys;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod msgpack;
pub mod output;
pub mod pack;
pub mod parts;
pub mod report;
pub mod runtime;
pub mod service;
pub mod time_format;
pub mod tokens;
pub mod totals;
pub mod transcode;
pub mod truncate;
