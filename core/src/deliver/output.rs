//! One output of a delivery stream: its options, what it has waiting, and what it tells.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deliver::gate::Limits;
use crate::deliver::journal::News;
use crate::deliver::ledger::{Bounds, Ledger};
use crate::deliver::queue::{Linger, Queue};
use crate::deliver::verdict::Verdict;
use crate::format::accessor::Accessor;
use crate::format::document::Format;
use crate::format::outcome::Tally;
use crate::pack::batch::ChunkId;
use crate::tell::drift;
use crate::tell::log::{Level, Log, count};
use crate::tell::period::Periods;
use crate::tell::totals::Totals;

use super::chunk::{Chunk, Flush};
use super::flight::Suspect;

/// How the flushes of one output are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub format: Format,
    pub limits: Limits,
    /// The most data one call carries, before base64.
    pub batch_size: usize,
    /// One call, its connection included.
    pub request_timeout: Duration,
    /// One flush, all its calls and waits included.
    pub flush_timeout: Duration,
    /// All flushes together, once the host was told to stop.
    pub stop_timeout: Duration,
    /// Send again without a wait, once, after a network error.
    pub auto_retry_requests: bool,
    /// How long small chunks wait for each other.
    pub linger: Linger,
    /// How much may be remembered of chunks that were handed back for a retry.
    pub resume: Bounds,
    pub is_aggregated: bool,
    /// Whether the stream may be one that converts to Parquet: then times that do not convert are
    /// warned of.
    pub may_convert: bool,
}

#[derive(Debug)]
pub(super) struct Output {
    pub(super) delivery: Delivery,
    pub(super) queue: Queue,
    pub(super) suspects: VecDeque<Suspect>,
    /// Chunks that the host waits for.
    pub(super) open: Vec<ChunkId>,
    /// Parts of chunks that are done with, while the host waits for other parts, or may not have
    /// heard.
    pub(super) parts: Vec<ChunkId>,
    pub(super) ledger: Ledger,
    pub(super) totals: Arc<Totals>,
    pub(super) log: Log,
    /// Whether calls can be made: credentials are there, or it is known why not.
    pub(super) is_ready: bool,
    /// The host stops: all flushes end by this time.
    pub(super) stop: Option<Instant>,
    /// Since when a call is due and waits for a rate, or for the end of a pause.
    pub(super) held_since: Option<Instant>,
    periods: Periods,
}

impl Output {
    pub(super) fn new(now: Instant, delivery: Delivery, totals: Arc<Totals>, log: Log) -> Self {
        Self {
            delivery,
            queue: Queue::default(),
            suspects: VecDeque::new(),
            open: Vec::new(),
            parts: Vec::new(),
            ledger: Ledger::default(),
            totals,
            log,
            is_ready: true,
            stop: None,
            held_since: None,
            periods: Periods::new(now),
        }
    }

    /// Counts a flush that ends, and says in the log what an operator should know of it.
    pub(super) fn ended(&mut self, now: Instant, chunk: &Chunk, flush: &Flush, verdict: Verdict) {
        let totals = &self.totals;
        totals.tally(&flush.tally);
        let time = now.saturating_duration_since(flush.arrived);
        totals.flush_time.observe(time);
        let chunks = match verdict {
            Verdict::Delivered => &totals.delivered_chunks,
            Verdict::Retry => &totals.retried_chunks,
            Verdict::Failed => &totals.failed_chunks,
        };
        chunks.add(1);
        self.tell_tally(now, &flush.tally, &chunk.tag);
        drift::tell(&mut self.log, &flush.tally.drift, &chunk.tag);
        // If panics ended the flush, the log has a line of these already.
        if verdict == Verdict::Retry && !flush.is_given_up() {
            self.tell_retry(now, chunk, flush);
        }
        self.tell_period(now);
    }

    fn tell_retry(&mut self, now: Instant, chunk: &Chunk, flush: &Flush) {
        let (option, time) = match self.stop.is_some_and(|stop| stop <= now) {
            true => ("stop_timeout", self.delivery.stop_timeout),
            false => ("flush_timeout", self.delivery.flush_timeout),
        };
        self.log.write(now, Level::Warn, "flush timeout", || {
            format!(
                "{} of a chunk of tag {} not accepted within {option} ({time:?}), {} accepted: \
                 Fluent Bit is asked to hand the chunk over again",
                count(chunk.left.bytes() as u64, "byte"),
                chunk.tag,
                count(flush.delivered, "document"),
            )
        });
    }

    pub(super) fn tell_forgotten(&mut self, now: Instant, chunks: usize) {
        if chunks == 0 {
            return;
        }
        self.totals.forgotten_chunks.add(chunks as u64);
        self.log.write(now, Level::Warn, "forgotten", || {
            format!(
                "there is no room to remember what was accepted of {}: handed over again, they \
                 are sent whole; raise resume_max_chunks or resume_max_bytes",
                count(chunks as u64, "chunk")
            )
        });
    }

    pub(super) fn tell_journal(&mut self, now: Instant, news: &News) {
        let (level, text) = match news {
            News::Broken(why) => (
                Level::Warn,
                format!(
                    "the journal in state_path can't be written: {why}; logs are delivered all \
                     the same, but what of a chunk was accepted is sent again if the process ends \
                     now"
                ),
            ),
            News::Mended => (
                Level::Info,
                "the journal in state_path is written again".to_owned(),
            ),
        };
        self.log.write(now, level, "journal", || text);
    }

    /// Says now and then what was delivered and what it will be billed.
    fn tell_period(&mut self, now: Instant) {
        let Some(period) = self.periods.due(now, &self.totals) else {
            return;
        };
        let log = &mut self.log;
        log.write(now, Level::Info, "period", || period.to_string());
        if !self.delivery.is_aggregated && period.is_wasteful() {
            log.write(now, Level::Warn, "bill", || period.waste());
        }
        let unconvertible = self.totals.unconvertible.get();
        if unconvertible > 0 && self.delivery.may_convert {
            log.write(now, Level::Warn, "times", || {
                format!(
                    "{} delivered so far with a time that Firehose's conversion to Parquet does \
                     not read as a timestamp: leave time_key_format out, or give that column the \
                     type string",
                    count(unconvertible, "document")
                )
            });
        }
    }

    fn tell_tally(&mut self, now: Instant, tally: &Tally, tag: &str) {
        let (log, format) = (&mut self.log, &self.delivery.format);
        let mut warn = |topic, number, noun, text: &dyn Fn() -> String| {
            if number > 0 {
                let line = || format!("{} {}", count(number, noun), text());
                log.write(now, Level::Warn, topic, line);
            }
        };
        warn("truncated", tally.truncated, "document", &|| {
            let (most, largest) = (format.max_bytes, tally.largest);
            format!("of tag {tag} cut to {most} bytes, the largest from {largest} bytes")
        });
        let doubled = &tally.doubled;
        warn("doubled keys", doubled.pairs, "value", &|| {
            format!(
                "left out of documents of tag {tag}: a key stood twice in one object, such as \
                 `{}`, and only its last value is sent",
                doubled.key,
            )
        });
        warn("no log_key", tally.without_log_key, "event", &|| {
            let log_key = format.log_key.as_ref().map(Accessor::to_string);
            let log_key = log_key.unwrap_or_default();
            format!("of tag {tag} dropped: without the key `{log_key}` that log_key names")
        });
        warn("no field", tally.without_field, "event", &|| {
            let why = match format.data_keys.is_empty() {
                true => "without a field",
                false => "without a field that data_keys names",
            };
            format!("of tag {tag} dropped: {why}")
        });
        warn("not events", tally.not_events, "value", &|| {
            format!("in a chunk of tag {tag} dropped: no log event")
        });
        if let Some(corrupt) = tally.corrupt {
            log.write(now, Level::Error, "corrupt", || {
                format!(
                    "a chunk of tag {tag} is corrupt at offset {}: {}; {} from there on dropped, \
                     what stands before is sent",
                    corrupt.offset,
                    corrupt.cause,
                    count(corrupt.bytes as u64, "byte"),
                )
            });
        }
    }
}
