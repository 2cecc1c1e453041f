//! What the machine decides, one decision at a time.

use std::mem;
use std::time::Duration;

use firehose_core::deliver::failure::Cause;
use firehose_core::deliver::stream::{OutputId, Step, Stream};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::tell::log::Level;

use crate::host::{DELIVERED, Host, ID, THROTTLED, event};

const OTHER: OutputId = OutputId(2);
const REFUSED: Result<&[Result<(), Cause>], Cause> = Err(Cause::Payload);

fn chunk(key: u8) -> Vec<u8> {
    event(&[(key, 1)])
}

/// A call after it fails by each cause: alone where nobody knows whether anything is accepted.
#[test]
fn after_an_error_that_an_operator_mends_one_call_at_a_time_is_made() {
    for cause in Cause::ALL {
        let mut host = Host::new(&[]);
        host.begin(ID, 0, &chunk(b'a'));
        let (calls, _) = host.calls();
        host.answer(calls[0], Err(cause));
        // The pause is over.
        host.now += Duration::from_secs(5);
        host.begin(ID, 1, &chunk(b'b'));
        let mut begun = host.calls().0.len();
        host.begin(ID, 2, &chunk(b'c'));
        begun += host.calls().0.len();
        let is_refused_alone = matches!(cause, Cause::Payload | Cause::Serialization);
        let expected = if cause.needs_operator() || is_refused_alone {
            1
        } else {
            2
        };
        assert_eq!(begun, expected, "{cause:?}");
    }
}

#[test]
fn throttling_shows_that_calls_are_taken() {
    let mut host = Host::new(&[]);
    for (caller, cause) in [Cause::NoStream, Cause::Throttled].into_iter().enumerate() {
        host.begin(ID, caller, &chunk(b'a' + caller as u8));
        let (calls, _) = host.calls();
        assert_eq!(calls.len(), 1);
        host.answer(calls[0], Err(cause));
        host.now += Duration::from_secs(5);
    }
    let mut begun = host.calls().0.len();
    host.begin(ID, 2, &chunk(b'c'));
    begun += host.calls().0.len();
    assert_eq!(begun, 2);
}

/// A document is dropped only if it is refused alone while another is accepted that was sent later.
#[test]
fn a_document_that_is_refused_alone_is_dropped_if_another_is_accepted() {
    let mut host = Host::new(&[]);
    let bad = host.begin(ID, 0, &chunk(b'a'));
    let (first, _) = host.calls();
    let good = host.begin(ID, 1, &chunk(b'b'));
    let (second, _) = host.calls();
    host.answer(first[0], REFUSED);
    // It was sent before the refusal: that tells nothing.
    host.answer(second[0], DELIVERED);
    host.now += Duration::from_secs(5);
    let (again, _) = host.calls();
    assert_eq!(host.ended, [(good, Verdict::Delivered)]);
    host.answer(again[0], REFUSED);
    assert_eq!(host.totals.rejected.get(), 0);
    // What was refused alone waits for another to go first.
    host.now += Duration::from_secs(5);
    host.begin(ID, 1, &chunk(b'c'));
    let (others, _) = host.calls();
    assert_eq!(others.len(), 1);
    host.answer(others[0], DELIVERED);
    host.now += Duration::from_secs(5);
    let (alone, _) = host.calls();
    host.answer(alone[0], REFUSED);
    assert_eq!(host.totals.rejected.get(), 1);
    host.calls();
    assert_eq!(host.ended.last(), Some(&(bad, Verdict::Failed)));
    let told = host.lines();
    let is_told = |start| told.iter().any(|line| line.starts_with(start));
    assert!(
        is_told("Warn: a document was refused alone, and none was accepted since"),
        "{told:?}"
    );
    assert!(is_told("Error: 1 document is dropped: said"), "{told:?}");
}

#[test]
fn a_call_is_named_by_the_worst_of_its_refusals() {
    let two = [chunk(b'a'), chunk(b'b')].concat();
    for (answer, cause, is_partial) in [
        (
            [Err(Cause::Server), Err(Cause::Throttled)],
            Cause::Throttled,
            false,
        ),
        (
            [Err(Cause::Throttled), Err(Cause::Server)],
            Cause::Throttled,
            false,
        ),
        (
            [Err(Cause::Server), Err(Cause::Server)],
            Cause::Server,
            false,
        ),
        ([Err(Cause::Server), Ok(())], Cause::Server, true),
    ] {
        let mut host = Host::new(&[]);
        host.begin(ID, 0, &two);
        let (calls, _) = host.calls();
        assert_eq!(host.stream.in_flight(), 1);
        host.answer(calls[0], Ok(&answer));
        assert_eq!(host.stream.in_flight(), 0);
        let counted = if is_partial { "partial" } else { cause.topic() };
        assert_eq!(host.calls_that(counted), 1, "{answer:?}");
        let line = &host.lines()[0];
        assert!(line.ends_with(cause.advice()), "{line}");
    }
}

/// Records that are refused for want of quota tell of it, others do not.
#[test]
fn only_throttled_records_hold_calls_to_a_rate() {
    // A call of a few bytes would tell nothing.
    let events = chunk(b'a').repeat(500);
    for (cause, is_held) in [(Cause::Throttled, true), (Cause::Server, false)] {
        let mut host = Host::new(&[]);
        host.begin(ID, 0, &events);
        let (calls, _) = host.calls();
        let mut fates = vec![Err(cause); 500];
        fates[0] = Ok(());
        host.answer(calls[0], Ok(&fates));
        assert_eq!(host.stream.rate().is_some(), is_held, "{cause:?}");
    }
}

#[test]
fn an_event_is_counted_once_however_often_it_is_packed() {
    let mut host = Host::new(&[]);
    host.flush(&[&[7][..], &chunk(b'a')].concat(), THROTTLED);
    assert!(host.all_calls() > 2);
    assert_eq!(host.totals.not_events.get(), 1);
}

#[test]
fn a_chunk_whose_packing_panics_twice_is_handed_back() {
    let mut host = Host::new(&[]);
    let flush = host.begin(ID, 0, &chunk(b'a'));
    for _ in 0..2 {
        assert!(host.ended.is_empty());
        assert!(matches!(host.stream.next(host.now), Step::Pack(..)));
        host.stream.next_piece().expect("the chunk waits");
        host.stream.pack_panicked(host.now, Some(flush));
        host.now += Duration::from_secs(5);
    }
    assert_eq!(host.calls().0.len(), 0);
    assert_eq!(host.ended, [(flush, Verdict::Retry)]);
    let told = host.lines();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("a chunk of tag app: please report"),
        "{told:?}"
    );
}

/// Cut off, a call may have been stored all the same.
#[test]
fn a_host_that_stops_has_half_a_second_left_for_a_call() {
    for (millis, expected) in [(499, 0), (500, 1), (501, 1)] {
        let mut host = Host::new(&[]);
        host.stream
            .stop(ID, host.now + Duration::from_millis(millis));
        host.begin(ID, 0, &chunk(b'a'));
        assert_eq!(host.calls().0.len(), expected, "{millis} ms");
    }
    let mut host = Host::new(&[("request_timeout", "100ms")]);
    host.stream.stop(ID, host.now + Duration::from_millis(100));
    host.begin(ID, 0, &chunk(b'a'));
    assert_eq!(host.calls().0.len(), 1);
}

#[test]
fn no_call_is_made_until_there_are_credentials() {
    let mut host = Host::new(&[]);
    host.begin(ID, 0, &chunk(b'a'));
    assert!(matches!(host.stream.next(host.now), Step::Pack(..)));
    host.stream.hold();
    assert_eq!(host.calls().0.len(), 0);
    host.stream.ready(ID);
    assert_eq!(host.calls().0.len(), 1);
}

#[test]
fn a_chunk_waits_for_no_thread_that_waits_for_a_call() {
    let mut host = Host::new(&[("simple_aggregation", "true")]);
    host.begin(ID, 0, &chunk(b'a'));
    assert_eq!(host.calls().0.len(), 1);
    host.begin(ID, 1, &chunk(b'b'));
    let soon = host.now + Duration::from_millis(100);
    assert_eq!(host.calls(), (vec![], Some(soon)));
}

#[test]
fn outputs_take_turns() {
    let mut host = Host::new(&[("max_in_flight", "1")]);
    host.join(OTHER, &[]);
    for caller in 0..4 {
        let id = if caller < 2 { ID } else { OTHER };
        host.begin(id, caller, &vec![chunk(b'a'); 600].concat());
    }
    let mut turns = Vec::new();
    for _ in 0..4 {
        let Step::Pack(id, _) = host.stream.next(host.now) else {
            panic!("a call is due");
        };
        turns.push(id.0);
        // Nothing is sent, but it was this output's turn.
        host.stream.pack_panicked(host.now, None);
        host.now += Duration::from_secs(5);
    }
    assert_eq!(turns, [1, 2, 1, 2]);
}

#[test]
fn an_output_that_leaves_takes_what_is_its_own() {
    let mut host = Host::new(&[]);
    host.join(OTHER, &[]);
    let other = host.begin(OTHER, 1, &chunk(b'b'));
    host.begin(ID, 0, &chunk(b'a'));
    assert_eq!(host.calls().0.len(), 2);
    host.stream.leave(host.now, ID, |_| true);
    // It was not named.
    assert!(!host.stream.wants_names(OTHER));
    assert_eq!(host.totals.ambiguous.get(), 1);
    assert_eq!(host.stream.in_flight(), 1);
    host.now += Duration::from_secs(30);
    host.calls();
    assert_eq!(host.ended, [(other, Verdict::Retry)]);
}

#[test]
fn all_that_the_host_gave_up_is_forgotten_at_the_next_flush() {
    let mut host = Host::new(&[]);
    for key in b'a'..b'e' {
        let two = [chunk(key), chunk(key)].concat();
        host.flush(&two, Ok(&[Err(Cause::Server), Ok(())]));
    }
    assert!(host.stream.wants_names(ID));
    host.now += Duration::from_hours(7);
    host.begin(ID, 0, &chunk(b'e'));
    assert!(!host.stream.wants_names(ID));
}

#[test]
fn chunks_are_named_while_any_is_remembered() {
    let mut host = Host::new(&[]);
    assert!(!host.stream.wants_names(ID));
    // One of which a part was accepted, and one that nothing needs to be known of later.
    let two = [chunk(b'a'), chunk(b'b')].concat();
    host.begin(ID, 0, &two);
    let (calls, _) = host.calls();
    host.answer(calls[0], Ok(&[Ok(()), Err(Cause::Server)]));
    host.begin(ID, 1, &chunk(b'c'));
    host.now += Duration::from_secs(30);
    host.calls();
    assert!(host.stream.wants_names(ID));
    assert!(!host.stream.wants_names(OTHER));
    host.stream.leave(host.now, ID, |_| false);
    let next = Stream::new(host.now, 1);
    let remembered = mem::replace(&mut host.stream, next).end(host.now);
    assert_eq!(remembered.len(), 1);
    host.stream.remember(host.now, remembered);
    host.join(OTHER, &[]);
    assert!(host.stream.wants_names(OTHER));
    host.begin(OTHER, 0, &two);
    assert!(!host.stream.wants_names(OTHER));
    assert_eq!(host.totals.resumed_chunks.get(), 1);
}

#[test]
fn a_stream_tells_its_rate_and_keeps_an_output_s_log() {
    let mut host = Host::new(&[("max_bytes_per_second", "9000")]);
    assert_eq!(host.stream.rate(), Some(9_000.0));
    let log = host.stream.log(ID).expect("the output is there");
    log.write(host.now, Level::Warn, "topic", || "a line".to_owned());
    assert_eq!(host.lines(), ["Warn: a line"]);
    assert!(host.stream.log(OTHER).is_none());
}

/// Small chunks wait for each other once: what the first call has no room for goes with the next.
#[test]
fn what_a_call_has_no_room_for_does_not_linger() {
    let mut host = Host::new(&[("simple_aggregation", "true"), ("linger", "7s")]);
    // Threads that could bring more.
    for caller in 0..30 {
        host.begin(ID, caller, &chunk(b'a'));
    }
    loop {
        let (calls, _) = host.calls();
        if calls.is_empty() {
            break;
        }
        calls
            .into_iter()
            .for_each(|call| host.answer(call, Ok(&[Ok(()); 500])));
    }
    host.ended.clear();
    host.now += Duration::from_secs(5);
    for caller in 0..20 {
        host.begin(ID, caller, &chunk(b'b').repeat(200));
        host.now += Duration::from_millis(10);
    }
    let (calls, due) = host.calls();
    assert!(calls.is_empty());
    host.now = due.expect("they linger");
    let first = host.now;
    loop {
        let (calls, until) = host.calls();
        if host.ended.len() == 20 {
            break;
        }
        if calls.is_empty() {
            host.now = until.expect("something is left");
        }
        for call in calls {
            host.answer(call, Ok(&[Ok(()); 500]));
        }
    }
    assert!(host.now - first < Duration::from_millis(10));
}
