//! Chunks that are handed over again: what was accepted before is not sent again.

use std::io::Read;

use firehose_host::{FLB_OK, FLB_RETRY, HostVersion, Instance};

use crate::host::{Host, chunk, flush, with};
use crate::support::each_at_once;
use crate::support::logs::{Difference, assert_exactly_once, http_logs};
use crate::support::service::Service;

/// Accepts about half of the records of so many calls, then answers none until the flush has ended,
/// then accepts everything.
fn half_then_nothing(half: u32) -> String {
    format!(
        "
        seed = 7
        [[step]]
        repeat = {half}
        refuse_share = 0.5
        [[step]]
        repeat = 2
        hang = true
        "
    )
}

/// Calls that are not answered are given up with the flush.
const SHORT: [(&str, &str); 2] = [("flush_timeout", "1s"), ("request_timeout", "1s")];

/// The answers of the flushes until the chunk is delivered.
fn flush_until_delivered(instance: &Instance, chunk: &[u8]) -> Vec<i32> {
    let mut answers = Vec::new();
    while answers.last() != Some(&FLB_OK) {
        assert!(answers.len() < 30, "never delivered: {answers:?}");
        answers.push(flush(instance, chunk));
    }
    answers
}

fn is_retry_then_ok(answers: &[i32]) -> bool {
    answers.len() > 1
        && answers[..answers.len() - 1]
            .iter()
            .all(|answer| *answer == FLB_RETRY)
}

#[test]
fn only_what_is_left_goes_out_however_it_was_packed() {
    let host = Host::start(HostVersion::V5_1);
    let cases = [
        ("plain", &[][..]),
        (
            "aggregated",
            &[("simple_aggregation", "true"), ("aggregation_size", "6000")],
        ),
        ("compressed", &[("compression", "gzip")]),
        (
            "both",
            &[
                ("simple_aggregation", "true"),
                ("aggregation_size", "6000"),
                ("compression", "gzip"),
            ],
        ),
    ];
    each_at_once(cases, |(name, packing)| {
        let service = Service::with_scenario(&half_then_nothing(2));
        let extra = [&SHORT[..], packing].concat();
        let instance = host.init(
            &format!("resume-{name}"),
            &with(&extra, service.options("logs")),
        );
        let lines = http_logs(0..700);
        let answers = flush_until_delivered(&instance, &chunk(&lines));
        assert!(is_retry_then_ok(&answers), "{name}: {answers:?}");
        let mut documents = service.fake.documents();
        if name == "compressed" || name == "both" {
            let compressed = std::mem::take(&mut documents);
            let mut decoder = flate2::read::MultiGzDecoder::new(&compressed[..]);
            decoder
                .read_to_end(&mut documents)
                .expect("gzip, record after record");
        }
        assert_exactly_once(&lines, &documents);
    });
}

#[test]
fn equal_chunks_stay_right_in_number() {
    let service = Service::with_scenario(&half_then_nothing(2));
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("resume-equal", &with(&SHORT, service.options("logs")));
    let lines = http_logs(0..700);
    let chunk = chunk(&lines);
    // One is left in part, the other arrives meanwhile; each flush may be of either.
    let mut delivered = 0;
    let mut flushes = 0;
    while delivered < 2 {
        flushes += 1;
        assert!(flushes < 40, "never delivered");
        delivered += usize::from(flush(&instance, &chunk) == FLB_OK);
    }
    let difference = Difference::between(&lines, &service.fake.documents());
    assert_eq!((difference.lost, difference.twice), (0, lines.len()));
}

#[test]
fn a_successor_with_the_same_options_goes_on_after_a_reload() {
    let service = Service::with_scenario(&half_then_nothing(2));
    let host = Host::start(HostVersion::V5_1);
    let options = with(&SHORT, service.options("logs"));
    let lines = http_logs(0..700);
    let chunk = chunk(&lines);
    let first = host.init("resume-before", &options);
    assert_eq!(flush(&first, &chunk), FLB_RETRY);
    first.exit();
    let second = host.init("resume-after", &options);
    flush_until_delivered(&second, &chunk);
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn without_room_to_remember_a_chunk_is_sent_whole_and_said_so() {
    let service = Service::with_scenario(&half_then_nothing(4));
    let host = Host::start(HostVersion::V5_1);
    let extra = [&SHORT[..], &[("resume_max_bytes", "1000")]].concat();
    let instance = host.init("resume-no-room", &with(&extra, service.options("logs")));
    let lines = http_logs(0..700);
    flush_until_delivered(&instance, &chunk(&lines));
    let difference = Difference::between(&lines, &service.fake.documents());
    assert_eq!(difference.lost, 0);
    assert!(difference.twice > 0, "{difference}");
    let log = firehose_host::take_logs("resume-no-room");
    assert!(
        log.iter()
            .any(|line| line.text.contains("resume_max_bytes")),
        "{log:?}"
    );
}
