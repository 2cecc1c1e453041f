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

const WRONG: [Wrong; 20] = [
    (
        &[("compression", "brotli")],
        &["compression", "brotli", "gzip"],
    ),
    (
        &[("delivery_stream", "no blanks")],
        &["delivery_stream", "no blanks"],
    ),
    (
        &[("delivery_stream", "스트림")],
        &["delivery_stream", "스트림"],
    ),
    (
        &[("delivery_stream", SIXTY_FIVE)],
        &["delivery_stream", SIXTY_FIVE, "64"],
    ),
    (
        &[("time_key", "at"), ("log_key", "line")],
        &["time_key", "at", "log_key", "line"],
    ),
    (
        &[("time_key", "at"), ("time_key_format", "%Q")],
        &["time_key_format", "%Q"],
    ),
    (
        &[("batch_size", "4194305")],
        &["batch_size", "4194305", "4194304"],
    ),
    (&[("batch_size", "1K")], &["batch_size", "1K"]),
    (
        &[("aggregation_size", "1024001")],
        &["aggregation_size", "1024001", "1024000"],
    ),
    (
        &[("simple_aggregation", "maybe")],
        &["simple_aggregation", "maybe", "true"],
    ),
    (
        &[("request_timeout", "3s"), ("flush_timeout", "2s")],
        &["request_timeout", "3s", "2s"],
    ),
    (&[("endpoint", "ftp://host")], &["endpoint", "ftp://host"]),
    (
        &[("region", "us-east-1 # prod")],
        &["region", "us-east-1 # prod", "eu-west-1", "no comments"],
    ),
    (
        &[("profile", "two words")],
        &["profile", "two words", "default"],
    ),
    (&[("log_key", "a\nb")], &["log_key", "U+000A"]),
    (
        &[("destination", "parquet"), ("compression", "gzip")],
        &["destination", "parquet", "compression", "gzip"],
    ),
    (&[("batch_size", "1M")], &["batch_size", "1M", "2M", "4M"]),
    (
        &[("role_arn", "logs-role")],
        &["role_arn", "logs-role", "arn:"],
    ),
    (
        &[("ca_file", "/nonexistent/ca.pem")],
        &["ca_file", "/nonexistent/ca.pem"],
    ),
    (
        &[("ca_file", env!("CARGO_MANIFEST_PATH"))],
        &["ca_file", env!("CARGO_MANIFEST_PATH"), "PEM"],
    ),
];

/// One character over the service's limit.
const SIXTY_FIVE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

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

#[test]
fn an_external_id_is_not_shown() {
    let host = Host::start(HostVersion::V5_1);
    let options = [
        ("delivery_stream", "logs".to_owned()),
        ("external_id", "tenant 4711".to_owned()),
    ];
    let line = refused(&host, "external", &options, &["external_id", "2 to 1224"]);
    assert!(!line.contains("4711"), "{line}");
}

#[test]
fn a_password_in_the_endpoint_is_not_shown() {
    let host = Host::start(HostVersion::V5_1);
    let options = [
        ("delivery_stream", "logs".to_owned()),
        ("endpoint", "https://user:passw0rd@localhost".to_owned()),
    ];
    let line = refused(&host, "password", &options, &["endpoint"]);
    assert!(!line.contains("passw0rd"), "{line}");
}

/// The one line that says why.
fn refused(host: &Host, name: &str, options: &[(&str, String)], named: &[&str]) -> String {
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
    sentence.to_owned()
}
