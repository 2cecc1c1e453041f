use std::time::Duration;

use clap::ValueEnum as _;

use super::super::sidecar::Pace;
use super::super::throughput::Measurement;
use super::*;

fn stats(requests: u64, billed_bytes: u64) -> Stats {
    Stats {
        requests,
        raw_bytes: 1000,
        billed_bytes,
        ..Stats::default()
    }
}

fn run(cpu_ms: u64, peak_rss_mb: u64, drained_ms: u64, billed_bytes: u64) -> Measurement {
    Measurement {
        cpu: Duration::from_millis(cpu_ms),
        peak_rss_bytes: peak_rss_mb * 1_000_000,
        stats: stats(10, billed_bytes),
        drained: Some(Duration::from_millis(drained_ms)),
    }
}

fn sidecar(output: Output, flush: u64, billed_over_raw: f64, delay_s: u64) -> Sidecar {
    Sidecar {
        pace: Pace { flush, workers: 2 },
        output,
        billed_over_raw: Some(billed_over_raw),
        longest_delay: Duration::from_secs(delay_s),
        flush_timeout: Duration::from_secs(20),
    }
}

/// Everything was measured; of this project's it is at its target, or a little beyond it.
fn measured(beyond: bool) -> Measured {
    use Output::{Core, CoreAggregated, Firehose, FirehoseAggregated, Null};
    let more = u64::from(beyond);
    let little = more as f64 * 0.01;
    let round = Round::from([
        (Null, run(1000, 50, 0, 0)),
        (Core, run(3000, 75, 4000, 1010)),
        (CoreAggregated, run(2000, 75, 2000, 1010)),
        (Firehose, run(2000 + more, 75 + more, 4000 + more, 1010)),
        (
            FirehoseAggregated,
            run(1400 + more, 75 + more, 2000 + more, 1020 + more),
        ),
    ]);
    Measured {
        input_bytes: 207_000_000,
        throughput: vec![round.clone()],
        drain: vec![round.clone()],
        shortest_drain: vec![round],
        one_stream: vec![Round::from([
            (Null, run(0, 50, 0, 0)),
            (FirehoseAggregated, run(1000, 75, 0, 1010)),
        ])],
        many_streams: vec![Round::from([
            (Null, run(0, 50, 0, 0)),
            (FirehoseAggregated, run(1200 + more, 75, 0, 1300 + more)),
        ])],
        tags: BTreeMap::from([
            (CoreAggregated, stats(100, 5000)),
            (FirehoseAggregated, stats(25 + more, 1300 + more)),
        ]),
        sidecars: vec![
            sidecar(CoreAggregated, 5, 1.5, 6),
            sidecar(FirehoseAggregated, 5, 1.3 + little, 20 + more),
            sidecar(CoreAggregated, 1, 2.5, 2),
            sidecar(FirehoseAggregated, 1, 1.3 + little, 20 + more),
        ],
        plugin_bytes: Some(8_000_000 + more),
        init_ms: Spread::of([20.0 + little]),
        idle: Some(1.0 + little),
    }
}

#[test]
fn what_is_at_its_target_meets_it_and_what_is_beyond_does_not() {
    let all = Part::value_variants();
    let at = targets(all, &measured(false));
    assert_eq!(at.len(), 24);
    for (at, beyond) in at.iter().zip(targets(all, &measured(true))) {
        assert_eq!(at.is_met(), Some(true), "{at:?}");
        assert_eq!(beyond.is_met(), Some(false), "{beyond:?}");
    }
}

#[test]
fn what_was_not_measured_is_neither_met_nor_missed() {
    let targets = targets(Part::value_variants(), &Measured::default());
    // There is no telling the paces of sidecars that were not run.
    assert_eq!(targets.len(), 20);
    for target in targets {
        assert_eq!(target.is_met(), None);
    }
}

#[test]
fn each_stands_beside_the_peer_of_its_own_work() {
    let targets = targets(Part::value_variants(), &measured(false));
    for (what, peer) in [
        ("sidecar, flush 5 s, 2 workers: billed / raw", 1.5),
        ("sidecar, flush 1 s, 2 workers: longest delay", 2.0),
        ("drain 207 MB at 50 ms, aggregated", 2.0),
        ("CPU over null, one record a line", 2.0),
        ("peak RSS over null, aggregated", 25.0),
        ("100 tags of 1 KB/s: calls", 100.0),
    ] {
        let target = targets.iter().find(|target| target.what == what);
        assert_eq!(target.expect(what).core, Some(peer), "{what}");
    }
}

#[test]
fn only_what_belongs_to_a_part_that_was_asked_for_is_shown() {
    let parts = Part::value_variants().iter();
    let each: Vec<usize> = parts
        .map(|part| targets(&[*part], &measured(false)).len())
        .collect();
    assert_eq!(each, [7, 6, 2, 2, 4, 3]);
}
