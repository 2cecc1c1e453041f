//! From the bytes of a chunk to documents: pure, and without memory of its own for a record.

pub mod accessor;
mod added;
pub mod document;
pub mod doubles;
pub mod event;
pub mod group;
pub mod json;
pub(crate) mod keys;
pub mod msgpack;
pub mod outcome;
pub mod rejected;
mod selection;
pub mod time;
pub mod tokens;
pub mod transcode;
pub mod truncate;
