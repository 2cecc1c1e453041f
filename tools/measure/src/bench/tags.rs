//! Many tags with little each: a hundred files, each a tag of its own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::run::{Files, Output};

use crate::bench::endpoint::{Keep, Sums};
use crate::bench::feed::Feed;
use crate::bench::host::{Input, Job};
use crate::bench::setup::{Error, Setup, still_runs};

const TAGS: u32 = 100;
const WORKERS: usize = 16;
const LATENCY: Duration = Duration::from_millis(20);
/// Two of these a second are the 1 KB of a tag.
const LINE_BYTES: usize = 500;
const LINES_PER_TAG_AND_SECOND: u32 = 2;

/// For what is left when no more lines come.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Feeds the output for so long.
pub(crate) fn run(setup: &Setup<'_>, output: Output, fed_for: Duration) -> Result<Sums, Error> {
    let directory = setup.directory("tags")?;
    let endpoint = setup.endpoint(&directory, LATENCY, Keep::Counts)?;
    // Apart from the host's own log.
    let logs = directory.join("logs");
    fs::create_dir(&logs)?;
    let paths: Vec<PathBuf> = (0..TAGS)
        .map(|tag| logs.join(format!("{tag}.log")))
        .collect();
    let every = Duration::from_secs(1) / (TAGS * LINES_PER_TAG_AND_SECOND);
    let feed = Feed::lasting(paths, LINE_BYTES, every, fed_for);
    let mut opened = feed.create()?;
    let files = Files::new(&directory);
    let job = Job {
        output,
        target: Some(&endpoint.target),
        workers: Some(WORKERS),
        flush: 1,
        input: Input::Growing(&logs.join("*.log")),
    };
    let mut process = setup.host.start(&files, setup.plugin, &job)?;
    feed.write(&mut opened, setup, || still_runs(&mut process, &files))?;
    setup.until_arrived(&mut process, &files, &endpoint, feed.count, DRAIN_LIMIT)?;
    Ok(endpoint.stats()?.sums)
}
