//! Compares outputs for Amazon Data Firehose inside the real Fluent Bit, as `--help` tells.
//!
//! The way of a run through the files:
//!
//! ```text
//! args -> lines -> run (endpoint) -> summary -> table, chart
//! ```

#![forbid(unsafe_code)]

mod args;
mod chart;
mod endpoint;
mod lines;
mod run;
mod summary;
mod table;

use std::fs;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;

use fluent_bit_run::{Failure, FluentBit, Output, find_plugin};

use crate::args::Args;
use crate::run::{Bench, Measurement};
use crate::summary::Round;

fn main() -> ExitCode {
    let args = args::parse(lexopt::Parser::from_env());
    fluent_bit_run::run("firehose-bench", args, args::USAGE, compare)
}

fn compare(args: &Args, interrupted: &AtomicBool) -> Result<(), Failure> {
    let fluent_bit = FluentBit::find(&args.fluent_bit).map_err(Failure::CannotStart)?;
    let plugin = find_plugin(&args.plugin).map_err(Failure::CannotStart)?;
    let fake_firehose = endpoint::program().map_err(Failure::CannotStart)?;

    let workdir = tempfile::tempdir()?;
    eprintln!("writing {} log lines", args.lines);
    let input_bytes = lines::write(&workdir.path().join(run::INPUT), args.lines)?;
    let bench = Bench {
        fluent_bit: &fluent_bit,
        plugin: &plugin,
        fake_firehose: &fake_firehose,
        workdir: workdir.path(),
        lines: args.lines,
        workers: args.workers,
        interrupted,
    };
    let (rounds, failed) = run_rounds(&bench, args.rounds)?;

    let rows = summary::rows(&rounds);
    let cores = thread::available_parallelism()?;
    let caption = format!(
        "{} JSON log lines ({:.0} MB), {} rounds, workers {}, TLS; {cores} cores, {}",
        args.lines,
        input_bytes as f64 / 1e6,
        args.rounds,
        args.workers,
        fluent_bit.version,
    );
    print!("{}", table::render(&rows));
    println!("\n{caption}");
    if let Some(path) = &args.svg {
        fs::write(path, chart::svg(&rows, &caption))?;
    }
    match failed {
        0 => Ok(()),
        count => Err(Failure::Failed(format!(
            "runs FAILED: {count}, as told above; the table is without them"
        ))),
    }
}

/// Every output once a round. Each round begins with another one, so that what changes on the
/// machine meanwhile, or what one run leaves behind for the next, falls on all alike.
fn run_rounds(bench: &Bench<'_>, rounds: usize) -> Result<(Vec<Round>, usize), Failure> {
    let mut finished = Vec::new();
    let mut failed = 0;
    for number in 0..rounds {
        let mut order = Output::ALL;
        order.rotate_left(number % Output::ALL.len());
        let mut round = Round::new();
        for output in order {
            eprint!("round {} of {rounds}: {:39} ", number + 1, output.name());
            match bench.run(output) {
                Ok(measurement) => {
                    eprintln!("{}", progress(&measurement));
                    round.insert(output, measurement);
                }
                Err(run::Error::Interrupted) => {
                    eprintln!();
                    return Err(Failure::Interrupted);
                }
                Err(run::Error::Failed(reason)) => {
                    eprintln!("FAILED\n{reason}");
                    failed += 1;
                }
            }
        }
        finished.push(round);
    }
    Ok((finished, failed))
}

fn progress(measurement: &Measurement) -> String {
    let Measurement { usage, sums } = measurement;
    format!(
        "CPU {:6.2} s, peak RSS {:4.0} MB, wall {:5.1} s, {} calls, {} records, {} documents",
        usage.cpu.as_secs_f64(),
        usage.peak_rss_bytes as f64 / 1e6,
        usage.wall.as_secs_f64(),
        sums.requests,
        sums.records,
        sums.documents,
    )
}
