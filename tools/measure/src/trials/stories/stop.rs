//! Fluent Bit is told to end while much waits for a slow stream, and starts again later.

use std::time::{Duration, Instant};

use crate::run::Output;

use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::trial::{Error, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(420);
const COUNT: u64 = 30_000;
const SCENARIO: &str = "[quota]\nbytes_per_second = 262144\n";
/// It is told to end when so many lines have arrived, and all the others were read.
const ARRIVED: u64 = 2_000;
const LIMIT: Duration = Duration::from_secs(100);
const OUTAGE: Duration = Duration::from_secs(10);
/// Three times as long as the stream takes for all of it.
const PATIENCE: Duration = Duration::from_secs(75);

/// What the end may take with all defaults: Fluent Bit's grace, and its second for all else.
const END_SECONDS: f64 = 5.0 + 1.0;

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    Ok(vec![
        stop(setup, output)?,
        patient(setup, output)?,
        outage(setup, output)?,
    ])
}

/// What is left is on disk, and comes with the next start.
fn stop(setup: &Setup<'_>, output: Output) -> Result<Row, Error> {
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
    tell_end(&mut row, end);
    row.target("end s", end, END_SECONDS);
    Ok(row)
}

/// What is left is in memory, and there is time to deliver it.
fn patient(setup: &Setup<'_>, output: Output) -> Result<Row, Error> {
    const SCENARIO: &str = "[quota]\nbytes_per_second = 524288\n";
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let mut section = trial.output(STREAM, "a", WORKERS);
    if output.is_of_this_project() {
        section += "    stop_timeout 300\n";
    }
    let configuration = "    grace 300\n".to_owned() + &trial.tail("input.log", "a") + &section;
    let started = Instant::now();
    trial.start(&configuration)?;
    if !trial.until(LIMIT, |trial| Ok(trial.tally.missing() <= COUNT - ARRIVED))? {
        return Err(trial.failure(&format!("{ARRIVED} lines did not arrive")));
    }
    let told = Instant::now();
    let is_ended = trial.stops_within(PATIENCE)?;
    let end = told.elapsed().as_secs_f64();
    let drain = (trial.tally.missing() == 0).then(|| started.elapsed());
    let story = "stop, grace 300, memory only";
    let mut row = Row::of(&trial, story, output, LINES.bytes(COUNT), drain);
    match is_ended {
        true => tell_end(&mut row, end),
        false => row.remarks.push(format!("killed {end:.0} s after SIGTERM")),
    }
    Ok(row)
}

/// The shortest section, and nobody listens: nothing can be saved, so the end comes soon.
fn outage(setup: &Setup<'_>, output: Output) -> Result<Row, Error> {
    let mut trial = Trial::new(setup, output, "", LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    let configuration = trial.on_disk()
        + &trial.tail_on_disk("input.log", "a")
        + &trial.shortest_output(STREAM, "a");
    trial.service.go_down();
    trial.start_as_it_is(&configuration)?;
    trial.until(OUTAGE, |_| Ok(false))?;
    let told = Instant::now();
    trial.stop()?;
    let end = told.elapsed();
    // All of it is on disk still.
    let mut row = Row::of(&trial, "stop, nobody listens", output, 1, Some(end));
    tell_end(&mut row, end.as_secs_f64());
    row.target("end s", end.as_secs_f64(), END_SECONDS);
    Ok(row)
}

fn tell_end(row: &mut Row, seconds: f64) {
    row.remarks
        .push(format!("ended {seconds:.1} s after SIGTERM"));
}
