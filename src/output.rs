//! One output: an `[OUTPUT]` section at work.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::chunk::{Chunk, Tally};
use crate::client::Firehose;
use crate::config::Config;
use crate::flush::{Fate, Flush};
use crate::gate::Gate;
use crate::group::Group;
use crate::ledger::{Key, Ledger, Left};
use crate::log::{Level, Sink, count};
use crate::metrics::Metric;
use crate::report::Reports;
use crate::service::Service;
use crate::totals::Totals;

/// The host's signal is noticed by flushes only, which come or look again within this time.
const NOTICED: Duration = Duration::from_secs(1);

/// The answer to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every record was accepted, or knowingly dropped and counted.
    Delivered,
    /// The host shall keep the chunk and hand it over again.
    Retry,
    /// Handing it over again can't help.
    Failed,
}

/// All that the flushes of one output share. The service is Firehose, or a test's model of it.
#[derive(Debug)]
pub struct Output<V: Service = Firehose> {
    config: Config,
    group: Arc<Group<V>>,
    ledger: Arc<Ledger>,
    reports: Reports,
    /// The host stops: all flushes end until then.
    stop: OnceLock<Instant>,
}

impl Output {
    pub fn new(config: Config, max_level: Level) -> Self {
        let firehose = Firehose::new(
            config.delivery_stream.clone(),
            config.access.clone(),
            config.delivery.credentials_timeout,
        );
        Self::with_service(config, max_level, firehose)
    }
}

impl<V: Service> Output<V> {
    pub fn with_service(config: Config, max_level: Level, service: V) -> Self {
        // Who calls is part of it: another account may have a stream of the same name.
        let stream = format!("{} {:?}", config.delivery_stream, config.access);
        // All that makes the same chunk other documents, or leads them elsewhere.
        let scope = format!("{stream} {:?}", config.format);
        let gate = Gate::of(&stream, config.gate);
        Self {
            ledger: Ledger::of(&scope, config.resume),
            group: Arc::new(Group::new(service, &config, gate, max_level)),
            reports: Reports::new(),
            stop: OnceLock::new(),
            config,
        }
    }

    /// Delivers a chunk, within the flush time-out. `caller` is the thread that waits for it.
    pub async fn flush(
        &self,
        chunk: Chunk,
        tag: &str,
        caller: usize,
        sink: impl Sink + Send + Sync + 'static,
    ) -> Verdict {
        let deadline = Instant::now() + self.config.delivery.flush_timeout;
        let left = self.take_left(tag, &chunk);
        if left.is_some() {
            self.totals().resumed_chunks.add(1);
        }
        let flush = Flush::new(chunk, tag, Box::new(sink), deadline, left);
        let flush = Arc::new(flush);
        let (fate, left) = self.group.deliver(&flush, caller).await;
        self.report(&fate.tally, &flush);
        self.totals().ambiguous.add(fate.ambiguous + fate.under_way);
        let verdict = self.verdict(&fate, &left, &flush);
        self.count(verdict, &flush);
        if verdict == Verdict::Retry {
            self.keep_left(&flush, left);
        }
        self.report_period(&flush);
        verdict
    }

    /// The host stops: from now on `stop_timeout` bounds all flushes together, and none waits for
    /// others.
    pub fn stop(&self) {
        let deadline = Instant::now() + self.config.delivery.stop_timeout.saturating_sub(NOTICED);
        if self.stop.set(deadline).is_ok() {
            self.group.stop(deadline);
        }
    }

    /// What was done, in a sentence.
    pub fn summary(&self) -> String {
        self.totals().to_string()
    }

    /// What the host's metrics say of it.
    pub fn metrics(&self) -> Vec<Metric> {
        self.group.metrics()
    }

    fn totals(&self) -> &Totals {
        self.group.totals()
    }

    /// What an earlier flush left of this chunk. Nothing is hashed while nothing is left of any.
    fn take_left(&self, tag: &str, chunk: &Chunk) -> Option<Left> {
        if self.ledger.is_empty() {
            return None;
        }
        let key = chunk.read(|bytes| Key::new(tag, bytes));
        self.ledger.take(&key)
    }

    fn keep_left(&self, flush: &Flush, left: Left) {
        let key = flush.chunk.read(|bytes| Key::new(&flush.tag, bytes));
        let forgotten = self.ledger.keep(key, left);
        if forgotten > 0 {
            self.totals().forgotten_chunks.add(forgotten as u64);
            self.write(flush, Level::Warn, "forgotten", || {
                format!(
                    "there is no room to remember what was accepted of {}: handed over again, \
                     they are sent whole; raise resume_max_chunks or resume_max_bytes",
                    count(forgotten, "older chunk")
                )
            });
        }
    }

    fn verdict(&self, fate: &Fate, left: &Left, flush: &Flush) -> Verdict {
        // Where nothing of a chunk is good, the host may want to keep it for somebody to look at.
        let is_all_bad = fate.dropped > 0 && fate.delivered == 0 && left.parts.is_empty();
        if is_all_bad {
            return Verdict::Failed;
        }
        if left.parts.is_empty() {
            return Verdict::Delivered;
        }
        self.write(flush, Level::Warn, "flush timeout", || {
            let delivery = &self.config.delivery;
            let is_stopped = self.stop.get().is_some_and(|stop| *stop <= Instant::now());
            let (option, time) = match is_stopped {
                true => ("stop_timeout", delivery.stop_timeout),
                false => ("flush_timeout", delivery.flush_timeout),
            };
            format!(
                "{} of a chunk of tag {} not accepted within {option} ({time:?}), {} accepted: \
                 Fluent Bit is asked to hand the chunk over again",
                count(left.parts.bytes(), "byte"),
                flush.tag,
                count(fate.delivered, "document"),
            )
        });
        Verdict::Retry
    }

    fn count(&self, verdict: Verdict, flush: &Flush) {
        let totals = self.totals();
        totals.flush_time.observe(flush.arrived.elapsed());
        let chunks = match verdict {
            Verdict::Delivered => &totals.delivered_chunks,
            Verdict::Retry => &totals.retried_chunks,
            Verdict::Failed => &totals.failed_chunks,
        };
        chunks.add(1);
    }

    /// Says now and then what was delivered and what it will be billed.
    fn report_period(&self, flush: &Flush) {
        let Some(period) = self.reports.due(self.totals()) else {
            return;
        };
        self.write(flush, Level::Info, "period", || period.to_string());
        if self.config.packing.aggregation.is_none() && period.is_wasteful() {
            self.write(flush, Level::Warn, "bill", || period.waste());
        }
        let unconvertible = self.totals().unconvertible.get();
        if unconvertible > 0 && self.config.may_convert {
            self.write(flush, Level::Warn, "times", || {
                format!(
                    "{} delivered so far with a time that Firehose's conversion to Parquet does \
                     not read as a timestamp: leave time_key_format out, or give that column the \
                     type string",
                    count(unconvertible, "document")
                )
            });
        }
    }

    fn report(&self, tally: &Tally, flush: &Flush) {
        self.totals().tally(tally);
        let tag = &flush.tag;
        if tally.truncated > 0 {
            self.write(flush, Level::Warn, "truncated", || {
                format!(
                    "{} of tag {tag} cut to {} bytes, the largest from {} bytes",
                    count(tally.truncated, "document"),
                    self.config.format.max_bytes,
                    tally.largest
                )
            });
        }
        let doubled = &tally.doubled;
        if doubled.pairs > 0 {
            self.write(flush, Level::Warn, "doubled keys", || {
                format!(
                    "{} left out of documents of tag {tag}: a key stood twice in one object, \
                     such as `{}`, and only its last value is sent",
                    count(doubled.pairs, "value"),
                    doubled.key,
                )
            });
        }
        if tally.without_log_key > 0 {
            self.write(flush, Level::Warn, "no log_key", || {
                let log_key = self.config.format.log_key.as_deref().unwrap_or_default();
                format!(
                    "{} of tag {tag} dropped: without the key `{log_key}` that log_key names",
                    count(tally.without_log_key, "event")
                )
            });
        }
        if tally.without_field > 0 {
            self.write(flush, Level::Warn, "no field", || {
                let why = match self.config.format.data_keys.is_empty() {
                    true => "without a field",
                    false => "without a field that data_keys names",
                };
                let events = count(tally.without_field, "event");
                format!("{events} of tag {tag} dropped: {why}")
            });
        }
        if tally.not_events > 0 {
            self.write(flush, Level::Warn, "not events", || {
                format!(
                    "{} in a chunk of tag {tag} dropped: no log event",
                    count(tally.not_events, "value")
                )
            });
        }
        if let Some(corrupt) = tally.corrupt {
            self.write(flush, Level::Error, "corrupt", || {
                format!(
                    "a chunk of tag {tag} is corrupt at offset {}: {}; {} from there on dropped, \
                     what stands before is sent",
                    corrupt.offset,
                    corrupt.cause,
                    count(corrupt.bytes, "byte"),
                )
            });
        }
    }

    fn write(
        &self,
        flush: &Flush,
        level: Level,
        topic: &'static str,
        text: impl FnOnce() -> String,
    ) {
        let limiter = self.group.limiter();
        limiter.write(&*flush.sink, level, topic, text);
    }
}

impl<V: Service> Drop for Output<V> {
    fn drop(&mut self) {
        self.group.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;

    use super::*;
    use crate::failure::Cause;
    use crate::service::{CallError, Sent};

    /// Accepts the first so many records of each call, and counts them.
    struct Takes {
        most: usize,
        accepted: AtomicUsize,
    }

    impl Service for Arc<Takes> {
        async fn put(
            &self,
            _: Bytes,
            records: usize,
            _: Sent,
        ) -> Result<Vec<Result<(), Cause>>, CallError> {
            let accepted = records.min(self.most);
            self.accepted.fetch_add(accepted, Ordering::Relaxed);
            let mut results = vec![Err(Cause::Throttled); records];
            results[..accepted].fill(Ok(()));
            Ok(results)
        }
    }

    fn takes(most: usize) -> Arc<Takes> {
        Arc::new(Takes {
            most,
            accepted: AtomicUsize::new(0),
        })
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    impl Sink for Lines {
        fn line(&self, _: Level, text: String) {
            self.0.lock().unwrap().push(text);
        }
    }

    fn output(options: &[(&str, &str)], service: &Arc<Takes>) -> Output<Arc<Takes>> {
        let config = Config::parse(|key| {
            let found = options.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        });
        Output::with_service(config.unwrap(), Level::Warn, Arc::clone(service))
    }

    /// 100 events.
    fn chunk() -> Chunk {
        Chunk::new([0x92, 0x01, 0x81, 0xa1, b'a', 0x01].repeat(100))
    }

    async fn flush(role: &str, service: &Arc<Takes>) -> Verdict {
        let options = [
            ("delivery_stream", "same-name"),
            ("role_arn", role),
            ("flush_timeout", "1s"),
            ("max_requests_per_second", "4"),
        ];
        let output = output(&options, service);
        output.flush(chunk(), "tag", 0, Lines::default()).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_account_s_stream_accepted_is_not_held_against_another_s() {
        let (slow, quick) = (takes(1), takes(usize::MAX));
        let role = |account| format!("arn:aws:iam::{account:012}:role/logs");
        assert_eq!(flush(&role(1), &slow).await, Verdict::Retry);
        assert_eq!(flush(&role(2), &quick).await, Verdict::Delivered);
        assert_eq!(quick.accepted.load(Ordering::Relaxed), 100);
    }

    /// How long flushes last of which nothing is accepted: one that is under way when the host
    /// stops, and one that comes a second later.
    async fn stopped_flushes(options: &[(&str, &str)]) -> [f32; 2] {
        let options = [&[("delivery_stream", "stopped")], options].concat();
        let output = output(&options, &takes(0));
        let flush = async |after: u64| {
            tokio::time::sleep(Duration::from_secs(after)).await;
            let start = Instant::now();
            let verdict = output.flush(chunk(), "tag", 0, Lines::default()).await;
            assert_eq!(verdict, Verdict::Retry);
            start.elapsed().as_secs_f32().round()
        };
        let stop = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            output.stop();
        };
        let (first, second, ()) = tokio::join!(flush(0), flush(11), stop);
        [first, second]
    }

    #[tokio::test(start_paused = true)]
    async fn once_the_host_stops_stop_timeout_bounds_all_flushes() {
        assert_eq!(stopped_flushes(&[]).await, [14.0, 3.0]);
        let soon = [("stop_timeout", "0")];
        assert_eq!(stopped_flushes(&soon).await, [10.0, 0.0]);
        let patient = [("stop_timeout", "300")];
        assert_eq!(stopped_flushes(&patient).await, [30.0, 298.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_left_out_is_counted_and_its_key_named() {
        let output = output(&[("delivery_stream", "doubled")], &takes(usize::MAX));
        let lines = Lines::default();
        // {"a":1,"a":2,"a":3}
        let event = [
            0x92, 0x01, 0x83, 0xa1, b'a', 1, 0xa1, b'a', 2, 0xa1, b'a', 3,
        ];
        for _ in 0..2 {
            let chunk = Chunk::new(event.repeat(10));
            let verdict = output.flush(chunk, "app", 0, lines.clone()).await;
            assert_eq!(verdict, Verdict::Delivered);
        }
        assert_eq!(output.totals().documents.get(), 20);
        assert_eq!(output.totals().doubled.get(), 40);
        let told = "20 values left out of documents of tag app: a key stood twice in one object, \
                    such as `a`, and only its last value is sent";
        assert_eq!(*lines.0.lock().unwrap(), [told]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_without_a_field_is_dropped_counted_and_told() {
        let cases = [
            ("", "3 events of tag app dropped: without a field"),
            (
                "b",
                "4 events of tag app dropped: without a field that data_keys names",
            ),
        ];
        for (data_keys, told) in cases {
            let options = [("delivery_stream", "fieldless"), ("data_keys", data_keys)];
            let options = &options[..if data_keys.is_empty() { 1 } else { 2 }];
            let service = takes(usize::MAX);
            let output = output(options, &service);
            let lines = Lines::default();
            // {}, three times, and {"a":1}
            let events = [
                &[0x92, 1, 0x80].repeat(3)[..],
                &[0x92, 1, 0x81, 0xa1, b'a', 1],
            ];
            let chunk = Chunk::new(events.concat());
            let verdict = output.flush(chunk, "app", 0, lines.clone()).await;
            assert_eq!(verdict, Verdict::Delivered);
            let accepted = service.accepted.load(Ordering::Relaxed) as u64;
            assert_eq!(accepted + output.totals().without_field.get(), 4);
            assert_eq!(*lines.0.lock().unwrap(), [told]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn times_that_do_not_convert_are_counted_and_warned_of_once_in_a_period() {
        let told = "300 documents delivered so far with a time that Firehose's conversion";
        for (destination, format, count, expected) in [
            ("", "%FT%T", 400, 1),
            ("", "%FT%TZ", 0, 0),
            ("plain", "%FT%T", 400, 0),
        ] {
            let options = [
                ("destination", destination),
                ("delivery_stream", "logs"),
                ("time_key", "at"),
                ("time_key_format", format),
            ];
            let output = output(&options, &takes(usize::MAX));
            let lines = Lines::default();
            for seconds in [0, 30, 30, 30] {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                let verdict = output.flush(chunk(), "tag", 0, lines.clone()).await;
                assert_eq!(verdict, Verdict::Delivered);
            }
            assert_eq!(output.totals().unconvertible.get(), count, "{format}");
            let lines = lines.0.lock().unwrap();
            let warnings = lines.iter().filter(|line| line.starts_with(told));
            assert_eq!(warnings.count(), expected, "{lines:?}");
        }
    }
}
