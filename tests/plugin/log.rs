//! The lines the plugin writes: whose they are, how many, and what they never hold.

use std::fs;

use firehose_host::{FLB_OK, FLB_RETRY, HostVersion, LogLevel, take_logs};

use crate::host::{Host, chunk, flush, with};
use crate::support::each_at_once;
use crate::support::environment::CREDENTIALS;
use crate::support::logs::http_logs;
use crate::support::service::Service;

const REFUSES_ONCE: &str = "[[step]]\nrefuse = [0]";

#[test]
fn an_instance_at_error_level_writes_no_less_severe_line() {
    assert_eq!(levels_of_an_eventful_life("quiet", LogLevel::Error), []);
}

#[test]
fn an_instance_at_warn_level_writes_no_info() {
    let levels = levels_of_an_eventful_life("terse", LogLevel::Warn);
    // An option without effect, a refused record.
    assert_eq!(levels, [LogLevel::Warn; 2]);
}

#[test]
fn an_instance_at_info_level_writes_a_summary_at_its_exit() {
    let levels = levels_of_an_eventful_life("chatty", LogLevel::Info);
    assert_eq!(levels.last(), Some(&LogLevel::Info));
}

/// The levels of what is written about two things to warn of, and the exit.
fn levels_of_an_eventful_life(name: &str, log_level: LogLevel) -> Vec<LogLevel> {
    let service = Service::with_scenario(REFUSES_ONCE);
    let host = Host::start(HostVersion::V5_1);
    let extra = [("time_key_format", "%s")];
    let options = with(&extra, service.options("logs"));
    let instance = host.try_init(name, &options, log_level);
    let instance = instance.expect("the options are right");
    let chunk = chunk(&http_logs(0..10));
    assert_eq!(instance.flush(&chunk, "t"), FLB_OK);
    instance.exit();
    lines(name).into_iter().map(|(level, _)| level).collect()
}

#[test]
fn a_refusal_of_every_call_is_told_of_but_not_for_every_call() {
    let service = Service::with_scenario("[[step]]\nrepeat = \"forever\"\nrefuse = \"all\"");
    let host = Host::start(HostVersion::V5_1);
    let extra = [("flush_timeout", "1s")];
    let instance = host.init("storm", &with(&extra, service.options("logs")));
    let chunk = chunk(&http_logs(0..2000));
    for _ in 0..3 {
        assert_eq!(flush(&instance, &chunk), FLB_RETRY);
    }
    // More calls than lines, be the machine as slow as it may.
    assert!(service.fake.stats().requests > 2);
    let lines = lines("storm");
    for words in ["records refused", "within flush_timeout"] {
        let told = lines.iter().filter(|(_, text)| text.contains(words));
        assert_eq!(told.count(), 1, "{words}: {lines:?}");
    }
}

#[test]
fn secrets_and_record_bodies_are_never_in_the_log() {
    let failures = [
        // Signed with a wrong secret, and a token that the service does not expect.
        ("rejected", ""),
        ("default", "refuse = \"all\""),
        ("default", "reset = \"before\""),
        ("default", "reply = \"truncated\""),
        ("default", "reply = \"garbage\""),
        ("default", "reset = \"after\""),
        ("default", "hang = true"),
        ("default", "status = 500\ntype = \"InternalFailure\""),
        ("default", "status = 400\ntype = \"ExpiredTokenException\""),
        (
            "default",
            "status = 400\ntype = \"ResourceNotFoundException\"",
        ),
        ("default", "status = 400\ntype = \"RequestExpired\""),
        (
            "default",
            "status = 400\ntype = \"InvalidArgumentException\"",
        ),
        (
            "default",
            "status = 400\ntype = \"SerializationException\"\nmessage = \"can't read\"",
        ),
    ];
    let credentials = fs::read_to_string(CREDENTIALS).expect("the tests' profiles are there");
    let mut secrets: Vec<&str> = credentials
        .lines()
        .filter_map(|line| line.split_once(" = ").map(|(_, value)| value))
        .collect();
    assert_eq!(secrets.len(), 5);
    secrets.extend(["traceId", "requestBody", "漢字"]);

    let host = Host::start(HostVersion::V5_1);
    let chunk = chunk(&http_logs(0..10));
    let fails = |(number, (profile, step)): (usize, (&str, &str))| {
        let scenario = format!("[[step]]\nrepeat = \"forever\"\n{step}");
        let service = Service::with_scenario(&scenario);
        let extra = [("flush_timeout", "1s"), ("profile", profile)];
        let name = format!("secret-{number}");
        let options = with(&extra, service.options("logs"));
        let instance = host.try_init(&name, &options, LogLevel::Trace);
        let instance = instance.expect("the options are right");
        flush(&instance, &chunk);
        // What can't be read of a chunk is no more to be shown than what can.
        flush(&instance, &chunk[..chunk.len() - 1]);
        instance.exit();
        let lines = lines(&name);
        assert!(lines.len() > 1, "{step}: nothing is said of the failure");
        for (_, text) in lines {
            for secret in &secrets {
                assert!(!text.contains(secret), "{step}: {secret} is in {text}");
            }
        }
    };
    each_at_once(failures.into_iter().enumerate(), fails);
}

/// What an instance logged since the last call, in the form of Fluent Bit's own outputs.
fn lines(name: &str) -> Vec<(LogLevel, String)> {
    let prefix = format!("[output:firehose:{name}] ");
    take_logs(&format!(":{name}]"))
        .into_iter()
        .map(|line| {
            let text = line.text.strip_prefix(&prefix);
            let text = text.unwrap_or_else(|| panic!("{:?} has another form", line.text));
            assert!(!text.contains('\n'), "{text:?} is more than one line");
            (line.level, text.to_owned())
        })
        .collect()
}
