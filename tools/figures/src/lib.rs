//! Shows figures as Markdown tables and as pictures: what the bill, the benchmark and the trials
//! share.

#![forbid(unsafe_code)]

pub mod markdown;
pub mod svg;
