//! Firehose refuses what is above its quota, or a part of each call.

use std::time::{Duration, Instant};

use super::MIB;
use super::report::Row;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::{OTHER_STREAM, STREAM, Trial, WORKERS};

/// As a stream does that is throttled.
pub(super) fn refusals(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    const SCENARIO: &str = "[[step]]\nrepeat = 300\nrefuse_share = 0.3\n";
    const LIMIT: Duration = Duration::from_secs(200);
    let mut trial = Trial::new(setup, output, SCENARIO, Lines::of(400))?;
    trial.write(100_000)?;
    let started = Instant::now();
    trial.start(&(trial.tail("input.log", "a") + &trial.output(STREAM, "a", WORKERS)))?;
    let drain = trial.drain(started, LIMIT)?;
    Ok(vec![Row::of(&trial, "refusals", drain)])
}

/// A backlog many times what the stream takes in a second, with little memory to hold it.
pub(super) fn backlog(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    const LINES: Lines = Lines::of(420);
    const COUNT: u64 = 60_000;
    const SCENARIO: &str = "[quota]\nbytes_per_second = 1048576\n";
    /// What the figures may be, at most: the drain as a multiple of the quota's own time.
    const DRAIN: f64 = 1.25;
    const SENT_OVER_RAW: f64 = 1.25;
    const PEAK_RSS_MB: f64 = 100.0;
    /// The drain that is not waited for any more.
    const GIVEN_UP: f64 = 3.0;
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    trial.write(COUNT)?;
    let own_time = LINES.bytes(COUNT) as f64 / MIB as f64;
    let limit = Duration::from_secs_f64(own_time * GIVEN_UP);
    let started = Instant::now();
    trial.start(&stream(&trial, "input.log", STREAM))?;
    let drain = trial.drain(started, limit)?;
    let mut row = Row::of(&trial, "backlog", drain);
    let seconds = drain.unwrap_or(limit).as_secs_f64();
    row.target("drain s", seconds, own_time * DRAIN);
    row.target("payload", row.sent_over_raw, SENT_OVER_RAW);
    row.target("RSS MB", row.peak_rss_bytes as f64 / 1e6, PEAK_RSS_MB);
    Ok(vec![row])
}

/// Two streams in one process, of which one is throttled.
pub(super) fn fairness(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    /// What the healthy stream's drain may be beside the other: a multiple of its drain alone,
    /// and one interval of the flush more.
    const DRAIN: f64 = 1.25;
    let alone = healthy(setup, output, "fairness: healthy stream alone", false)?;
    let mut beside = healthy(setup, output, "fairness: beside a throttled one", true)?;
    if let (Some(alone), Some(drain)) = (alone.drain, beside.drain) {
        let target = alone.mul_f64(DRAIN) + FLUSH;
        beside.target("drain s", drain.as_secs_f64(), target.as_secs_f64());
    }
    Ok(vec![alone, beside])
}

const FLUSH: Duration = Duration::from_secs(1);

/// The row of the healthy stream; the throttled one is left as it is then.
fn healthy(
    setup: &Setup,
    output: Output,
    story: &str,
    beside_throttled: bool,
) -> Result<Row, Error> {
    const LINES: Lines = Lines::of(420);
    const COUNT: u64 = 60_000;
    const SCENARIO: &str = "[quota.other]\nbytes_per_second = 262144\n";
    const LIMIT: Duration = Duration::from_secs(60);
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    trial.write(COUNT)?;
    let mut configuration = stream(&trial, "input.log", STREAM);
    if beside_throttled {
        LINES.append(&trial.path("other.log"), 0..COUNT)?;
        configuration = stream(&trial, "other.log", OTHER_STREAM) + &configuration;
    }
    let started = Instant::now();
    trial.start(&configuration)?;
    let drain = trial.until_drained(LIMIT)?.then(|| started.elapsed());
    // What still comes twice comes in the next seconds.
    trial.pause(FLUSH)?;
    trial.kill();
    Ok(Row::of(&trial, story, drain))
}

/// Reads a file to a stream, with little memory.
fn stream(trial: &Trial<'_>, file: &str, stream: &str) -> String {
    let output = trial.output(stream, stream, WORKERS);
    trial.tail(file, stream) + "    mem_buf_limit 5M\n" + &output
}
