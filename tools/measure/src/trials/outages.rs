//! Nobody listens at the endpoint for a while.

use std::time::{Duration, Instant};

use super::report::Row;
use super::scrape::Scrape;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::{Setup, free_port};
use crate::trial::{OTHER_STREAM, STREAM, Trial, WORKERS};

const LINES: Lines = Lines::of(400);

pub(super) fn outage(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    const OUTAGE: Duration = Duration::from_secs(20);
    const LIMIT: Duration = Duration::from_secs(60);
    let mut trial = Trial::new(setup, output, "", LINES)?;
    trial.write(60_000)?;
    let configuration = trial.tail("input.log", "a")
        + "    mem_buf_limit 5M\n"
        + &trial.output(STREAM, "a", WORKERS);
    trial.service.go_down();
    trial.start(&configuration)?;
    trial.pause(OUTAGE)?;
    let up_again = Instant::now();
    trial.service.come_up()?;
    let drain = trial.drain(up_again, LIMIT)?;
    Ok(vec![Row::of(&trial, "outage", drain)])
}

/// What a newcomer writes, and an outage longer than a retry: who named nothing but the stream and
/// its region loses nothing, and keeps reading.
pub(super) fn shortest(setup: &Setup, output: Output) -> Result<Vec<Row>, Error> {
    const OUTAGE: Duration = Duration::from_secs(420);
    /// The host's pauses between retries have grown to minutes by the outage's end.
    const LIMIT: Duration = Duration::from_secs(900);
    /// A source that nothing may stop.
    const PER_SECOND: u64 = 20;
    const LEAST_PER_SECOND: f64 = 19.0;
    let mut trial = Trial::new(setup, output, "", LINES)?;
    trial.write(20_000)?;
    let port = free_port()?;
    let configuration = format!(
        "    http_server on\n    http_listen 127.0.0.1\n    http_port {port}\n{}\
         [INPUT]\n    name dummy\n    alias source\n    tag other\n    rate {PER_SECOND}\n{}{}",
        trial.tail("input.log", "a"),
        trial.section(STREAM, "a", None),
        trial.section(OTHER_STREAM, "other", None),
    );
    trial.service.go_down();
    trial.start_as_it_is(&configuration)?;
    let mut source = Scrape::new(port, "source");
    trial.until(OUTAGE, |_| {
        source.look();
        Ok(false)
    })?;
    let up_again = Instant::now();
    trial.service.come_up()?;
    let drain = trial.drain(up_again, LIMIT)?;
    let mut row = Row::of(&trial, "shortest", drain);
    let slowest = source.slowest;
    row.remarks.push(format!(
        "a source of {PER_SECOND} lines/s came to {slowest:.1} at the least"
    ));
    row.least("lines/s", slowest, LEAST_PER_SECOND);
    Ok(vec![row])
}
