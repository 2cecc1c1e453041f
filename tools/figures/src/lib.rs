//! Shows figures as Markdown tables and as pictures: what the bill and the measurements
//! share.

#![forbid(unsafe_code)]

pub mod markdown;
pub mod svg;
