//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.
//!
//! [`ffi`] has what Fluent Bit calls, and all code that is `unsafe`. `firehose_core` has what
//! decides. ARCHITECTURE.md follows a log line through both.

#![deny(unsafe_code)]

pub mod aws;
pub mod driver;
pub mod ffi;
mod files;
pub mod lent;
pub mod member;
pub mod output;
pub mod rejected;
pub mod router;
pub mod runtime;
pub mod series;
pub mod service;
pub mod spares;
pub mod state;
