//! Compares outputs for Amazon Data Firehose inside the real Fluent Bit, as `--help` tells.
//!
//! The way of a measurement through the files:
//!
//! ```text
//! args -> parts -> throughput, tags, sidecar, init, idle -> summary -> targets -> table, charts
//!                  (setup, host, endpoint, lines, feed)                           (svg)
//! ```

mod args;
mod cpu_chart;
mod endpoint;
mod feed;
mod host;
mod idle;
mod init;
mod lines;
mod parts;
#[cfg(test)]
mod read_picture;
mod setup;
mod sidecar;
mod summary;
mod table;
mod tags;
mod target_chart;
mod targets;
mod throughput;

use std::fs;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;

use crate::run::{Failure, find_plugin};

use crate::bench::args::{Args, Part};
use crate::bench::host::Host;
use crate::bench::parts::Parts;
use crate::bench::setup::Setup;
use crate::bench::summary::Row;

pub(crate) fn main(arguments: lexopt::Parser) -> ExitCode {
    let args = args::parse(arguments);
    crate::run::run("firehose-measure", args, args::USAGE, compare)
}

fn compare(args: &Args, interrupted: &AtomicBool) -> Result<(), Failure> {
    let host = Host::find(args.fluent_bit.as_deref()).map_err(Failure::CannotStart)?;
    let plugin = find_plugin(&args.plugin).map_err(Failure::CannotStart)?;
    let fake_firehose = setup::program(endpoint::PROGRAM).map_err(Failure::CannotStart)?;
    if let Some(directory) = args.svg.as_deref().filter(|path| !path.is_dir()) {
        let shown = directory.display();
        let sentence = format!("--svg {shown}: there is no such directory");
        return Err(Failure::CannotStart(sentence));
    }
    if let Host::Small(_) = host {
        eprintln!(
            "There is no Fluent Bit on PATH: {} takes its place. Without null and the C plugin \
             nothing is compared with them, and without a flush timer tags and sidecar are left out.",
            host.name()
        );
    }

    let workdir = tempfile::tempdir()?;
    let input = workdir.path().join("input.log");
    let mut input_bytes = 0;
    if args.has(Part::Throughput) || args.has(Part::Drain) {
        eprintln!("writing {} log lines", args.lines);
        input_bytes = lines::write(&input, args.lines)?;
    }
    let setup = Setup {
        host: &host,
        plugin: &plugin,
        fake_firehose: &fake_firehose,
        workdir: workdir.path(),
        interrupted,
    };
    let mut parts = Parts::new(args, &setup, &input);
    let measured = parts.run()?;

    let cores = thread::available_parallelism()?;
    let caption = format!(
        "{} JSON log lines ({:.0} MB), rounds {}, workers {}, TLS; {cores} cores, TCP {}, {}",
        args.lines,
        input_bytes as f64 / 1e6,
        args.rounds,
        args.workers,
        congestion_control(),
        host.name(),
    );
    let outputs = host.outputs().iter();
    let rows: Vec<Row> = outputs
        .map(|&output| summary::row(output, &measured.throughput))
        .collect();
    let targets = targets::targets(&args.parts, &measured, input_bytes);
    if args.has(Part::Throughput) {
        println!("{}", table::outputs(&rows));
    }
    print!("{}", table::targets(&targets));
    if input_bytes > 0 {
        println!("\n{caption}");
    }
    if let (Some(directory), Host::FluentBit(_)) = (&args.svg, &host)
        && args.parts == Part::ALL
    {
        fs::write(directory.join("bench.svg"), cpu_chart::svg(&rows, &caption))?;
        fs::write(
            directory.join("targets.svg"),
            target_chart::svg(&targets, &caption),
        )?;
    }
    match parts.failed {
        0 => Ok(()),
        count => Err(Failure::Failed(format!(
            "runs FAILED: {count}, as told above; the tables are without them"
        ))),
    }
}

/// How the kernel paces what is sent, which the sender pays: bbr's timers cost this plugin a tenth
/// of its threads' time, and the core plugin less.
fn congestion_control() -> String {
    let name = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    name.map_or_else(|_| "unknown".into(), |name| name.trim().into())
}
