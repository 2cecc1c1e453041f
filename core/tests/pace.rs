//! The rate of one process, a call at a time. What many processes make of it is judged in `fleet`.

use std::time::{Duration, Instant};

use firehose_core::deliver::gate::{Admission, Answer, Gate, Limits};

const UNIT: usize = 5 * 1024;
const KIB: f64 = 1024.0;

/// What becomes of a call's records.
#[derive(Clone, Copy)]
struct Call {
    records: usize,
    record_bytes: usize,
    throttled: usize,
    /// Refused for a cause of their own.
    failed: usize,
}

/// Makes one call after the other, each as soon as it may.
struct Process {
    gate: Gate,
    now: Instant,
    /// How long the last call had to wait.
    waited: Duration,
    /// What a call's share of the rate is chosen by.
    random: f64,
}

impl Process {
    fn new() -> Self {
        let now = Instant::now();
        let mut gate = Gate::new(now);
        gate.set_limits(now, Limits::NONE);
        Self {
            gate,
            now,
            waited: Duration::ZERO,
            random: 0.5,
        }
    }

    fn call(&mut self, call: Call) {
        let began = self.begin(call);
        self.answer(call, began);
    }

    fn begin(&mut self, call: Call) -> Instant {
        let asked = self.now;
        loop {
            match self.gate.admit(self.now) {
                Admission::Now => break,
                Admission::At(due) => self.now = due,
                Admission::AfterACall => panic!("a call should be let through"),
            }
        }
        self.waited = self.now - asked;
        let bytes = call.records * call.record_bytes;
        self.gate.began(self.now, bytes, call.records, self.random);
        self.now
    }

    fn answer(&mut self, call: Call, began: Instant) {
        self.now += Duration::from_millis(50);
        let answer = Answer {
            began,
            bytes: call.records * call.record_bytes,
            records: call.records,
            accepted_bytes: (call.records - call.throttled - call.failed) * call.record_bytes,
            throttled: call.throttled,
        };
        self.gate.answered(self.now, &answer, 0.5);
        self.gate.ended(answer.bytes);
    }

    /// Calls that carry what they may, and are accepted.
    fn grow(&mut self, calls: u32) {
        for _ in 0..calls {
            self.call(units(self.gate.call_bytes() / UNIT, 0));
        }
    }

    /// Until there is a rate that is refused and accepted in turn.
    fn settle(&mut self, quota: f64) {
        let mut left = 0.0_f64;
        let start = self.now;
        let mut filled = self.now;
        while self.now < start + Duration::from_secs(3_600) {
            let records = (self.gate.call_bytes() / UNIT).clamp(1, 500);
            left = (left + (self.now - filled).as_secs_f64() * quota).min(quota);
            filled = self.now;
            let accepted = ((left / UNIT as f64) as usize).min(records);
            left -= (accepted * UNIT) as f64;
            self.call(units(records, records - accepted));
        }
    }

    fn rate(&self) -> f64 {
        self.gate.rate().expect("a limit is known")
    }
}

fn units(records: usize, throttled: usize) -> Call {
    Call {
        records,
        record_bytes: UNIT,
        throttled,
        failed: 0,
    }
}

#[test]
fn what_may_be_under_way_doubles_with_each_accepted_call() {
    let mut process = Process::new();
    for doubled in 0..10 {
        assert_eq!(process.gate.call_bytes(), UNIT << doubled);
        let call = units(1 << doubled, 0);
        let began = process.begin(call);
        assert_eq!(process.gate.admit(process.now), Admission::AfterACall);
        process.answer(call, began);
    }
    assert_eq!(process.gate.rate(), None);
}

#[test]
fn what_is_not_in_use_does_not_grow() {
    let mut process = Process::new();
    for _ in 0..100 {
        process.call(units(1, 0));
    }
    assert_eq!(process.gate.call_bytes(), 2 * UNIT);
}

/// Refused records of so many; whether that makes a limit known.
#[test]
fn a_limit_is_known_when_more_than_half_is_refused() {
    for (calls, is_limited) in [
        (&[(1, 1)][..], false),
        (&[(1, 1), (1, 0)], false),
        (&[(1, 1), (1, 1), (1, 1)], false),
        (&[(1, 1), (1, 1), (1, 1), (1, 1)], true),
        (&[(3, 3)], false),
        (&[(4, 4)], true),
        (&[(100, 45), (100, 50), (100, 48)], false),
        (&[(100, 54)], true),
    ] {
        let mut process = Process::new();
        for &(records, throttled) in calls {
            process.call(units(records, throttled));
        }
        assert_eq!(process.gate.rate().is_some(), is_limited, "{calls:?}");
    }
}

#[test]
fn small_calls_tell_little_beside_what_may_be_under_way() {
    let mut process = Process::new();
    process.grow(12);
    let small = Call {
        records: 8,
        record_bytes: 100,
        throttled: 8,
        failed: 0,
    };
    for _ in 0..100 {
        process.call(small);
    }
    assert_eq!(process.gate.rate(), None, "100 small calls");
    process.call(units(500, 500));
    assert!(process.gate.rate().is_some(), "and a large one");
}

/// A call of a quarter of it tells as much as a larger one.
#[test]
fn a_call_tells_by_its_share_of_what_may_be_under_way() {
    for (records, calls) in [(16, 1), (4, 2), (2, 8)] {
        let mut process = Process::new();
        process.grow(4);
        assert_eq!(process.gate.call_bytes(), 16 * UNIT);
        for call in 1..=calls {
            assert_eq!(
                process.gate.rate(),
                None,
                "call {call} of {records} records"
            );
            process.call(units(records, records));
        }
        assert!(
            process.gate.rate().is_some(),
            "{calls} calls of {records} records"
        );
    }
}

#[test]
fn a_rate_never_falls_below_a_unit_in_twenty_seconds() {
    let mut process = Process::new();
    process.call(units(4, 4));
    let lowest = UNIT as f64 / 20.0;
    for _ in 0..300 {
        process.call(units(8, 7));
        assert!(process.rate() >= lowest);
    }
    assert_eq!(process.rate(), lowest);
}

#[test]
fn the_first_rate_is_a_sixteenth_of_what_was_accepted_in_a_second() {
    let mut process = Process::new();
    process.call(units(400, 0));
    process.call(units(400, 400));
    assert_eq!(process.rate(), 400.0 * UNIT as f64 / 16.0);
}

#[test]
fn a_search_doubles_the_rate_until_it_is_refused_and_halves_it_then() {
    let mut process = Process::new();
    process.call(units(4, 4));
    let first = process.rate();
    assert_eq!(first, UNIT as f64 / 2.0);
    for doubled in 1..=4 {
        process.call(units(1, 0));
        assert_eq!(process.rate(), first * f64::from(1 << doubled));
    }
    process.call(units(1, 1));
    assert_eq!(process.rate(), first * 8.0);
    // Now it is known from both sides, and changes by steps.
    process.call(units(1, 0));
    let grown = process.rate() / first / 8.0;
    assert!(grown > 1.0 && grown < 1.5, "{grown}");
}

#[test]
fn calls_keep_to_the_rate() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    let (start, before) = (process.now, process.rate());
    let mut bytes = 0;
    for _ in 0..100 {
        process.call(units(2, 0));
        bytes += 2 * UNIT;
    }
    let rate = bytes as f64 / (process.now - start).as_secs_f64();
    let range = 0.95 * before..1.05 * process.rate();
    assert!(range.contains(&rate), "{rate} is not in {range:?}");
}

#[test]
fn what_fails_for_a_cause_of_its_own_tells_nothing_of_the_rate() {
    let mut process = Process::new();
    process.settle(64.0 * KIB);
    let rate = process.rate();
    let failed = Call {
        failed: 8,
        ..units(8, 0)
    };
    process.call(failed);
    assert_eq!(process.rate(), rate);
    process.call(units(8, 4));
    assert!(process.rate() < rate, "throttled after it");
}

/// So that processes do not fall into step.
#[test]
fn a_call_costs_a_tenth_less_or_more_by_chance() {
    for (random, share) in [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)] {
        let mut process = Process::new();
        process.call(units(4, 4));
        process.now += Duration::from_secs(60);
        process.random = random;
        let began = process.begin(units(4, 0));
        let Admission::At(due) = process.gate.admit(began) else {
            panic!("the rate is used up");
        };
        // What was saved up is a sixteenth of a second's.
        let expected = 4.0 * UNIT as f64 * share / process.rate() - 1.0 / 16.0;
        let waits = (due - began).as_secs_f64();
        assert!((waits - expected).abs() < 1e-6, "{waits} for {expected}");
    }
}

#[test]
fn calls_and_records_are_small_shares_of_a_rate() {
    let mut process = Process::new();
    assert_eq!(process.gate.record_bytes(), UNIT);
    process.settle(4.0 * KIB * KIB);
    let rate = process.rate();
    assert_eq!(process.gate.call_bytes(), (rate / 16.0) as usize);
    let record = process.gate.record_bytes();
    assert_eq!(record % UNIT, 0);
    assert_eq!(record / UNIT, (rate / 256.0) as usize / UNIT);
    assert!(record > UNIT, "{record}");
}

#[test]
fn once_some_are_refused_records_become_smaller() {
    let mut process = Process::new();
    process.grow(12);
    let most = process.gate.record_bytes();
    process.call(units(1, 1));
    assert_eq!(process.gate.record_bytes(), most / 64 / UNIT * UNIT);
    process.call(units(1, 0));
    assert_eq!(process.gate.record_bytes(), most);
}

#[test]
fn a_rate_of_which_little_is_refused_stays() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    for (throttled, falls) in [(1, false), (2, true)] {
        let before = process.rate();
        process.call(units(10, throttled));
        assert_eq!(process.rate() < before, falls, "{throttled} of 10");
    }
}

#[test]
fn calls_of_before_a_fall_make_no_second_one() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    let calls: Vec<_> = (0..4).map(|_| process.begin(units(10, 5))).collect();
    process.answer(units(10, 5), calls[0]);
    let fallen = process.rate();
    for &began in &calls[1..] {
        process.answer(units(10, 5), began);
    }
    assert_eq!(process.rate(), fallen);
    process.call(units(10, 5));
    assert!(process.rate() < fallen);
}

#[test]
fn while_nothing_is_accepted_pauses_grow_and_the_rate_stays() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    process.call(units(10, 10));
    let rate = process.rate();
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        process.call(units(10, 10));
        assert_eq!(process.rate(), rate);
        longest = longest.max(process.waited);
    }
    assert!(longest > Duration::from_secs(3), "{longest:?}");
    // That was no quiet: the rate does not grow faster for it.
    process.call(units(1, 0));
    let grown = process.rate() / rate;
    assert!(grown < 1.1, "{grown}");
}

#[test]
fn a_rate_that_is_not_refused_for_long_grows_faster_and_faster() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    process.call(units(10, 5));
    let growth = |process: &mut Process, seconds| {
        let (before, until) = (process.rate(), process.now + Duration::from_secs(seconds));
        while process.now < until {
            process.call(Call {
                records: 1,
                record_bytes: process.gate.call_bytes(),
                throttled: 0,
                failed: 0,
            });
        }
        (process.rate() / before).ln() / seconds as f64
    };
    let first = growth(&mut process, 10);
    assert!((0.01..0.3).contains(&first), "{first} in a second");
    growth(&mut process, 15);
    let quicker = growth(&mut process, 5);
    assert!(quicker > 2.0 * first, "{quicker} after {first}");
    growth(&mut process, 10);
    // Never more than twice as much in a second.
    let most = growth(&mut process, 3);
    assert!((0.5..0.75).contains(&most), "{most}");
}

#[test]
fn a_rate_that_is_not_asked_for_does_not_grow() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    let rate = process.rate();
    for _ in 0..100 {
        process.now += Duration::from_secs(10);
        process.call(units(1, 0));
    }
    assert!(process.rate() < 1.5 * rate, "{} of {rate}", process.rate());
}

/// As much is refused at any rate: that is no limit.
#[test]
fn what_is_refused_far_below_the_proven_rate_is_tolerated_for_an_hour() {
    let mut process = Process::new();
    process.settle(100.0 * KIB);
    let proven = process.rate();
    let mut lowest = proven;
    let mut back = None;
    let start = process.now;
    let mut count = 0;
    // A third of the records.
    while process.now < start + Duration::from_secs(1_800) {
        count += 1;
        process.call(units(6, if count % 2 == 0 { 4 } else { 0 }));
        lowest = lowest.min(process.rate());
        if back.is_none() && lowest < proven / 6.0 && process.rate() > proven / 2.0 {
            back = Some(process.now - start);
        }
    }
    assert!(back.is_some(), "{lowest} of {proven}");
    assert!(process.rate() > proven / 2.0, "{} stays", process.rate());
    // All of the records are more than a third.
    let rate = process.rate();
    for _ in 0..40 {
        process.call(units(6, 5));
    }
    assert!(process.rate() < rate, "{} of {rate}", process.rate());
    // An hour later it tells of a limit again.
    process.now += Duration::from_secs(3_700);
    process.call(units(6, 0));
    let rate = process.rate();
    process.call(units(6, 2));
    assert!(process.rate() < rate, "{} of {rate}", process.rate());
}
