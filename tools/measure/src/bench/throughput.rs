//! One run: a file is read to its end into one output, and the process is measured.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::run::{End, Files, Output, Usage};

use crate::bench::endpoint::{Keep, Sums};
use crate::bench::host::{Input, Job};
use crate::bench::setup::{Error, Setup};

const LIMIT: Duration = Duration::from_secs(600);

/// What the runs of one comparison have in common.
pub(crate) struct Throughput<'a> {
    pub(crate) setup: &'a Setup<'a>,
    pub(crate) input: &'a Path,
    /// In the input.
    pub(crate) lines: u64,
    /// None leaves it to the output.
    pub(crate) workers: Option<usize>,
    /// Of each answer of the service.
    pub(crate) latency: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    pub(crate) usage: Usage,
    /// All zero for `null`.
    pub(crate) sums: Sums,
    /// From the process's start to the last delivery; None for `null`.
    pub(crate) drained: Option<Duration>,
}

// === impl Throughput ===

impl Throughput<'_> {
    pub(crate) fn run(&self, output: Output) -> Result<Measurement, Error> {
        let setup = self.setup;
        let directory = setup.directory("throughput")?;
        let endpoint = (output != Output::Null)
            .then(|| setup.endpoint(&directory, self.latency, Keep::Counts))
            .transpose()?;
        let files = Files::new(&directory);
        let job = Job {
            output,
            target: endpoint.as_ref().map(|endpoint| &endpoint.target),
            workers: self.workers,
            flush: 1,
            input: Input::File(self.input),
        };
        let started = Instant::now();
        let process = setup.host.start(&files, setup.plugin, &job)?;
        let name = setup.host.name();
        let failed = |sentence: &str| Error::Failed(files.with_log(sentence));
        let usage = match process.wait(LIMIT, setup.interrupted)? {
            End::Exited(status, usage) if status.success() => usage,
            End::Exited(status, _) => return Err(failed(&format!("{name} ended with {status}"))),
            End::Interrupted => return Err(Error::Interrupted),
            End::TimedOut => return Err(failed(&format!("{name} did not end within {LIMIT:?}"))),
        };
        let Some(endpoint) = endpoint else {
            return Ok(Measurement {
                usage,
                sums: Sums::default(),
                drained: None,
            });
        };
        let stats = endpoint.stats()?;
        let sums = stats.sums;
        if sums.documents != self.lines {
            return Err(failed(&format!(
                "{} lines were read, but {} documents in {} records arrived",
                self.lines, sums.documents, sums.records
            )));
        }
        let last = stats.last_accepted();
        Ok(Measurement {
            usage,
            sums,
            drained: last.map(|last| (endpoint.started + last).saturating_duration_since(started)),
        })
    }
}
