//! Fluent Bit ends while much waits for a slow stream, and starts again on what it left on disk.

use std::time::{Duration, Instant};

use super::report::Row;
use super::state::State;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::{STREAM, Trial, WORKERS};

/// It dies in the middle, when so many of the lines have arrived.
const DEATHS: [f64; 3] = [0.25, 0.5, 0.75];

/// What waits when it is told to end.
const LINES: Lines = Lines::of(420);
const COUNT: u64 = 30_000;
/// It is told when so many lines have arrived, and all the others were read.
const ARRIVED: u64 = 2_000;
const LIMIT: Duration = Duration::from_secs(100);

/// What the end may take with all defaults: Fluent Bit's grace, and its second for all else.
const END_SECONDS: f64 = 5.0 + 1.0;

pub(super) fn kill(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for state in State::of(output) {
        rows.push(killed(setup, output, *state, FAST)?);
        rows.push(killed(setup, output, *state, THROTTLED)?);
    }
    Ok(rows)
}

/// Whatever is wrong with the directory, it costs no more than to have none.
pub(super) fn bad_state(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    let states = State::BAD.iter();
    states
        .map(|state| killed(setup, output, *state, FAST))
        .collect()
}

/// What it dies of, and how fast the stream is.
struct Deaths {
    story: &'static str,
    count: u64,
    scenario: &'static str,
    limit: Duration,
}

/// So slow that there is always something under way.
const FAST: &Deaths = &Deaths {
    story: "kill",
    count: 100_000,
    scenario: "[quota]\nbytes_per_second = 6000000\n",
    limit: Duration::from_secs(60),
};

/// It takes minutes.
const THROTTLED: &Deaths = &Deaths {
    story: "kill, throttled",
    count: 40_000,
    scenario: "[quota]\nbytes_per_second = 131072\n",
    limit: Duration::from_secs(240),
};

fn killed(setup: &Setup, output: Output, state: State, deaths: &Deaths) -> Result<Row, Error> {
    let mut trial = Trial::new(setup, output, deaths.scenario, Lines::of(400))?;
    trial.write(deaths.count)?;
    let configuration = on_disk(&trial) + &state.option(&trial);
    let started = Instant::now();
    let (mut killed, mut under_way) = (0, 0);
    let mut drain = None;
    trial.start(&configuration)?;
    for share in DEATHS {
        let count = (deaths.count as f64 * share) as u64;
        if !has_arrived(&mut trial, count, deaths.limit)? {
            break;
        }
        trial.kill();
        killed += 1;
        under_way += trial.accepted_now();
        state.damage(&trial)?;
        trial.start(&configuration)?;
    }
    match killed == DEATHS.len() {
        true => drain = trial.drain(started, deaths.limit)?,
        false => trial.kill(),
    }
    let mut row = Row::of(&trial, deaths.story, drain);
    // What was under way at its death may have been stored.
    row.may_double = match state {
        State::Kept => under_way,
        _ => u64::MAX,
    };
    row.remarks.extend(state.remark());
    row.remarks.push(format!(
        "killed {killed} times with {under_way} lines stored within 100 ms of it"
    ));
    Ok(row)
}

pub(super) fn stop(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    let states = State::of(output).iter();
    let rows = states.map(|state| restart(setup, output, *state));
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.push(patient(setup, output)?);
    rows.push(outage(setup, output)?);
    Ok(rows)
}

/// What is left is on disk, and comes with the next start.
fn restart(setup: &Setup, output: Output, state: State) -> Result<Row, Error> {
    const SCENARIO: &str = "[quota]\nbytes_per_second = 262144\n";
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    trial.write(COUNT)?;
    let configuration = on_disk(&trial) + &state.option(&trial);
    let started = Instant::now();
    trial.start(&configuration)?;
    until_arrived(&mut trial, ARRIVED, LIMIT)?;
    let told = Instant::now();
    trial.stop()?;
    let end = told.elapsed().as_secs_f64();
    trial.start(&configuration)?;
    let drain = trial.drain(started, LIMIT)?;
    let mut row = Row::of(&trial, "stop", drain);
    if state == State::None {
        // What was accepted of a chunk is forgotten with the process.
        row.may_double = u64::MAX;
    }
    row.remarks.extend(state.remark());
    tell_end(&mut row, end);
    row.target("end s", end, END_SECONDS);
    Ok(row)
}

/// What is left is in memory, and there is time to deliver it.
fn patient(setup: &Setup, output: Output) -> Result<Row, Error> {
    const SCENARIO: &str = "[quota]\nbytes_per_second = 524288\n";
    /// Three times as long as the stream takes for all of it.
    const PATIENCE: Duration = Duration::from_secs(75);
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    trial.write(COUNT)?;
    let mut section = trial.output(STREAM, "a", WORKERS);
    if output.is_of_this_project() {
        section += "    stop_timeout 300\n";
    }
    let tail = trial.tail("input.log", "a");
    let started = Instant::now();
    trial.start(&format!("    grace 300\n{tail}{section}"))?;
    until_arrived(&mut trial, ARRIVED, LIMIT)?;
    let told = Instant::now();
    let is_ended = trial.stops_within(PATIENCE)?;
    let end = told.elapsed().as_secs_f64();
    let drain = (trial.tally.missing == 0).then(|| started.elapsed());
    let mut row = Row::of(&trial, "stop, grace 300, memory only", drain);
    match is_ended {
        true => tell_end(&mut row, end),
        false => row.remarks.push(format!("killed {end:.0} s after SIGTERM")),
    }
    Ok(row)
}

/// The shortest section, and nobody listens: nothing can be saved, so the end comes soon.
fn outage(setup: &Setup, output: Output) -> Result<Row, Error> {
    const OUTAGE: Duration = Duration::from_secs(10);
    let mut trial = Trial::new(setup, output, "", LINES)?;
    // None is expected: all of them are on disk still.
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    let configuration =
        trial.on_disk() + &trial.tail_on_disk("a") + &trial.section(STREAM, "a", None);
    trial.service.go_down();
    trial.start_as_it_is(&configuration)?;
    trial.pause(OUTAGE)?;
    let told = Instant::now();
    trial.stop()?;
    let end = told.elapsed();
    let mut row = Row::of(&trial, "stop, nobody listens", Some(end));
    tell_end(&mut row, end.as_secs_f64());
    row.target("end s", end.as_secs_f64(), END_SECONDS);
    Ok(row)
}

fn on_disk(trial: &Trial<'_>) -> String {
    trial.on_disk() + &trial.tail_on_disk("a") + &trial.output(STREAM, "a", WORKERS)
}

fn has_arrived(trial: &mut Trial<'_>, count: u64, limit: Duration) -> Result<bool, Error> {
    let missing = trial.tally.expected() - count;
    trial.until(limit, |trial| Ok(trial.tally.missing <= missing))
}

fn until_arrived(trial: &mut Trial<'_>, count: u64, limit: Duration) -> Result<(), Error> {
    match has_arrived(trial, count, limit)? {
        true => Ok(()),
        false => Err(trial.failure(&format!("{count} lines did not arrive"))),
    }
}

fn tell_end(row: &mut Row, seconds: f64) {
    row.remarks
        .push(format!("ended {seconds:.1} s after SIGTERM"));
}
