//! Fluent Bit is told to end while much waits for a slow stream, and starts again later.

use std::time::{Duration, Instant};

use fluent_bit_run::Output;

use crate::lines::Lines;
use crate::report::Row;
use crate::trial::{Error, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(420);
const COUNT: u64 = 30_000;
const SCENARIO: &str = "[quota]\nbytes_per_second = 262144\n";
/// It is told to end when so many lines have arrived, and all the others were read.
const ARRIVED: u64 = 2_000;
const LIMIT: Duration = Duration::from_secs(100);

/// What the end may take: the flushes' time-out of this project's output, and Fluent Bit's grace.
const END_SECONDS: f64 = 30.0 + 5.0;

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let configuration = trial.on_disk()
        + &trial.tail_on_disk("input.log", "a")
        + &trial.output(STREAM, "a", WORKERS);
    let started = Instant::now();
    trial.start(&configuration)?;
    if !trial.until(LIMIT, |trial| Ok(trial.tally.missing() <= COUNT - ARRIVED))? {
        return Err(trial.failure(&format!("{ARRIVED} lines did not arrive")));
    }
    let told = Instant::now();
    trial.stop()?;
    let end = told.elapsed().as_secs_f64();
    trial.start(&configuration)?;
    let drain = trial.until_drained(LIMIT)?.then(|| started.elapsed());
    trial.end(drain)?;
    let mut row = Row::of(&trial, "stop", output, LINES.bytes(COUNT), drain);
    // What was accepted of a chunk is forgotten with the process.
    row.may_double = true;
    row.remarks.push(format!("ended {end:.1} s after SIGTERM"));
    row.target("end s", end, END_SECONDS);
    Ok(vec![row])
}
