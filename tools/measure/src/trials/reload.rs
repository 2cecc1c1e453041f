//! The configuration is loaded anew, again and again, while lines keep coming.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::report::Row;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::{STREAM, Trial};

const RELOADS: usize = 100;
/// Lines that come each time all is looked at, 40 times a second.
const AT_ONCE: u64 = 20;
const ASKED_AGAIN: Duration = Duration::from_secs(3);
const ASKED_AT_MOST: usize = 10;
const LIMIT: Duration = Duration::from_secs(60);
/// All that is made once is there by then, and threads that looked names up have ended.
const SETTLING: Duration = Duration::from_secs(15);

pub(super) fn run(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    Ok(vec![
        reload(setup, output, None)?,
        reload(setup, output, Some(3))?,
    ])
}

/// Without a number of workers the section is the shortest.
fn reload(setup: &Setup, output: Output, workers: Option<usize>) -> Result<Row, Error> {
    let mut trial = Trial::new(setup, output, "", Lines::of(400))?;
    let section = match workers {
        Some(workers) => trial.output(STREAM, "a", workers),
        None => trial.section(STREAM, "a", None),
    };
    let configuration =
        "    hot_reload on\n".to_owned() + &trial.on_disk() + &trial.tail_on_disk("a") + &section;
    trial.write(AT_ONCE)?;
    let started = Instant::now();
    trial.start(&configuration)?;
    fed_until(&mut trial, SETTLING, |_| Ok(false))?;
    let before = trial.sample()?;
    for reload in 1..=RELOADS {
        if !is_reloaded(&mut trial, reload)? {
            return Err(trial.failure(&format!("reload {reload} did not end")));
        }
    }
    fed_until(&mut trial, SETTLING, |_| Ok(false))?;
    trial.until_drained(LIMIT)?;
    let after = trial.sample()?;
    let drain = trial.drain(started, Duration::ZERO)?;
    let workers = workers.map_or("its own".to_owned(), |workers| workers.to_string());
    let story = format!("reload, workers: {workers}");
    let mut row = Row::of(&trial, &story, drain);
    // A reload ends what is under way after its grace.
    row.may_double = u64::MAX;
    row.remarks.push(format!(
        "{RELOADS} reloads: threads {} to {}, descriptors {} to {}, RSS {:.0} to {:.0} MB",
        before.threads,
        after.threads,
        before.descriptors,
        after.descriptors,
        before.rss_bytes as f64 / 1e6,
        after.rss_bytes as f64 / 1e6,
    ));
    row.target("threads", after.threads as f64, before.threads as f64);
    Ok(row)
}

/// Asks for a reload, and asks again: Fluent Bit refuses to while the last one is not quite over,
/// and tells nobody when it is.
fn is_reloaded(trial: &mut Trial<'_>, reload: usize) -> Result<bool, Error> {
    for _ in 0..ASKED_AT_MOST {
        trial.signal(Signal::HUP)?;
        if fed_until(trial, ASKED_AGAIN, |trial| Ok(trial.starts()? > reload))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn fed_until(
    trial: &mut Trial<'_>,
    at_most: Duration,
    mut condition: impl FnMut(&Trial<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    trial.until(at_most, |trial| {
        trial.write(AT_ONCE)?;
        condition(trial)
    })
}
