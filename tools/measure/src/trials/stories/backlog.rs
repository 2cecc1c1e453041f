//! A backlog many times what the stream takes in a second, with little memory to hold it.

use std::time::Instant;

use crate::run::Output;

use super::{MIB, seconds};
use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::trial::{Error, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(420);
const COUNT: u64 = 60_000;
const SCENARIO: &str = "[quota]\nbytes_per_second = 1048576\n";

/// What the figures may be, at most: the drain as a multiple of the quota's own time.
const DRAIN: f64 = 1.25;
const SENT_OVER_RAW: f64 = 1.25;
const PEAK_RSS_MB: f64 = 100.0;
/// The drain that is not waited for any more.
const GIVEN_UP: f64 = 3.0;

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let configuration = trial.tail("input.log", "a")
        + "    mem_buf_limit 5M\n"
        + &trial.output(STREAM, "a", WORKERS);
    let own_time = LINES.bytes(COUNT) as f64 / MIB as f64;
    let started = Instant::now();
    trial.start(&configuration)?;
    let is_drained = trial.until_drained(seconds(own_time * GIVEN_UP))?;
    let elapsed = started.elapsed();
    let drain = is_drained.then_some(elapsed);
    trial.end(drain)?;
    let mut row = Row::of(&trial, "backlog", output, LINES.bytes(COUNT), drain);
    row.target("drain s", elapsed.as_secs_f64(), own_time * DRAIN);
    row.target("payload", row.sent_over_raw, SENT_OVER_RAW);
    row.target("RSS MB", row.peak_rss_bytes as f64 / 1e6, PEAK_RSS_MB);
    Ok(vec![row])
}
