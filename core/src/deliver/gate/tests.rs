use super::*;

/// Nothing varies at random: each pause is as long as it may be.
const FULL: f64 = 1.0;
const BYTES: usize = 1_000;

fn gate(now: Instant, limits: Limits) -> Gate {
    let mut gate = Gate::new(now);
    gate.set_limits(now, limits);
    gate
}

/// A call begins, and what it holds is accepted.
fn accept(gate: &mut Gate, now: Instant) {
    gate.began(now, BYTES, 1, FULL);
    let answer = Answer {
        began: now,
        bytes: BYTES,
        records: 1,
        accepted_bytes: BYTES,
        throttled: 0,
    };
    gate.answered(now, &answer, FULL);
    gate.ended(BYTES);
}

/// How long after this nothing begins.
fn pause(gate: &mut Gate, now: Instant) -> Duration {
    match gate.admit(now) {
        Admission::Now => Duration::ZERO,
        Admission::At(time) => time - now,
        Admission::AfterACall => panic!("a call is waited for"),
    }
}

#[test]
fn as_many_calls_and_bytes_as_are_allowed_are_under_way() {
    let now = Instant::now();
    for (limits, most) in [
        (
            Limits {
                max_in_flight: 2,
                ..Limits::NONE
            },
            2,
        ),
        (
            Limits {
                max_bytes_in_flight: 3 * BYTES,
                ..Limits::NONE
            },
            3,
        ),
        (
            Limits {
                max_bytes_in_flight: 3 * BYTES - 1,
                ..Limits::NONE
            },
            3,
        ),
        (
            Limits {
                max_bytes_in_flight: 3 * BYTES + 1,
                ..Limits::NONE
            },
            4,
        ),
    ] {
        let mut gate = gate(now, limits);
        for under_way in 0..most {
            assert_eq!(gate.in_flight(), under_way);
            assert_eq!(gate.admit(now), Admission::Now, "{limits}: {under_way}");
            gate.began(now, BYTES, 1, FULL);
        }
        assert_eq!(gate.admit(now), Admission::AfterACall, "{limits}");
        gate.ended(BYTES);
        assert_eq!(gate.admit(now), Admission::Now, "{limits}");
        assert_eq!(gate.in_flight(), most - 1);
        gate.began(now, BYTES, 1, FULL);
        assert_eq!(gate.admit(now), Admission::AfterACall, "{limits}");
    }
}

#[test]
fn each_fixed_rate_is_kept() {
    let now = Instant::now();
    let (bytes, records) = (Some(4_000), Some(40));
    for limits in [
        Limits {
            bytes_per_second: bytes,
            ..Limits::NONE
        },
        Limits {
            records_per_second: records,
            ..Limits::NONE
        },
        Limits {
            requests_per_second: Some(4),
            ..Limits::NONE
        },
    ] {
        let mut gate = gate(now, limits);
        // A quarter of a second's is there at first. What goes over it is waited for.
        for expected in [0, 0, 250, 500, 750] {
            let millis = pause(&mut gate, now).as_millis();
            assert!(
                (expected..expected + 3).contains(&millis),
                "{limits}: {millis} ms"
            );
            gate.began(now, BYTES, 10, FULL);
        }
        assert_eq!(gate.rate(), limits.bytes_per_second.map(|rate| rate as f64));
    }
}

#[test]
fn the_lower_ones_of_limits_hold_and_are_told() {
    let one = Limits {
        max_in_flight: 1,
        max_bytes_in_flight: 20,
        bytes_per_second: Some(3),
        records_per_second: None,
        requests_per_second: Some(50),
    };
    let other = Limits {
        max_in_flight: 10,
        max_bytes_in_flight: 2,
        bytes_per_second: Some(30),
        records_per_second: Some(4),
        requests_per_second: Some(5),
    };
    let told = "max_in_flight 1, max_bytes_in_flight 2, max_bytes_per_second 3, \
                max_records_per_second 4, max_requests_per_second 5";
    assert_eq!(one.merge(other).to_string(), told);
    assert_eq!(other.merge(one).to_string(), told);
    let none = Limits {
        bytes_per_second: None,
        requests_per_second: None,
        ..one
    };
    assert_eq!(none.to_string(), "max_in_flight 1, max_bytes_in_flight 20");
}

#[test]
fn pauses_double_up_to_the_longest_until_something_is_accepted() {
    let mut now = Instant::now();
    let mut gate = gate(now, Limits::NONE);
    for _ in 0..2 {
        for expected in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            gate.failed(now, false, FULL);
            let pause = pause(&mut gate, now);
            assert_eq!(pause, Duration::from_millis(expected));
            now += pause;
        }
        assert_eq!(gate.admit(now), Admission::Now);
        accept(&mut gate, now);
        now += LONGEST_PAUSE;
    }
    // A pause is cut by half at most, and a later one makes none shorter.
    gate.failed(now, false, 0.0);
    assert_eq!(pause(&mut gate, now), Duration::from_millis(50));
    gate.throttled(now, 0.5);
    gate.throttled(now, 0.0);
    assert_eq!(pause(&mut gate, now), Duration::from_millis(200));
    for _ in 0..100 {
        gate.failed(now, false, FULL);
    }
    assert_eq!(pause(&mut gate, now), LONGEST_PAUSE);
}

#[test]
fn a_call_of_which_nothing_is_accepted_is_followed_by_a_pause() {
    let now = Instant::now();
    let mut gate = gate(now, Limits::NONE);
    gate.began(now, BYTES, 1, FULL);
    let answer = Answer {
        began: now,
        bytes: BYTES,
        records: 1,
        accepted_bytes: 0,
        throttled: 1,
    };
    gate.answered(now, &answer, FULL);
    gate.ended(BYTES);
    assert!(pause(&mut gate, now) >= FIRST_PAUSE);
}

#[test]
fn one_failed_connection_is_let_off_until_something_is_accepted() {
    let mut now = Instant::now();
    let mut gate = gate(now, Limits::NONE);
    for _ in 0..2 {
        assert!(!gate.is_let_off);
        gate.failed(now, true, FULL);
        assert!(gate.is_let_off);
        assert_eq!(gate.admit(now), Admission::Now);
        gate.failed(now, true, FULL);
        assert_eq!(pause(&mut gate, now), FIRST_PAUSE);
        now += LONGEST_PAUSE;
        accept(&mut gate, now);
        now += LONGEST_PAUSE;
    }
    gate.failed(now, false, FULL);
    assert_eq!(pause(&mut gate, now), FIRST_PAUSE);
    assert!(!gate.is_let_off);
}

#[test]
fn one_call_at_a_time_finds_out_whether_anything_is_accepted() {
    // What makes it doubtful, and what makes an end of that.
    let doubts: [fn(&mut Gate, Instant); 2] = [
        |gate, now| gate.blocked(now, FULL),
        |gate, _| gate.doubted(true),
    ];
    let ends: [fn(&mut Gate, Instant); 3] = [
        accept,
        |gate, now| gate.throttled(now, FULL),
        |gate, _| gate.doubted(false),
    ];
    for doubt in doubts {
        for end in ends {
            let start = Instant::now();
            let mut gate = gate(start, Limits::NONE);
            doubt(&mut gate, start);
            let now = start + LONGEST_PAUSE;
            assert_eq!(gate.admit(now), Admission::Now);
            gate.began(now, BYTES, 1, FULL);
            assert_eq!(gate.admit(now), Admission::AfterACall);
            end(&mut gate, now);
            let now = now + LONGEST_PAUSE;
            assert_eq!(gate.admit(now), Admission::Now);
        }
    }
    let now = Instant::now();
    let mut gate = gate(now, Limits::NONE);
    gate.blocked(now, FULL);
    assert_eq!(pause(&mut gate, now), FIRST_PAUSE);
}

#[test]
fn a_call_and_a_record_have_room_for_a_document() {
    let gate = gate(Instant::now(), Limits::NONE);
    assert!(gate.call_bytes() >= 5_120);
    assert!(gate.record_bytes() >= 5_120);
    assert_eq!(gate.rate(), None);
    assert_eq!(gate.limits, Limits::NONE);
}
