//! Measures outputs for Amazon Data Firehose inside the real Fluent Bit, as `--help` tells.
//!
//! The way of a measurement through the files:
//!
//! ```text
//! args -> setup -> bench:  parts -> throughput, tags, sidecar, idle, load -> summary -> targets -> table, charts
//!                  trials: stories -> report
//!                          soak    -> chart
//!                  (trial: folder, process, output, lines, tally)
//! ```

#![forbid(unsafe_code)]

mod args;
mod bench;
mod error;
mod folder;
mod lines;
mod output;
mod process;
mod setup;
mod tally;
mod trial;
mod trials;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Task};

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Bench(args) => bench::run(&args),
        Task::Trials(args) => trials::run(&args),
        Task::Soak(args) => trials::soak(&args),
        Task::Load { plugin, options } => bench::load(&plugin, &options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firehose-measure: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
