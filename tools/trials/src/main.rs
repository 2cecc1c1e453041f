//! Tells reliability stories in the real Fluent Bit, as `--help` tells.
//!
//! The way of a story through the files:
//!
//! ```text
//! args -> stories -> trial (lines, tally, sample) -> report
//!      -> soak    -> trial                        -> chart
//! ```

#![forbid(unsafe_code)]

mod args;
mod lines;
mod report;
mod sample;
mod soak;
mod stories;
mod tally;
mod trial;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use fluent_bit_run::{FluentBit, find_plugin};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::{Args, Task};
use crate::report::Row;
use crate::stories::STORIES;
use crate::trial::{Error, Setup};

/// Why not all was well. Each has an exit code.
enum Failure {
    /// Something needed is missing; nothing was run.
    CannotStart(String),
    /// What this project's output did wrong, and which trials did not come to their end.
    Faults(Vec<String>),
    Interrupted,
    Io(io::Error),
}

fn main() -> ExitCode {
    let args = match args::parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", args::usage());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("firehose-trials: {error}; --help tells more");
            return ExitCode::from(2);
        }
    };
    let (sentence, code) = match run(&args) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::CannotStart(sentence)) => (sentence, 2),
        Err(Failure::Faults(faults)) => (format!("FAILED: {}", faults.join("; ")), 1),
        Err(Failure::Interrupted) => ("interrupted".to_owned(), 130),
        Err(Failure::Io(error)) => (error.to_string(), 1),
    };
    eprintln!("firehose-trials: {sentence}");
    ExitCode::from(code)
}

fn run(args: &Args) -> Result<(), Failure> {
    let fluent_bit = FluentBit::find(&args.fluent_bit).map_err(Failure::CannotStart)?;
    let plugin = find_plugin(&args.plugin).map_err(Failure::CannotStart)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let setup = Setup {
        fluent_bit: &fluent_bit,
        plugin: &plugin,
        interrupted: &interrupted,
    };
    match &args.task {
        Task::Tell(name) => tell(name.as_deref(), &setup),
        Task::Soak(soak) => match soak::run(&setup, soak) {
            Ok(None) => Ok(()),
            Ok(Some(fault)) => Err(Failure::Faults(vec![fault])),
            Err(Error::Failed(reason)) => Err(Failure::Faults(vec![reason])),
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
        false => Err(Failure::Faults(faults)),
    }
}

// === impl Failure ===

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}
