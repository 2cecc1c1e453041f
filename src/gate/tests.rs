mod drain;

use super::*;

const OPEN: Limits = Limits {
    max_in_flight: 2,
    max_bytes_in_flight: usize::MAX,
    bytes_per_second: None,
    records_per_second: None,
    requests_per_second: None,
};

async fn pass(gate: &Gate, bytes: usize) -> Pass<'_> {
    gate.turn().await.pass(bytes, 1)
}

/// Whether a call may be made at this moment.
async fn is_open(gate: &Gate) -> bool {
    let now = Instant::now();
    timeout_at(now, pass(gate, 1)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_limited() {
    let gate = Gate::new(OPEN);
    let first = pass(&gate, 1).await;
    let second = pass(&gate, 1).await;
    assert!(!is_open(&gate).await);
    first.accepted();
    assert!(is_open(&gate).await);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn bytes_under_way_are_limited() {
    let gate = Gate::new(Limits {
        max_bytes_in_flight: 100,
        ..OPEN
    });
    let first = pass(&gate, 99).await;
    assert!(is_open(&gate).await);
    let second = pass(&gate, 1).await;
    assert!(!is_open(&gate).await);
    first.accepted();
    assert!(is_open(&gate).await);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_lets_the_next_one_in_at_once() {
    let gate = Gate::new(Limits {
        max_in_flight: 1,
        ..OPEN
    });
    let first = pass(&gate, 1).await;
    let start = Instant::now();
    let end = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        first.accepted();
    };
    let (_, second) = tokio::join!(end, pass(&gate, 1));
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn pauses_double_while_all_is_refused_and_end_with_the_first_acceptance() {
    let gate = Gate::new(OPEN);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        pass(&gate, 1).await.throttled(0, 1.0);
        let start = Instant::now();
        let next = pass(&gate, 1).await;
        pauses.push(start.elapsed().as_millis());
        drop(next);
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    pass(&gate, 1).await.accepted();
    pass(&gate, 1).await.throttled(0, 1.0);
    let start = Instant::now();
    drop(pass(&gate, 1).await);
    assert_eq!(start.elapsed(), FIRST_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn a_call_accepted_in_part_closes_nothing() {
    let gate = Gate::new(OPEN);
    pass(&gate, 1_000).await.throttled(500, 1.0);
    assert!(is_open(&gate).await);
}

#[tokio::test(start_paused = true)]
async fn pauses_do_not_double_where_a_rate_is_kept() {
    let gate = Gate::new(OPEN);
    gate.turn().await.pass(1_000, 10).throttled(500, 1.0);
    drop(pass(&gate, 1).await);
    for _ in 0..3 {
        pass(&gate, 1).await.throttled(0, 1.0);
        let start = Instant::now();
        drop(pass(&gate, 1).await);
        assert_eq!(start.elapsed(), FIRST_PAUSE);
    }
}

#[tokio::test(start_paused = true)]
async fn while_blocked_one_call_at_a_time_finds_out() {
    let gate = Gate::new(OPEN);
    pass(&gate, 1).await.blocked(1.0);
    assert!(!is_open(&gate).await);
    let probe = pass(&gate, 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!is_open(&gate).await, "a second probe");
    probe.accepted();
    let first = pass(&gate, 1).await;
    assert!(is_open(&gate).await);
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn fixed_rates_hold_for_bytes_records_and_requests() {
    for (limits, bytes, records) in [
        (
            Limits {
                bytes_per_second: Some(1_000),
                ..OPEN
            },
            100,
            1,
        ),
        (
            Limits {
                records_per_second: Some(1_000),
                ..OPEN
            },
            1,
            100,
        ),
        (
            Limits {
                requests_per_second: Some(10),
                ..OPEN
            },
            1,
            1,
        ),
    ] {
        let gate = Gate::new(limits);
        let start = Instant::now();
        for _ in 0..200 {
            gate.turn().await.pass(bytes, records).accepted();
        }
        let seconds = start.elapsed().as_secs_f64();
        assert!((18.5..=20.5).contains(&seconds), "{limits:?}: {seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_of_one_stream_share_a_gate_and_others_do_not() {
    let one = Gate::of("one", OPEN);
    let same = Gate::of("one", OPEN);
    let other = Gate::of("other", OPEN);
    assert!(Arc::ptr_eq(&one, &same));
    pass(&one, 1).await.throttled(0, 1.0);
    assert!(!is_open(&same).await);
    assert!(is_open(&other).await);
    drop((one, same));
    assert!(
        is_open(&Gate::of("one", OPEN)).await,
        "a gate outlived its outputs"
    );
}
