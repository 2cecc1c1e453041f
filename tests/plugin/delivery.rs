//! What is flushed arrives: each document once, equal to what was sent.

use std::thread;
use std::time::Duration;

use firehose_host::{FLB_OK, HostVersion};

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::{assert_exactly_once, http_logs};
use crate::support::service::Service;

#[test]
fn plain_over_tls() {
    deliver(HostVersion::V3_2, "plain-tls", Service::tls(), "false");
}

#[test]
fn aggregated_over_http() {
    deliver(
        HostVersion::V3_2,
        "aggregated-http",
        Service::plain(),
        "true",
    );
}

/// Waited for at most.
const LONG: Duration = Duration::from_secs(60);

/// What is aggregated goes out soon, though no other flush comes to share its records.
const SOON: (&str, &str) = ("linger", "100ms");

/// More than one batch's records, and with aggregation more than one record.
fn deliver(version: HostVersion, name: &str, service: Service, simple_aggregation: &str) {
    let host = Host::start(version);
    let options = service.options("logs");
    let extra = [("simple_aggregation", simple_aggregation), SOON];
    let instance = host.init(name, &with(&extra, options));
    let lines = http_logs(0..2000);
    for lines in lines.chunks(700) {
        assert_eq!(flush(&instance, &chunk(lines)), FLB_OK);
    }
    assert_exactly_once(&lines, &service.fake.documents());
    let records = service.fake.stats().records;
    if simple_aggregation == "true" {
        assert!(records < 20, "{records} records are hardly aggregated");
    } else {
        assert_eq!(records, 2000);
    }
}

#[test]
fn an_empty_chunk_is_delivered_without_a_call() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("empty", &service.options("logs"));
    assert_eq!(flush(&instance, &[]), FLB_OK);
    assert_eq!(service.fake.stats().requests, 0);
}

#[test]
fn a_chunk_that_is_handed_over_twice_at_a_time_is_delivered_once() {
    let service = Service::with_scenario("[[step]]\ndelay_ms = 1500");
    let host = Host::start(HostVersion::V3_2);
    let instance = host.init("twice", &with(&[SOON], service.options("logs")));
    let lines = http_logs(0..100);
    let chunk = chunk(&lines);
    let answers = thread::scope(|scope| {
        let first = scope.spawn(|| flush(&instance, &chunk));
        assert!(service.fake.wait_for_requests(1, LONG));
        let second = scope.spawn(|| flush(&instance, &chunk));
        [first, second].map(|flush| flush.join().expect("a flush does not panic"))
    });
    assert_eq!(answers, [FLB_OK; 2]);
    assert_exactly_once(&lines, &service.fake.documents());
}
