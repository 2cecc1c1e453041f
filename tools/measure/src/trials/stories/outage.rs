//! Nobody listens at the endpoint for a while.

use std::time::{Duration, Instant};

use crate::run::Output;

use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::trial::{Error, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(400);
const COUNT: u64 = 60_000;
const OUTAGE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let mut trial = Trial::new(setup, output, "", LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let configuration = trial.tail("input.log", "a")
        + "    mem_buf_limit 5M\n"
        + &trial.output(STREAM, "a", WORKERS);
    trial.service.go_down();
    trial.start(&configuration)?;
    trial.until(OUTAGE, |_| Ok(false))?;
    let up_again = Instant::now();
    trial.come_up()?;
    let drain = trial.until_drained(LIMIT)?.then(|| up_again.elapsed());
    trial.end(drain)?;
    let row = Row::of(&trial, "outage", output, LINES.bytes(COUNT), drain);
    Ok(vec![row])
}
