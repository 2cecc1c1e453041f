//! What outputs for Firehose cost: runs the parts that were asked for, and shows how they go.

mod chart;
mod http_lines;
mod idle;
mod load;
mod sidecar;
mod streams;
mod summary;
mod table;
mod tags;
mod targets;
mod throughput;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::ValueEnum as _;
use fake_firehose::Stats;

use self::summary::{Round, Spread};
use self::targets::Measured;
use self::throughput::{Measurement, Throughput};
use crate::args::{self, Part};
use crate::error::Error;
use crate::folder::Folder;
use crate::output::Output;
use crate::setup::Setup;
use crate::trial::STREAM;

pub(crate) use self::load::load;
pub(crate) use self::streams::names as many_streams;

const DRAIN_LATENCY: Duration = Duration::from_millis(50);
const DRAIN_ROUNDS: u64 = 3;
const STREAMS_ROUNDS: u64 = 3;

struct Bench<'a> {
    args: &'a args::Bench,
    setup: &'a Setup,
    /// The file of throughput and drain.
    input: &'a Path,
    measured: Measured,
    /// Runs that did not do well.
    failed: usize,
}

pub(crate) fn run(args: &args::Bench) -> Result<(), Error> {
    let setup = Setup::find(&args.programs)?;
    if let Some(directory) = args.svg.as_deref().filter(|path| !path.is_dir()) {
        let shown = directory.display();
        let sentence = format!("--svg {shown}: there is no such directory");
        return Err(Error::CannotStart(sentence));
    }
    let parts = args.parts();
    let folder = Folder::new()?;
    let input = folder.path("input.log");
    let mut bench = Bench {
        args,
        setup: &setup,
        input: &input,
        measured: Measured::default(),
        failed: 0,
    };
    if [Part::Throughput, Part::Drain, Part::Streams]
        .iter()
        .any(|part| parts.contains(part))
    {
        eprintln!("writing {} log lines", args.lines);
        bench.measured.input_bytes = http_lines::write(&input, args.lines)?;
    }
    for part in &parts {
        bench.part(*part)?;
    }
    bench.report(&parts)?;
    match bench.failed {
        0 => Ok(()),
        count => Err(Error::Failed(format!(
            "runs FAILED: {count}, as told above; the tables are without them"
        ))),
    }
}

/// How the kernel paces what is sent, which the sender pays: bbr's timers cost this plugin a tenth
/// of its threads' time, and the core plugin less.
fn congestion_control() -> String {
    let name = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    name.map_or_else(|_| "unknown".into(), |name| name.trim().into())
}

impl<'a> Bench<'a> {
    fn part(&mut self, part: Part) -> Result<(), Error> {
        match part {
            Part::Throughput => self.measured.throughput = self.throughput()?,
            Part::Drain => {
                self.measured.drain = self.drain("drain", Some(self.args.workers))?;
                self.measured.shortest_drain = self.drain("drain, shortest section", None)?;
            }
            Part::Streams => self.streams()?,
            Part::Tags => self.tags()?,
            Part::Sidecar => self.sidecars()?,
            Part::Plugin => self.plugin()?,
        }
        Ok(())
    }

    /// Every output once a round. Each round begins with another one, so that what changes on the
    /// machine meanwhile, or what one run leaves behind for the next, falls on all alike.
    fn throughput(&mut self) -> Result<Vec<Round>, Error> {
        let mut rounds = Vec::new();
        let mut order = Output::ALL;
        for number in 1..=self.args.rounds {
            let name = format!("round {number} of {}", self.args.rounds);
            let throughput = self.of_input(Some(self.args.workers), Duration::ZERO);
            rounds.push(self.round(&name, &order, &throughput)?);
            order.rotate_left(1);
        }
        Ok(rounds)
    }

    fn drain(&mut self, name: &str, workers: Option<usize>) -> Result<Vec<Round>, Error> {
        let [_null, outputs @ ..] = Output::ALL;
        (0..self.args.rounds.min(DRAIN_ROUNDS))
            .map(|_| self.round(name, &outputs, &self.of_input(workers, DRAIN_LATENCY)))
            .collect()
    }

    /// The input as many tags. One and many delivery streams take turns.
    fn streams(&mut self) -> Result<(), Error> {
        let input = streams::deal(self.input, &self.input.with_file_name("tags"))?;
        for _ in 0..self.args.rounds.min(STREAMS_ROUNDS) {
            let one = Throughput {
                input: &input,
                tag: streams::TAG,
                lines: streams::TIMES * self.args.lines,
                ..self.of_input(Some(self.args.workers), Duration::ZERO)
            };
            let many = Throughput {
                stream: streams::TEMPLATE,
                default_stream: Some(STREAM),
                ..one
            };
            let outputs = [Output::Null, Output::FirehoseAggregated];
            let one = self.round("40 tags, one stream", &outputs, &one)?;
            let outputs = [Output::FirehoseAggregated];
            let mut many = self.round("40 tags, 40 streams", &outputs, &many)?;
            many.extend(
                one.get(&Output::Null)
                    .map(|null| (Output::Null, null.clone())),
            );
            self.measured.one_stream.push(one);
            self.measured.many_streams.push(many);
        }
        Ok(())
    }

    /// The throughput's file to one delivery stream.
    fn of_input(&self, workers: Option<usize>, latency: Duration) -> Throughput<'a> {
        Throughput {
            setup: self.setup,
            input: self.input,
            tag: "a",
            stream: STREAM,
            default_stream: None,
            lines: self.args.lines,
            workers,
            latency,
            state: self.args.state,
        }
    }

    fn round(
        &mut self,
        name: &str,
        outputs: &[Output],
        throughput: &Throughput<'_>,
    ) -> Result<Round, Error> {
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

    fn tags(&mut self) -> Result<(), Error> {
        let (setup, fed_for) = (self.setup, Duration::from_secs(self.args.seconds) / 2);
        for output in [Output::CoreAggregated, Output::FirehoseAggregated] {
            let what = format!("100 tags: {}", output.name());
            let run = || tags::run(setup, output, fed_for);
            if let Some(stats) = self.attempt(&what, run, stats)? {
                self.measured.tags.insert(output, stats);
            }
        }
        Ok(())
    }

    fn sidecars(&mut self) -> Result<(), Error> {
        let (setup, fed_for) = (self.setup, Duration::from_secs(self.args.seconds));
        let run = || sidecar::run(setup, fed_for);
        let all = self.attempt("sidecars, all at once", run, |_| "have ended".to_owned())?;
        for (what, end) in all.into_iter().flatten() {
            let sidecar = self.attempt(
                &what,
                || end,
                |sidecar| {
                    let seconds = sidecar.longest_delay.as_secs_f64();
                    format!("a line takes up to {seconds:.2} s")
                },
            )?;
            self.measured.sidecars.extend(sidecar);
        }
        Ok(())
    }

    fn plugin(&mut self) -> Result<(), Error> {
        let setup = self.setup;
        self.measured.plugin_bytes = Some(setup.plugin.metadata()?.len());
        let init = |spread: &Spread| format!("{:.1} ms, at most {:.1}", spread.median, spread.max);
        self.measured.init_ms = self.attempt("Init", || load::run(setup), init)?;
        let watched_for = Duration::from_secs(self.args.seconds) / 6;
        let idle = |most: &f64| format!("{most:.1} switches a second");
        self.measured.idle = self.attempt("idle", || idle::run(setup, watched_for), idle)?;
        Ok(())
    }

    fn report(&self, parts: &[Part]) -> Result<(), Error> {
        let (args, measured) = (self.args, &self.measured);
        let caption = format!(
            "{} JSON log lines ({:.0} MB), rounds {}, workers {}, TLS; {} cores, TCP {}, {}",
            args.lines,
            measured.input_bytes as f64 / 1e6,
            args.rounds,
            args.workers,
            thread::available_parallelism()?,
            congestion_control(),
            self.setup.version,
        );
        let targets = targets::targets(parts, measured);
        if parts.contains(&Part::Throughput) {
            println!("{}", table::outputs(&measured.throughput));
        }
        print!("{}", table::targets(&targets));
        if measured.input_bytes > 0 {
            println!("\n{caption}");
        }
        if let Some(directory) = &args.svg
            && parts == Part::value_variants()
        {
            let cpu = chart::cpu(&measured.throughput, &caption);
            fs::write(directory.join("bench.svg"), cpu)?;
        }
        Ok(())
    }

    /// None where the run did not do well, which is told and counted.
    fn attempt<T>(
        &mut self,
        what: &str,
        run: impl FnOnce() -> Result<T, Error>,
        show: impl FnOnce(&T) -> String,
    ) -> Result<Option<T>, Error> {
        eprint!("{what:55} ");
        match run() {
            Ok(result) => {
                eprintln!("{}", show(&result));
                Ok(Some(result))
            }
            Err(Error::Failed(reason)) => {
                eprintln!("FAILED\n{reason}");
                self.failed += 1;
                Ok(None)
            }
            Err(error) => {
                eprintln!();
                Err(error)
            }
        }
    }
}

fn measurement(measurement: &Measurement) -> String {
    let drained = measurement.drained.map_or(String::new(), |drained| {
        format!(", last delivery at {:.1} s", drained.as_secs_f64())
    });
    format!(
        "CPU {:6.2} s, peak RSS {:4.0} MB{drained}, {}",
        measurement.cpu.as_secs_f64(),
        measurement.peak_rss_bytes as f64 / 1e6,
        stats(&measurement.stats),
    )
}

fn stats(stats: &Stats) -> String {
    format!(
        "{} calls (up to {} at once), {} records, {} documents",
        stats.requests, stats.max_concurrent_requests, stats.records, stats.documents
    )
}
