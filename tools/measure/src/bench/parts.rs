//! Runs the parts that were asked for, and shows how they go.

use std::mem;
use std::path::Path;
use std::time::Duration;

use crate::run::{Failure, FluentBit, Output};

use crate::bench::args::{Args, Part};
use crate::bench::endpoint::Sums;
use crate::bench::host::Host;
use crate::bench::setup::{Error, Setup};
use crate::bench::sidecar::Sidecar;
use crate::bench::summary::{Round, Spread};
use crate::bench::targets::Measured;
use crate::bench::throughput::{Measurement, Throughput};
use crate::bench::{idle, init, sidecar, tags};

const DRAIN_LATENCY: Duration = Duration::from_millis(50);
const DRAIN_ROUNDS: usize = 3;

pub(crate) struct Parts<'a> {
    args: &'a Args,
    setup: &'a Setup<'a>,
    /// The file of throughput and drain.
    input: &'a Path,
    /// Runs that did not do well.
    pub(crate) failed: usize,
}

// === impl Parts ===

impl<'a> Parts<'a> {
    pub(crate) fn new(args: &'a Args, setup: &'a Setup<'a>, input: &'a Path) -> Parts<'a> {
        Parts {
            args,
            setup,
            input,
            failed: 0,
        }
    }

    pub(crate) fn run(&mut self) -> Result<Measured, Failure> {
        let mut measured = Measured::default();
        if self.args.has(Part::Throughput) {
            measured.throughput = self.throughput()?;
        }
        if self.args.has(Part::Drain) {
            measured.drain = self.drain("drain", Some(self.args.workers))?;
            measured.shortest_drain = self.drain("drain, shortest section", None)?;
        }
        if let Host::FluentBit(fluent_bit) = self.setup.host {
            if self.args.has(Part::Tags) {
                self.tags(&mut measured)?;
            }
            if self.args.has(Part::Sidecar) {
                measured.sidecars = self.sidecars(fluent_bit)?;
            }
        }
        if self.args.has(Part::Plugin) {
            self.plugin(&mut measured)?;
        }
        Ok(measured)
    }

    /// Every output once a round. Each round begins with another one, so that what changes on the
    /// machine meanwhile, or what one run leaves behind for the next, falls on all alike.
    fn throughput(&mut self) -> Result<Vec<Round>, Failure> {
        let outputs = self.setup.host.outputs();
        let mut rounds = Vec::new();
        for number in 0..self.args.rounds {
            let mut order = outputs.to_vec();
            order.rotate_left(number % outputs.len());
            let name = format!("round {} of {}", number + 1, self.args.rounds);
            let workers = Some(self.args.workers);
            rounds.push(self.round(&name, &order, workers, Duration::ZERO)?);
        }
        Ok(rounds)
    }

    fn drain(&mut self, name: &str, workers: Option<usize>) -> Result<Vec<Round>, Failure> {
        let outputs = self.setup.host.outputs().iter().copied();
        let outputs: Vec<Output> = outputs.filter(|&output| output != Output::Null).collect();
        let rounds = 0..self.args.rounds.min(DRAIN_ROUNDS);
        rounds
            .map(|_| self.round(name, &outputs, workers, DRAIN_LATENCY))
            .collect()
    }

    fn round(
        &mut self,
        name: &str,
        outputs: &[Output],
        workers: Option<usize>,
        latency: Duration,
    ) -> Result<Round, Failure> {
        let throughput = Throughput {
            setup: self.setup,
            input: self.input,
            lines: self.args.lines,
            workers,
            latency,
        };
        let mut round = Round::new();
        for &output in outputs {
            let what = format!("{name}: {}", output.name());
            let run = || throughput.run(output);
            if let Some(measurement) = self.attempt(&what, run, measurement)? {
                round.insert(output, measurement);
            }
        }
        Ok(round)
    }

    fn tags(&mut self, measured: &mut Measured) -> Result<(), Failure> {
        let (setup, fed_for) = (self.setup, self.args.seconds / 2);
        for output in [Output::CoreAggregated, Output::FirehoseAggregated] {
            let what = format!("100 tags: {}", output.name());
            let run = || tags::run(setup, output, fed_for);
            if let Some(sums) = self.attempt(&what, run, sums)? {
                measured.tags.insert(output, sums);
            }
        }
        Ok(())
    }

    fn sidecars(&mut self, fluent_bit: &FluentBit) -> Result<Option<sidecar::Measured>, Failure> {
        let (setup, args) = (self.setup, self.args);
        let feed = || sidecar::feed(setup, fluent_bit, &args.sidecar, args.seconds);
        let fed = self.attempt("sidecars, all at once", feed, |_| " fed".to_owned())?;
        let Some(mut fed) = fed else {
            return Ok(None);
        };
        let mut sidecars = Vec::new();
        for running in mem::take(&mut fed.sidecars) {
            let what = format!("{}: {}", running.pace.name(), running.output.name());
            let finish = || fed.finish(setup, running);
            sidecars.extend(self.attempt(&what, finish, delay)?);
        }
        Ok(Some(sidecar::Measured {
            sidecars,
            flush_timeout: fed.flush_timeout,
        }))
    }

    fn plugin(&mut self, measured: &mut Measured) -> Result<(), Failure> {
        let setup = self.setup;
        measured.plugin_bytes = Some(setup.plugin.metadata()?.len());
        let init = |spread: &Spread| format!("{:.1} ms, at most {:.1}", spread.median, spread.max);
        measured.init_ms = self.attempt("Init", || init::run(setup), init)?;
        let watched_for = self.args.seconds / 6;
        let idle = |most: &f64| format!("{most:.1} switches a second");
        measured.idle = self.attempt("idle", || idle::run(setup, watched_for), idle)?;
        Ok(())
    }

    /// None where the run did not do well, which is told and counted.
    fn attempt<T>(
        &mut self,
        what: &str,
        run: impl FnOnce() -> Result<T, Error>,
        show: impl FnOnce(&T) -> String,
    ) -> Result<Option<T>, Failure> {
        eprint!("{what:55} ");
        match run() {
            Ok(result) => {
                eprintln!("{}", show(&result));
                Ok(Some(result))
            }
            Err(Error::Interrupted) => {
                eprintln!();
                Err(Failure::Interrupted)
            }
            Err(Error::Failed(reason)) => {
                eprintln!("FAILED\n{reason}");
                self.failed += 1;
                Ok(None)
            }
        }
    }
}

fn measurement(measurement: &Measurement) -> String {
    let Measurement {
        usage,
        sums: of_service,
        drained,
    } = measurement;
    let drained = drained.map_or(String::new(), |drained| {
        format!(", last delivery at {:.1} s", drained.as_secs_f64())
    });
    format!(
        "CPU {:6.2} s, peak RSS {:4.0} MB{drained}, {}",
        usage.cpu.as_secs_f64(),
        usage.peak_rss_bytes as f64 / 1e6,
        sums(of_service),
    )
}

fn sums(sums: &Sums) -> String {
    format!(
        "{} calls (up to {} at once), {} records, {} documents",
        sums.requests, sums.max_concurrent_requests, sums.records, sums.documents
    )
}

fn delay(sidecar: &Sidecar) -> String {
    format!(
        "a line takes up to {:.2} s",
        sidecar.longest_delay.as_secs_f64()
    )
}
