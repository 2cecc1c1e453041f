use std::time::Duration;

use crate::run::Usage;

use super::*;
use crate::bench::sidecar::{Pace, Sidecar};
use crate::bench::throughput::Measurement;

fn run(cpu_ms: u64, peak_rss_mb: u64, drained_ms: u64) -> Measurement {
    Measurement {
        usage: Usage {
            cpu: Duration::from_millis(cpu_ms),
            peak_rss_bytes: peak_rss_mb * 1_000_000,
        },
        sums: sums(10, 1000, 1010),
        drained: Some(Duration::from_millis(drained_ms)),
    }
}

fn sums(requests: u64, raw_bytes: u64, billed_bytes: u64) -> Sums {
    Sums {
        requests,
        max_concurrent_requests: 1,
        records: 1,
        documents: 1,
        raw_bytes,
        billed_bytes,
    }
}

fn sidecar(output: Output, flush: u64, billed_over_raw: f64, delay_s: u64) -> Sidecar {
    Sidecar {
        pace: Pace { flush, workers: 2 },
        output,
        billed_over_raw: Some(billed_over_raw),
        longest_delay: Duration::from_secs(delay_s),
    }
}

/// Everything was measured; of this project's it is at its target, or a little beyond it.
fn measured(beyond: bool) -> Measured {
    let more = u64::from(beyond);
    let round = Round::from([
        (Output::Null, run(1000, 50, 0)),
        (Output::Core, run(3000, 75, 4000)),
        (Output::CoreAggregated, run(2000, 75, 2000)),
        (Output::Firehose, run(2000 + more, 75 + more, 4000 + more)),
        (
            Output::FirehoseAggregated,
            Measurement {
                sums: sums(10, 1000, 1020 + more),
                ..run(1400 + more, 75 + more, 2000 + more)
            },
        ),
    ]);
    let little = more as f64 * 0.01;
    Measured {
        throughput: vec![round.clone()],
        drain: vec![round.clone()],
        shortest_drain: vec![round],
        tags: BTreeMap::from([
            (Output::CoreAggregated, sums(100, 1000, 5000)),
            (
                Output::FirehoseAggregated,
                sums(25 + more, 1000, 1300 + more),
            ),
        ]),
        sidecars: Some(sidecar::Measured {
            sidecars: vec![
                sidecar(Output::CoreAggregated, 5, 1.5, 6),
                sidecar(Output::FirehoseAggregated, 5, 1.3 + little, 20 + more),
                sidecar(Output::CoreAggregated, 1, 2.5, 2),
                sidecar(Output::FirehoseAggregated, 1, 1.3 + little, 20 + more),
            ],
            flush_timeout: Duration::from_secs(20),
        }),
        plugin_bytes: Some(8_000_000 + more),
        init_ms: Spread::of([20.0 + little].into_iter()),
        idle: Some(1.0 + little),
    }
}

#[test]
fn what_is_at_its_target_meets_it_and_what_is_beyond_does_not() {
    let at = targets(&Part::ALL, &measured(false), 0);
    assert_eq!(at.len(), 22);
    for (at, beyond) in at.iter().zip(targets(&Part::ALL, &measured(true), 0)) {
        assert_eq!(at.is_met(), Some(true), "{at:?}");
        assert!((0.999..=1.0).contains(&at.of_limit().unwrap()), "{at:?}");
        assert_eq!(beyond.is_met(), Some(false), "{beyond:?}");
        assert!(beyond.of_limit().unwrap() > 1.0, "{beyond:?}");
    }
}

#[test]
fn what_was_not_measured_is_neither_met_nor_missed() {
    let targets = targets(&Part::ALL, &Measured::default(), 0);
    // There is no telling the paces of sidecars that were not run.
    assert_eq!(targets.len(), 18);
    for target in targets {
        assert_eq!((target.is_met(), target.of_limit()), (None, None));
    }
}

#[test]
fn without_the_c_plugin_only_what_is_no_ratio_is_judged() {
    let mut measured = measured(false);
    let own = |output: &Output| output.is_of_this_project();
    let drains = measured
        .drain
        .iter_mut()
        .chain(&mut measured.shortest_drain);
    for round in measured.throughput.iter_mut().chain(drains) {
        round.retain(|output, _| own(output));
    }
    measured.tags.retain(|output, _| own(output));
    let sidecars = measured.sidecars.as_mut().unwrap();
    sidecars.sidecars.retain(|sidecar| own(&sidecar.output));
    let judged: Vec<String> = targets(&Part::ALL, &measured, 0)
        .into_iter()
        .filter(|target| target.is_met().is_some())
        .map(|target| target.what)
        .collect();
    assert_eq!(
        judged,
        [
            "billed / raw, aggregated",
            "100 tags of 1 KB/s: billed / raw",
            "sidecar, flush 5 s, 2 workers: billed / raw",
            "sidecar, flush 5 s, 2 workers: longest delay",
            "sidecar, flush 1 s, 2 workers: billed / raw",
            "sidecar, flush 1 s, 2 workers: longest delay",
            "firehose.so",
            "Init",
            "idle: switches of a thread",
        ]
    );
}

#[test]
fn a_sidecar_stands_beside_the_peer_of_its_own_pace() {
    let targets = targets(&Part::ALL, &measured(false), 207_000_000);
    let peer_of = |what: &str| {
        let target = targets.iter().find(|target| target.what == what);
        target.unwrap_or_else(|| panic!("{what}")).core
    };
    assert_eq!(
        peer_of("sidecar, flush 5 s, 2 workers: billed / raw"),
        Some(1.5)
    );
    assert_eq!(
        peer_of("sidecar, flush 1 s, 2 workers: longest delay"),
        Some(2.0)
    );
    assert_eq!(peer_of("drain 207 MB at 50 ms, aggregated"), Some(2.0));
}

#[test]
fn only_what_belongs_to_a_part_that_was_asked_for_is_shown() {
    let each = Part::ALL.map(|part| targets(&[part], &measured(false), 0).len());
    assert_eq!(each, [7, 6, 2, 4, 3]);
}
