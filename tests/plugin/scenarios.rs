//! The scenario files, and other ways in which the service refuses: what must come of each.

use std::fs;
use std::path::Path;
use std::thread;

use fake_firehose::scenario::{ExpectedOutcome, Send};
use fake_firehose::{Scenario, Settings};
use firehose_host::{FLB_OK, FLB_RETRY, HostVersion, Instance};

use crate::host::{Host, chunk, flush, with};
use crate::support::each_at_once;
use crate::support::logs::{Difference, assert_exactly_once, http_logs};
use crate::support::service::Service;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

#[test]
fn every_scenario_ends_as_its_file_says() {
    let host = Host::start(HostVersion::V5_1);
    let files = fs::read_dir(FILES).expect("there are scenario files");
    let files = files.map(|file| file.expect("their folder can be read").path());
    each_at_once(files, |file| run(&host, &file));
}

fn run(host: &Host, file: &Path) {
    let name = file.file_stem().and_then(|name| name.to_str());
    let name = name.expect("a scenario's name is UTF-8");
    let scenario = scenario(name);
    let send = scenario.send.clone();
    let send = send.expect("the scenario says what is sent");
    let expect = scenario
        .expect
        .expect("the scenario says what is to be expected");
    let mut service = Service::start(Settings {
        scenario,
        ..Settings::default()
    });
    let lines: Vec<String> = (0..send.documents)
        .map(|number| padded(number, send.document_bytes as usize - 1))
        .collect();
    let (answer, rounds) = tell(
        host,
        name,
        &send,
        expect.rounds.at_most,
        &lines,
        &mut service,
    );

    let outcome = match expect.outcome {
        ExpectedOutcome::Ok => FLB_OK,
        ExpectedOutcome::Retry => FLB_RETRY,
    };
    assert_eq!(answer, outcome, "{name}");
    assert!(rounds >= expect.rounds.at_least, "{name}: {rounds} rounds");
    let difference = Difference::between(&lines, &service.fake.documents());
    let delivered = send.documents - difference.lost as u64;
    assert_eq!(delivered, expect.delivered, "{name}: {difference}");
    assert!(
        difference.twice as u64 <= expect.duplicates,
        "{name}: {difference}"
    );
    assert_eq!(
        difference.unequal + difference.foreign,
        0,
        "{name}: {difference}"
    );
    if let Some(range) = expect.requests {
        let requests = service.fake.stats().requests;
        assert!(
            (range.at_least..=range.at_most).contains(&requests),
            "{name}: {requests} requests instead of {range:?}"
        );
    }
}

/// Plays the host's part; the answer that stood in the end, and the rounds it took.
fn tell(
    host: &Host,
    name: &str,
    send: &Send,
    most_rounds: u64,
    lines: &[String],
    service: &mut Service,
) -> (i32, u64) {
    let options = with(&[("flush_timeout", "60s")], service.options("logs")).into_iter();
    let is_other = |(key, _): &(&str, String)| !send.options.contains_key(*key);
    let own = send.options.iter();
    let own = own.map(|(key, value)| (key.as_str(), value.clone()));
    let options: Vec<(&str, String)> = options.filter(is_other).chain(own).collect();
    let mut instance = host.init(name, &options);
    let mut waiting: Vec<Vec<u8>> = lines
        .chunks(lines.len() / send.chunks as usize)
        .map(chunk)
        .collect();
    if send.down_rounds > 0 {
        service.fake.go_down();
    }
    let mut rounds = 0;
    while !waiting.is_empty() && rounds < most_rounds {
        rounds += 1;
        waiting = flush_all(&instance, waiting);
        if rounds == send.down_rounds {
            service.fake.come_up().expect("the port is still free");
        }
        if send.restart_after_round == Some(rounds) {
            instance.exit();
            instance = host.init(name, &options);
        }
    }
    let answer = if waiting.is_empty() {
        FLB_OK
    } else {
        FLB_RETRY
    };
    (answer, rounds)
}

/// Hands chunks over side by side; those that are to be handed over again.
fn flush_all(instance: &Instance, chunks: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let answers: Vec<i32> = thread::scope(|scope| {
        let flushes = chunks
            .iter()
            .map(|chunk| scope.spawn(|| flush(instance, chunk)));
        let flushes: Vec<_> = flushes.collect();
        let answers = flushes.into_iter().map(|flush| flush.join());
        answers
            .map(|answer| answer.expect("a flush does not panic"))
            .collect()
    });
    let answered = chunks.into_iter().zip(answers);
    answered
        .filter(|(_, answer)| {
            assert!([FLB_OK, FLB_RETRY].contains(answer), "{answer}");
            *answer == FLB_RETRY
        })
        .map(|(chunk, _)| chunk)
        .collect()
}

#[test]
fn only_refused_records_go_out_again() {
    let service = Service::start(Settings {
        scenario: scenario("refused-then-accepted"),
        ..Settings::default()
    });
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("only-refused", &service.options("logs"));
    let lines = http_logs(0..500);
    assert_eq!(flush(&instance, &chunk(&lines)), FLB_OK);
    let requests = service.fake.requests();
    // Two of the first call were refused, and one of the second.
    let sent: u64 = requests.iter().map(|request| request.records).sum();
    assert_eq!(sent, 500 + 3);
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn a_record_that_is_refused_alone_is_dropped_and_the_others_arrive() {
    // A call with anything over 10 kB is refused.
    let service = Service::with_scenario("[[step]]\nrepeat = \"forever\"\nmax_bytes = 10000");
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("culprit", &service.options("logs"));
    let lines: Vec<String> = (0..64)
        .map(|number| padded(number, if number == 37 { 20_000 } else { 150 }))
        .collect();
    assert_eq!(flush(&instance, &chunk(&lines)), FLB_OK);
    let expected: Vec<String> = [&lines[..37], &lines[38..]].concat();
    assert_exactly_once(&expected, &service.fake.documents());
}

fn scenario(name: &str) -> Scenario {
    let path = format!("{FILES}/{name}.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A numbered line of this many bytes.
fn padded(number: u64, bytes: usize) -> String {
    let line = format!(r#"{{"n":{number},"pad":""}}"#);
    line.replace(r#""""#, &format!("\"{}\"", "x".repeat(bytes - line.len())))
}
