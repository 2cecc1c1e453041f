//! From the rounds' measurements to figures with their spread.

use std::collections::BTreeMap;

use fake_firehose::Stats;

use super::throughput::Measurement;
use crate::output::Output;

/// The good runs of one round.
pub(super) type Round = BTreeMap<Output, Measurement>;

/// Of one output in one round. None where the round does not have the runs that it needs.
pub(super) type Figure = fn(&Round, Output) -> Option<f64>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

pub(super) fn spread(rounds: &[Round], output: Output, figure: Figure) -> Option<Spread> {
    Spread::of(rounds.iter().filter_map(|round| figure(round, output)))
}

/// The figure as a part of the peer's in the same round.
pub(super) fn of_peer(rounds: &[Round], output: Output, figure: Figure) -> Option<Spread> {
    let of_round = |round| ratio(figure(round, output)?, figure(round, output.peer()?)?);
    Spread::of(rounds.iter().filter_map(of_round))
}

/// None where the divisor is not positive: in a very short run noise can put an output below
/// `null`.
pub(super) fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

/// None where nothing was accepted.
pub(super) fn billed_over_raw(stats: &Stats) -> Option<f64> {
    ratio(stats.billed_bytes as f64, stats.raw_bytes as f64)
}

pub(super) fn cpu_seconds(round: &Round, output: Output) -> Option<f64> {
    Some(round.get(&output)?.cpu.as_secs_f64())
}

pub(super) fn cpu_over_null(round: &Round, output: Output) -> Option<f64> {
    over_null(round, output, cpu_seconds)
}

pub(super) fn rss_mb(round: &Round, output: Output) -> Option<f64> {
    Some(round.get(&output)?.peak_rss_bytes as f64 / 1e6)
}

pub(super) fn rss_over_null(round: &Round, output: Output) -> Option<f64> {
    over_null(round, output, rss_mb)
}

/// None for `null`.
pub(super) fn drain_seconds(round: &Round, output: Output) -> Option<f64> {
    Some(round.get(&output)?.drained?.as_secs_f64())
}

pub(super) fn calls(round: &Round, output: Output) -> Option<f64> {
    Some(round.get(&output)?.stats.requests as f64)
}

pub(super) fn billed_mb(round: &Round, output: Output) -> Option<f64> {
    Some(round.get(&output)?.stats.billed_bytes as f64 / 1e6)
}

pub(super) fn billed_ratio(round: &Round, output: Output) -> Option<f64> {
    billed_over_raw(&round.get(&output)?.stats)
}

/// None for `null` itself, too.
fn over_null(round: &Round, output: Output, figure: Figure) -> Option<f64> {
    let own = figure(round, output)?;
    (output != Output::Null).then_some(own - figure(round, Output::Null)?)
}

impl Spread {
    /// None of nothing.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
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

    fn round(cpu_ms: &[(Output, u64)]) -> Round {
        let run = |&(output, cpu_ms): &(Output, u64)| {
            let measurement = Measurement {
                cpu: Duration::from_millis(cpu_ms),
                peak_rss_bytes: cpu_ms * 1_000_000,
                stats: Stats::default(),
                drained: None,
            };
            (output, measurement)
        };
        cpu_ms.iter().map(run).collect()
    }

    fn found(min: f64, median: f64, max: f64) -> Option<Spread> {
        Some(Spread { min, median, max })
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([2.0]), found(2.0, 2.0, 2.0));
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), found(1.0, 2.0, 9.0));
        assert_eq!(Spread::of([4.0, -1.0, 9.0, 2.0]), found(-1.0, 3.0, 9.0));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round ran on a machine half as fast. Medians of the two columns, divided,
        // would say 0.5 as well only if every round had the same ratio.
        let [own, core] = [Output::FirehoseAggregated, Output::CoreAggregated];
        let rounds = [
            round(&[(Output::Null, 1000), (core, 3000), (own, 1500)]),
            round(&[(Output::Null, 2000), (core, 6000), (own, 5000)]),
        ];
        assert_eq!(spread(&rounds, own, cpu_over_null), found(0.5, 1.75, 3.0));
        assert_eq!(of_peer(&rounds, own, cpu_over_null), found(0.25, 0.5, 0.75));
        assert_eq!(of_peer(&rounds, core, cpu_over_null), None);
        assert_eq!(spread(&rounds, Output::Null, cpu_over_null), None);
    }

    #[test]
    fn a_round_without_the_runs_that_a_figure_needs_does_not_count() {
        let [own, core] = [Output::Firehose, Output::Core];
        let rounds = [
            round(&[(Output::Null, 1000), (own, 2000)]),
            round(&[(Output::Null, 1000), (core, 5000), (own, 3000)]),
            round(&[(core, 9000), (own, 4000)]),
            // A peer below null gives no ratio.
            round(&[(Output::Null, 1000), (core, 900), (own, 3000)]),
        ];
        assert_eq!(spread(&rounds, own, cpu_seconds), found(2.0, 3.0, 4.0));
        assert_eq!(spread(&rounds, own, cpu_over_null), found(1.0, 2.0, 2.0));
        assert_eq!(of_peer(&rounds, own, cpu_over_null), found(0.5, 0.5, 0.5));
        assert_eq!(spread(&rounds, Output::CoreAggregated, cpu_seconds), None);
    }
}
