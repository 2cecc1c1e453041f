//! What a newcomer writes, and an outage longer than a retry: who named nothing but the stream and
//! its region loses nothing, and keeps reading.

use std::time::{Duration, Instant};

use crate::run::Output;

use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::scrape::{self, Scrape};
use crate::trials::trial::{Error, OTHER_STREAM, STREAM, Setup, Trial};

const LINES: Lines = Lines::of(400);
const COUNT: u64 = 20_000;
const OUTAGE: Duration = Duration::from_secs(420);
/// The host's pauses between retries have grown to minutes by the outage's end.
const LIMIT: Duration = Duration::from_secs(900);

/// A source that nothing may stop.
const PER_SECOND: u64 = 20;
const LEAST_PER_SECOND: f64 = 19.0;
/// The rate is that of so long.
const WINDOW: Duration = Duration::from_secs(30);

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let mut trial = Trial::new(setup, output, "", LINES)?;
    LINES.append(&trial.path("input.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let port = scrape::free_port()?;
    let configuration = format!(
        "    http_server on\n    http_listen 127.0.0.1\n    http_port {port}\n{}\
         [INPUT]\n    name dummy\n    alias source\n    tag other\n    rate {PER_SECOND}\n{}{}",
        trial.tail("input.log", "a"),
        trial.shortest_output(STREAM, "a"),
        trial.shortest_output(OTHER_STREAM, "other"),
    );
    trial.service.go_down();
    trial.start_as_it_is(&configuration)?;
    let mut source = Scrape::new(port, "source", WINDOW);
    trial.until(OUTAGE, |_| {
        source.look();
        Ok(false)
    })?;
    let up_again = Instant::now();
    trial.come_up()?;
    let drain = trial.until_drained(LIMIT)?.then(|| up_again.elapsed());
    trial.end(drain)?;
    let mut row = Row::of(&trial, "shortest", output, LINES.bytes(COUNT), drain);
    let slowest = source.slowest();
    row.remarks.push(format!(
        "a source of {PER_SECOND} lines/s came to {slowest:.1} at the least"
    ));
    row.least("lines/s", slowest, LEAST_PER_SECOND);
    Ok(vec![row])
}
