//! The driver of a delivery stream, on a paused clock, with a model of the service.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use firehose::driver::{Driver, Flush, Host, Joining, Message};
use firehose::lent::LentChunk;
use firehose::service::{Answer, Sent, Service};
use firehose_core::deliver::stream::{OutputId, Remembered};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::Config;
use firehose_core::pack::packer::Packer;
use firehose_core::tell::log::{Level, Line};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

const OUTPUT: OutputId = OutputId(1);

/// What the service does with one call.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Accepts it after so many milliseconds.
    Accept(u64),
    Panic,
}

/// Plays a script; after its end it accepts at once.
struct Script {
    script: Mutex<Vec<Does>>,
    /// How many records of each call.
    calls: Mutex<Vec<usize>>,
}

impl Service for Script {
    async fn put(&self, _: Bytes, records: usize, sent: Sent) -> Answer {
        sent.set();
        self.calls.lock().unwrap().push(records);
        let next = self.script.lock().unwrap().pop();
        match next.unwrap_or(Does::Accept(0)) {
            Does::Accept(millis) => sleep(Duration::from_millis(millis)).await,
            Does::Panic => panic!("scripted"),
        }
        Ok(vec![Ok(()); records])
    }
}

struct World {
    driver: UnboundedSender<Message<Script>>,
    service: Arc<Script>,
    totals: Arc<Totals>,
}

/// A flush that was handed over: its lines, and its answer.
struct Handed {
    began: Instant,
    lines: mpsc::Receiver<Line>,
    answer: tokio::sync::mpsc::UnboundedReceiver<Verdict>,
}

struct Waits {
    lines: mpsc::Sender<Line>,
    answer: UnboundedSender<Verdict>,
}

impl Host for Waits {
    fn line(&self, line: Line) {
        _ = self.lines.send(line);
    }

    fn answer(&self, verdict: Verdict) {
        _ = self.answer.send(verdict);
    }
}

impl World {
    fn new(options: &[(&str, &str)], script: &[Does]) -> Self {
        let config = Config::parse(|key| {
            let own = [("delivery_stream", "logs")];
            let found = options.iter().chain(&own).find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        });
        let config = config.expect("the options are right");
        let (driver, messages) = unbounded_channel();
        let new = Driver::new(driver.clone(), messages, Arc::new(Gauges::default()));
        tokio::spawn(new.run());
        let service = Arc::new(Script {
            script: Mutex::new(script.iter().rev().copied().collect()),
            calls: Mutex::default(),
        });
        let totals = Arc::new(Totals::default());
        let joining = Joining {
            service: Arc::clone(&service),
            packer: Packer::new("logs", config.packing),
            scope: "scope".to_owned(),
            delivery: config.delivery,
            totals: Arc::clone(&totals),
            max_level: Level::Info,
            remembered: Remembered::default(),
        };
        assert!(
            driver
                .send(Message::Join(OUTPUT, Box::new(joining)))
                .is_ok()
        );
        Self {
            driver,
            service,
            totals,
        }
    }

    fn flush(&self, caller: usize, chunk: LentChunk) -> Handed {
        let (lines, told) = mpsc::channel();
        let (answer, answered) = unbounded_channel();
        let flush = Flush {
            chunk,
            tag: "app".to_owned(),
            caller,
            host: Box::new(Waits { lines, answer }),
        };
        assert!(self.driver.send(Message::Flush(OUTPUT, flush)).is_ok());
        Handed {
            began: Instant::now(),
            lines: told,
            answer: answered,
        }
    }

    fn calls(&self) -> Vec<usize> {
        self.service.calls.lock().unwrap().clone()
    }
}

impl Handed {
    /// The answer, and after how long it came.
    async fn end(&mut self) -> (Verdict, Duration) {
        let verdict = self.answer.recv().await.expect("each flush is answered");
        (verdict, self.began.elapsed())
    }

    fn told(&self) -> String {
        let lines = self.lines.try_iter().map(|line| line.text);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// So many events, and no two chunks alike.
fn chunk(mark: u8, events: usize) -> LentChunk {
    LentChunk::new([0x92, 0x01, 0x81, 0xa1, b'a', mark].repeat(events))
}

/// Bytes that can be measured, and then panic whoever reads them, twice.
struct Traps(AtomicU32);

impl AsRef<[u8]> for Traps {
    fn as_ref(&self) -> &[u8] {
        let reads = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(!(1..3).contains(&reads), "scripted");
        &[0x92, 0x01, 0x81, 0xa1, b'a', 7]
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_packing_is_told_and_touches_nothing_else() {
    let world = World::new(&[("flush_timeout", "30s")], &[]);
    let mut bad = world.flush(0, LentChunk::new(Traps(AtomicU32::new(0))));
    let mut good = world.flush(1, chunk(1, 10));
    let (verdict, took) = good.end().await;
    assert_eq!(verdict, Verdict::Delivered);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let (verdict, took) = bad.end().await;
    assert_eq!(verdict, Verdict::Retry);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let told = bad.told() + &good.told();
    assert!(told.contains("please report it as a bug"), "{told}");
    assert_eq!(world.totals.documents.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_made_again_and_told() {
    let world = World::new(&[], &[Does::Panic]);
    let mut flush = world.flush(0, chunk(1, 10));
    let (verdict, took) = flush.end().await;
    assert_eq!(verdict, Verdict::Delivered);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(world.calls(), [10, 10]);
    let told = flush.told();
    assert!(told.contains("ended by a panic"), "{told}");
    assert_eq!(world.totals.ambiguous.get(), 10);
}

/// An answer that comes after its flush's end settles what it was about, whether the chunk comes
/// again before it or after it.
#[tokio::test(start_paused = true)]
async fn what_a_late_answer_accepts_is_not_sent_again() {
    let options = [
        ("flush_timeout", "2s"),
        ("request_timeout", "2s"),
        ("max_in_flight", "1"),
    ];
    for pause in [100, 1_000] {
        let world = World::new(&options, &[Does::Accept(1_500), Does::Accept(1_900)]);
        let mut first = world.flush(0, chunk(1, 5));
        sleep(Duration::from_secs(1)).await;
        let mut second = world.flush(1, chunk(2, 5));
        assert_eq!(first.end().await.0, Verdict::Delivered);
        // Its call began half a second after it, and goes on.
        assert_eq!(second.end().await.0, Verdict::Retry);
        sleep(Duration::from_millis(pause)).await;
        let mut again = world.flush(1, chunk(2, 5));
        assert_eq!(again.end().await.0, Verdict::Delivered);
        assert_eq!(world.calls(), [5, 5], "{pause}");
        assert_eq!(world.totals.ambiguous.get(), 0, "{pause}");
        assert_eq!(world.totals.documents.get(), 10, "{pause}");
    }
}

/// A line about what happened after a flush's end goes to the next one.
#[tokio::test(start_paused = true)]
async fn a_line_outlives_the_flush_that_it_is_about() {
    let options = [("flush_timeout", "1s"), ("request_timeout", "1s")];
    let world = World::new(&options, &[Does::Accept(60_000), Does::Accept(0)]);
    let mut flush = world.flush(0, chunk(1, 5));
    assert_eq!(flush.end().await.0, Verdict::Retry);
    sleep(Duration::from_secs(5)).await;
    let mut next = world.flush(0, chunk(2, 5));
    assert_eq!(next.end().await.0, Verdict::Delivered);
    let told = flush.told() + &next.told();
    assert!(told.contains("no answer within request_timeout"), "{told}");
    assert!(told.contains("a duplicate is possible"), "{told}");
    assert_eq!(world.totals.ambiguous.get(), 5);
}
