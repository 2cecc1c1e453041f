//! A driver with one output, and a model of the service.

use std::future::pending;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use firehose::driver::{Driver, Message, Output, Place};
use firehose::lent::{Flush, LentChunk, Told};
use firehose::service::{Answer, Sent, Service};
use firehose_core::deliver::failure::Cause;
use firehose_core::deliver::stream::OutputId;
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::Config;
use firehose_core::pack::packer::Packer;
use firehose_core::tell::log::{Level, Line};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

pub(crate) const OUTPUT: OutputId = OutputId(1);
/// [0, {"a": 1}]
pub(crate) const EVENT: &[u8] = &[0x92, 0, 0x81, 0xa1, b'a', 1];
/// Accepts all that it is sent, but fails by a panic first.
#[derive(Default)]
pub(crate) struct Model {
    /// So many calls fail.
    pub(crate) panics: AtomicUsize,
    /// The first record of a call is accepted; a call of one is never answered.
    pub(crate) is_halving: AtomicBool,
    /// Calls are answered so late.
    pub(crate) answers_after: Mutex<Duration>,
    /// Calls are sent, and never answered.
    pub(crate) is_silent: AtomicBool,
    pub(crate) accepted: Mutex<Vec<Bytes>>,
    /// As each call saw them when it was sent.
    pub(crate) gauges: OnceLock<Arc<Gauges>>,
    pub(crate) under_way: Mutex<Vec<u64>>,
}

impl Model {
    /// The records of each call that was accepted.
    pub(crate) fn accepted(&self) -> Vec<usize> {
        let calls = mem::take(&mut *self.accepted.lock().unwrap());
        let records = |body: &Bytes| {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            body["Records"].as_array().unwrap().len()
        };
        calls.iter().map(records).collect()
    }
}

impl Service for Model {
    async fn put(&self, body: Bytes, records: usize, sent: Sent) -> Answer {
        sent.set();
        let gauges = self.gauges.get().expect("there is a driver");
        self.under_way.lock().unwrap().push(gauges.in_flight());
        let is_halving = self.is_halving.load(Ordering::Relaxed);
        if self.is_silent.load(Ordering::Relaxed) || is_halving && records == 1 {
            return pending().await;
        }
        if is_halving {
            let mut answer = vec![Err(Cause::Server); records];
            answer[0] = Ok(());
            return Ok(answer);
        }
        let left = self
            .panics
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        assert!(left.is_err(), "session-token-EXAMPLE");
        let after = *self.answers_after.lock().unwrap();
        sleep(after).await;
        self.accepted.lock().unwrap().push(body);
        Ok(vec![Ok(()); records])
    }
}

pub(crate) struct Rig {
    pub(crate) driver: UnboundedSender<Message<Model>>,
    pub(crate) service: Arc<Model>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) gauges: Arc<Gauges>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    pub(crate) fn with(place: Option<Place>) -> Self {
        Self::named(place, None)
    }

    /// With an output that has other delivery streams, too, if this one has a name.
    pub(crate) fn named(place: Option<Place>, named: Option<&str>) -> Self {
        let (driver, gauges) = Driver::start(&Handle::current(), None, place);
        let config = Config::parse(|key| (key == "delivery_stream").then(|| "logs".to_owned()));
        let config = config.expect("the options are right");
        let rig = Self {
            driver,
            service: Arc::default(),
            totals: Arc::default(),
            gauges,
        };
        let known = rig.service.gauges.set(Arc::clone(&rig.gauges));
        assert!(known.is_ok(), "it has one driver");
        let output = Output {
            service: Arc::clone(&rig.service),
            packer: Packer::new(&config.delivery_stream, config.packing),
            scope: "scope".to_owned(),
            delivery: config.delivery,
            totals: Arc::clone(&rig.totals),
            max_level: Level::Info,
            named: named.map(str::to_owned),
            notes: Vec::new(),
            rejected: None,
            spares: Arc::default(),
        };
        rig.send(Message::Join(OUTPUT, Box::new(output)));
        rig
    }

    pub(crate) fn send(&self, message: Message<Model>) {
        assert!(self.driver.send(message).is_ok(), "the driver runs");
    }

    pub(crate) fn flush(&self, chunk: LentChunk) -> UnboundedReceiver<Told> {
        let (waiter, told) = unbounded_channel();
        self.flush_for(move |what| _ = waiter.send(what), chunk);
        told
    }

    pub(crate) fn flush_for(&self, host: impl Fn(Told) + Send + Sync + 'static, chunk: LentChunk) {
        self.send(Message::Flush(Flush {
            output: OUTPUT,
            chunk,
            tag: "app".to_owned(),
            caller: Some(0),
            part: None,
            host: Arc::new(host),
        }));
    }
}

/// A flush's answer, how long it took, and the lines that came before it.
pub(crate) async fn end_of(mut told: UnboundedReceiver<Told>) -> (Verdict, Duration, Vec<Line>) {
    let start = Instant::now();
    let mut lines = Vec::new();
    loop {
        match told.recv().await.expect("each flush is answered") {
            Told::Line(line) => lines.push(line),
            Told::Answer(verdict, _) => return (verdict, start.elapsed(), lines),
        }
    }
}
