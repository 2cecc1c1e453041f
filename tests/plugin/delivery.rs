//! What is flushed arrives: each document once, equal to what was sent.

use std::io::Read;

use firehose_host::{FLB_OK, HostVersion};
use flate2::read::MultiGzDecoder;

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::{assert_exactly_once, http_logs};
use crate::support::service::Service;

#[test]
fn plain_over_http() {
    deliver(HostVersion::V5_1, "plain-http", Service::plain(), "false");
}

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

#[test]
fn aggregated_over_tls() {
    deliver(HostVersion::V5_1, "aggregated-tls", Service::tls(), "true");
}

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
fn compressed_records_unpack_to_the_documents() {
    let service = Service::tls();
    let host = Host::start(HostVersion::V5_1);
    let options = service.options("logs");
    let extra = [
        ("simple_aggregation", "true"),
        ("compression", "gzip"),
        SOON,
    ];
    let instance = host.init("gzip", &with(&extra, options));
    let lines = http_logs(0..3000);
    assert_eq!(flush(&instance, &chunk(&lines)), FLB_OK);
    let mut documents = Vec::new();
    for record in service.fake.records() {
        let mut unpacked = MultiGzDecoder::new(record.data.as_ref());
        let size = unpacked.read_to_end(&mut documents);
        assert!(size.expect("a record is gzip") > 0, "an empty record");
        assert_eq!(documents.last(), Some(&b'\n'), "a document is cut in two");
    }
    assert_exactly_once(&lines, &documents);
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
fn what_decodes_of_a_corrupt_chunk_is_delivered() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("corrupt", &service.options("logs"));
    let lines = http_logs(0..10);
    let mut bytes = chunk(&lines);
    // An array that claims four thousand million elements, and has none.
    bytes.extend_from_slice(&[0xdd, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(flush(&instance, &bytes), FLB_OK);
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn a_map_of_any_depth_is_formatted_within_the_stack_of_a_flush() {
    const DEPTH: usize = 100_000;
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("deep", &service.options("logs"));
    let mut bytes = vec![0x92, 0x01, 0x81, 0xa1, b'a'];
    bytes.resize(bytes.len() + DEPTH, 0x91);
    bytes.push(0xc0);
    assert_eq!(flush(&instance, &bytes), FLB_OK);
    let expected = format!("{{\"a\":{}null{}}}\n", "[".repeat(DEPTH), "]".repeat(DEPTH));
    assert!(
        service.fake.documents() == expected.as_bytes(),
        "the document differs"
    );
}
