//! One output: an `[OUTPUT]` section at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::chunk::{self, Formatted};
use crate::client::Firehose;
use crate::config::Config;
use crate::deliver::{Delivered, Dispatch, Service};
use crate::gate::Gate;
use crate::ledger::{Key, Ledger, Left};
use crate::log::{Level, Limiter, Sink, count};

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
pub struct Output<V = Firehose> {
    config: Config,
    service: V,
    gate: Arc<Gate>,
    ledger: Arc<Ledger>,
    limiter: Limiter,
    totals: Totals,
}

/// What the output did since it started.
#[derive(Debug, Default)]
struct Totals {
    documents: AtomicU64,
    records: AtomicU64,
    calls: AtomicU64,
    bytes: AtomicU64,
    billed_bytes: AtomicU64,
    refused_records: AtomicU64,
    ambiguous_records: AtomicU64,
    dropped: AtomicU64,
    truncated: AtomicU64,
    retried_chunks: AtomicU64,
    resumed_chunks: AtomicU64,
    forgotten_chunks: AtomicU64,
}

impl Output {
    pub fn new(config: Config, max_level: Level) -> Self {
        let firehose = Firehose::new(config.delivery_stream.clone(), config.access.clone());
        Self::with_service(config, max_level, firehose)
    }
}

impl<V: Service> Output<V> {
    pub fn with_service(config: Config, max_level: Level, service: V) -> Self {
        // Who calls is part of it: another account may have a stream of the same name.
        let stream = format!("{} {:?}", config.delivery_stream, config.access);
        // All that makes the same chunk other documents, or leads them elsewhere.
        let scope = format!("{stream} {:?}", config.format);
        Self {
            ledger: Ledger::of(&scope, config.resume),
            service,
            gate: Gate::of(&stream, config.gate),
            limiter: Limiter::new(max_level),
            totals: Totals::default(),
            config,
        }
    }

    /// Delivers a chunk, within the flush time-out.
    pub async fn flush(&self, chunk: &[u8], tag: &str, sink: &impl Sink) -> Verdict {
        let deadline = Instant::now() + self.config.delivery.flush_timeout;
        let left = self.take_left(tag, chunk);
        let formatted = chunk::format(chunk, &self.config.format);
        let wanted = match left {
            Some(left) => {
                add(&self.totals.resumed_chunks, 1);
                left
            }
            // All that is dropped or cut is counted in the chunk's first flush alone.
            None => {
                self.report(&formatted, tag, sink);
                vec![formatted.documents.all()]
            }
        };
        let packed = self.config.packing.pack(formatted.documents, &wanted);
        let dispatch = Dispatch {
            service: &self.service,
            options: &self.config.delivery,
            gate: &self.gate,
            limiter: &self.limiter,
            sink,
            random: fastrand::f64,
            deadline,
        };
        let delivered = dispatch.deliver(&packed).await;
        self.totals.count(&delivered);
        let verdict = self.verdict(&delivered, tag, sink);
        if verdict == Verdict::Retry {
            self.keep_left(tag, chunk, delivered.undelivered, sink);
        }
        verdict
    }

    /// What an earlier flush left of this chunk. Nothing is hashed while nothing is left of any.
    fn take_left(&self, tag: &str, chunk: &[u8]) -> Option<Left> {
        if self.ledger.is_empty() {
            return None;
        }
        self.ledger.take(&Key::new(tag, chunk))
    }

    fn keep_left(&self, tag: &str, chunk: &[u8], left: Left, sink: &impl Sink) {
        let forgotten = self.ledger.keep(Key::new(tag, chunk), left);
        if forgotten > 0 {
            add(&self.totals.forgotten_chunks, forgotten as u64);
            self.limiter.write(sink, Level::Warn, "forgotten", || {
                format!(
                    "there is no room to remember what was accepted of {}: handed over again, \
                     they are sent whole; raise resume_max_chunks or resume_max_bytes",
                    count(forgotten, "older chunk")
                )
            });
        }
    }

    fn verdict(&self, delivered: &Delivered, tag: &str, sink: &impl Sink) -> Verdict {
        if delivered.failed {
            return Verdict::Failed;
        }
        if delivered.undelivered.is_empty() {
            return Verdict::Delivered;
        }
        add(&self.totals.retried_chunks, 1);
        self.limiter.write(sink, Level::Warn, "flush timeout", || {
            let left: usize = delivered
                .undelivered
                .iter()
                .map(ExactSizeIterator::len)
                .sum();
            format!(
                "{} of a chunk of tag {tag} not accepted within flush_timeout ({:?}), {} \
                 accepted: Fluent Bit is asked to hand the chunk over again",
                count(left, "document"),
                self.config.delivery.flush_timeout,
                delivered.documents
            )
        });
        Verdict::Retry
    }

    fn report(&self, formatted: &Formatted, tag: &str, sink: &impl Sink) {
        let dropped = formatted.without_log_key + formatted.not_events;
        add(&self.totals.dropped, dropped);
        let warn = |topic, text: &dyn Fn() -> String| {
            self.limiter.write(sink, Level::Warn, topic, text);
        };
        if let Some(truncated) = formatted.truncated {
            add(&self.totals.truncated, truncated.documents);
            warn("truncated", &|| {
                format!(
                    "{} of tag {tag} cut to {} bytes, the largest from {} bytes",
                    count(truncated.documents, "document"),
                    self.config.format.max_bytes,
                    truncated.largest
                )
            });
        }
        if formatted.without_log_key > 0 {
            warn("no log_key", &|| {
                let log_key = self.config.format.log_key.as_deref().unwrap_or_default();
                format!(
                    "{} of tag {tag} dropped: without the key `{log_key}` that log_key names",
                    count(formatted.without_log_key, "event")
                )
            });
        }
        if formatted.not_events > 0 {
            warn("not events", &|| {
                format!(
                    "{} in a chunk of tag {tag} dropped: no log event",
                    count(formatted.not_events, "value")
                )
            });
        }
        if let Some(corrupt) = formatted.corrupt {
            self.limiter.write(sink, Level::Error, "corrupt", || {
                format!(
                    "a chunk of tag {tag} is corrupt at offset {}: {}; {} from there \
                     on dropped, {} before it sent",
                    corrupt.offset,
                    corrupt.cause,
                    count(corrupt.bytes, "byte"),
                    count(formatted.documents.len(), "document")
                )
            });
        }
    }

    /// What was done, in a sentence.
    pub fn summary(&self) -> String {
        let get = |total: &AtomicU64| total.load(Ordering::Relaxed);
        let totals = &self.totals;
        format!(
            "delivered {} documents in {} records and {} calls: {} bytes, billed as {}; \
             records refused and sent again: {}, ambiguous: {}; chunks handed back for a retry: {}, resumed: {}, \
             forgotten: {}; events dropped: {}; documents truncated: {}",
            get(&totals.documents),
            get(&totals.records),
            get(&totals.calls),
            get(&totals.bytes),
            get(&totals.billed_bytes),
            get(&totals.refused_records),
            get(&totals.ambiguous_records),
            get(&totals.retried_chunks),
            get(&totals.resumed_chunks),
            get(&totals.forgotten_chunks),
            get(&totals.dropped),
            get(&totals.truncated),
        )
    }
}

impl Totals {
    fn count(&self, delivered: &Delivered) {
        add(&self.documents, delivered.documents);
        add(&self.records, delivered.records);
        add(&self.calls, delivered.calls);
        add(&self.bytes, delivered.bytes);
        add(&self.billed_bytes, delivered.billed_bytes);
        add(&self.refused_records, delivered.refused_records);
        add(&self.ambiguous_records, delivered.ambiguous_records);
        add(&self.dropped, delivered.dropped_documents);
    }
}

fn add(total: &AtomicU64, amount: u64) {
    total.fetch_add(amount, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::CallError;
    use crate::failure::Cause;

    /// Accepts the first so many records of each call, and counts them.
    struct Takes {
        most: usize,
        accepted: AtomicU64,
    }

    impl Service for &Takes {
        async fn put(&self, records: &[&[u8]]) -> Result<Vec<Result<(), Cause>>, CallError> {
            let accepted = records.len().min(self.most);
            add(&self.accepted, accepted as u64);
            let mut results = vec![Err(Cause::Throttled); records.len()];
            results[..accepted].fill(Ok(()));
            Ok(results)
        }
    }

    struct Silence;

    impl Sink for Silence {
        fn line(&self, _: Level, _: String) {}
    }

    async fn flush(role: &str, service: &Takes) -> Verdict {
        let options = [
            ("delivery_stream", "same-name"),
            ("role_arn", role),
            ("flush_timeout", "1s"),
            ("max_requests_per_second", "4"),
        ];
        let config = Config::parse(|key| {
            let found = options.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        });
        let output = Output::with_service(config.unwrap(), Level::Error, service);
        let chunk = [0x92, 0x01, 0x81, 0xa1, b'a', 0x01].repeat(100);
        output.flush(&chunk, "tag", &Silence).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_account_s_stream_accepted_is_not_held_against_another_s() {
        let takes = |most| Takes {
            most,
            accepted: AtomicU64::new(0),
        };
        let (slow, quick) = (takes(1), takes(usize::MAX));
        let role = |account| format!("arn:aws:iam::{account:012}:role/logs");
        assert_eq!(flush(&role(1), &slow).await, Verdict::Retry);
        assert_eq!(flush(&role(2), &quick).await, Verdict::Delivered);
        assert_eq!(quick.accepted.into_inner(), 100);
    }
}
