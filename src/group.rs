//! Delivers what the flushes of an output have, together: what waits at the same moment shares
//! records and calls, whatever its tag, and each flush learns what became of its own documents.

mod queue;

use std::future::poll_fn;
use std::iter;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::batch::{Batch, Share};
use crate::config::{Config, Delivery};
use crate::document::Format;
use crate::failure::{Action, Cause};
use crate::flush::{Fate, Flush};
use crate::gate::{Gate, Pass};
use crate::ledger::Left;
use crate::log::{Level, Limiter, count};
use crate::metrics::{self, Metric};
use crate::pack::{Packer, Piece, Room};
use crate::service::{CallError, Sent, Service};
use crate::totals::{Accepted, Answer, Totals};

pub use queue::Linger;
use queue::{Due, Queue, Suspect};

/// A call is not begun with less time than this: cut off, it may have been stored all the same,
/// and the chunk's next flush would store it twice.
const SHORTEST_CALL: Duration = Duration::from_millis(500);

/// Batches whose memory is kept: one to be packed while another is encrypted, by each of two
/// threads.
const SPARE_BATCHES: usize = 4;

/// All that the flushes of one output share.
#[derive(Debug)]
pub struct Group<V> {
    service: V,
    format: Format,
    has_convertible_times: bool,
    options: Delivery,
    gate: Arc<Gate>,
    limiter: Limiter,
    totals: Totals,
    /// A number within 0.0 and 1.0.
    random: fn() -> f64,
    packer: Mutex<Packer>,
    /// Batches whose memory is to be used again.
    spare: Mutex<Vec<Batch>>,
    queue: Mutex<Queue>,
    /// What is due may have changed, or when flushes end.
    changed: Notify,
    /// Each makes one call at a time, as long as anything waits.
    lanes: Mutex<JoinSet<()>>,
}

/// A batch that is about to be sent.
struct Load {
    batch: Batch,
    suspected: Option<Suspicion>,
    /// Calls are numbered in the order in which they begin.
    number: u64,
}

/// One of the documents of a batch is thought to be bad.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    /// How many of them to send together.
    documents: u64,
    /// The last call that had begun when they were refused first.
    since: u64,
    /// It is one document, and was refused alone.
    is_alone: bool,
}

impl<V: Service> Group<V> {
    pub fn new(service: V, config: &Config, gate: Arc<Gate>, max_level: Level) -> Self {
        let packer = Packer::new(&config.delivery_stream, config.packing);
        let time_key = config.format.time_key.as_ref();
        Self {
            service,
            format: config.format.clone(),
            has_convertible_times: time_key.is_none_or(|key| key.format.is_convertible()),
            options: config.delivery,
            gate,
            limiter: Limiter::new(max_level),
            totals: Totals::default(),
            random: fastrand::f64,
            packer: Mutex::new(packer),
            spare: Mutex::default(),
            queue: Mutex::default(),
            changed: Notify::new(),
            lanes: Mutex::default(),
        }
    }

    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let credentials = self.service.credentials_time();
        metrics::of(&self.totals, self.gate.reading(), credentials)
    }

    /// Returns when all of the flush was accepted, dropped or given up, and never after its
    /// deadline. `caller` is the thread that the host waits with.
    pub async fn deliver(self: &Arc<Self>, flush: &Arc<Flush>, caller: usize) -> (Fate, Left) {
        let visit = Visit::begin(self, flush, caller);
        self.staff();
        self.changed.notify_waiters();
        flush.ended().await;
        let end = flush.close();
        drop(visit);
        end
    }

    /// The host stops: nothing waits for company anymore, and all flushes end until then, those
    /// that are still to come included.
    pub fn stop(&self, deadline: Instant) {
        self.queue().stop(deadline);
        self.changed.notify_waiters();
    }

    /// Ends all calls that are under way.
    pub fn abort(&self) {
        lock(&self.lanes).abort_all();
    }

    /// Begins a lane if anything waits that no lane may see to.
    fn staff(self: &Arc<Self>) {
        let mut queue = self.queue();
        if queue.is_empty() || queue.lanes == self.options.max_in_flight {
            return;
        }
        queue.lanes += 1;
        drop(queue);
        let mut lanes = lock(&self.lanes);
        while lanes.try_join_next().is_some() {}
        lanes.spawn(Lane(Arc::clone(self)).run());
    }

    /// Waits until something is due; false if nothing waits, and the lane ends.
    async fn is_due(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            let due = {
                let mut queue = self.queue();
                let due = queue.due(self.options.linger.bytes);
                if due == Due::Never {
                    queue.lanes -= 1;
                }
                due
            };
            match due {
                Due::Never => return false,
                Due::Now => return true,
                Due::At(time) => _ = timeout_at(time, changed).await,
            }
        }
    }

    /// Packs what waits, up to so many bytes.
    fn load(&self, max_bytes: usize) -> Option<Load> {
        let shortest_call = SHORTEST_CALL.min(self.options.request_timeout);
        let bytes = max_bytes.min(self.options.batch_size);
        let mut batch = lock(&self.spare).pop().unwrap_or_default();
        let mut packer = lock(&self.packer);
        let suspect = self.queue().next_suspect();
        let suspected = suspect.as_ref().map(|suspect| suspect.suspicion);
        let room = Room {
            bytes,
            documents: suspected.map_or(u64::MAX, |suspicion| suspicion.documents),
        };
        if let Some(suspect) = suspect {
            let pieces = suspect.pieces.into_iter();
            // What the host is told of at its flush's end needs no more looking into.
            let mut pieces = pieces.filter(|piece| piece.flush.has_time(shortest_call));
            let mut rest = packer.pack(&self.format, &mut pieces, room, &mut batch);
            rest.extend(pieces);
            if !rest.is_empty() {
                self.queue().suspect(Suspect {
                    pieces: rest,
                    ..suspect
                });
            }
        } else {
            let mut pieces = iter::from_fn(|| self.queue().next_piece(shortest_call));
            let rest = packer.pack(&self.format, &mut pieces, room, &mut batch);
            let mut queue = self.queue();
            rest.into_iter()
                .rev()
                .for_each(|piece| queue.put_back(piece));
        }
        if batch.records().is_empty() {
            self.keep(batch);
            return None;
        }
        Some(Load {
            batch,
            suspected,
            number: self.queue().begin_call(),
        })
    }

    /// One call, and all that follows from its answer.
    async fn send(&self, mut load: Load, pass: Pass<'_>) {
        let batch = &mut load.batch;
        let body = Bytes::from(batch.finish());
        for (flush, documents) in batch.documents_by_flush() {
            flush.begin(documents);
        }
        let sent = Sent::default();
        let call = self
            .service
            .put(body.clone(), batch.records().len(), sent.clone());
        let began = Instant::now();
        let answer = self.answer(batch, call, &sent).await;
        self.totals.call_time.observe(began.elapsed());
        match answer {
            Ok(results) => {
                if results.iter().any(Result::is_ok) {
                    self.queue().accepted(load.number);
                }
                self.settle(batch, &results, pass);
            }
            Err(error) => {
                self.totals.call(Answer::Failed(error.cause));
                self.fail(&load, &error, sent.is_set(), pass);
            }
        }
        if let Ok(body) = body.try_into_mut() {
            load.batch.reuse(body.into());
        }
        self.keep(load.batch);
    }

    /// Waits for a call's answer, but not too long.
    async fn answer<A>(
        &self,
        batch: &Batch,
        call: impl Future<Output = Result<A, CallError>>,
        sent: &Sent,
    ) -> Result<A, CallError> {
        let began = Instant::now();
        let mut call = pin!(call);
        loop {
            // A host that stops moves the ends of flushes.
            let mut changed = pin!(self.changed.notified());
            let was_sent = sent.is_set();
            let end = self.end_of_call(batch, began, was_sent);
            let answer = poll_fn(|context| match call.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending => changed.as_mut().poll(context).map(|()| None),
            });
            match timeout_at(end, answer).await {
                Ok(Some(answer)) => return answer,
                Err(_) if was_sent == sent.is_set() => break,
                Ok(None) | Err(_) => {}
            }
        }
        let (cause, what) = match sent.is_set() {
            true => (Cause::Unanswered, "no answer"),
            false => (Cause::Network, "no connection"),
        };
        Err(CallError {
            cause,
            text: format!("{what} within {:?}", began.elapsed()),
        })
    }

    /// When a call is given up.
    fn end_of_call(&self, batch: &Batch, began: Instant, was_sent: bool) -> Instant {
        let deadlines = || batch.flushes().iter().map(|flush| flush.deadline());
        let (first, last) = (deadlines().min(), deadlines().max());
        let (Some(first), Some(last)) = (first, last) else {
            unreachable!("a batch holds documents of a flush");
        };
        // Beyond all its flushes' ends nobody waits for the answer.
        let end = last.min(began + self.options.request_timeout);
        if was_sent {
            return end;
        }
        // The end of each flush finds its documents sent, or waiting: to send them then would be
        // to begin a call with less time than is enough for one.
        let enough = SHORTEST_CALL.min(self.options.request_timeout);
        end.min(first - enough / 2)
    }

    /// Waits until calls can be made. If that takes long, the host's log says so.
    async fn ready(&self) {
        let mut ready = pin!(self.service.ready());
        while timeout(self.options.request_timeout, ready.as_mut())
            .await
            .is_err()
        {
            let Some(flush) = self.queue().first_open() else {
                continue;
            };
            self.limiter
                .write(&*flush.sink, Level::Warn, "look-up", || {
                    "nothing is sent: the look-up of credentials takes long \
                     (credentials_timeout)"
                        .to_owned()
                });
        }
    }

    /// Keeps a batch's memory for another.
    fn keep(&self, batch: Batch) {
        let mut spare = lock(&self.spare);
        if spare.len() < SPARE_BATCHES {
            spare.push(batch);
        }
    }

    /// Counts what was accepted and leaves what was refused to be sent again.
    fn settle(&self, batch: &Batch, results: &[Result<(), Cause>], pass: Pass<'_>) {
        let answered = batch.records().iter().zip(results);
        let accepted = answered.filter(|(_, result)| result.is_ok());
        let sum: Accepted = accepted.map(|(record, _)| record).collect();
        self.totals.accepted(&sum);
        if !self.has_convertible_times {
            self.totals.unconvertible.add(sum.documents);
        }
        let mut accepted: Option<Share> = None;
        let mut refused = Vec::new();
        let mut cause = None;
        for (shares, result) in batch.shares_by_record().zip(results) {
            match *result {
                Ok(()) => {
                    // Most are neighbours, of which a flush is told at once.
                    for share in shares {
                        if !accepted.as_mut().is_some_and(|before| before.join(share))
                            && let Some(before) = accepted.replace(share.clone())
                        {
                            batch.flush_of(&before).accepted(&before);
                        }
                    }
                }
                Err(refusal) => {
                    refused.push(shares);
                    // Throttling, if any was refused for that.
                    if cause != Some(Cause::Throttled) {
                        cause = Some(refusal);
                    }
                }
            }
        }
        if let Some(last) = accepted {
            batch.flush_of(&last).accepted(&last);
        }
        let Some(cause) = cause else {
            self.totals.call(Answer::Accepted);
            return pass.accepted();
        };
        self.totals.call(match sum.bytes {
            0 => Answer::Failed(cause),
            _ => Answer::Partial,
        });
        self.totals.refused_records.add(refused.len() as u64);
        self.put_back(batch, refused.iter().copied().flatten());
        let sink = &batch.flushes()[0].sink;
        self.limiter
            .write(&**sink, Level::Warn, "refused records", || {
                format!(
                    "{} of {} refused and sent again: {}",
                    refused.len(),
                    count(results.len(), "record"),
                    cause.advice()
                )
            });
        match cause {
            Cause::Throttled => pass.throttled(sum.bytes, (self.random)()),
            _ if sum.bytes == 0 => pass.failed(false, (self.random)()),
            _ => {}
        }
    }

    /// Has documents whose call has ended sent again.
    fn put_back<'b>(&self, batch: &Batch, shares: impl Iterator<Item = &'b Share>) {
        let mut queue = self.queue();
        queue.hurry();
        for share in shares {
            let flush = batch.flush_of(share);
            flush.end(share.documents);
            queue.put_back(Piece {
                flush: Arc::clone(flush),
                part: share.part.clone(),
            });
        }
    }

    /// Does what the error's cause asks for.
    fn fail(&self, load: &Load, error: &CallError, was_sent: bool, pass: Pass<'_>) {
        let batch = &load.batch;
        let documents = batch.documents();
        if error.cause.action() == Action::Retry {
            return self.retry(load, error, was_sent, pass);
        }
        let since = match load.suspected {
            Some(suspicion) => suspicion.since,
            None => self.queue().last_call(),
        };
        let is_all_refused = !self.queue().has_accepted_since(since);
        if documents > 1 {
            let half = Suspicion {
                documents: documents.div_ceil(2),
                since,
                is_alone: false,
            };
            self.suspect(batch, half);
            if is_all_refused {
                pass.doubted();
            }
            return;
        }
        // Where nothing is accepted, it is not this document that is bad.
        if is_all_refused {
            self.log(batch, Level::Warn, error, || {
                "a document was refused alone, and none was accepted since: all are kept".to_owned()
            });
            let alone = Suspicion {
                documents,
                since,
                is_alone: true,
            };
            self.suspect(batch, alone);
            return pass.blocked((self.random)());
        }
        self.totals.rejected.add(documents);
        self.log(batch, Level::Error, error, || {
            format!("{} is dropped", count(documents, "document"))
        });
        for share in batch.shares() {
            batch.flush_of(share).dropped(share);
        }
    }

    /// Has these documents sent again, so many at a time.
    fn suspect(&self, batch: &Batch, suspicion: Suspicion) {
        let piece = |share: &Share| {
            let flush = batch.flush_of(share);
            flush.end(share.documents);
            Piece {
                flush: Arc::clone(flush),
                part: share.part.clone(),
            }
        };
        let pieces = batch.shares().iter().map(piece).collect();
        self.queue().suspect(Suspect { pieces, suspicion });
    }

    fn retry(&self, load: &Load, error: &CallError, was_sent: bool, pass: Pass<'_>) {
        let batch = &load.batch;
        let cause = error.cause;
        let may_resend_at_once = self.options.auto_retry_requests && cause.is_of_connection();
        // A kept connection that the service has closed meanwhile is nobody's fault.
        let level = match may_resend_at_once && pass.is_first_failure() {
            true => Level::Debug,
            false => Level::Warn,
        };
        self.log(batch, level, error, || {
            format!(
                "PutRecordBatch of {}",
                count(batch.records().len(), "record")
            )
        });
        if was_sent && cause.is_ambiguous() {
            for share in batch.shares() {
                batch.flush_of(share).ambiguous(share.documents);
            }
        }
        match load.suspected {
            Some(suspicion) => self.suspect(batch, suspicion),
            None => self.put_back(batch, batch.shares().iter()),
        }
        let random = (self.random)();
        if cause == Cause::Throttled {
            pass.throttled(0, random);
        } else if cause.needs_operator() {
            pass.blocked(random);
        } else {
            pass.failed(may_resend_at_once, random);
        }
    }

    /// A line about a call, by the host's thread that waits for its first flush.
    fn log(&self, batch: &Batch, level: Level, error: &CallError, what: impl FnOnce() -> String) {
        let sink = &batch.flushes()[0].sink;
        let text = || format!("{}: {error}", what());
        self.limiter
            .write(&**sink, level, error.cause.topic(), text);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

/// Makes calls, one at a time, as long as anything waits.
struct Lane<V: Service>(Arc<Group<V>>);

impl<V: Service> Lane<V> {
    async fn run(self) {
        let group = &self.0;
        while group.is_due().await {
            let turn = group.gate.turn().await;
            group.totals.throttled.add(turn.throttled());
            group.ready().await;
            let Some(load) = group.load(turn.max_bytes()) else {
                continue;
            };
            let pass = turn.pass(load.batch.bytes(), load.batch.records().len());
            group.staff();
            group.send(load, pass).await;
        }
    }
}

impl<V: Service> Drop for Lane<V> {
    /// After a panic, which its flushes outwait, another lane may begin.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue().lanes -= 1;
        }
    }
}

/// A flush's stay in the group, which ends when it is dropped.
struct Visit<'v, V: Service> {
    group: &'v Group<V>,
    flush: &'v Arc<Flush>,
    caller: usize,
}

impl<'v, V: Service> Visit<'v, V> {
    fn begin(group: &'v Group<V>, flush: &'v Arc<Flush>, caller: usize) -> Self {
        let linger = group.options.linger.time;
        group.queue().join(flush, caller, linger);
        Self {
            group,
            flush,
            caller,
        }
    }
}

impl<V: Service> Drop for Visit<'_, V> {
    fn drop(&mut self) {
        _ = self.flush.close();
        self.group.queue().leave(self.flush, self.caller);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
