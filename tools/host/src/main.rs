//! Feeds JSON lines to a Fluent Bit output plugin, as `--help` tells.

#![forbid(unsafe_code)]

mod args;
mod feed;

use std::fs;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use firehose_host::{ChunkBuilder, Engine, Instance, Plugin, Totals};
use serde::Serialize;

use crate::args::Args;
use crate::feed::{Feed, Lines};

const PROGRESS_EVERY: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Summary {
    chunks: usize,
    events: usize,
    bytes: usize,
    ok: usize,
    retried: usize,
    failed: usize,
    dropped: usize,
    seconds: f64,
    peak_rss_bytes: u64,
}

fn main() -> ExitCode {
    let args = match args::parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("firehose-host: {error}; --help tells more");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(totals) if totals.ok == totals.chunks => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("firehose-host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<Totals, String> {
    let started = Instant::now();
    firehose_host::print_logs();
    let lines = feed::open(&args.source)?;
    let plugin =
        Plugin::load(&args.plugin, args.host_version).map_err(|error| error.to_string())?;
    let settings = args.settings(&plugin.name())?;
    let properties: Vec<(&str, &str)> = settings
        .properties
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let instance = plugin
        .init(&properties, settings.instance)
        .map_err(|error| error.to_string())?;
    let set = instance.settings();
    let engine = Arc::new(Engine::new(args.engine(set)));

    let fed = deliver(&engine, &instance, args, args.workers(set), lines);

    instance.exit();
    plugin.unregister().map_err(|error| error.to_string())?;
    let totals = engine.totals();
    print_summary(totals, started.elapsed())?;
    fed.map(|()| totals)
}

/// Feeds all lines to the engine and runs its workers until every chunk is settled.
fn deliver(
    engine: &Arc<Engine>,
    instance: &Instance,
    args: &Args,
    workers: usize,
    lines: Lines,
) -> Result<(), String> {
    let work = || {
        engine.work(|chunk| instance.flush_on_coroutine(&chunk.data, &args.tag, args.stack_size));
    };
    thread::scope(|scope| {
        let fed = thread_names(instance.name(), workers)
            .into_iter()
            .try_for_each(|name| {
                let worker = thread::Builder::new().name(name);
                worker.spawn_scoped(scope, work).map(drop)
            })
            .map_err(|error| format!("cannot start a worker: {error}"))
            .and_then(|()| feed_all(engine, args, lines));
        engine.close();
        while !engine.wait_until_drained(PROGRESS_EVERY) {
            print_progress(engine);
        }
        fed
    })
}

/// Returns when the input has ended or a signal came, with all that was read pushed.
fn feed_all(engine: &Arc<Engine>, args: &Args, lines: Lines) -> Result<(), String> {
    let builder = ChunkBuilder::new(args.event_format, args.chunk_size, args.time_key.clone());
    let feed = Feed::start(Arc::clone(engine), builder, lines)
        .map_err(|error| format!("cannot start the input: {error}"))?;
    loop {
        match feed.wait(PROGRESS_EVERY) {
            Ok(end) => {
                feed.finish();
                return end.map_err(|error| format!("cannot read the input: {error}"));
            }
            Err(RecvTimeoutError::Timeout) => print_progress(engine),
            Err(RecvTimeoutError::Disconnected) => return Err("the input's thread died".to_owned()),
        }
    }
}

/// Fluent Bit's own names; the kernel keeps the first 15 bytes of them.
fn thread_names(instance: &str, workers: usize) -> Vec<String> {
    if workers == 0 {
        return vec!["flb-pipeline".to_owned()];
    }
    (0..workers)
        .map(|worker| format!("flb-out-{instance}-w{worker}"))
        .collect()
}

fn print_progress(engine: &Engine) {
    if io::stderr().is_terminal() {
        let totals = engine.totals();
        eprintln!(
            "firehose-host: {} chunks, {} events, {:.1} MB read; {} chunks delivered, {} flushes retried",
            totals.chunks,
            totals.events,
            totals.bytes as f64 / 1e6,
            totals.ok,
            totals.retried,
        );
    }
}

fn print_summary(totals: Totals, elapsed: Duration) -> Result<(), String> {
    let summary = Summary {
        chunks: totals.chunks,
        events: totals.events,
        bytes: totals.bytes,
        ok: totals.ok,
        retried: totals.retried,
        failed: totals.failed,
        dropped: totals.dropped,
        seconds: elapsed.as_secs_f64(),
        peak_rss_bytes: peak_rss_bytes()
            .ok_or("cannot read this process's peak memory, VmHWM, from /proc/self/status")?,
    };
    let line = serde_json::to_string(&summary).map_err(|error| error.to_string())?;
    println!("{line}");
    Ok(())
}

fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
