//! The targets, and whether what was measured meets them.

use std::collections::BTreeMap;

use fake_firehose::Stats;

use self::Limit::{OfCore, Own};
use self::Unit::{Calls, Megabytes, Milliseconds, PerSecond, Ratio, Seconds};
use super::sidecar::Sidecar;
use super::summary::{
    Figure, Round, Spread, billed_over_raw, billed_ratio, cpu_over_null, drain_seconds, of_peer,
    ratio, rss_mb, rss_over_null, spread,
};
use crate::args::Part;
use crate::output::Output;

/// All that was measured. What was not, or failed, is empty.
#[derive(Default)]
pub(super) struct Measured {
    /// Of the file that throughput and drain read.
    pub(super) input_bytes: u64,
    pub(super) throughput: Vec<Round>,
    pub(super) drain: Vec<Round>,
    /// With sections that leave `workers` to the outputs.
    pub(super) shortest_drain: Vec<Round>,
    /// 40 tags to one delivery stream, and to 40.
    pub(super) one_stream: Vec<Round>,
    pub(super) many_streams: Vec<Round>,
    pub(super) tags: BTreeMap<Output, Stats>,
    pub(super) sidecars: Vec<Sidecar>,
    pub(super) plugin_bytes: Option<u64>,
    pub(super) init_ms: Option<Spread>,
    /// Context switches a second of the plugin's busiest thread.
    pub(super) idle: Option<f64>,
}

/// One figure beside its target.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) own: Option<f64>,
    pub(super) core: Option<f64>,
    pub(super) of_core: Option<f64>,
    pub(super) limit: Limit,
}

/// The most that is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// Of this project's own figure.
    Own(f64),
    /// Of its ratio to the C plugin's.
    OfCore(f64),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Megabytes,
    PerSecond,
    Calls,
    /// Billed over raw.
    Ratio,
}

/// Those of these parts.
pub(super) fn targets(parts: &[Part], measured: &Measured) -> Vec<Target> {
    let of_part = |part: &Part| match part {
        Part::Throughput => of_throughput(&measured.throughput),
        Part::Drain => of_drain(measured),
        Part::Streams => of_streams(measured),
        Part::Tags => of_tags(&measured.tags),
        Part::Sidecar => of_sidecars(&measured.sidecars),
        Part::Plugin => of_plugin(measured),
    };
    parts.iter().flat_map(of_part).collect()
}

const AGGREGATED: (Output, &str) = (Output::FirehoseAggregated, "aggregated");
const PLAIN: (Output, &str) = (Output::Firehose, "one record a line");

fn of_throughput(rounds: &[Round]) -> Vec<Target> {
    let mut targets = Vec::new();
    for ((output, how), cpu) in [(AGGREGATED, 0.4), (PLAIN, 0.5)] {
        let mut add = |what, figure: Figure, unit, limit| {
            let what = format!("{what}, {how}");
            targets.push(Target::of_rounds(what, unit, rounds, output, figure, limit));
        };
        add("CPU over null", cpu_over_null, Seconds, OfCore(cpu));
        add("peak RSS", rss_mb, Megabytes, OfCore(1.0));
        add("peak RSS over null", rss_over_null, Megabytes, Own(25.0));
    }
    let (output, how) = AGGREGATED;
    let what = format!("billed / raw, {how}");
    let (figure, limit) = (billed_ratio, Own(1.02));
    let billed = Target::of_rounds(what, Ratio, rounds, output, figure, limit);
    targets.push(billed);
    targets
}

fn of_drain(measured: &Measured) -> Vec<Target> {
    let megabytes = measured.input_bytes as f64 / 1e6;
    let drain = format!("drain {megabytes:.0} MB at 50 ms");
    let (drained, shortest) = (&measured.drain, &measured.shortest_drain);
    let mut targets = Vec::new();
    for (what, rounds, section, unit, figure) in [
        (&*drain, drained, "", Seconds, drain_seconds as Figure),
        (&*drain, shortest, SHORTEST, Seconds, drain_seconds),
        (DRAIN_RSS, shortest, SHORTEST, Megabytes, rss_mb),
    ] {
        for (output, how) in [AGGREGATED, PLAIN] {
            let (what, limit) = (format!("{what}, {how}{section}"), OfCore(1.0));
            targets.push(Target::of_rounds(what, unit, rounds, output, figure, limit));
        }
    }
    targets
}

const DRAIN_RSS: &str = "peak RSS of that drain";
const SHORTEST: &str = ", shortest section";

/// What 40 streams cost is judged by what one costs.
fn of_streams(measured: &Measured) -> Vec<Target> {
    let (one, many) = (&measured.one_stream, &measured.many_streams);
    let target = |what, spread: Option<Spread>, limit| {
        let what = format!("40 tags to 40 streams: {what}");
        let median = spread.map(|spread| spread.median);
        Target::of(what, Ratio, median, None, Own(limit))
    };
    let of_round = |(one, many)| {
        let figure = |round| cpu_over_null(round, AGGREGATED.0);
        ratio(figure(many)?, figure(one)?)
    };
    let cpu = Spread::of(one.iter().zip(many).filter_map(of_round));
    let billed = spread(many, AGGREGATED.0, billed_ratio);
    vec![
        target("CPU over null / that of one stream", cpu, 1.2),
        target("billed / raw", billed, 1.3),
    ]
}

fn of_tags(tags: &BTreeMap<Output, Stats>) -> Vec<Target> {
    let target = |what, unit, figure: fn(&Stats) -> Option<f64>, limit| {
        let of = |output| figure(tags.get(&output)?);
        let (own, core) = (of(Output::FirehoseAggregated), of(Output::CoreAggregated));
        let what = format!("100 tags of 1 KB/s: {what}");
        Target::of(what, unit, own, core, limit)
    };
    let calls = |stats: &Stats| Some(stats.requests as f64);
    vec![
        target("billed / raw", Ratio, billed_over_raw, Own(1.3)),
        target("calls", Calls, calls, OfCore(0.25)),
    ]
}

fn of_sidecars(sidecars: &[Sidecar]) -> Vec<Target> {
    let of_own = |own: &Sidecar| {
        let peer = (own.pace, own.output.peer()?);
        let mut all = sidecars.iter();
        let core = all.find(|sidecar| (sidecar.pace, sidecar.output) == peer);
        let target = |what, unit, figure: fn(&Sidecar) -> Option<f64>, limit| {
            let what = format!("{}: {what}", own.pace.name());
            Target::of(what, unit, figure(own), core.and_then(figure), Own(limit))
        };
        let billed = |sidecar: &Sidecar| sidecar.billed_over_raw;
        let delay = |sidecar: &Sidecar| Some(sidecar.longest_delay.as_secs_f64());
        let timeout = own.flush_timeout.as_secs_f64();
        Some([
            target("billed / raw", Ratio, billed, 1.3),
            target("longest delay", Seconds, delay, timeout),
        ])
    };
    sidecars.iter().filter_map(of_own).flatten().collect()
}

fn of_plugin(measured: &Measured) -> Vec<Target> {
    let target = |what: &str, unit, own, limit| {
        let what = what.to_owned();
        Target::of(what, unit, own, None, Own(limit))
    };
    // A user downloads the file, and a host maps it.
    let megabytes = measured.plugin_bytes.map(|bytes| bytes as f64 / 1e6);
    let init = measured.init_ms.map(|spread| spread.median);
    let idle = measured.idle;
    vec![
        target("firehose.so", Megabytes, megabytes, 8.0),
        target("Init", Milliseconds, init, 20.0),
        target("idle: switches of a thread", PerSecond, idle, 1.0),
    ]
}

impl Target {
    /// Medians of an output's rounds, beside its peer's.
    fn of_rounds(
        what: String,
        unit: Unit,
        rounds: &[Round],
        output: Output,
        figure: Figure,
        limit: Limit,
    ) -> Target {
        let median = |spread: Option<Spread>| spread.map(|spread| spread.median);
        let peer = output.peer().expect("it is this project's");
        Target {
            what,
            unit,
            own: median(spread(rounds, output, figure)),
            core: median(spread(rounds, peer, figure)),
            of_core: median(of_peer(rounds, output, figure)),
            limit,
        }
    }

    /// The ratio is that of these figures.
    fn of(what: String, unit: Unit, own: Option<f64>, core: Option<f64>, limit: Limit) -> Target {
        Target {
            what,
            unit,
            own,
            core,
            of_core: own.zip(core).and_then(|(own, core)| ratio(own, core)),
            limit,
        }
    }

    /// What is judged, if it was measured, and the most that it may be.
    fn judged(&self) -> Option<(f64, f64)> {
        match self.limit {
            Own(limit) => Some((self.own?, limit)),
            OfCore(limit) => Some((self.of_core?, limit)),
        }
    }

    /// None where it was not measured.
    pub(super) fn is_met(&self) -> Option<bool> {
        self.judged().map(|(figure, limit)| figure <= limit)
    }
}

impl Unit {
    /// A figure with its unit.
    pub(super) fn show(self, figure: f64) -> String {
        match self {
            Seconds => format!("{figure:.2} s"),
            Milliseconds => format!("{figure:.1} ms"),
            Megabytes => format!("{figure:.1} MB"),
            PerSecond => format!("{figure:.1} /s"),
            Calls => format!("{figure:.0}"),
            Ratio => format!("{figure:.3}"),
        }
    }
}

#[cfg(test)]
mod tests;
