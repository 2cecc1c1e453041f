//! Several processes deliver to one stream, and each knows nothing of the others.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::MIB;
use super::report::Row;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::{SOON, STREAM, Trial, WORKERS};

const LINES: Lines = Lines::of(400);
const PROCESSES: u64 = 4;
const COUNT_OF_EACH: u64 = 15_000;
const COUNT: u64 = PROCESSES * COUNT_OF_EACH;
/// What the stream takes at once after a rest.
const BURST_SECONDS: f64 = 1.0;
const LIMIT: Duration = Duration::from_secs(120);

/// From the first process's start until all is stored, at most: a multiple of the quota's own time.
const TIME: f64 = 1.3;
/// When all of one process's lines are stored for the first time, at least: a part of that time.
const FIRST_OVER_LAST: f64 = 0.6;
/// At most. What is accepted is the raw bytes, unless lines come twice.
const SENT_OVER_RAW: f64 = 1.25;

/// AWS does not say whether what a stream refuses uses its quota up.
pub(super) fn run(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    Ok(vec![
        fleet(setup, output, "fleet, refusals are free", false)?,
        fleet(setup, output, "fleet, refusals count", true)?,
    ])
}

fn fleet(setup: &Setup, output: Output, story: &str, counts_refused: bool) -> Result<Row, Error> {
    let scenario = format!(
        "[quota]\nbytes_per_second = {MIB}\nburst_seconds = {BURST_SECONDS:?}\n\
         counts_refused = {counts_refused}\n"
    );
    let mut trial = Trial::new(setup, output, &scenario, LINES)?;
    trial.tally.expect(COUNT);
    for process in 0..PROCESSES {
        LINES.append(&trial.path(input(process)), share(process))?;
    }
    let started = Instant::now();
    for process in 0..PROCESSES {
        let configuration = trial.tail(input(process), "a") + &trial.output(STREAM, "a", WORKERS);
        trial.start_beside(
            &format!("process-{process}"),
            &format!("{SOON}{configuration}"),
        )?;
    }
    let mut first = None;
    trial.until(LIMIT, |trial| {
        if first.is_none() && (0..PROCESSES).any(|process| trial.tally.has(share(process))) {
            first = Some(started.elapsed());
        }
        Ok(trial.tally.missing == 0)
    })?;
    let drain = trial.drain(started, Duration::ZERO)?;
    let mut row = Row::of(&trial, story, drain);
    if let (Some(first), Some(last)) = (first, drain) {
        // A burst is there at once, and all else comes at the stream's rate.
        let own_time = LINES.bytes(COUNT) as f64 / MIB as f64 - BURST_SECONDS;
        let time = last.as_secs_f64() / own_time;
        let first_over_last = first.div_duration_f64(last);
        let remark = format!("time / quota's own {time:.2}, first / last {first_over_last:.2}");
        row.remarks.push(remark);
        row.target("time", time, TIME);
        row.least("first / last", first_over_last, FIRST_OVER_LAST);
    }
    row.target("payload", row.sent_over_raw, SENT_OVER_RAW);
    Ok(row)
}

fn input(process: u64) -> String {
    format!("input-{process}.log")
}

/// The lines that this process reads.
fn share(process: u64) -> Range<u64> {
    process * COUNT_OF_EACH..(process + 1) * COUNT_OF_EACH
}
