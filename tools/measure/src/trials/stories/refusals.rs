//! Firehose refuses a part of many calls, as it does when a stream is throttled.

use std::time::{Duration, Instant};

use crate::run::Output;

use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::trial::{Error, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(400);
const COUNT: u64 = 100_000;
const SCENARIO: &str = "[[step]]\nrepeat = 300\nrefuse_share = 0.3\n";
const LIMIT: Duration = Duration::from_secs(200);

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let configuration = trial.tail("input.log", "a") + &trial.output(STREAM, "a", WORKERS);
    let started = Instant::now();
    trial.start(&configuration)?;
    let drain = trial.until_drained(LIMIT)?.then(|| started.elapsed());
    trial.end(drain)?;
    let row = Row::of(&trial, "refusals", output, LINES.bytes(COUNT), drain);
    Ok(vec![row])
}
