//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.
//!
//! Data flows one way, and a log line can be followed through the modules in this order:
//!
//! ```text
//! ffi -> output -> chunk (msgpack, event, document: transcode, json, time_format, truncate)
//!               -> ledger -> pack (compress) -> deliver (gate, failure) -> client (body) -> Firehose
//! ```
//!
//! - [`ffi`] is what Fluent Bit calls. Flush hands the chunk to the embedded [`runtime`] and waits.
//! - [`chunk`] turns the chunk's msgpack into documents, one line of JSON for each event.
//! - [`ledger`] knows which documents are left of a chunk that was handed back before.
//! - [`pack`] makes Firehose records of documents, and batches of records.
//! - [`deliver`] sends batches until every record is accepted, dropped for good, or the flush is
//!   out of time; [`output`] turns that into the answer to the host.
//! - [`client`] is the only module that names the AWS SDK.
//!
//! Everything up to [`pack`], and and [`failure`], is pure: no tokio, no AWS types. Code
//! that is `unsafe` is in [`ffi`] alone.

#![deny(unsafe_code)]

pub mod body;
pub mod ca;
pub mod chunk;
pub mod client;
pub mod compress;
pub mod config;
pub mod deliver;
pub mod document;
pub mod event;
pub mod failure;
pub mod ffi;
pub mod gate;
pub mod json;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod msgpack;
pub mod output;
pub mod pack;
pub mod runtime;
pub mod time_format;
pub mod transcode;
pub mod truncate;
