//! The Glue table by which Firehose converts to Parquet, and what documents have that it has not.
//!
//! - [`table`] reads it, with [`glue_type`] and [`mapping`]; [`kind`] is what a value is to the
//!   conversion.
//! - [`streams`] has those of all streams.
//! - [`nodes`] lays it out for looking keys up.
//! - [`known`] notices a key that was not looked at before, while a document is written.
//! - [`check`] compares a whole document, with [`infer`] for the type of a new key's value.
//! - [`watch`] decides which documents are compared, and remembers what was told.

pub mod check;
pub mod glue_type;
pub mod infer;
pub mod kind;
mod known;
pub mod mapping;
mod nodes;
pub mod streams;
pub mod table;
pub mod watch;
