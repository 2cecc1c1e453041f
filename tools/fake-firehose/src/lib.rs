//! A stand-in for Amazon Data Firehose on loopback, for tests and benchmarks.
//!
//! It speaks the service's PutRecordBatch over HTTP/1.1, in the clear or over TLS. It judges
//! every request by the limits that AWS documents and by its signature; it remembers what it
//! accepted; and it fails as a scenario file says.
//!
//! ```
//! use fake_firehose::{FakeFirehose, Scenario, Settings};
//!
//! let scenario = Scenario::parse("[[step]]\nrepeat = 3\nrefuse = \"all\"")?;
//! let fake = FakeFirehose::start(Settings { tls: true, scenario, ..Settings::default() })?;
//! // ... point a client at fake.url(), let it trust fake.ca_pem() ...
//! assert_eq!(fake.stats().records, 0);
//! assert_eq!(fake.documents(), b"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of a request through the files:
//!
//! ```text
//! server -> wire -> sigv4, call, limits -> decide -> memory -> reply -> wire
//!                                            ^
//!                                     scenario, quota
//! ```
//!
//! `wire` and `control` alone know of HTTP, `server` and `tls` of sockets and certificates; all
//! others are pure. The scenario never makes an invalid request succeed: the service's own
//! rules come first, and a request that breaks them uses up its step like any other.
//!
//! Where AWS documents no order among the rules it is: operation, signature, JSON, limits,
//! stream.

#![forbid(unsafe_code)]

mod call;
mod control;
mod decide;
mod error;
mod limits;
mod memory;
mod quota;
mod reply;
pub mod scenario;
mod server;
mod sigv4;
mod tls;
mod wire;

pub use memory::{AcceptedCall, AcceptedRecord, Keep, RequestLog, Stats, StreamStats};
pub use scenario::Scenario;
pub use server::{DEFAULT_STREAM, FakeFirehose, Settings};
pub use sigv4::{Credentials, EXAMPLE_ACCESS_KEY, EXAMPLE_SECRET_KEY};
