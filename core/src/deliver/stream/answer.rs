//! What the answer to a call means for the documents that were in it.

use std::collections::BTreeMap;
use std::mem;
use std::time::Instant;

use super::Stream;
use crate::deliver::failure::{CallError, Cause};
use crate::deliver::flight::{Call, CallId, Suspicion};
use crate::deliver::gate;
use crate::deliver::journal::Done;
use crate::pack::batch::{ChunkId, Share};
use crate::tell::log::{Level, count};
use crate::tell::totals::{Accepted, Answer};

impl Stream {
    /// A call ended. `was_sent` tells whether anything of it went out. Whether its one document is
    /// dropped, as the service refuses it for good.
    pub fn answered(
        &mut self,
        now: Instant,
        id: CallId,
        was_sent: bool,
        answer: Result<&[Result<(), Cause>], CallError>,
    ) -> bool {
        let Some(call) = self.calls.remove(&id) else {
            return false;
        };
        if let Some(output) = self.outputs.get(&call.output) {
            let time = now.saturating_duration_since(call.began);
            output.totals.call_time.observe(time);
            if let Err(error) = &answer {
                output.totals.call(Answer::Failed(error.cause));
            }
        }
        let mut is_dropped = false;
        match answer {
            Ok(results) => self.settle(now, id, &call, results),
            Err(error) if error.cause.is_of_data() => is_dropped = self.split(now, &call, &error),
            Err(error) => self.retry(now, &call, &error, was_sent),
        }
        self.gate.ended(call.bytes);
        is_dropped
    }

    /// Counts what was accepted, and has what was refused wait again.
    fn settle(&mut self, now: Instant, id: CallId, call: &Call, results: &[Result<(), Cause>]) {
        let mut accepted = Accepted::default();
        let mut delivered: Vec<&Share> = Vec::new();
        let mut refused: Vec<&[Share]> = Vec::new();
        let (mut throttled, mut cause) = (0, None);
        for ((record, shares), result) in call.shares_by_record().zip(results) {
            match *result {
                Ok(()) => {
                    accepted.add(record);
                    delivered.extend(shares);
                }
                Err(refusal) => {
                    refused.push(shares);
                    throttled += usize::from(refusal == Cause::Throttled);
                    // Throttling, if any was refused for that.
                    if cause != Some(Cause::Throttled) {
                        cause = Some(refusal);
                    }
                }
            }
        }
        self.done_with(now, &delivered, false);
        if accepted.records > 0 {
            self.last_accepted = self.last_accepted.max(Some(id));
        }
        let answer = gate::Answer {
            began: call.began,
            bytes: call.bytes,
            records: call.records.len(),
            accepted_bytes: accepted.bytes,
            throttled,
        };
        self.gate.answered(now, &answer, self.random.f64());
        let pieces = refused.iter().copied().flatten().map(Share::piece);
        self.wait_again(now, call.output, pieces.collect(), None);
        let Some(output) = self.outputs.get_mut(&call.output) else {
            return;
        };
        let totals = &output.totals;
        totals.accepted(&accepted);
        if !output.delivery.format.has_convertible_times() {
            totals.unconvertible.add(accepted.documents);
        }
        let Some(cause) = cause else {
            return totals.call(Answer::Accepted);
        };
        totals.call(match accepted.records {
            0 => Answer::Failed(cause),
            _ => Answer::Partial,
        });
        totals.refused_records.add(refused.len() as u64);
        output.queue.hurry();
        output.log.write(now, Level::Warn, "refused records", || {
            format!(
                "{} of {} refused and sent again: {}",
                refused.len(),
                count(results.len() as u64, "record"),
                cause.advice()
            )
        });
    }

    /// A failed call's documents wait again.
    fn retry(&mut self, now: Instant, call: &Call, error: &CallError, was_sent: bool) {
        let cause = error.cause;
        let is_ambiguous = was_sent && cause.is_ambiguous();
        let Some(output) = self.outputs.get_mut(&call.output) else {
            return;
        };
        let may_let_off = output.delivery.auto_retry_requests && cause.is_of_connection();
        // A kept connection that the service has closed meanwhile is nobody's fault.
        let is_noise = may_let_off && !self.gate.is_let_off && !is_ambiguous;
        let level = match cause {
            Cause::Bug => Level::Error,
            _ if is_noise => Level::Debug,
            _ => Level::Warn,
        };
        output.log.write(now, level, cause.topic(), || {
            let records = count(call.records.len() as u64, "record");
            format!("PutRecordBatch of {records}: {error}")
        });
        if is_ambiguous {
            output.totals.ambiguous.add(call.documents());
        }
        output.queue.hurry();
        match cause {
            Cause::Throttled => self.gate.throttled(now, self.random.f64()),
            _ if cause.needs_operator() => self.gate.blocked(now, self.random.f64()),
            _ => self.gate.failed(now, may_let_off, self.random.f64()),
        }
        self.wait_again(now, call.output, call.pieces(), call.suspicion);
    }

    /// The service refuses what a call holds: it is sent again in two halves, and a document that
    /// is refused alone, while another is accepted, is dropped: then true.
    fn split(&mut self, now: Instant, call: &Call, error: &CallError) -> bool {
        let since = call.suspicion.map(|suspicion| suspicion.since);
        let since = since.unwrap_or(self.last_call);
        let is_all_refused = self.last_accepted <= Some(since);
        let documents = call.documents();
        let is_alone = documents == 1;
        self.gate.doubted(is_all_refused);
        let Some(output) = self.outputs.get_mut(&call.output) else {
            return false;
        };
        if is_alone {
            let (level, what) = match is_all_refused {
                true => (
                    Level::Warn,
                    "a document was refused alone, and none was accepted since: all are kept",
                ),
                false => (Level::Error, "1 document is dropped"),
            };
            let text = || format!("{what}: {error}");
            output.log.write(now, level, error.cause.topic(), text);
        }
        if !is_alone || is_all_refused {
            if is_alone {
                // Where nothing is accepted, it is not this document that is bad.
                self.gate.blocked(now, self.random.f64());
            }
            let suspicion = Suspicion {
                documents: documents.div_ceil(2),
                since,
                is_alone,
            };
            self.wait_again(now, call.output, call.pieces(), Some(suspicion));
            return false;
        }
        output.totals.rejected.add(documents);
        let shares: Vec<&Share> = call.shares.iter().collect();
        self.done_with(now, &shares, true);
        true
    }

    /// What was accepted, or refused for good, is not left of its chunk.
    fn done_with(&mut self, now: Instant, shares: &[&Share], is_rejected: bool) {
        let mut done: BTreeMap<ChunkId, Done> = BTreeMap::new();
        for share in shares {
            let Some(chunk) = self.chunks.get_mut(&share.chunk) else {
                continue;
            };
            chunk.pass(share.range.clone());
            let (mut delivered, mut rejected) = (share.documents, 0);
            if is_rejected {
                mem::swap(&mut delivered, &mut rejected);
            }
            chunk.history.delivered += delivered;
            chunk.history.rejected += rejected;
            if let Some(flush) = &mut chunk.flush {
                flush.delivered += delivered;
            }
            if self.journal.is_some() {
                let done = done.entry(share.chunk).or_default();
                done.ranges.insert(share.range.clone());
                done.delivered += delivered;
                done.rejected += rejected;
            }
        }
        for (id, mut done) in done {
            if let (Some(journal), Some(chunk)) = (&mut self.journal, self.chunks.get_mut(&id)) {
                let flush = chunk.flush.as_ref();
                if let Some(part) = flush.and_then(|flush| flush.part.as_ref()) {
                    done.ranges = done.ranges.joined(part);
                }
                journal.done(now, id, chunk, &done);
            }
        }
    }
}
