//! The driver of a delivery stream, with a model of the service and on a paused clock: what one
//! flush does to the others when the plugin itself fails.

mod rig;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firehose::driver::Message;
use firehose::lent::{LentChunk, Told};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::tell::log::{Level, Line};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::rig::{EVENT, OUTPUT, Rig, end_of};

/// Far less than a flush may last.
const SOON: Duration = Duration::from_secs(1);

/// Can be looked at so often; then whoever does so fails by a panic.
struct Trap(AtomicUsize);

impl AsRef<[u8]> for Trap {
    fn as_ref(&self) -> &[u8] {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        assert!(left.is_ok(), "a bug");
        EVENT
    }
}

fn errors(lines: &[Line]) -> Vec<&str> {
    let errors = lines.iter().filter(|line| line.level == Level::Error);
    errors.map(|line| &*line.text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_one_chunk_ends_its_flush_soon_and_no_other() {
    // When it comes, or while it is packed, and then while it is hashed for the next time.
    for looks in 0..2 {
        let rig = Rig::new();
        let before = rig.flush(LentChunk::new(EVENT.repeat(10)));
        let bad = rig.flush(LentChunk::new(Trap(AtomicUsize::new(looks))));
        let after = rig.flush(LentChunk::new(EVENT.repeat(20)));
        let (before, bad, after) = tokio::join!(end_of(before), end_of(bad), end_of(after));
        let verdicts = [before.0, bad.0, after.0];
        let expected = [Verdict::Delivered, Verdict::Retry, Verdict::Delivered];
        assert_eq!(verdicts, expected, "{looks} looks");
        assert_eq!(rig.service.accepted().iter().sum::<usize>(), 30);
        for (_, took, _) in [&before, &bad, &after] {
            assert!(*took < SOON, "{looks} looks: {took:?}");
        }
        let lines: Vec<Line> = [before.2, bad.2, after.2].concat();
        let errors = errors(&lines);
        // And not that the flush's time was over.
        assert_eq!(
            (errors.len(), lines.len()),
            (1, 1),
            "{looks} looks: {lines:?}"
        );
        assert!(errors[0].contains("report it as a bug"), "{errors:?}");
        assert!(errors[0].contains("of tag app"), "{errors:?}");
        assert_eq!(rig.totals.ambiguous.get(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_held_that_ended_by_a_panic_is_sent_again_at_once() {
    let rig = Rig::new();
    rig.service.panics.store(1, Ordering::Relaxed);
    let (verdict, took, lines) = end_of(rig.flush(LentChunk::new(EVENT.repeat(10)))).await;
    assert_eq!(verdict, Verdict::Delivered);
    assert!(took < SOON, "{took:?}");
    assert_eq!(rig.service.accepted(), [10]);
    let errors = errors(&lines);
    assert_eq!(errors.len(), 1, "{lines:?}");
    for words in ["ended by a panic", "please report it", "take secrets out"] {
        assert!(errors[0].contains(words), "{errors:?}");
    }
    assert!(!errors[0].contains("EXAMPLE"), "{errors:?}");
    // It was sent before it failed.
    assert_eq!(rig.totals.ambiguous.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn calls_that_a_panic_of_the_driver_gives_up_are_ambiguous() {
    let rig = Rig::new();
    rig.service.is_silent.store(true, Ordering::Relaxed);
    let waiting = rig.flush(LentChunk::new(EVENT.repeat(10)));
    while rig.service.under_way.lock().unwrap().is_empty() {
        yield_now().await;
    }
    rig.service.is_silent.store(false, Ordering::Relaxed);
    let is_answered = |what: &Told| matches!(what, Told::Answer(..));
    let host = move |what| assert!(!is_answered(&what), "a host that panics");
    rig.flush_for(host, LentChunk::new(EVENT));
    let (verdict, took, lines) = end_of(waiting).await;
    assert_eq!(verdict, Verdict::Retry);
    assert!(took < SOON, "{took:?}");
    assert!(errors(&lines)[0].contains("is sent twice"), "{lines:?}");
    assert_eq!(rig.totals.ambiguous.get(), 10);
}

/// Calls that were packed and not sent would only take memory.
#[tokio::test(start_paused = true)]
async fn a_call_is_sent_before_the_next_is_packed() {
    let rig = Rig::new();
    let (verdict, _, _) = end_of(rig.flush(LentChunk::new(EVENT.repeat(5_000)))).await;
    assert_eq!(verdict, Verdict::Delivered);
    let under_way = rig.service.under_way.lock().unwrap();
    assert_eq!(under_way.len(), 10);
    assert!(under_way.iter().all(|calls| *calls <= 1), "{under_way:?}");
}

#[tokio::test(start_paused = true)]
async fn an_output_that_leaves_answers_who_waits_and_ends_the_driver() {
    let rig = Rig::new();
    let (left, remembered) = std::sync::mpsc::channel();
    // One of two documents is accepted, and the call of the other one is not answered.
    rig.service.is_halving.store(true, Ordering::Relaxed);
    let waiting = rig.flush(LentChunk::new(EVENT.repeat(2)));
    while rig.service.under_way.lock().unwrap().len() < 2 {
        yield_now().await;
    }
    rig.send(Message::Leave(OUTPUT, left));
    let (verdict, _, _) = end_of(waiting).await;
    assert_eq!(verdict, Verdict::Retry);
    let (_, remembered) = remembered.try_recv().expect("the driver has answered");
    assert!(remembered.is_some_and(|remembered| !remembered.is_empty()));
    rig.driver.closed().await;
}

/// Such a stream may not go to make room for another one: the chunk comes again.
#[tokio::test(start_paused = true)]
async fn what_is_accepted_after_its_flush_is_remembered() {
    let rig = Rig::named(None, Some("logs"));
    *rig.service.answers_after.lock().unwrap() = 3 * SOON;
    let waiting = rig.flush(LentChunk::new(EVENT.repeat(10)));
    while rig.service.under_way.lock().unwrap().is_empty() {
        yield_now().await;
    }
    let deadline = Instant::now() + SOON;
    rig.send(Message::Stop(OUTPUT, deadline.into_std()));
    let (verdict, _, _) = end_of(waiting).await;
    assert_eq!((verdict, rig.gauges.in_flight()), (Verdict::Retry, 1));
    while rig.gauges.in_flight() > 0 {
        sleep(SOON).await;
    }
    assert!(rig.gauges.remembers());
}

/// A flush publishes the gauges once it is answered: no other flush may come for long.
#[tokio::test(start_paused = true)]
async fn who_is_answered_finds_no_call_of_its_own_under_way() {
    let rig = Rig::new();
    let (looker, mut told) = unbounded_channel();
    let gauges = Arc::clone(&rig.gauges);
    let look = move |what| {
        if let Told::Answer(..) = what {
            _ = looker.send(gauges.in_flight());
        }
    };
    rig.flush_for(look, LentChunk::new(EVENT));
    assert_eq!(told.recv().await, Some(0));
}
