//! The stories: each a fault, told to both plugins in the same way.

mod backlog;
mod fairness;
mod fleet;
mod kill;
mod outage;
mod refusals;
mod reload;
mod shortest;
mod stop;

use std::thread;
use std::time::Duration;

use crate::run::Output;

use crate::trials::report::Row;
use crate::trials::trial::{Error, Setup};

pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// What happens, for the reader of the table.
    pub(crate) tells: &'static str,
    outputs: &'static [Output],
    /// Its trials wait more than they work, so they run beside each other.
    waits: bool,
    run: fn(&Setup<'_>, Output) -> Result<Vec<Row>, Error>,
}

/// The core plugin, and this project's plain and aggregated.
const ALL: &[Output] = &[Output::Core, Output::Firehose, Output::FirehoseAggregated];
const PLAIN: &[Output] = &[Output::Core, Output::Firehose];

pub(crate) const STORIES: [Story; 9] = [
    Story {
        name: "shortest",
        tells: "the shortest section, memory only: nobody listens for 7 minutes, then all is well",
        outputs: PLAIN,
        waits: true,
        run: shortest::run,
    },
    Story {
        name: "refusals",
        tells: "30 % of the records of the first 300 calls are refused",
        outputs: ALL,
        waits: true,
        run: refusals::run,
    },
    Story {
        name: "backlog",
        tells: "24 MiB wait for a stream that takes 1 MiB/s, with mem_buf_limit 5M",
        outputs: ALL,
        waits: true,
        run: backlog::run,
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
        run: fairness::run,
    },
    Story {
        name: "kill",
        tells: "kill -9 and a new start, three times, with filesystem storage and tail's database",
        outputs: PLAIN,
        waits: true,
        run: kill::run,
    },
    Story {
        name: "stop",
        tells: "SIGTERM while 12 MB wait for a slow stream, then a new start; with a long grace; \
                and while nobody listens",
        outputs: PLAIN,
        waits: true,
        run: stop::run,
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
        run: outage::run,
    },
];

impl Story {
    /// The outcome of each output's trial.
    pub(crate) fn tell(&self, setup: &Setup<'_>) -> Vec<Result<Vec<Row>, (Output, Error)>> {
        let run = |output: Output| {
            let rows = (self.run)(setup, output);
            eprintln!("{}: {} has ended", self.name, output.name());
            rows.map_err(|error| (output, error))
        };
        if !self.waits {
            return self.outputs.iter().map(|output| run(*output)).collect();
        }
        thread::scope(|scope| {
            let trials = self
                .outputs
                .iter()
                .map(|output| scope.spawn(|| run(*output)));
            let trials: Vec<_> = trials.collect();
            let ended = trials.into_iter().map(|trial| trial.join());
            ended
                .map(|rows| rows.expect("a trial does not panic"))
                .collect()
        })
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

const MIB: u64 = 1 << 20;
