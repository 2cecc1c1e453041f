//! Processes that share one delivery stream, each with a gate of its own, in virtual time. What AWS
//! does not document of its quotas is played in every form.
//!
//! The figures are printed also where all is well.

mod fleet;
mod process;
mod stream;

use std::io::Write;

use fleet::{Figures, Fleet};
use process::{LINE, Source};
use stream::{Code, Form, Rules, SECOND, Time, Unit};

/// The test harness keeps back what is printed, but not what is written.
macro_rules! tell {
    ($($words:tt)*) => {
        _ = writeln!(std::io::stderr(), $($words)*)
    };
}

const MIB: f64 = 1024.0 * 1024.0;
const QUOTAS: [f64; 3] = [0.25 * MIB, MIB, 5.0 * MIB];
const FLEETS: [u64; 4] = [1, 4, 32, 256];

const PLAIN: Rules = Rules {
    unit: Unit::Bytes,
    quota: MIB,
    form: Form::Bucket,
    counts_refused: false,
    faulty: 0.0,
    code: Code::InternalFailure,
};

/// What is refused is free, or uses the quota up too; and a quota for each second of the clock.
const METERS: [(&str, Rules); 3] = [
    ("free", PLAIN),
    (
        "counted",
        Rules {
            counts_refused: true,
            ..PLAIN
        },
    ),
    (
        "by the second",
        Rules {
            form: Form::Window,
            ..PLAIN
        },
    ),
];

/// Until the rates of a fleet have settled, and how long they are watched then.
const SETTLING: Time = 1_800 * SECOND;
const WATCHED: Time = 300 * SECOND;

/// Where a process has less than a record a second its share changes much with each refusal.
const SMALL_SHARE: f64 = 5.0 * 1024.0;

/// Each process begins at a time of its own within so long.
fn start(rules: Rules, count: u64, source: Source, is_aggregated: bool, within: Time) -> Fleet {
    let mut fleet = Fleet::new(rules, 7);
    for process in 0..count {
        fleet.start(source, is_aggregated, process * within / count);
    }
    fleet
}

fn endless(rules: Rules, count: u64, is_aggregated: bool) -> Fleet {
    start(rules, count, Source::Endless, is_aggregated, 10 * SECOND)
}

fn check_settled(name: &str, rules: Rules, count: u64, is_aggregated: bool) {
    let mut fleet = endless(rules, count, is_aggregated);
    fleet.run(SETTLING + WATCHED);
    let figures = fleet.figures(SETTLING, SETTLING + WATCHED);
    let Figures { used, jain, .. } = figures;
    // Refusals for a cause of their own are not the rate's.
    let sent = figures.sent * (1.0 - rules.faulty);
    let what = format!("{name}, {count} processes, aggregated {is_aggregated}");
    tell!("{what}: used {used:.2}, sent {sent:.3}, Jain {jain:.2}");
    let most_sent = if count > 32 { 1.15 } else { 1.055 };
    let is_small = matches!(rules.unit, Unit::Bytes) && rules.quota / (count as f64) < SMALL_SHARE;
    let least_jain = if is_small { 0.6 } else { 0.85 };
    assert!(used >= 0.92, "{what}: used {used}");
    assert!(sent <= most_sent, "{what}: sent {sent}");
    assert!(jain >= least_jain, "{what}: Jain {jain}");
}

#[test]
fn a_settled_fleet_uses_the_quota_and_shares_it() {
    for (meter, rules) in METERS {
        for quota in QUOTAS {
            for count in FLEETS {
                let name = format!("{} MiB/s, refusals {meter}", quota / MIB);
                check_settled(&name, Rules { quota, ..rules }, count, true);
            }
        }
    }
}

#[test]
fn so_does_one_that_sends_a_line_in_a_record() {
    for (meter, rules) in METERS {
        for count in FLEETS {
            let name = format!("1 MiB/s, refusals {meter}");
            check_settled(&name, rules, count, false);
        }
    }
}

#[test]
fn so_does_one_of_whose_records_some_are_refused_for_a_cause_of_their_own() {
    for faulty in [0.05, 0.3] {
        for quota in QUOTAS {
            for count in FLEETS {
                let rules = Rules {
                    quota,
                    faulty,
                    ..PLAIN
                };
                let name = format!("{} MiB/s, {faulty} refused otherwise", quota / MIB);
                check_settled(&name, rules, count, true);
            }
        }
    }
}

#[test]
fn so_does_one_on_a_quota_of_records() {
    for count in [1, 4, 32] {
        let rules = Rules {
            unit: Unit::Records,
            quota: 1_000.0,
            ..PLAIN
        };
        check_settled("1,000 records/s", rules, count, false);
    }
}

/// Calls that are turned away whole tell of no bytes: pauses alone keep to such a quota.
#[test]
fn a_quota_of_calls_is_used() {
    for count in [32, 256] {
        let rules = Rules {
            unit: Unit::Calls,
            quota: 1_000.0,
            ..PLAIN
        };
        let mut fleet = endless(rules, count, true);
        fleet.run(600 * SECOND);
        let Figures { used, sent, jain } = fleet.figures(300 * SECOND, 600 * SECOND);
        tell!("1,000 calls/s, {count} processes: used {used:.2}, sent {sent:.3}, Jain {jain:.2}");
        // 32 have no more calls; 256 send every second call in vain.
        let (least_used, most_sent) = if count > 32 { (0.92, 2.0) } else { (0.7, 1.05) };
        assert!(used >= least_used, "{count}: used {used}");
        assert!(sent <= most_sent, "{count}: sent {sent}");
        assert!(jain >= 0.85, "{count}: Jain {jain}");
    }
}

/// A backlog of a minute: over the quota's own time, and sent over accepted.
#[test]
fn a_backlog_is_sent_in_time_from_a_cold_start() {
    // By the number of processes; the last one to end was the least lucky one.
    let most_time = [1.45, 2.1, 2.5, 2.9];
    for (meter, rules) in METERS {
        for quota in QUOTAS {
            for (count, most_time) in FLEETS.into_iter().zip(most_time) {
                let lines = (60.0 * quota / count as f64) as u64 / LINE as u64;
                let rules = Rules { quota, ..rules };
                let mut fleet = start(rules, count, Source::Backlog(lines), true, SECOND);
                fleet.run(600 * SECOND);
                let time = fleet.now as f64 / (60 * SECOND) as f64;
                let sent = fleet.sent_over_accepted();
                let what = format!("{} MiB/s, refusals {meter}, {count} processes", quota / MIB);
                tell!("{what}: time {time:.2}, sent {sent:.2}");
                let is_small = quota / (count as f64) < SMALL_SHARE;
                let most_sent = if is_small { 2.15 } else { 1.2 };
                assert!(time <= most_time, "{what}: time {time}");
                assert!(sent <= most_sent, "{what}: sent {sent}");
            }
        }
    }
}

#[test]
fn a_quota_that_changes_is_found_again() {
    for count in [1, 4, 32] {
        let mut fleet = endless(PLAIN, count, true);
        for (change, least_used, most_sent) in
            [(1.0, 0.95, 1.1), (2.0, 0.95, 1.05), (0.5, 0.98, 1.1)]
        {
            fleet.stream.rules.quota *= change;
            let changed = fleet.now;
            fleet.run(changed + 600 * SECOND);
            let Figures { used, sent, .. } = fleet.figures(changed + 60 * SECOND, fleet.now);
            let what = format!("{count} processes, quota times {change}");
            tell!("{what}: used {used:.2}, sent {sent:.3} from the second minute on");
            assert!(used >= least_used, "{what}: used {used}");
            assert!(sent <= most_sent, "{what}: sent {sent}");
        }
    }
}

#[test]
fn an_outage_ends_without_a_storm() {
    for count in FLEETS {
        let mut fleet = endless(PLAIN, count, true);
        fleet.run(900 * SECOND);
        fleet.stream.back_at = 1_500 * SECOND;
        fleet.run(1_510 * SECOND);
        let steady = fleet.calls[800..900].iter().sum::<u32>() / 100;
        let first = fleet.calls[1_500];
        tell!("{count} processes: {first} calls in the first second, {steady} before the outage");
        assert!(
            first <= 2 * steady,
            "{count}: {first} calls, {steady} before"
        );
    }
}

#[test]
fn alone_on_a_stream_with_room_it_has_all_of_its_rate_within_two_seconds() {
    let rules = Rules {
        quota: f64::INFINITY,
        ..PLAIN
    };
    let mut fleet = endless(rules, 1, true);
    fleet.run(30 * SECOND);
    let steady = fleet.calls[20..30].iter().sum::<u32>() / 10;
    tell!(
        "calls a second: {:?}, {steady} in the long run",
        &fleet.calls[..4]
    );
    assert!(fleet.calls[2] >= steady * 9 / 10, "{:?}", &fleet.calls[..4]);
}

/// Nothing tells such refusals from throttling but that they do not depend on the rate.
#[test]
fn a_service_in_trouble_still_takes_what_it_took_before() {
    for (faulty, least) in [(0.05, 0.8), (0.3, 0.5)] {
        for count in [1, 4] {
            let lines = 0.5 * MIB / LINE as f64 / count as f64;
            let mut fleet = start(PLAIN, count, Source::Steady(lines), true, 10 * SECOND);
            fleet.run(900 * SECOND);
            fleet.stream.rules.faulty = faulty;
            fleet.stream.rules.code = Code::ServiceUnavailable;
            fleet.run(2_400 * SECOND);
            // Half of the quota is asked for.
            let taken = 2.0 * fleet.figures(1_200 * SECOND, 2_400 * SECOND).used;
            tell!("{faulty} refused as throttled, {count} processes: took {taken:.2}");
            assert!(taken >= least, "{faulty}, {count}: took {taken}");
        }
    }
}

/// For half a minute a service without a limit refuses a part, and says that it throttles.
#[test]
fn after_a_service_s_trouble_all_that_is_asked_for_is_taken_again() {
    for faulty in [0.3, 0.5, 1.0] {
        // At the start nothing is known of what the stream takes.
        for (begins, most_seconds) in [(0, 240), (600, 60)] {
            let rules = Rules {
                quota: f64::INFINITY,
                code: Code::ServiceUnavailable,
                ..PLAIN
            };
            let source = Source::Steady(MIB / LINE as f64);
            let mut fleet = start(rules, 1, source, true, SECOND);
            fleet.run(begins * SECOND);
            fleet.stream.rules.faulty = faulty;
            fleet.run((begins + 30) * SECOND);
            fleet.stream.rules.faulty = 0.0;
            let mut seconds = 0;
            while !fleet.processes[0].has_all(fleet.now) {
                seconds += 10;
                assert!(seconds <= most_seconds, "{faulty} from {begins} s on");
                fleet.run((begins + 30 + seconds) * SECOND);
            }
            tell!("{faulty} refused from {begins} s on: all taken {seconds} s after it ended");
        }
    }
}
