//! Wrong options: Init refuses them with one line, and nothing else is harmed.

use firehose_host::{Error, FLB_OK, HostVersion, Instance, LogLevel, take_logs};

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::{assert_exactly_once, http_logs};
use crate::support::service::Service;

/// Options that are wrong together, and what the line about them must name.
type Wrong = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

/// Of each kind one: `core/src/options/tests.rs` has what each option refuses.
const WRONG: [Wrong; 4] = [
    (
        &[("compression", "brotli")],
        &["compression", "brotli", "gzip"],
    ),
    (
        &[("delivery_stream", "스트림")],
        &["delivery_stream", "스트림"],
    ),
    (
        &[("time_key", "at"), ("log_key", "line")],
        &["time_key", "at", "log_key", "line"],
    ),
    (
        &[("ca_file", "/nonexistent/ca.pem")],
        &["ca_file", "/nonexistent/ca.pem"],
    ),
];

#[test]
fn init_names_what_is_wrong_and_leaves_a_good_instance_working() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let good = host.init("good", &service.options("logs"));
    for (number, (options, named)) in WRONG.into_iter().enumerate() {
        let name = format!("wrong-{number}");
        let options = with(options, service.options("logs"));
        refused(&host, &name, &options, named);
    }
    let lines = http_logs(0..10);
    assert_eq!(flush(&good, &chunk(&lines)), FLB_OK);
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn init_fails_without_a_stream_and_without_any_option() {
    let host = Host::start(HostVersion::V3_2);
    refused(&host, "bare", &[], &["delivery_stream"]);
}

/// With one line that says why.
fn refused(host: &Host, name: &str, options: &[(&str, String)], named: &[&str]) {
    let answer = host.try_init(name, options, LogLevel::Debug);
    match answer.map(Instance::exit) {
        Err(Error::InitFailed { answer }) => assert!(answer <= 0, "{options:?}"),
        Err(error) => panic!("{options:?}: {error}"),
        Ok(()) => panic!("{options:?} are taken"),
    }
    let prefix = format!("[output:firehose:{name}] ");
    let lines = take_logs(&prefix);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].level, LogLevel::Error);
    let sentence = lines[0].text.strip_prefix(&prefix);
    let sentence = sentence.expect("a line begins with its instance");
    for word in named {
        assert!(sentence.contains(word), "{sentence:?} does not name {word}");
    }
}
