//! What the stages of a record's path cost, in bytes of the chunk a second: `cargo bench`, or
//! `cargo bench -- deep` for one shape of event.

mod batch;
mod shapes;
mod transcode;

use criterion::{criterion_group, criterion_main};

criterion_group!(stages, transcode::benchmarks, batch::benchmarks);
criterion_main!(stages);
