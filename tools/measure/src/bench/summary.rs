//! From the rounds' measurements to one row for an output.

use std::collections::BTreeMap;

use crate::run::Output;

use crate::bench::throughput::Measurement;

/// The good runs of one round.
pub(crate) type Round = BTreeMap<Output, Measurement>;

/// The figures of one output. Each is None where no round has the runs that it needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) output: Output,
    pub(crate) cpu_seconds: Option<Spread>,
    pub(crate) cpu_seconds_over_null: Option<Spread>,
    /// CPU over null as a part of the peer's in the same round.
    pub(crate) cpu_of_peer: Option<Spread>,
    pub(crate) peak_rss_mb: Option<Spread>,
    /// As a part of the peer's in the same round.
    pub(crate) peak_rss_of_peer: Option<Spread>,
    pub(crate) peak_rss_mb_over_null: Option<Spread>,
    pub(crate) drain_seconds: Option<Spread>,
    pub(crate) drain_of_peer: Option<Spread>,
    pub(crate) calls: Option<Spread>,
    pub(crate) billed_mb: Option<Spread>,
    pub(crate) billed_over_raw: Option<Spread>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

pub(crate) fn row(output: Output, rounds: &[Round]) -> Row {
    let over_rounds =
        |figure: &dyn Fn(&Round) -> Option<f64>| Spread::of(rounds.iter().filter_map(figure));
    let of_run =
        |figure: fn(&Measurement) -> f64| over_rounds(&|round| round.get(&output).map(figure));
    let over_null =
        |figure: fn(&Measurement) -> f64| over_rounds(&|round| above_null(round, output, figure));
    Row {
        output,
        cpu_seconds: of_run(cpu_seconds),
        cpu_seconds_over_null: over_null(cpu_seconds),
        cpu_of_peer: over_rounds(&|round| {
            of_peer(round, output, |round, output| {
                above_null(round, output, cpu_seconds)
            })
        }),
        peak_rss_mb: of_run(peak_rss_mb),
        peak_rss_of_peer: over_rounds(&|round| {
            of_peer(round, output, |round, output| {
                round.get(&output).map(peak_rss_mb)
            })
        }),
        peak_rss_mb_over_null: over_null(peak_rss_mb),
        drain_seconds: over_rounds(&|round| drain_seconds(round, output)),
        drain_of_peer: over_rounds(&|round| of_peer(round, output, drain_seconds)),
        calls: of_run(|run| run.sums.requests as f64),
        billed_mb: of_run(|run| run.sums.billed_bytes as f64 / 1e6),
        billed_over_raw: over_rounds(&|round| round.get(&output)?.sums.billed_over_raw()),
    }
}

fn cpu_seconds(run: &Measurement) -> f64 {
    run.usage.cpu.as_secs_f64()
}

fn peak_rss_mb(run: &Measurement) -> f64 {
    run.usage.peak_rss_bytes as f64 / 1e6
}

/// None for `null` itself, too.
fn above_null(round: &Round, output: Output, figure: fn(&Measurement) -> f64) -> Option<f64> {
    if output == Output::Null {
        return None;
    }
    Some(figure(round.get(&output)?) - figure(round.get(&Output::Null)?))
}

/// None for `null`.
fn drain_seconds(round: &Round, output: Output) -> Option<f64> {
    let drained = round.get(&output)?.drained?;
    Some(drained.as_secs_f64())
}

fn of_peer(
    round: &Round,
    output: Output,
    figure: impl Fn(&Round, Output) -> Option<f64>,
) -> Option<f64> {
    ratio(figure(round, output)?, figure(round, output.peer()?)?)
}

/// None where the divisor is not positive: in a very short run noise can put an output below
/// `null`.
pub(crate) fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

// === impl Spread ===

impl Spread {
    /// None of nothing.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Some(Spread { min, median, max })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::endpoint::Sums;
    use crate::run::Usage;

    fn run(cpu_ms: u64, peak_rss_bytes: u64) -> Measurement {
        Measurement {
            usage: Usage {
                cpu: Duration::from_millis(cpu_ms),
                peak_rss_bytes,
            },
            sums: Sums {
                requests: 7,
                max_concurrent_requests: 2,
                records: 8,
                documents: 9,
                raw_bytes: 1_000_000,
                billed_bytes: 1_500_000,
            },
            drained: Some(Duration::from_millis(2 * cpu_ms)),
        }
    }

    fn spread(min: f64, median: f64, max: f64) -> Option<Spread> {
        Some(Spread { min, median, max })
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        let of = |figures: &[f64]| Spread::of(figures.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[2.0]), spread(2.0, 2.0, 2.0));
        assert_eq!(of(&[9.0, 1.0, 2.0]), spread(1.0, 2.0, 9.0));
        assert_eq!(of(&[4.0, -1.0, 9.0, 2.0]), spread(-1.0, 3.0, 9.0));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round ran on a machine half as fast. Medians of the two columns, divided,
        // would say 0.5 as well only if every round had the same ratio.
        let rounds = [
            Round::from([
                (Output::Null, run(1000, 0)),
                (Output::CoreAggregated, run(3000, 0)),
                (Output::FirehoseAggregated, run(1500, 0)),
            ]),
            Round::from([
                (Output::Null, run(2000, 0)),
                (Output::CoreAggregated, run(6000, 0)),
                (Output::FirehoseAggregated, run(5000, 0)),
            ]),
        ];
        let row = row(Output::FirehoseAggregated, &rounds);
        assert_eq!(row.cpu_seconds_over_null, spread(0.5, 1.75, 3.0));
        assert_eq!(row.cpu_of_peer, spread(0.25, 0.5, 0.75));
    }

    #[test]
    fn a_round_without_the_runs_that_a_figure_needs_does_not_count() {
        let rounds = [
            Round::from([
                (Output::Null, run(1000, 0)),
                (Output::Firehose, run(2000, 0)),
            ]),
            Round::from([
                (Output::Null, run(1000, 0)),
                (Output::Core, run(5000, 0)),
                (Output::Firehose, run(3000, 0)),
            ]),
            Round::from([
                (Output::Core, run(9000, 0)),
                (Output::Firehose, run(4000, 0)),
            ]),
        ];
        let row = row(Output::Firehose, &rounds);
        assert_eq!(row.cpu_seconds, spread(2.0, 3.0, 4.0));
        assert_eq!(row.cpu_seconds_over_null, spread(1.0, 1.5, 2.0));
        assert_eq!(row.cpu_of_peer, spread(0.5, 0.5, 0.5));
        assert_eq!(
            super::row(Output::CoreAggregated, &rounds).cpu_seconds,
            None
        );
    }

    #[test]
    fn a_peer_below_null_gives_no_ratio() {
        let round = Round::from([
            (Output::Null, run(1000, 0)),
            (Output::Core, run(900, 0)),
            (Output::Firehose, run(1100, 0)),
        ]);
        assert_eq!(row(Output::Firehose, &[round]).cpu_of_peer, None);
    }

    #[test]
    fn the_other_figures_are_in_megabytes_and_counts() {
        let round = Round::from([
            (Output::Null, run(1000, 60_000_000)),
            (Output::Core, run(2000, 75_000_000)),
            (Output::Firehose, run(3000, 90_000_000)),
        ]);
        let row = row(Output::Core, std::slice::from_ref(&round));
        assert_eq!(row.peak_rss_mb, spread(75.0, 75.0, 75.0));
        assert_eq!(row.peak_rss_mb_over_null, spread(15.0, 15.0, 15.0));
        assert_eq!(row.calls, spread(7.0, 7.0, 7.0));
        assert_eq!(row.billed_mb, spread(1.5, 1.5, 1.5));
        assert_eq!(row.billed_over_raw, spread(1.5, 1.5, 1.5));
        assert_eq!(row.drain_seconds, spread(4.0, 4.0, 4.0));
        assert_eq!((row.cpu_of_peer, row.drain_of_peer), (None, None));
        let row = super::row(Output::Firehose, std::slice::from_ref(&round));
        assert_eq!(row.peak_rss_of_peer, spread(1.2, 1.2, 1.2));
        assert_eq!(row.drain_of_peer, spread(1.5, 1.5, 1.5));
        let row = super::row(Output::Null, &[round]);
        assert_eq!(row.cpu_seconds_over_null, None);
    }
}
