//! Fluent Bit dies in the middle, and starts again on what it left on disk.

use std::time::{Duration, Instant};

use crate::run::Output;

use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::trial::{Error, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(400);
const COUNT: u64 = 100_000;
/// So slow that there is always something under way.
const SCENARIO: &str = "[quota]\nbytes_per_second = 6000000\n";
const LIMIT: Duration = Duration::from_secs(60);

/// It dies when so many of the lines have arrived.
const DEATHS: [f64; 3] = [0.25, 0.5, 0.75];

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let configuration = trial.on_disk()
        + &trial.tail_on_disk("input.log", "a")
        + &trial.output(STREAM, "a", WORKERS);
    let started = Instant::now();
    for share in DEATHS {
        trial.start(&configuration)?;
        let still_missing = (COUNT as f64 * (1.0 - share)) as u64;
        if !trial.until(LIMIT, |trial| Ok(trial.tally.missing() <= still_missing))? {
            return Err(trial.failure(&format!("{share} of the lines did not arrive")));
        }
        trial.kill();
    }
    trial.start(&configuration)?;
    let drain = trial.until_drained(LIMIT)?.then(|| started.elapsed());
    trial.end(drain)?;
    let mut row = Row::of(&trial, "kill", output, LINES.bytes(COUNT), drain);
    // What was under way at its death may have been stored.
    row.may_double = true;
    row.remarks.push(format!("killed {} times", DEATHS.len()));
    Ok(vec![row])
}
