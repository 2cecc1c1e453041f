//! What an output says and counts of its flushes.

use std::collections::BTreeSet;
use std::time::Duration;

use firehose_core::deliver::failure::Cause;
use firehose_core::deliver::verdict::Verdict;
use firehose_core::schema::streams::Schema;
use firehose_core::schema::table;
use firehose_core::tell::log::Level;

use crate::host::{DELIVERED, Host, ID, Options, THROTTLED, event};

#[test]
fn what_gives_no_whole_document_is_told() {
    let (a, b) = (event(&[(b'a', 1)]), event(&[(b'b', 1)]));
    let (none, doubled) = (event(&[]), event(&[(b'a', 1), (b'a', 2)]));
    let head = [0x92, 0x01, 0x81, 0xa1, b'a', 0xdb, 0x00, 0x20, 0x00, 0x00];
    let long = [&head[..], &[b'x'; 0x20_0000]].concat();
    // An option, what comes behind a usual event, and the line about it.
    let cases: [(Options, &[u8], &str); 8] = [
        (&[], &a, ""),
        (
            &[("log_key", "a")],
            &b,
            "Warn: 1 event of tag app dropped: without the key `a` that log_key names",
        ),
        (
            &[("data_keys", "a")],
            &[&b[..], &b].concat(),
            "Warn: 2 events of tag app dropped: without a field that data_keys names",
        ),
        (
            &[],
            &none,
            "Warn: 1 event of tag app dropped: without a field",
        ),
        (
            &[],
            &[7],
            "Warn: 1 value in a chunk of tag app dropped: no log event",
        ),
        (
            &[],
            &[0xc1],
            "Error: a chunk of tag app is corrupt at offset 6: a byte that msgpack never uses; 1 \
             byte from there on dropped, what stands before is sent",
        ),
        (
            &[],
            &doubled,
            "Warn: 1 value left out of documents of tag app: a key stood twice in one object, such \
             as `a`, and only its last value is sent",
        ),
        (
            &[],
            &long,
            "Warn: 1 document of tag app cut to 1024000 bytes, the largest from 2097161 bytes",
        ),
    ];
    for (options, more, expected) in cases {
        let mut host = Host::new(options);
        let verdict = host.flush(&[&a[..], more].concat(), DELIVERED);
        assert_eq!(verdict, Verdict::Delivered, "{expected}");
        assert_eq!(host.lines().join("; "), expected);
    }
}

/// A key is a line of its own, and is told once.
#[test]
fn what_differs_from_the_table_is_told_and_counted_once() {
    let text = "Columns: [{Name: a, Type: string}, {Name: d, Type: struct<e:int>}]";
    let table = table::read(text, None).expect("it is a table");
    let mut host = Host::new(&[]);
    host.packer.schema = Schema::new(table, 1).ok();
    let event = event(&[(b'a', 1), (b'b', 2), (b'c', 3), (b'C', 4), (b'd', 5)]);
    for _ in 0..2 {
        assert_eq!(host.flush(&event, DELIVERED), Verdict::Delivered);
    }
    let no_column = |key| {
        format!(
            "Warn: schema_file has no column for the key `{key}` of tag app, and the conversion \
             drops it: add it with the type bigint"
        )
    };
    let same = "Warn: the key `C` of tag app is the same in lower case as another one of its \
                object: the conversion of the whole record fails; rename one of them";
    let wrong = "Warn: schema_file has the type struct for the key `d`, and a document of tag app \
                 has integer there: the conversion of its whole record fails; change the column or \
                 the value";
    let expected = [
        &no_column("b"),
        &no_column("c"),
        &no_column("C"),
        same,
        wrong,
    ];
    assert_eq!(host.lines(), expected);
    let totals = &host.totals;
    let findings: Vec<u64> = totals.findings.iter().map(|it| it.get()).collect();
    assert_eq!(findings, [3, 1, 1]);
    assert_eq!((totals.checked.get(), totals.failing.get()), (2, 2));
}

/// What is behind the numbers of its lines.
const AGAIN: &str = ": Fluent Bit is asked to hand the chunk over again";

#[test]
fn what_is_not_accepted_in_time_is_told_with_the_option_that_gives_the_time() {
    let chunk = event(&[(b'a', 1)]);
    for (is_stopped, time) in [(false, "flush_timeout (30s)"), (true, "stop_timeout (5s)")] {
        let mut host = Host::new(&[]);
        if is_stopped {
            host.stream.stop(ID, host.now + Duration::from_secs(5));
        }
        assert_eq!(host.flush(&chunk, THROTTLED), Verdict::Retry);
        let told = format!(
            "Warn: 6 bytes of a chunk of tag app not accepted within {time}, 0 documents \
             accepted{AGAIN}"
        );
        assert_eq!(host.lines().last(), Some(&told));
    }
    // Of two documents the second is accepted.
    let mut host = Host::new(&[]);
    let answer = Ok(&[Err(Cause::Server), Ok(())][..]);
    let chunk = [&chunk[..], &chunk].concat();
    assert_eq!(host.flush(&chunk, answer), Verdict::Retry);
    let told = host.lines().join("; ");
    let refused = "Warn: 1 of 2 records refused and sent again: the service failed";
    assert!(told.starts_with(refused), "{told}");
    let late = format!(
        "6 bytes of a chunk of tag app not accepted within flush_timeout (30s), 1 \
                        document accepted{AGAIN}"
    );
    assert!(told.ends_with(&late), "{told}");
    assert_eq!(host.totals.documents.get(), 1);
    assert_eq!(host.calls_that("partial"), 1);
    assert_eq!(host.totals.refused_records.get(), host.all_calls());
    assert_eq!(host.totals.retried_chunks.get(), 1);
    // It comes again, and only the first is sent.
    assert_eq!(host.flush(&chunk, DELIVERED), Verdict::Delivered);
    assert_eq!(host.totals.documents.get(), 2);
    assert_eq!(host.totals.resumed_chunks.get(), 1);
    assert_eq!(host.totals.delivered_chunks.get(), 1);
}

#[test]
fn a_chunk_that_is_forgotten_is_told_and_counted() {
    let mut host = Host::new(&[("resume_max_chunks", "1")]);
    for key in [b'a', b'b'] {
        assert_eq!(host.totals.forgotten_chunks.get(), 0);
        let two = [event(&[(key, 1)]), event(&[(key, 2)])].concat();
        host.flush(&two, Ok(&[Err(Cause::Server), Ok(())]));
    }
    assert_eq!(host.totals.forgotten_chunks.get(), 1);
    assert_eq!(
        host.lines().last().map(String::as_str),
        Some(
            "Warn: there is no room to remember what was accepted of 1 chunk: handed over again, \
             they are sent whole; raise resume_max_chunks or resume_max_bytes"
        )
    );
}

#[test]
fn each_error_of_a_call_is_told_and_counted_as_what_it_is() {
    let chunk = event(&[(b'a', 1)]);
    let mut advices = BTreeSet::new();
    for cause in Cause::ALL {
        let mut host = Host::new(&[("auto_retry_requests", "false")]);
        assert_eq!(host.flush(&chunk, Err(cause)), Verdict::Retry, "{cause:?}");
        let is_bug = cause == Cause::Bug;
        let level = if is_bug { Level::Error } else { Level::Warn };
        let line = &host.lines()[0];
        assert!(line.starts_with(&format!("{level:?}: ")), "{line}");
        assert!(
            line.ends_with(&format!("said: {}", cause.advice())),
            "{line}"
        );
        advices.insert(cause.advice());
        let calls = host.all_calls();
        assert!(calls > 1, "{cause:?}");
        assert_eq!(host.calls_that(cause.topic()), calls, "{cause:?}");
        assert_eq!(host.totals.call_time.read().count(), calls, "{cause:?}");
        let ambiguous = if cause.is_ambiguous() { calls } else { 0 };
        assert_eq!(host.totals.ambiguous.get(), ambiguous, "{cause:?}");
    }
    assert_eq!(advices.len(), Cause::ALL.len(), "each has its own");
}

/// A kept connection may just have been closed.
#[test]
fn one_failed_connection_is_no_news() {
    let mut host = Host::new(&[]);
    host.flush(&event(&[(b'a', 1)]), Err(Cause::Network));
    let lines = host.lines();
    assert!(lines[0].starts_with("Debug: "), "{lines:?}");
    assert!(lines[1].starts_with("Warn: "), "{lines:?}");
}

#[test]
fn the_log_says_now_and_then_what_was_delivered_and_what_of_it_is_wrong() {
    let usual = "Info: in the last 119 s: 2 documents delivered in 2 records: ";
    let waste = "Warn: billed";
    let times = "Warn: 2 documents delivered so far with a time that Firehose's conversion";
    let at = ("time_key", "at");
    let plain = ("time_key_format", "%FT%T");
    let cases: [(Options, &[&str]); 5] = [
        (&[], &[usual, waste]),
        (&[("simple_aggregation", "true")], &[usual]),
        (&[at], &[usual, waste]),
        (&[at, plain], &[usual, waste, times]),
        (&[at, plain, ("destination", "plain")], &[usual, waste]),
    ];
    for (options, expected) in cases {
        let mut host = Host::new(options);
        for seconds in [59, 60] {
            assert_eq!(host.lines(), [""; 0], "{options:?}");
            host.now += Duration::from_secs(seconds);
            host.flush(&event(&[(b'a', 1)]), DELIVERED);
        }
        let told = host.lines();
        assert_eq!(told.len(), expected.len(), "{told:?}");
        assert!(told[0].contains(" bytes, billed as 10240 ("), "{told:?}");
        for (line, start) in told.iter().zip(expected) {
            assert!(line.starts_with(start), "{line}");
        }
    }
    // The next one is of what came since.
    let mut host = Host::new(&[]);
    for seconds in [60, 661] {
        host.now += Duration::from_secs(seconds);
        host.flush(&event(&[(b'a', 1)]), DELIVERED);
    }
    let since =
        "Info: in the last 661 s: 1 document delivered in 1 record: 8 bytes, billed as 5120";
    let told = host.lines();
    assert!(told[2].starts_with(since), "{told:?}");
}
