//! Many tags with little each: a hundred files, each a tag of its own.

use std::fs::{self, File};
use std::time::Duration;

use fake_firehose::Stats;

use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::{STREAM, Trial};

const TAGS: u32 = 100;
const WORKERS: usize = 16;
const LATENCY: Duration = Duration::from_millis(20);
/// Two of these a second are the 1 KB of a tag.
const LINES: Lines = Lines::of(500);
const LINES_PER_TAG_AND_SECOND: u32 = 2;

/// For what is left when no more lines come.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Feeds the output for so long.
pub(super) fn run(setup: &Setup, output: Output, fed_for: Duration) -> Result<Stats, Error> {
    let mut trial = Trial::counted(setup, output, LATENCY, LINES)?;
    fs::create_dir(trial.path("logs"))?;
    let file = |tag| File::create(trial.path(format!("logs/{tag}.log")));
    let mut files: Vec<File> = (0..TAGS).map(file).collect::<Result<_, _>>()?;
    let configuration =
        trial.tail("logs/*.log", "file.*") + &trial.section(STREAM, "*", Some(WORKERS));
    trial.start_as_it_is(&configuration)?;
    let every = Duration::from_secs(1) / (TAGS * LINES_PER_TAG_AND_SECOND);
    let written = trial.feed(&mut files, |number| LINES.line(number), every, fed_for)?;
    trial.until_stored(written.len() as u64, DRAIN_LIMIT)?;
    Ok(trial.service.stats())
}
