//! Runs the real Fluent Bit with an output for Firehose: what the benchmark and the trials share.

#![forbid(unsafe_code)]

mod fluent_bit;
mod output;
mod process;
mod program;

pub use fluent_bit::{Files, FluentBit, find_plugin};
pub use output::{ACCESS_KEY, Output, REGION, SECRET_KEY, Target};
pub use process::{End, Process, Usage};
pub use program::{Failure, run};
