//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.
//!
//! What Fluent Bit calls is in [`ffi`], with all code that is `unsafe`; what decides is in
//! `firehose_core`. ARCHITECTURE.md follows a log line through both.

#![deny(unsafe_code)]

pub mod aws;
pub mod driver;
pub mod ffi;
pub mod lent;
pub mod output;
pub mod rejected;
pub mod runtime;
pub mod service;
pub mod state;
