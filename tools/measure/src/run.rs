//! Runs the real Fluent Bit with an output for Firehose.

mod fluent_bit;
mod output;
mod process;
mod program;

pub(crate) use fluent_bit::{Files, FluentBit, find_plugin};
pub(crate) use output::{ACCESS_KEY, Output, REGION, SECRET_KEY, Target};
pub(crate) use process::{End, Process, Usage};
pub(crate) use program::{Failure, run};
