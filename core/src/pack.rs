//! From documents to records, and from records to the body of one call.

pub mod batch;
pub mod compress;
pub mod packer;
