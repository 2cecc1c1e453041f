//! A small stand-in for Fluent Bit: it loads an output plugin `.so` through the Go-plugin C ABI
//! and feeds it msgpack chunks, where no `fluent-bit` is installed, in integration tests of the
//! `.so`, and in benchmarks.
//!
//! The way of a log line: [`chunk`] encodes JSON lines, and
//! [`Instance::flush_on_coroutine`] calls the plugin. [`Plugin::load`] and [`Plugin::init`] come
//! first.
//!
//! ```no_run
//! use firehose_host::{HostVersion, InstanceOptions, Plugin, DEFAULT_STACK_SIZE, FLB_OK};
//!
//! let plugin = Plugin::load("dist/firehose.so", HostVersion::V5_1)?;
//! let instance = plugin.init(&[("delivery_stream", "logs")], InstanceOptions::default())?;
//! let chunk: &[u8] = &[];
//! assert_eq!(instance.flush_on_coroutine(chunk, "app.log", DEFAULT_STACK_SIZE), FLB_OK);
//! instance.exit();
//! plugin.unregister()?;
//! # Ok::<(), firehose_host::Error>(())
//! ```
//!
//! # What it does as Fluent Bit does, and what it makes harsher
//!
//! - [`HostVersion`] chooses the generation: the definition struct's size and content, the length
//!   of the API table, the hooks called, and the symbols found by `dlsym(RTLD_DEFAULT, ..)`.
//! - Memory that a plugin must not touch is guarded: bytes past the definition and the context are
//!   checked, pointers past the API table crash when called, and the struct given to `FLBPluginInit`
//!   is overwritten as soon as it returns.
//! - Log lines are collected ([`drain_logs`]) or printed ([`print_logs`]). What a plugin does
//!   wrong without failing at once is collected too ([`drain_violations`]).
//! - `hot_reloading` is always passed as 0.
//!
//! # One host per process
//!
//! The exported symbols belong to the process and can't be withdrawn: a plugin may keep their
//! addresses. So the first [`Plugin::load`] decides whether the process plays a 1.9 host or a later
//! one, and loading for the other kind afterwards is an error. Tests that play 1.9 need a test
//! file (an executable) of their own. Executables that link this library need no linker flags.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod abi;
mod chunk;
mod log;
mod plugin;
mod properties;

pub use abi::Settings;
pub use chunk::{EventFormat, chunk, encode_event, encode_line};
pub use log::{LogLevel, LogLine, drain_logs, drain_violations, print_logs, take_logs};
pub use plugin::{Error, HostVersion, Instance, InstanceOptions, Plugin};

/// The chunk can't be delivered: the host drops it.
pub const FLB_ERROR: i32 = 0;
/// The chunk is delivered.
pub const FLB_OK: i32 = 1;
/// The host shall flush the same bytes again later.
pub const FLB_RETRY: i32 = 2;

/// The stack a flush runs on in Fluent Bit 1.9 to 5.1.0, in bytes.
pub const DEFAULT_STACK_SIZE: usize = 24 * 1024;

/// About how large a chunk grows before it is flushed, in bytes: Fluent Bit's own limit.
pub const DEFAULT_CHUNK_SIZE: usize = 2_048_000;
