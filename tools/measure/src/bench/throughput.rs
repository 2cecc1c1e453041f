//! One run: a file is read to its end into one output, and the process is measured.

use std::path::Path;
use std::time::{Duration, Instant};

use fake_firehose::Stats;

use crate::args::State;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::Trial;

const LIMIT: Duration = Duration::from_secs(600);

/// What the runs of one comparison have in common.
pub(super) struct Throughput<'a> {
    pub(super) setup: &'a Setup,
    /// A file or a glob.
    pub(super) input: &'a Path,
    pub(super) tag: &'a str,
    /// A name, or a template of this project's.
    pub(super) stream: &'a str,
    /// Where events go for which the template gives no name.
    pub(super) default_stream: Option<&'a str>,
    /// In the input.
    pub(super) lines: u64,
    /// None leaves it to the output.
    pub(super) workers: Option<usize>,
    /// Of each answer of the service.
    pub(super) latency: Duration,
    pub(super) state: State,
}

#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) cpu: Duration,
    pub(super) peak_rss_bytes: u64,
    /// All zero for `null`.
    pub(super) stats: Stats,
    /// From the process's start to the last delivery; None for `null`.
    pub(super) drained: Option<Duration>,
}

impl Throughput<'_> {
    pub(super) fn run(&self, output: Output) -> Result<Measurement, Error> {
        let mut trial = Trial::counted(self.setup, output, self.latency, Lines::of(400))?;
        let mut configuration = format!(
            "    grace {}\n{}    exit_on_eof on\n{}",
            LIMIT.as_secs(),
            trial.tail(self.input, self.tag),
            trial.section(self.stream, self.tag, self.workers)
        );
        if let Some(name) = self.default_stream {
            configuration += &format!("    delivery_stream_default {name}\n");
        }
        if output.is_of_this_project() && self.state != State::Nothing {
            let path = trial.path("state");
            let is_synced = self.state == State::Sync;
            configuration += &format!(
                "    state_path {}\n    state_sync {is_synced}\n",
                path.display()
            );
        }
        let started = Instant::now();
        trial.start_as_it_is(&configuration)?;
        let Some(cpu) = trial.ends_within(LIMIT)? else {
            return Err(trial.failure(&format!("Fluent Bit did not end within {LIMIT:?}")));
        };
        let stats = trial.service.stats();
        if output != Output::Null {
            trial.check_stored(self.lines)?;
        }
        let streams = stats.streams.values();
        let last = streams.filter_map(|stream| stream.last_accepted_ms).max();
        let at = |last| trial.service_started + Duration::from_millis(last);
        Ok(Measurement {
            cpu,
            peak_rss_bytes: trial.peak_rss_bytes,
            drained: last.map(|last| at(last).saturating_duration_since(started)),
            stats,
        })
    }
}
