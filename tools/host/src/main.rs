//! Feeds JSON lines to a Fluent Bit output plugin, as `--help` tells.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::mem;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use firehose_host::{EventFormat, FLB_OK, FLB_RETRY, HostVersion, Instance, Plugin, encode_line};
use lexopt::prelude::*;

const USAGE: &str = "\
Loads a Fluent Bit output plugin and feeds it JSON lines.

firehose-host [OPTION...] PLUGIN [KEY=VALUE...]

PLUGIN is its .so. The pairs are what the output's section says; of Fluent Bit's own settings
alias, log_level, workers and retry_limit have an effect.

  --input FILE        read the lines from a file (default: standard input)
  --time-key KEY      read an event's time from this key, in RFC 3339 (default: now)
  --chunk-size BYTES  flush a chunk once it is this large (default 2048000)

A line that is no JSON object becomes {\"log\": line}. Empty lines are skipped. The plugin's log goes
to stderr. Exit code: 0 when every chunk was delivered, 1 when not, 2 for a wrong command line.
";

/// Fluent Bit's own limit for a chunk, in bytes.
const DEFAULT_CHUNK_SIZE: usize = 2_048_000;
/// Chunks that wait for a worker; then the input waits.
const MAX_WAITING: usize = 16;
/// Far shorter than Fluent Bit's pause, as whoever runs this waits for its end.
const PAUSE_BEFORE_RETRY: Duration = Duration::from_millis(50);

struct Args {
    plugin: PathBuf,
    section: Vec<(String, String)>,
    /// None is standard input.
    input: Option<PathBuf>,
    time_key: Option<String>,
    chunk_size: usize,
}

fn main() -> ExitCode {
    let args = match parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("firehose-host: {error}; --help tells more");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firehose-host: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` asks for the usage.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut plugin = None;
    let mut section = Vec::new();
    let mut input = None;
    let mut time_key = None;
    let mut chunk_size = DEFAULT_CHUNK_SIZE;
    while let Some(argument) = parser.next()? {
        match argument {
            Value(path) if plugin.is_none() => plugin = Some(PathBuf::from(path)),
            Value(pair) => section.push(pair.parse_with(pair_of)?),
            Long("input") => input = Some(PathBuf::from(parser.value()?)),
            Long("time-key") => time_key = Some(parser.value()?.string()?),
            Long("chunk-size") => chunk_size = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(Args {
        plugin: plugin.ok_or("PLUGIN is missing: the plugin's .so")?,
        section,
        input,
        time_key,
        chunk_size,
    }))
}

fn pair_of(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    firehose_host::print_logs();
    let input = open(args)?;
    let plugin = Plugin::load(&args.plugin, HostVersion::V5_1)?;
    let instance = plugin.init(&args.section)?;
    let delivered = deliver(&instance, args, input);
    instance.exit();
    plugin.unregister()?;
    Ok(delivered?)
}

fn open(args: &Args) -> Result<Box<dyn BufRead>, String> {
    let Some(path) = &args.input else {
        return Ok(Box::new(BufReader::new(io::stdin())));
    };
    let file = File::open(path);
    let file = file.map_err(|error| format!("cannot open --input {}: {error}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Flushes all lines of the input, by as many workers as the output has.
fn deliver(instance: &Instance, args: &Args, input: Box<dyn BufRead>) -> Result<(), String> {
    let (sender, chunks) = mpsc::sync_channel::<Vec<u8>>(MAX_WAITING);
    let chunks = Mutex::new(chunks);
    let next = || {
        let chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.recv().ok()
    };
    let dropped = AtomicUsize::new(0);
    let work = || {
        while let Some(chunk) = next() {
            if !is_delivered(instance, &chunk) {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let read = thread::scope(|scope| {
        for number in 0..instance.settings().workers.max(1) {
            let worker = thread::Builder::new().name(format!("flb-out-w{number}"));
            worker.spawn_scoped(scope, work)?;
        }
        read(args, input, sender)
    });
    read.map_err(|error| format!("cannot read the input: {error}"))?;
    match dropped.into_inner() {
        0 => Ok(()),
        count => Err(format!("chunks that were not delivered: {count}")),
    }
}

/// Cuts the input into chunks. The workers end once the sender is gone.
fn read(args: &Args, input: Box<dyn BufRead>, chunks: SyncSender<Vec<u8>>) -> io::Result<()> {
    let send = |chunk| chunks.send(chunk).expect("the workers wait for chunks");
    let mut chunk = Vec::new();
    for line in input.split(b'\n') {
        let line = line?;
        if !line.is_empty() {
            encode_line(&mut chunk, EventFormat::V2, args.time_key.as_deref(), &line);
        }
        if chunk.len() >= args.chunk_size {
            send(mem::take(&mut chunk));
        }
    }
    if !chunk.is_empty() {
        send(chunk);
    }
    Ok(())
}

/// Flushes a chunk, again and again while the plugin asks for it and its `retry_limit` allows it.
fn is_delivered(instance: &Instance, chunk: &[u8]) -> bool {
    let mut retries_left = instance.settings().retry_limit;
    loop {
        match instance.flush(chunk, "app.log") {
            FLB_OK => return true,
            // Below 0 there is no limit.
            FLB_RETRY if retries_left != 0 => retries_left -= 1,
            _ => return false,
        }
        thread::sleep(PAUSE_BEFORE_RETRY);
    }
}
