//! Delivers the batches of one flush: sends, sends again what was refused, splits, gives up.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::Delivery;
use crate::failure::{Action, Cause};
use crate::limits::BILLING_UNIT;
use crate::log::{Level, Limiter, Sink, count};
use crate::pack::Packed;
use crate::retry::Backoff;

/// A call is not begun with less time than this: cut off, it may have been stored all the same,
/// and the chunk's next flush would store it twice.
const SHORTEST_CALL: Duration = Duration::from_millis(500);

/// What delivers batches: Firehose, or a script in a test.
pub trait Service {
    /// One call. The answer has one entry for each record.
    fn put(
        &self,
        records: &[&[u8]],
    ) -> impl Future<Output = Result<Vec<Result<(), Cause>>, CallError>> + Send;
}

/// A call that was not answered with what became of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    pub cause: Cause,
    /// For the log: the service's code and the first line of its message.
    pub text: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.cause.advice())
    }
}

/// What became of a flush's documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub documents: u64,
    pub records: u64,
    pub bytes: u64,
    /// Bytes as the bill counts them: each record rounded up.
    pub billed_bytes: u64,
    pub calls: u64,
    pub refused_records: u64,
    /// Documents of records that the service refuses for good.
    pub dropped_documents: u64,
    /// The numbers of the documents that were not accepted in time, in order and apart.
    pub undelivered: Vec<Range<usize>>,
    /// Sending again can't help these.
    pub failed: bool,
}

/// One flush on its way out.
pub struct Dispatch<'a, V, S> {
    pub service: &'a V,
    pub options: &'a Delivery,
    /// Calls under way at once, over all flushes of the output.
    pub in_flight: &'a Semaphore,
    pub limiter: &'a Limiter,
    pub sink: &'a S,
    /// A number within 0.0 and 1.0.
    pub random: fn() -> f64,
    pub deadline: Instant,
}

impl<V: Service, S: Sink> Dispatch<'_, V, S> {
    /// Returns when every record was accepted, dropped or given up, which is never after the
    /// deadline.
    pub async fn deliver(&self, packed: &Packed) -> Delivered {
        let batches = packed.batches(self.options.batch_size);
        let sending: FuturesUnordered<_> = batches
            .into_iter()
            .map(|batch| self.send(packed, batch))
            .collect();
        let mut delivered: Delivered = sending
            .fold(Delivered::default(), |sum, one| async { sum.plus(one) })
            .await;
        delivered.undelivered = joined(delivered.undelivered);
        delivered
    }

    /// Sends one batch, and what becomes of it, until nothing is left.
    async fn send(&self, packed: &Packed, batch: Vec<usize>) -> Delivered {
        let mut delivered = Delivered::default();
        let mut pending = vec![batch];
        while let Some(batch) = pending.pop() {
            let halves = self.send_whole(packed, batch, &mut delivered).await;
            pending.extend(halves.into_iter().flatten());
        }
        delivered
    }

    /// Sends one batch until nothing of it is left, or it must be split: then its halves.
    async fn send_whole(
        &self,
        packed: &Packed,
        mut batch: Vec<usize>,
        delivered: &mut Delivered,
    ) -> Option<[Vec<usize>; 2]> {
        let mut backoff = Backoff::default();
        let mut may_resend_at_once = self.options.auto_retry_requests;
        while !batch.is_empty() {
            let Some(answer) = self.call(packed, &batch, delivered).await else {
                delivered.give_up(packed, &batch);
                return None;
            };
            match answer {
                Ok(results) => self.settle(packed, &mut batch, &results, delivered),
                Err(error) => match error.cause.action() {
                    Action::Retry => {
                        self.log(Level::Warn, &error, || {
                            format!("PutRecordBatch of {}", count(batch.len(), "record"))
                        });
                        let is_network = error.cause == Cause::Network;
                        if is_network && std::mem::take(&mut may_resend_at_once) {
                            continue;
                        }
                    }
                    Action::Split if batch.len() > 1 => {
                        let second = batch.split_off(batch.len() / 2);
                        return Some([second, batch]);
                    }
                    Action::Split => {
                        let documents = packed.records()[batch[0]].documents.len();
                        self.log(Level::Error, &error, || {
                            format!("a record of {} is dropped", count(documents, "document"))
                        });
                        delivered.dropped_documents += documents as u64;
                        return None;
                    }
                    Action::Fail => {
                        self.log(Level::Error, &error, || {
                            format!("{} can not be delivered", count(batch.len(), "record"))
                        });
                        delivered.failed = true;
                        delivered.give_up(packed, &batch);
                        return None;
                    }
                },
            }
            if !batch.is_empty() && !self.wait(backoff.next((self.random)())).await {
                delivered.give_up(packed, &batch);
                return None;
            }
        }
        None
    }

    fn log(&self, level: Level, error: &CallError, what: impl FnOnce() -> String) {
        let text = || format!("{}: {error}", what());
        self.limiter
            .write(self.sink, level, error.cause.topic(), text);
    }

    /// One call within the time that is left; none if there is no time for it.
    async fn call(
        &self,
        packed: &Packed,
        batch: &[usize],
        delivered: &mut Delivered,
    ) -> Option<Result<Vec<Result<(), Cause>>, CallError>> {
        let permit = timeout_at(self.deadline, self.in_flight.acquire()).await;
        let _permit = permit.ok()?.ok()?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < SHORTEST_CALL.min(self.options.request_timeout) {
            return None;
        }
        let limit = self.options.request_timeout.min(left);
        let data = |number: &usize| packed.data(&packed.records()[*number]);
        let records: Vec<&[u8]> = batch.iter().map(data).collect();
        delivered.calls += 1;
        let answer = timeout(limit, self.service.put(&records)).await;
        Some(answer.unwrap_or_else(|_| {
            Err(CallError {
                cause: Cause::Network,
                text: format!("no answer within {limit:?}"),
            })
        }))
    }

    /// Counts what was accepted and leaves what was refused in the batch.
    fn settle(
        &self,
        packed: &Packed,
        batch: &mut Vec<usize>,
        results: &[Result<(), Cause>],
        delivered: &mut Delivered,
    ) {
        let mut refused = Vec::new();
        let mut cause = None;
        for (&number, result) in batch.iter().zip(results) {
            match result {
                Ok(()) => delivered.accept(packed, number),
                Err(refusal) => {
                    refused.push(number);
                    cause = Some(*refusal);
                }
            }
        }
        if let Some(cause) = cause {
            delivered.refused_records += refused.len() as u64;
            self.limiter
                .write(self.sink, Level::Warn, "refused records", || {
                    format!(
                        "{} of {} refused and sent again: {}",
                        refused.len(),
                        count(batch.len(), "record"),
                        cause.advice()
                    )
                });
        }
        *batch = refused;
    }

    /// False if the wait would end after the deadline; then it is not begun.
    async fn wait(&self, time: Duration) -> bool {
        let has_time = Instant::now() + time < self.deadline;
        if has_time {
            sleep(time).await;
        }
        has_time
    }
}

/// Ranges in order, neighbours made one.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, range| {
        let touches = range.end == next.start;
        if touches {
            range.end = next.end;
        }
        touches
    });
    ranges
}

impl Delivered {
    fn accept(&mut self, packed: &Packed, number: usize) {
        let record = &packed.records()[number];
        let bytes = packed.data(record).len();
        self.documents += record.documents.len() as u64;
        self.records += 1;
        self.bytes += bytes as u64;
        self.billed_bytes += bytes.next_multiple_of(BILLING_UNIT) as u64;
    }

    fn give_up(&mut self, packed: &Packed, batch: &[usize]) {
        let documents = |number: &usize| packed.records()[*number].documents.clone();
        self.undelivered.extend(batch.iter().map(documents));
    }

    fn plus(mut self, other: Self) -> Self {
        self.documents += other.documents;
        self.records += other.records;
        self.bytes += other.bytes;
        self.billed_bytes += other.billed_bytes;
        self.calls += other.calls;
        self.refused_records += other.refused_records;
        self.dropped_documents += other.dropped_documents;
        self.undelivered.extend(other.undelivered);
        self.failed |= other.failed;
        self
    }
}

#[cfg(test)]
mod tests;
