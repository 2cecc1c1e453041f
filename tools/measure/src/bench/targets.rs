//! The targets, and whether what was measured meets them.

use std::collections::BTreeMap;

use crate::run::Output;

use crate::bench::args::Part;
use crate::bench::endpoint::Sums;
use crate::bench::sidecar;
use crate::bench::summary::{self, Round, Row, Spread, ratio};

/// Of the plugin's file, which a user downloads and a host maps.
const MAX_PLUGIN_MB: f64 = 8.0;

/// All that was measured. What was not, or failed, is empty.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) throughput: Vec<Round>,
    pub(crate) drain: Vec<Round>,
    /// With sections that leave `workers` to the outputs.
    pub(crate) shortest_drain: Vec<Round>,
    pub(crate) tags: BTreeMap<Output, Sums>,
    pub(crate) sidecars: Option<sidecar::Measured>,
    pub(crate) plugin_bytes: Option<u64>,
    pub(crate) init_ms: Option<Spread>,
    /// Context switches a second of the plugin's busiest thread.
    pub(crate) idle: Option<f64>,
}

/// One figure beside its target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) own: Option<f64>,
    pub(crate) core: Option<f64>,
    pub(crate) of_core: Option<f64>,
    pub(crate) limit: Limit,
}

/// The most that is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// Of this project's own figure.
    Own(f64),
    /// Of its ratio to the C plugin's.
    OfCore(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Megabytes,
    PerSecond,
    Calls,
    /// Billed over raw.
    Ratio,
}

/// Those of these parts. The bytes are those of the file that throughput and drain read.
pub(crate) fn targets(parts: &[Part], measured: &Measured, input_bytes: u64) -> Vec<Target> {
    let of_part = |part: &Part| match part {
        Part::Throughput => of_throughput(&measured.throughput),
        Part::Drain => {
            let mut targets = of_drain(&measured.drain, "", input_bytes);
            let shortest = &measured.shortest_drain;
            targets.extend(of_drain(shortest, ", shortest section", input_bytes));
            targets.extend(of_drain_memory(shortest));
            targets
        }
        Part::Tags => of_tags(&measured.tags),
        Part::Sidecar => measured.sidecars.iter().flat_map(of_sidecars).collect(),
        Part::Plugin => of_plugin(measured),
    };
    parts.iter().flat_map(of_part).collect()
}

fn of_throughput(rounds: &[Round]) -> Vec<Target> {
    let mut targets = Vec::new();
    let plain = (Output::Firehose, "one record a line", 0.5);
    let aggregated = (Output::FirehoseAggregated, "aggregated", 0.4);
    for (output, how, limit) in [aggregated, plain] {
        let (own, core) = rows(rounds, output);
        targets.push(Target {
            own: median(own.cpu_seconds_over_null),
            core: median(core.cpu_seconds_over_null),
            of_core: median(own.cpu_of_peer),
            ..Target::new(
                format!("CPU over null, {how}"),
                Unit::Seconds,
                Limit::OfCore(limit),
            )
        });
        targets.push(Target {
            own: median(own.peak_rss_mb),
            core: median(core.peak_rss_mb),
            of_core: median(own.peak_rss_of_peer),
            ..Target::new(
                format!("peak RSS, {how}"),
                Unit::Megabytes,
                Limit::OfCore(1.0),
            )
        });
        targets.push(Target::of(
            format!("peak RSS over null, {how}"),
            Unit::Megabytes,
            median(own.peak_rss_mb_over_null),
            median(core.peak_rss_mb_over_null),
            Limit::Own(25.0),
        ));
    }
    let (own, core) = rows(rounds, Output::FirehoseAggregated);
    targets.push(Target::of(
        "billed / raw, aggregated".to_owned(),
        Unit::Ratio,
        median(own.billed_over_raw),
        median(core.billed_over_raw),
        Limit::Own(1.02),
    ));
    targets
}

const DRAINED: [(Output, &str); 2] = [
    (Output::FirehoseAggregated, "aggregated"),
    (Output::Firehose, "one record a line"),
];

fn of_drain(rounds: &[Round], section: &str, input_bytes: u64) -> Vec<Target> {
    let megabytes = input_bytes as f64 / 1e6;
    DRAINED
        .map(|(output, how)| {
            let (own, core) = rows(rounds, output);
            Target {
                own: median(own.drain_seconds),
                core: median(core.drain_seconds),
                of_core: median(own.drain_of_peer),
                ..Target::new(
                    format!("drain {megabytes:.0} MB at 50 ms, {how}{section}"),
                    Unit::Seconds,
                    Limit::OfCore(1.0),
                )
            }
        })
        .into()
}

fn of_drain_memory(rounds: &[Round]) -> Vec<Target> {
    DRAINED
        .map(|(output, how)| {
            let (own, core) = rows(rounds, output);
            Target {
                own: median(own.peak_rss_mb),
                core: median(core.peak_rss_mb),
                of_core: median(own.peak_rss_of_peer),
                ..Target::new(
                    format!("peak RSS of that drain, {how}, shortest section"),
                    Unit::Megabytes,
                    Limit::OfCore(1.0),
                )
            }
        })
        .into()
}

fn of_tags(tags: &BTreeMap<Output, Sums>) -> Vec<Target> {
    let own = tags.get(&Output::FirehoseAggregated);
    let core = tags.get(&Output::CoreAggregated);
    let calls = |sums: &Sums| sums.requests as f64;
    vec![
        Target::of(
            "100 tags of 1 KB/s: billed / raw".to_owned(),
            Unit::Ratio,
            own.and_then(Sums::billed_over_raw),
            core.and_then(Sums::billed_over_raw),
            Limit::Own(1.3),
        ),
        Target::of(
            "100 tags of 1 KB/s: calls".to_owned(),
            Unit::Calls,
            own.map(calls),
            core.map(calls),
            Limit::OfCore(0.25),
        ),
    ]
}

fn of_sidecars(measured: &sidecar::Measured) -> Vec<Target> {
    let sidecars = &measured.sidecars;
    let own = sidecars
        .iter()
        .filter(|sidecar| sidecar.output.is_of_this_project());
    own.flat_map(|own| {
        let core = sidecars
            .iter()
            .find(|sidecar| (sidecar.pace, Some(sidecar.output)) == (own.pace, own.output.peer()));
        let name = own.pace.name();
        let delay = |sidecar: &sidecar::Sidecar| sidecar.longest_delay.as_secs_f64();
        [
            Target::of(
                format!("{name}: billed / raw"),
                Unit::Ratio,
                own.billed_over_raw,
                core.and_then(|core| core.billed_over_raw),
                Limit::Own(1.3),
            ),
            Target::of(
                format!("{name}: longest delay"),
                Unit::Seconds,
                Some(delay(own)),
                core.map(delay),
                Limit::Own(measured.flush_timeout.as_secs_f64()),
            ),
        ]
    })
    .collect()
}

fn of_plugin(measured: &Measured) -> Vec<Target> {
    let target = |what: &str, unit, own, limit| {
        Target::of(what.to_owned(), unit, own, None, Limit::Own(limit))
    };
    vec![
        target(
            "firehose.so",
            Unit::Megabytes,
            measured.plugin_bytes.map(|bytes| bytes as f64 / 1e6),
            MAX_PLUGIN_MB,
        ),
        target("Init", Unit::Milliseconds, median(measured.init_ms), 20.0),
        target(
            "idle: switches of a thread",
            Unit::PerSecond,
            measured.idle,
            1.0,
        ),
    ]
}

/// Of this output, and of its peer.
fn rows(rounds: &[Round], output: Output) -> (Row, Row) {
    let peer = output.peer().expect("it is this project's");
    (summary::row(output, rounds), summary::row(peer, rounds))
}

fn median(spread: Option<Spread>) -> Option<f64> {
    spread.map(|spread| spread.median)
}

// === impl Target ===

impl Target {
    fn new(what: String, unit: Unit, limit: Limit) -> Target {
        Target {
            what,
            unit,
            own: None,
            core: None,
            of_core: None,
            limit,
        }
    }

    /// The ratio is that of these figures.
    fn of(what: String, unit: Unit, own: Option<f64>, core: Option<f64>, limit: Limit) -> Target {
        Target {
            own,
            core,
            of_core: own.zip(core).and_then(|(own, core)| ratio(own, core)),
            ..Target::new(what, unit, limit)
        }
    }

    /// What is judged, as a part of what is allowed: up to 1 the target is met. None where it was
    /// not measured.
    pub(crate) fn of_limit(&self) -> Option<f64> {
        match self.limit {
            Limit::Own(limit) => Some(self.own? / limit),
            Limit::OfCore(limit) => Some(self.of_core? / limit),
        }
    }

    /// None where it was not measured.
    pub(crate) fn is_met(&self) -> Option<bool> {
        match self.limit {
            Limit::Own(limit) => Some(self.own? <= limit),
            Limit::OfCore(limit) => Some(self.of_core? <= limit),
        }
    }
}

// === impl Unit ===

impl Unit {
    /// A figure with its unit.
    pub(crate) fn show(self, figure: f64) -> String {
        match self {
            Unit::Seconds => format!("{figure:.2} s"),
            Unit::Milliseconds => format!("{figure:.1} ms"),
            Unit::Megabytes => format!("{figure:.1} MB"),
            Unit::PerSecond => format!("{figure:.1} /s"),
            Unit::Calls => format!("{figure:.0}"),
            Unit::Ratio => format!("{figure:.3}"),
        }
    }
}

#[cfg(test)]
mod tests;
