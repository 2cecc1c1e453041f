//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.
//!
//! Data flows one way, and a log line can be followed in this order:
//!
//! ```text
//! ffi -> output -> driver -> core: format, pack, deliver -> driver -> aws -> Firehose
//! ```
//!
//! - [`ffi`] is what Fluent Bit calls. A flush lends its chunk ([`lent`]) and waits.
//! - [`output`] is what the host's threads have of an output: it sends messages to the driver of
//!   its delivery stream.
//! - [`driver`] is one task for each delivery stream, on the embedded [`runtime`]. It tells the
//!   machine of `firehose_core` what happens, and does what that asks for: it packs a call, makes
//!   it, answers the host.
//! - [`aws`] carries calls out ([`service`]). It is the only module that names the AWS SDK.
//!
//! Whatever decides is in `firehose_core`, which knows no clock, no thread and no network. Code
//! that is `unsafe` is in [`ffi`] alone.

#![deny(unsafe_code)]

pub mod aws;
pub mod driver;
pub mod ffi;
pub mod lent;
pub mod output;
pub mod runtime;
pub mod service;
