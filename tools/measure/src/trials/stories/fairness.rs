//! Two streams in one process, of which one is throttled.

use std::time::{Duration, Instant};

use crate::run::Output;

use super::seconds;
use crate::trials::lines::Lines;
use crate::trials::report::Row;
use crate::trials::trial::{Error, OTHER_STREAM, STREAM, Setup, Trial, WORKERS};

const LINES: Lines = Lines::of(420);
const COUNT: u64 = 60_000;
const SCENARIO: &str = "[quota.other]\nbytes_per_second = 262144\n";
const LIMIT: Duration = Duration::from_secs(60);

/// What the healthy stream's drain may be beside the other: a multiple of its drain alone, and
/// one interval of the flush more.
const DRAIN: f64 = 1.25;
const FLUSH_SECONDS: f64 = 1.0;

pub(super) fn run(setup: &Setup<'_>, output: Output) -> Result<Vec<Row>, Error> {
    let alone = healthy(setup, output, "healthy stream alone", false)?;
    let mut beside = healthy(setup, output, "beside a throttled one", true)?;
    if let (Some(alone), Some(drain)) = (alone.drain, beside.drain) {
        let target = alone.as_secs_f64() * DRAIN + FLUSH_SECONDS;
        beside.target("drain s", drain.as_secs_f64(), target);
    }
    Ok(vec![alone, beside])
}

/// The row of the healthy stream; the throttled one is left as it is then.
fn healthy(
    setup: &Setup<'_>,
    output: Output,
    story: &str,
    beside_throttled: bool,
) -> Result<Row, Error> {
    let mut trial = Trial::new(setup, output, SCENARIO, LINES)?;
    let section = |trial: &Trial<'_>, stream| {
        let tail = trial.tail(&format!("{stream}.log"), stream);
        tail + "    mem_buf_limit 5M\n" + &trial.output(stream, stream, WORKERS)
    };
    LINES.append(&trial.path("logs.log"), 0..COUNT)?;
    trial.tally.expect(COUNT);
    let mut configuration = section(&trial, STREAM);
    if beside_throttled {
        LINES.append(&trial.path("other.log"), 0..COUNT)?;
        configuration = section(&trial, OTHER_STREAM) + &configuration;
    }
    let started = Instant::now();
    trial.start(&configuration)?;
    let drain = trial.until_drained(LIMIT)?.then(|| started.elapsed());
    // What still comes twice comes in the next seconds.
    trial.until(seconds(FLUSH_SECONDS), |_| Ok(false))?;
    trial.kill();
    let story = format!("fairness: {story}");
    Ok(Row::of(&trial, &story, output, LINES.bytes(COUNT), drain))
}
