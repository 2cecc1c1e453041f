//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.

pub mod chunk;
pub mod compress;
pub mod document;
pub mod event;
pub mod json;
pub mod limits;
pub mod msgpack;
pub mod pack;
pub mod time_format;
pub mod transcode;
pub mod truncate;
