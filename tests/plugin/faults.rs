//! Faults that come at a bad moment: an answer after its flush's end, a refusal in a chunk's second
//! flush, a recovery that is only partial.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use firehose_host::{
    FLB_ERROR, FLB_OK, FLB_RETRY, HostVersion, Instance, LogLevel, LogLine, take_logs,
};

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::{assert_exactly_once, http_logs};
use crate::support::service::Service;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);
const ONE_AT_A_TIME: (&str, &str) = ("max_in_flight", "1");

/// Lines of which an output's first call takes ten, and the second the rest.
const TWO_CALLS: u64 = 20;

// === answers that come late ===

/// The second of two calls is answered after the flush's end, and accepted.
#[test]
fn what_a_late_answer_accepts_is_not_sent_again() {
    let service = Service::with_scenario("[[step]]\nrepeat = 2\ndelay_ms = 1200");
    let host = Host::start(HostVersion::V5_1);
    let extra = [ONE_AT_A_TIME, ("flush_timeout", "2s")];
    let instance = host.init("late-answer", &with(&extra, service.options("logs")));
    let lines = http_logs(0..TWO_CALLS);
    let chunk = chunk(&lines);
    assert_eq!(flush(&instance, &chunk), FLB_RETRY);
    // It comes back while the call is under way, and has nothing more to send.
    assert_eq!(flush(&instance, &chunk), FLB_OK);
    assert_eq!(service.fake.stats().requests, 2);
    assert_nothing_is_ambiguous("late-answer", instance);
    assert_exactly_once(&lines, &service.fake.documents());
}

/// Two flushes share a call, and the first of them ends before it.
#[test]
fn the_end_of_one_of_a_call_s_flushes_makes_nothing_ambiguous() {
    let steps = [700, 700, 1200].map(|delay| format!("[[step]]\ndelay_ms = {delay}\n"));
    let service = Service::with_scenario(&steps.concat());
    let host = Host::start(HostVersion::V5_1);
    let extra = [ONE_AT_A_TIME, ("flush_timeout", "2s")];
    let instance = host.init("shared-call", &with(&extra, service.options("logs")));
    let lines = http_logs(0..1020);
    let chunks = [&lines[..1000], &lines[1000..1010], &lines[1010..]].map(chunk);
    let answers = thread::scope(|scope| {
        let mut flushes = Vec::new();
        for (under_way, chunk) in chunks.iter().enumerate() {
            assert!(service.fake.wait_for_requests(under_way, LONG));
            flushes.push(scope.spawn(|| flush_until_settled(&instance, chunk)));
        }
        flushes
            .into_iter()
            .map(|flush| flush.join().expect("a flush does not panic"))
            .collect::<Vec<_>>()
    });
    for answers in answers {
        assert_eq!(answers.last(), Some(&FLB_OK), "{answers:?}");
    }
    assert_nothing_is_ambiguous("shared-call", instance);
    assert_exactly_once(&lines, &service.fake.documents());
}

// === verdicts ===

#[test]
fn a_chunk_of_which_nothing_is_good_fails_and_any_other_does_not() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("corrupt-whole", &service.options("logs"));
    // An array that claims four thousand million elements, and has none.
    let corrupt = [0xdd, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(flush(&instance, &corrupt), FLB_ERROR);
    let lines = http_logs(0..1);
    let in_part = [&chunk(&lines)[..], &corrupt].concat();
    assert_eq!(flush(&instance, &in_part), FLB_OK);
    assert_exactly_once(&lines, &service.fake.documents());
}

/// Its first flush has one of two documents accepted, and the second has the other one refused.
#[test]
fn a_chunk_that_was_accepted_in_part_before_does_not_fail() {
    let steps = "
        [[step]]
        refuse = [1]
        [[step]]
        hang = true
        [[step]]
        repeat = \"forever\"
        max_bytes = 1000
    ";
    let service = Service::with_scenario(steps);
    let host = Host::start(HostVersion::V5_1);
    let extra = [("flush_timeout", "1s"), ("request_timeout", "1s")];
    let instance = host.init("in-part", &with(&extra, service.options("logs")));
    let long = "x".repeat(2000);
    let lines = [
        r#"{"n":0}"#.to_owned(),
        format!(r#"{{"n":1,"pad":"{long}"}}"#),
    ];
    let chunk_in_part = chunk(&lines);
    assert_eq!(flush(&instance, &chunk_in_part), FLB_RETRY);
    assert_eq!(service.fake.stats().documents, 1);
    let answers = thread::scope(|scope| {
        let refused = scope.spawn(|| flush_until_settled(&instance, &chunk_in_part));
        // A document is only known to be bad once others are accepted.
        for number in 2.. {
            if refused.is_finished() {
                break;
            }
            let other = chunk(&[format!(r#"{{"n":{number}}}"#)]);
            flush_until_settled(&instance, &other);
        }
        refused.join().expect("a flush does not panic")
    });
    assert_eq!(answers.last(), Some(&FLB_OK), "{answers:?}");
    let told = told_at_exit("in-part", instance);
    assert_told(&told, LogLevel::Error, "1 document is dropped");
}

// === calls that never went out ===

#[test]
fn a_connection_that_never_comes_about_makes_nothing_ambiguous() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let address = listener.local_addr().expect("it has an address");
    let _queued = fill(address);
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let endpoint = format!("http://{address}");
    let extra = [
        ("endpoint", endpoint.as_str()),
        ("flush_timeout", "2s"),
        ("request_timeout", "500ms"),
    ];
    let instance = host.init("no-connection", &with(&extra, service.options("logs")));
    assert_eq!(flush(&instance, &chunk(&http_logs(0..10))), FLB_RETRY);
    let told = assert_nothing_is_ambiguous("no-connection", instance);
    assert_told(&told, LogLevel::Warn, "no connection within");
}

/// Connects until nobody is let in anymore, as nobody is asked in.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    const PATIENCE: Duration = Duration::from_millis(300);
    let connect = || TcpStream::connect_timeout(&address, PATIENCE).ok();
    std::iter::from_fn(connect).collect()
}

// === several calls at a time ===

#[test]
fn after_an_outage_calls_that_are_accepted_in_part_go_side_by_side_again() {
    for (name, kind) in [
        ("blocked", "AccessDeniedException"),
        ("doubted", "InvalidArgumentException"),
    ] {
        let steps = format!(
            "
            [[step]]
            status = 400
            type = \"{kind}\"
            [[step]]
            repeat = 6
            refuse = [0]
            code = \"InternalFailure\"
            delay_ms = 500
            "
        );
        let service = Service::with_scenario(&steps);
        let host = Host::start(HostVersion::V5_1);
        let instance = host.init(name, &service.options("logs"));
        let lines = http_logs(0..4000);
        let (few, many) = lines.split_at(10);
        thread::scope(|scope| {
            let first = scope.spawn(|| flush(&instance, &chunk(few)));
            assert!(service.fake.wait_for_requests(1, LONG), "{name}");
            let second = scope.spawn(|| flush(&instance, &chunk(many)));
            assert!(service.fake.wait_for_requests(7, LONG), "{name}");
            // The last of those that are accepted in part has no answer yet.
            let most = service.fake.stats().max_concurrent_requests;
            assert!(most > 1, "{name}: {most} at a time");
            for flush in [first, second] {
                assert_eq!(flush.join().expect("a flush does not panic"), FLB_OK);
            }
        });
        assert_exactly_once(&lines, &service.fake.documents());
    }
}

// === lines of the log ===

/// The second of two calls fails after the flush's end.
const FAILS_LATE: &str = "
    [[step]]
    delay_ms = 400
    [[step]]
    status = 500
    type = \"InternalFailure\"
    delay_ms = 800
";

#[test]
fn what_is_known_of_a_call_after_its_flush_s_end_is_told_by_another_flush() {
    let service = Service::with_scenario(FAILS_LATE);
    let host = Host::start(HostVersion::V5_1);
    let extra = [ONE_AT_A_TIME, ("flush_timeout", "1s")];
    let instance = host.init("late-line", &with(&extra, service.options("logs")));
    assert_eq!(flush(&instance, &chunk(&http_logs(0..1000))), FLB_RETRY);
    // Its call begins when that one has ended.
    let answers = flush_until_settled(&instance, &chunk(&http_logs(1000..1010)));
    assert_eq!(answers.last(), Some(&FLB_OK), "{answers:?}");
    let told = take_logs(":late-line]");
    assert_told(&told, LogLevel::Warn, "InternalFailure");
}

#[test]
fn what_is_known_of_a_call_after_its_output_s_last_flush_is_told_at_the_exit() {
    let service = Service::with_scenario(FAILS_LATE);
    let host = Host::start(HostVersion::V5_1);
    let extra = [ONE_AT_A_TIME, ("flush_timeout", "1s")];
    let options = with(&extra, service.options("logs"));
    let instance = host.init("last-line", &options);
    let other = host.init("last-line-beside", &options);
    assert_eq!(
        flush(&instance, &chunk(&http_logs(0..TWO_CALLS))),
        FLB_RETRY
    );
    // Its call begins when that one has ended.
    let answers = flush_until_settled(&other, &chunk(&http_logs(1000..1010)));
    assert_eq!(answers.last(), Some(&FLB_OK), "{answers:?}");
    let told = told_at_exit("last-line", instance);
    assert_told(&told, LogLevel::Warn, "InternalFailure");
    assert_told(&told, LogLevel::Info, "documents ambiguous: 10");
}

/// The second of two calls is not answered before the exit.
#[test]
fn a_call_that_an_exit_gives_up_counts_as_ambiguous() {
    let service =
        Service::with_scenario("[[step]]\ndelay_ms = 400\n[[step]]\nhang = true\nstored = true");
    let host = Host::start(HostVersion::V5_1);
    let extra = [ONE_AT_A_TIME, ("flush_timeout", "1s")];
    let instance = host.init("given-up", &with(&extra, service.options("logs")));
    assert_eq!(
        flush(&instance, &chunk(&http_logs(0..TWO_CALLS))),
        FLB_RETRY
    );
    let told = told_at_exit("given-up", instance);
    assert_told(&told, LogLevel::Info, "documents ambiguous: 10");
}

#[test]
fn the_first_call_without_an_answer_is_warned_of() {
    let service = Service::with_scenario("[[step]]\nhang = true\nstored = true");
    let host = Host::start(HostVersion::V5_1);
    let extra = [("flush_timeout", "10s"), ("request_timeout", "500ms")];
    let instance = host.init("unanswered", &with(&extra, service.options("logs")));
    assert_eq!(flush(&instance, &chunk(&http_logs(0..10))), FLB_OK);
    let told = told_at_exit("unanswered", instance);
    assert_told(&told, LogLevel::Warn, "a duplicate is possible");
    assert_told(&told, LogLevel::Info, "documents ambiguous: 10");
}

// === means ===

/// Hands a chunk over until it is not to be handed over again: all answers.
fn flush_until_settled(instance: &Instance, chunk: &[u8]) -> Vec<i32> {
    let mut answers = Vec::new();
    while answers.last().is_none_or(|answer| *answer == FLB_RETRY) {
        assert!(answers.len() < 30, "never settled: {answers:?}");
        answers.push(flush(instance, chunk));
    }
    answers
}

/// Ends an instance: all that it has logged.
fn told_at_exit(name: &str, instance: Instance) -> Vec<LogLine> {
    instance.exit();
    take_logs(&format!(":{name}]"))
}

fn assert_nothing_is_ambiguous(name: &str, instance: Instance) -> Vec<LogLine> {
    let told = told_at_exit(name, instance);
    assert_told(&told, LogLevel::Info, "documents ambiguous: 0");
    told
}

/// The first line of a level that holds some words.
fn assert_told(lines: &[LogLine], level: LogLevel, words: &str) -> String {
    let mut lines_of_it = lines.iter().filter(|line| line.level == level);
    let told = lines_of_it.find(|line| line.text.contains(words));
    let told = told.unwrap_or_else(|| panic!("{words:?} is not in {lines:#?}"));
    told.text.clone()
}
