//! Outputs that share a delivery stream, and what becomes of their limits and their lines.

mod host;
mod lines;
mod machine;
mod sums;

use std::sync::Arc;
use std::time::Instant;

use firehose_core::deliver::stream::{CallId, OutputId, Remembered, Step, Stream};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::Config;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::packer::{Packer, Source};
use firehose_core::tell::log::{Level, Log};

use crate::host::{DELIVERED, Host};

fn config(options: &[(&str, &str)]) -> Config {
    let config = Config::parse(|key| {
        let own = [("delivery_stream", "logs")];
        let found = options.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    });
    config.expect("the options are right")
}

fn join(stream: &mut Stream, now: Instant, id: u64, options: &[(&str, &str)]) {
    let delivery = config(options).delivery;
    let (totals, log) = (Arc::default(), Log::new(Level::Info));
    stream.join(
        now,
        OutputId(id),
        delivery,
        totals,
        log,
        Remembered::default(),
    );
}

fn lines(stream: &mut Stream, id: u64) -> String {
    let lines = stream.lines(OutputId(id)).map(|line| line.text);
    lines.collect::<Vec<_>>().join("\n")
}

/// Each chunk has these bytes.
struct Alike<'s>(&'s mut Stream, &'static [u8]);

const EVENT: &[u8] = &[0x92, 0x01, 0x81, 0xa1, b'a', 0x01];

impl Source for Alike<'_> {
    fn next(&mut self) -> Option<Piece> {
        self.0.next_piece()
    }

    fn counted(&self, chunk: ChunkId) -> usize {
        self.0.counted(chunk)
    }

    fn read<R>(&mut self, _: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
        reader(self.1)
    }
}

/// The calls that begin at once for as many flushes.
fn calls_at_once(stream: &mut Stream, now: Instant, outputs: &[u64]) -> Vec<CallId> {
    let mut packer = Packer::new("logs", config(&[]).packing);
    let mut calls = Vec::new();
    for (caller, id) in outputs.iter().enumerate() {
        stream.flush(now, OutputId(*id), caller, "tag", EVENT.len(), None);
        while let Step::Pack(_, room) = stream.next(now) {
            let mut batch = Batch::default();
            let format = &config(&[]).delivery.format;
            packer.pack(format, &mut Alike(stream, EVENT), room, &mut batch);
            calls.extend(stream.packed(now, &batch));
        }
    }
    calls
}

#[test]
fn the_lower_limits_of_two_outputs_hold_for_both_and_the_log_says_so() {
    let now = Instant::now();
    let mut stream = Stream::new(now, 1);
    join(&mut stream, now, 1, &[("max_in_flight", "5")]);
    assert_eq!(lines(&mut stream, 1), "");
    join(
        &mut stream,
        now,
        2,
        &[("max_in_flight", "2"), ("max_requests_per_second", "50")],
    );
    let told = lines(&mut stream, 2);
    assert!(
        told.starts_with("another output sends to this delivery stream too"),
        "{told}"
    );
    assert!(told.contains("max_in_flight 2"), "{told}");
    assert!(told.contains("max_requests_per_second 50"), "{told}");
    assert_eq!(calls_at_once(&mut stream, now, &[1, 2, 1, 2, 1]).len(), 2);
}

#[test]
fn equal_limits_are_no_news() {
    let now = Instant::now();
    let mut stream = Stream::new(now, 1);
    for id in 1..4 {
        join(&mut stream, now, id, &[]);
        assert_eq!(lines(&mut stream, id), "");
    }
}

#[test]
fn the_limits_of_an_output_go_with_it() {
    let now = Instant::now();
    let mut stream = Stream::new(now, 1);
    join(&mut stream, now, 1, &[("max_in_flight", "5")]);
    join(&mut stream, now, 2, &[("max_in_flight", "1")]);
    stream.leave(now, OutputId(2), |_| false);
    assert_eq!(
        calls_at_once(&mut stream, now, &[1, 1, 1, 1, 1, 1]).len(),
        5
    );
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
    let now = Instant::now();
    let mut before = Stream::new(now, 1);
    join(&mut before, now, 1, &[]);
    let old = calls_at_once(&mut before, now, &[1])[0];
    let mut stream = before.anew(now, 1);
    join(&mut stream, now, 1, &[]);
    let new = calls_at_once(&mut stream, now, &[1])[0];
    let flush = |stream: &mut Stream| stream.flush(now, OutputId(1), 0, "tag", 1, None);
    assert!(
        flush(&mut stream) > flush(&mut before),
        "chunks are numbered on too"
    );
    stream.answered(now, old, true, Ok(&[Ok(())]));
    assert!(stream.is_under_way(new));
    stream.answered(now, new, true, Ok(&[Ok(())]));
    assert!(!stream.is_under_way(new));
}
