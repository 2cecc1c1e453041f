//! The stories: each a fault, told to both plugins in the same way.

mod fleet;
mod outages;
mod reload;
mod report;
mod restarts;
mod scrape;
mod soak;
mod state;
mod throttled;

use std::thread;

use self::report::Row;
use crate::args::Trials;
use crate::error::Error;
use crate::output::Output;
use crate::setup::{Setup, at_once};

pub(crate) use self::soak::run as soak;

pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// What happens, for the reader of the table.
    pub(crate) tells: &'static str,
    outputs: &'static [Output],
    /// Its trials wait more than they work, so they run beside each other.
    waits: bool,
    run: fn(&Setup, Output) -> Result<Vec<Row>, Error>,
}

/// The core plugin, and this project's plain and aggregated.
const ALL: &[Output] = &[Output::Core, Output::Firehose, Output::FirehoseAggregated];
const PLAIN: &[Output] = &[Output::Core, Output::Firehose];

pub(crate) const STORIES: [Story; 10] = [
    Story {
        name: "shortest",
        tells: "the shortest section, memory only: nobody listens for 7 minutes, then all is well",
        outputs: PLAIN,
        waits: true,
        run: outages::shortest,
    },
    Story {
        name: "refusals",
        tells: "30 % of the records of the first 300 calls are refused",
        outputs: ALL,
        waits: true,
        run: throttled::refusals,
    },
    Story {
        name: "backlog",
        tells: "24 MiB wait for a stream that takes 1 MiB/s, with mem_buf_limit 5M",
        outputs: ALL,
        waits: true,
        run: throttled::backlog,
    },
    Story {
        name: "fleet",
        tells: "4 processes deliver 23 MiB to one stream that takes 1 MiB/s, where refusals are free \
                and where they count",
        outputs: ALL,
        waits: true,
        run: fleet::run,
    },
    Story {
        name: "fairness",
        tells: "a healthy stream, alone and beside one that takes 0.25 MiB/s",
        outputs: PLAIN,
        waits: false,
        run: throttled::fairness,
    },
    Story {
        name: "kill",
        tells: "kill -9 and a new start, three times, with filesystem storage and tail's database; \
                the same while the stream throttles for minutes",
        outputs: PLAIN,
        waits: true,
        run: restarts::kill,
    },
    Story {
        name: "state",
        tells: "kill -9 three times as before, with a state_path that is full, read-only, cut, or of \
                another version",
        outputs: &[Output::Firehose],
        waits: true,
        run: restarts::bad_state,
    },
    Story {
        name: "stop",
        tells: "SIGTERM while 12 MB wait for a slow stream, then a new start; with a long grace; \
                and while nobody listens",
        outputs: PLAIN,
        waits: true,
        run: restarts::stop,
    },
    Story {
        name: "reload",
        tells: "100 hot reloads under load, with the output's own workers and with 3",
        outputs: PLAIN,
        waits: true,
        run: reload::run,
    },
    Story {
        name: "outage",
        tells: "nobody listens for 20 s, then all is well; drained from then on",
        outputs: PLAIN,
        waits: true,
        run: outages::outage,
    },
];

const MIB: u64 = 1 << 20;

/// The story that is asked for, or all of them.
pub(crate) fn run(args: &Trials) -> Result<(), Error> {
    let setup = Setup::find(&args.programs)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut faults = Vec::new();
    let only = args.story.as_deref();
    for story in STORIES
        .iter()
        .filter(|story| only.is_none_or(|name| name == story.name))
    {
        eprintln!("{}: {}", story.name, story.tells);
        for (output, end) in story.outputs.iter().zip(story.tell(&setup)) {
            match end {
                Ok(told) => rows.extend(told),
                Err(Error::Failed(reason)) => {
                    eprintln!("{}, {}: {reason}", story.name, output.name());
                    faults.push(format!("{}, {}: see above", story.name, output.name()));
                }
                Err(error) => return Err(error),
            }
        }
    }
    print!("{}", report::render(&rows));
    let cores = thread::available_parallelism()?;
    println!("\n{cores} cores, {}", setup.version);
    faults.extend(rows.iter().filter_map(Row::fault));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::Failed(format!("FAILED: {}", faults.join("; ")))),
    }
}

impl Story {
    /// What came of each output's trial.
    fn tell(&self, setup: &Setup) -> Vec<Result<Vec<Row>, Error>> {
        let run = |output: &Output| {
            let rows = (self.run)(setup, *output);
            eprintln!("{}: {} has ended", self.name, output.name());
            rows
        };
        match self.waits {
            true => at_once(self.outputs, run),
            false => self.outputs.iter().map(run).collect(),
        }
    }
}
