//! Delivers the records of one flush: sends, sends again what was refused, splits, gives up.

mod progress;

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::Delivery;
use crate::failure::{Action, Cause};
use crate::gate::{Gate, Pass};
use crate::log::{Level, Limiter, Sink, count};
use crate::pack::Packed;

pub use progress::Delivered;
use progress::Progress;

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

/// One flush on its way out.
pub struct Dispatch<'a, V, S> {
    pub service: &'a V,
    pub options: &'a Delivery,
    pub gate: &'a Gate,
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
        let progress = Progress::new(packed);
        let lanes = 0..self.options.max_in_flight;
        let mut lanes: FuturesUnordered<_> = lanes.map(|_| self.send(&progress)).collect();
        while lanes.next().await.is_some() {
            if progress.is_settled() {
                // The other lanes only wait for a turn to send nothing.
                break;
            }
        }
        drop(lanes);
        progress.finish()
    }

    /// One lane: sends batches, one at a time, until no record waits or no time is left.
    async fn send(&self, progress: &Progress<'_>) {
        // Of a batch that was called bad.
        let mut halves = Vec::new();
        while !halves.is_empty() || progress.is_waiting() {
            let Some((batch, pass)) = self.next(progress, &mut halves).await else {
                break;
            };
            let Some(answer) = self.call(progress, &batch).await else {
                progress.put_back(batch);
                break;
            };
            match answer {
                Ok(results) => self.settle(progress, batch, &results, pass),
                Err(error) => halves.extend(self.fail(progress, batch, &error, pass)),
            }
        }
        halves.into_iter().for_each(|half| progress.put_back(half));
    }

    /// The next batch and the right to send it; none if there is nothing to send or no time.
    async fn next(
        &self,
        progress: &Progress<'_>,
        halves: &mut Vec<Vec<usize>>,
    ) -> Option<(Vec<usize>, Pass<'_>)> {
        let turn = timeout_at(self.deadline, self.gate.turn()).await.ok()?;
        let max_bytes = turn.max_bytes().min(self.options.batch_size);
        let batch = halves.pop().unwrap_or_else(|| progress.take(max_bytes));
        if batch.is_empty() {
            return None;
        }
        let pass = turn.pass(progress.bytes(&batch), batch.len());
        match timeout_at(self.deadline, pass).await {
            Ok(pass) => Some((batch, pass)),
            Err(_) => {
                progress.put_back(batch);
                None
            }
        }
    }

    /// One call within the time that is left; none if that is too little.
    async fn call(
        &self,
        progress: &Progress<'_>,
        batch: &[usize],
    ) -> Option<Result<Vec<Result<(), Cause>>, CallError>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < SHORTEST_CALL.min(self.options.request_timeout) {
            return None;
        }
        let limit = self.options.request_timeout.min(left);
        let records = progress.begin(batch);
        let answer = timeout(limit, self.service.put(&records)).await;
        Some(answer.unwrap_or_else(|_| {
            Err(CallError {
                cause: Cause::Unanswered,
                text: format!("no answer within {limit:?}"),
            })
        }))
    }

    /// Counts what was accepted and leaves what was refused to be sent again.
    fn settle(
        &self,
        progress: &Progress<'_>,
        batch: Vec<usize>,
        results: &[Result<(), Cause>],
        pass: Pass<'_>,
    ) {
        let records = batch.len();
        let settled = progress.settle(batch, results);
        let Some(cause) = settled.cause else {
            return pass.accepted();
        };
        self.limiter
            .write(self.sink, Level::Warn, "refused records", || {
                format!(
                    "{} of {} refused and sent again: {}",
                    settled.refused,
                    count(records, "record"),
                    cause.advice()
                )
            });
        match cause {
            Cause::Throttled => pass.throttled(settled.accepted_bytes, (self.random)()),
            _ if settled.accepted_bytes == 0 => pass.failed(false, (self.random)()),
            _ => {}
        }
    }

    /// Does what the error's cause asks for; the halves, if the batch must be split.
    fn fail(
        &self,
        progress: &Progress<'_>,
        mut batch: Vec<usize>,
        error: &CallError,
        pass: Pass<'_>,
    ) -> Vec<Vec<usize>> {
        match error.cause.action() {
            Action::Retry => self.retry(progress, batch, error, pass),
            Action::Split if batch.len() > 1 => {
                let second = batch.split_off(batch.len() / 2);
                return vec![second, batch];
            }
            Action::Split => {
                let documents = progress.drop_record(batch[0]);
                self.log(Level::Error, error, || {
                    format!("a record of {} is dropped", count(documents, "document"))
                });
            }
            Action::Fail => {
                self.log(Level::Error, error, || {
                    format!("{} can not be delivered", count(batch.len(), "record"))
                });
                progress.fail(batch);
            }
        }
        Vec::new()
    }

    fn retry(&self, progress: &Progress<'_>, batch: Vec<usize>, error: &CallError, pass: Pass<'_>) {
        let cause = error.cause;
        let may_resend_at_once = self.options.auto_retry_requests && cause.is_of_connection();
        // A kept connection that the service has closed meanwhile is nobody's fault.
        let level = match may_resend_at_once && pass.is_first_failure() {
            true => Level::Debug,
            false => Level::Warn,
        };
        self.log(level, error, || {
            format!("PutRecordBatch of {}", count(batch.len(), "record"))
        });
        if cause.is_ambiguous() {
            progress.count_ambiguous(batch.len());
        }
        progress.put_back(batch);
        let random = (self.random)();
        if cause == Cause::Throttled {
            pass.throttled(0, random);
        } else if cause.needs_operator() {
            pass.blocked(random);
        } else {
            pass.failed(may_resend_at_once, random);
        }
    }

    fn log(&self, level: Level, error: &CallError, what: impl FnOnce() -> String) {
        let text = || format!("{}: {error}", what());
        self.limiter
            .write(self.sink, level, error.cause.topic(), text);
    }
}

#[cfg(test)]
mod tests;
