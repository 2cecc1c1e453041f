//! What the host is answered about a chunk of several parts, and what their machines are told.

use std::time::{Duration, Instant};

use firehose_core::deliver::failure::Cause;
use firehose_core::deliver::router::{Conclusion, Router};
use firehose_core::deliver::stream::OutputId;
use firehose_core::deliver::verdict::Verdict::{self, Delivered, Failed, Retry};
use firehose_core::pack::batch::ChunkId;

use crate::host::{Host, ID, THROTTLED, event};

const PARTS: [OutputId; 2] = [OutputId(1), OutputId(2)];

/// A flush of two parts that end so: what the host is answered.
fn flush(router: &mut Router, now: Instant, caller: Option<usize>, ends: [Verdict; 2]) -> Verdict {
    let id = router.begin(now, caller, PARTS.to_vec());
    let mut ended = |part: OutputId, verdict| {
        assert!(router.needs(part));
        router.ended(now, id, part, Some(ChunkId(10 * part.0)), verdict)
    };
    assert_eq!(ended(PARTS[1], ends[1]), None, "a part is open");
    ended(PARTS[0], ends[0]).expect("all parts have ended")
}

fn concluded(router: &mut Router, now: Instant) -> Vec<(u64, u64, bool)> {
    let conclusions = router.conclusions(now).into_iter();
    let told = |it: Conclusion| (it.part.0, it.chunk.0, it.comes_again);
    let mut told: Vec<_> = conclusions.map(told).collect();
    told.sort_unstable();
    told
}

#[test]
fn the_host_is_answered_for_all_parts_and_what_is_done_with_is_concluded() {
    let now = Instant::now();
    for (ends, answer) in [
        ([Delivered, Delivered], Delivered),
        ([Delivered, Failed], Delivered),
        ([Failed, Delivered], Delivered),
        ([Failed, Failed], Failed),
        ([Delivered, Retry], Retry),
        ([Retry, Delivered], Retry),
        ([Failed, Retry], Retry),
        ([Retry, Retry], Retry),
    ] {
        let mut router = Router::new(false);
        assert_eq!(flush(&mut router, now, None, ends), answer, "{ends:?}");
        // A part that is left is remembered by its machine anyway.
        let done = PARTS.iter().zip(ends).filter(|(_, end)| *end != Retry);
        let expected: Vec<_> = done
            .map(|(it, _)| (it.0, 10 * it.0, answer == Retry))
            .collect();
        assert_eq!(concluded(&mut router, now), expected, "{ends:?}");
        assert_eq!(concluded(&mut router, now), []);
        assert!(!PARTS.iter().any(|part| router.needs(*part)));
    }
}

#[test]
fn the_end_of_a_part_from_before_a_panic_is_no_new_ones() {
    let now = Instant::now();
    let mut router = Router::new(false);
    let old = router.begin(now, None, PARTS[..1].to_vec());
    let mut router = router.anew();
    let new = router.begin(now, None, PARTS[..1].to_vec());
    let mut ended = |id| router.ended(now, id, PARTS[0], Some(ChunkId(1)), Delivered);
    assert_eq!(ended(old), None);
    assert_eq!(ended(new), Some(Delivered));
}

/// What comes again after the process died is known from the journals until then.
#[test]
fn with_journals_parts_are_kept_until_the_host_has_surely_heard() {
    const BOTH: [(u64, u64, bool); 2] = [(1, 10, false), (2, 20, false)];
    let at = |start: Instant, millis| start + Duration::from_millis(millis);
    let start = Instant::now();

    let mut router = Router::new(true);
    flush(&mut router, start, None, [Delivered, Failed]);
    assert_eq!(router.due(), Some(at(start, 1_000)));
    assert_eq!(concluded(&mut router, at(start, 999)), []);
    assert!(PARTS.iter().all(|part| router.needs(*part)));
    assert_eq!(concluded(&mut router, at(start, 1_000)), BOTH);
    assert!(!PARTS.iter().any(|part| router.needs(*part)));
    assert_eq!(router.due(), None);

    // A thread that is held hands its answers on when it is idle; other threads do not matter.
    let mut router = Router::new(true);
    flush(&mut router, start, Some(7), [Delivered, Delivered]);
    let next = router.begin(at(start, 500), Some(7), PARTS.to_vec());
    router.begin(at(start, 500), Some(8), PARTS.to_vec());
    assert_eq!(
        (concluded(&mut router, at(start, 9_000)), router.due()),
        (vec![], None)
    );
    for part in PARTS {
        router.ended(at(start, 9_000), next, part, None, Retry);
    }
    assert_eq!(concluded(&mut router, at(start, 9_999)), []);
    assert_eq!(concluded(&mut router, at(start, 10_000)), BOTH);

    // The host hears at once that a chunk comes again, as it does after a death too.
    flush(&mut router, at(start, 20_000), None, [Delivered, Retry]);
    assert_eq!(concluded(&mut router, at(start, 20_000)), [(1, 10, true)]);
}

#[test]
fn a_part_that_ends_twice_or_is_not_known_changes_nothing() {
    let now = Instant::now();
    let mut router = Router::new(false);
    let id = router.begin(now, None, PARTS.to_vec());
    for part in [PARTS[0], PARTS[0], OutputId(3)] {
        assert_eq!(router.ended(now, id, part, None, Delivered), None);
    }
    assert_eq!(
        router.ended(now, id, PARTS[1], None, Delivered),
        Some(Delivered)
    );
    assert_eq!(router.ended(now, id, PARTS[1], None, Retry), None);
}

/// Its events are many ranges, as others lie between them; but nothing of this part does.
#[test]
fn a_part_of_many_events_between_others_is_remembered_in_few_bytes() {
    const EVENTS: usize = 400;
    let one = event(&[(b'a', 1)]);
    let place = |number: usize| number * one.len()..(number + 1) * one.len();
    let begin = |host: &mut Host| {
        let part = (0..EVENTS).step_by(2).map(place).collect();
        host.begin_part(ID, 0, &one.repeat(EVENTS), Some(part));
    };
    let next_call = |host: &mut Host| loop {
        match host.calls() {
            (calls, _) if calls.len() == 1 => return Some(calls[0]),
            _ if !host.ended.is_empty() => return None,
            (_, until) => host.now = until.expect("something will happen"),
        }
    };

    let mut host = Host::new(&[("resume_max_bytes", "1000")]);
    begin(&mut host);
    while let Some(call) = next_call(&mut host) {
        host.answer(call, THROTTLED);
    }
    assert_eq!(host.ended[0].1, Retry);
    assert_eq!(host.totals.forgotten_chunks.get(), 0);

    let mut host = Host::new(&[]);
    host.stream.keep_journal(host.now, Duration::ZERO, 100_000);
    begin(&mut host);
    // The first page is whole; the second one tells of what was accepted later.
    let mut answer = [[Ok(()); EVENTS / 4], [Err(Cause::Throttled); EVENTS / 4]].concat();
    while host.pages.len() < 2 {
        if let Some(call) = next_call(&mut host) {
            host.answer(call, Ok(&answer));
            answer = vec![Ok(()); EVENTS / 4];
        }
    }
    let bytes = host.pages[1].bytes.len();
    assert!(bytes < 200, "{bytes} bytes");
}
