//! Tells reliability stories in the real Fluent Bit, as `--help` tells.
//!
//! The way of a story through the files:
//!
//! ```text
//! args -> stories -> trial (lines, tally, sample) -> report
//!      -> soak    -> trial                        -> chart
//! ```

mod args;
mod lines;
mod report;
mod sample;
mod scrape;
mod soak;
mod stories;
mod tally;
mod trial;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;

use crate::run::{Failure, FluentBit, find_plugin};

use crate::trials::args::{Args, Task};
use crate::trials::report::Row;
use crate::trials::stories::STORIES;
use crate::trials::trial::{Error, Setup};

pub(crate) fn main(arguments: lexopt::Parser) -> ExitCode {
    let args = args::parse(arguments);
    crate::run::run("firehose-measure", args, &args::usage(), run)
}

fn run(args: &Args, interrupted: &AtomicBool) -> Result<(), Failure> {
    let fluent_bit = FluentBit::find(&args.fluent_bit).map_err(Failure::CannotStart)?;
    let plugin = find_plugin(&args.plugin).map_err(Failure::CannotStart)?;
    let setup = Setup {
        fluent_bit: &fluent_bit,
        plugin: &plugin,
        interrupted,
    };
    match &args.task {
        Task::Tell(name) => tell(name.as_deref(), &setup),
        Task::Soak(soak) => match soak::run(&setup, soak) {
            Ok(None) => Ok(()),
            Ok(Some(fault)) => Err(Failure::Failed(fault)),
            Err(Error::Failed(reason)) => Err(Failure::Failed(reason)),
            Err(Error::Interrupted) => Err(Failure::Interrupted),
        },
    }
}

/// The story of this name, or all of them.
fn tell(only: Option<&str>, setup: &Setup<'_>) -> Result<(), Failure> {
    let mut rows: Vec<Row> = Vec::new();
    let mut faults = Vec::new();
    for story in &STORIES {
        if only.is_some_and(|name| name != story.name) {
            continue;
        }
        eprintln!("{}: {}", story.name, story.tells);
        for outcome in story.tell(setup) {
            match outcome {
                Ok(told) => rows.extend(told),
                Err((_, Error::Interrupted)) => return Err(Failure::Interrupted),
                Err((output, Error::Failed(reason))) => {
                    eprintln!("{}, {}: {reason}", story.name, output.name());
                    faults.push(format!("{}, {}: see above", story.name, output.name()));
                }
            }
        }
    }
    print!("{}", report::render(&rows));
    println!(
        "\n{} cores, {}",
        thread::available_parallelism()?,
        setup.fluent_bit.version
    );
    faults.extend(rows.iter().filter_map(Row::fault));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("FAILED: {}", faults.join("; ")))),
    }
}
