//! A small stand-in for Fluent Bit: it loads an output plugin's `.so` through the Go-plugin C ABI and
//! flushes msgpack chunks to it, in tests and where no `fluent-bit` is installed.
//!
//! ```no_run
//! use firehose_host::{EventFormat, FLB_OK, HostVersion, Plugin, chunk};
//!
//! let plugin = Plugin::load("dist/firehose.so", HostVersion::V5_1)?;
//! let instance = plugin.init(&[("delivery_stream", "logs")])?;
//! let chunk = chunk(EventFormat::V2, &["a line".to_owned()]);
//! assert_eq!(instance.flush(&chunk, "app.log"), FLB_OK);
//! instance.exit();
//! plugin.unregister()?;
//! # Ok::<(), firehose_host::Error>(())
//! ```
//!
//! It is no gentler than any generation of Fluent Bit: the definition has the five fields that every
//! one has, uninitialised, and of the API table only the first pointer is one. Memory that a plugin
//! must not touch is poison, or is checked afterwards; what a plugin does wrong without failing at
//! once is collected ([`drain_violations`]).
//!
//! The symbols that a plugin looks up belong to the process and can't be withdrawn. So the first
//! [`Plugin::load`] decides whether the process plays a 1.9 host or a later one.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod abi;
mod chunk;
mod log;
mod plugin;

pub use abi::Settings;
pub use chunk::{EventFormat, chunk, encode_event, encode_line};
pub use log::{LogLevel, LogLine, drain_violations, print_logs, take_logs};
pub use plugin::{Error, HostVersion, Instance, Plugin};

/// The chunk can't be delivered: the host drops it.
pub const FLB_ERROR: i32 = 0;
/// The chunk is delivered.
pub const FLB_OK: i32 = 1;
/// The host shall flush the same bytes again later.
pub const FLB_RETRY: i32 = 2;
