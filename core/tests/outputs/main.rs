//! Outputs that share a delivery stream, and what becomes of their limits and their lines.

mod host;
mod journal;
mod lines;
mod machine;
mod router;
mod sums;

use std::time::Duration;

use firehose_core::deliver::stream::{CallId, OutputId};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::Config;

use crate::host::{DELIVERED, Host, ID, Options, event};

const OTHER: OutputId = OutputId(2);

fn config(options: Options) -> Config {
    let config = Config::parse(|key| {
        let own = [("delivery_stream", "logs")];
        let found = options.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    });
    config.expect("the options are right")
}

/// The calls that begin at once for as many flushes.
fn calls_at_once(host: &mut Host, outputs: &[OutputId]) -> Vec<CallId> {
    let mut calls = Vec::new();
    for (caller, id) in outputs.iter().enumerate() {
        host.begin(*id, caller, &event(&[(b'a', 1)]));
        calls.extend(host.calls().0);
    }
    calls
}

#[test]
fn the_lower_limits_of_two_outputs_hold_for_both_and_the_log_says_so() {
    let mut host = Host::new(&[("max_in_flight", "5")]);
    assert_eq!(host.lines(), [""; 0]);
    let lower = [("max_in_flight", "2"), ("max_requests_per_second", "50")];
    host.join(OTHER, &lower);
    let told = host.lines_of(OTHER).join("; ");
    assert!(
        told.starts_with("Warn: another output sends to this delivery stream too"),
        "{told}"
    );
    assert!(told.contains("max_in_flight 2"), "{told}");
    assert!(told.contains("max_requests_per_second 50"), "{told}");
    let flushes = [ID, OTHER, ID, OTHER, ID];
    assert_eq!(calls_at_once(&mut host, &flushes).len(), 2);
}

#[test]
fn equal_limits_are_no_news() {
    let mut host = Host::new(&[]);
    host.join(OTHER, &[]);
    assert_eq!((host.lines(), host.lines_of(OTHER)), (vec![], vec![]));
}

#[test]
fn the_limits_of_an_output_go_with_it() {
    let mut host = Host::new(&[("max_in_flight", "5")]);
    host.join(OTHER, &[("max_in_flight", "1")]);
    host.stream.leave(host.now, OTHER, |_| false);
    assert_eq!(calls_at_once(&mut host, &[ID; 6]).len(), 5);
}

/// A chunk of which nothing can be read is an error; one of which something could be is not.
#[test]
fn a_wholly_corrupt_chunk_is_told_as_an_error() {
    for (bytes, expected) in [
        (&[0xc1, 0xc1][..], Verdict::Failed),
        (
            &[0x92, 0x01, 0x81, 0xa1, b'a', 0x01, 0xc1][..],
            Verdict::Delivered,
        ),
    ] {
        let verdict = Host::new(&[]).flush(bytes, DELIVERED);
        assert_eq!(verdict, expected, "{bytes:?}");
    }
}

/// A call may end while its stream begins anew: its answer is on the way then.
#[test]
fn an_answer_to_a_call_of_before_a_new_beginning_is_no_other_call_s() {
    let mut host = Host::new(&[]);
    let old_flush = host.begin(ID, 0, &event(&[(b'a', 1)]));
    let old = host.calls().0[0];
    host.now += Duration::from_secs(1);
    host.stream = host.stream.anew(host.now, 1);
    host.join(ID, &[]);
    let flush = host.begin(ID, 0, &event(&[(b'a', 1)]));
    assert!(flush > old_flush, "chunks are numbered on too");
    let new = host.calls().0[0];
    host.answer(old, DELIVERED);
    assert!(host.stream.is_under_way(new));
    host.answer(new, DELIVERED);
    assert!(!host.stream.is_under_way(new));
}
