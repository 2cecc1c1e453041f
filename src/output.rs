//! One output: an `[OUTPUT]` section at work.

use std::sync::{Arc, OnceLock};

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
    /// When the last flush must have ended.
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
        let latest = Instant::now() + self.config.delivery.flush_timeout;
        let deadline = self.stop.get().map_or(latest, |stop| latest.min(*stop));
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

    /// The host stops: no flush from now on lasts longer than one that begins now, and none waits
    /// for others.
    pub fn stop(&self) {
        let latest = Instant::now() + self.config.delivery.flush_timeout;
        if self.stop.set(latest).is_ok() {
            self.group.hurry();
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
            format!(
                "{} of a chunk of tag {} not accepted within flush_timeout ({:?}), {} accepted: \
                 Fluent Bit is asked to hand the chunk over again",
                count(left.parts.bytes(), "byte"),
                flush.tag,
                self.config.delivery.flush_timeout,
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
        if unconvertible > 0 {
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
        if tally.without_log_key > 0 {
            self.write(flush, Level::Warn, "no log_key", || {
                let log_key = self.config.format.log_key.as_deref().unwrap_or_default();
                format!(
                    "{} of tag {tag} dropped: without the key `{log_key}` that log_key names",
                    count(tally.without_log_key, "event")
                )
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
    use std::time::Duration;

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

    #[tokio::test(start_paused = true)]
    async fn times_that_do_not_convert_are_counted_and_warned_of_once_in_a_period() {
        let told = "300 documents delivered so far with a time that Firehose's conversion";
        for (format, count, expected) in [("%FT%T", 400, 1), ("%FT%TZ", 0, 0)] {
            let options = [
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
