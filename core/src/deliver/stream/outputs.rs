//! The outputs of a stream come and go, and what is remembered of chunks outlives them.

use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{CallId, Delivery, OutputId, Stream};
use crate::deliver::gate::Limits;
use crate::deliver::journal::{Journal, Remains, Remembered};
use crate::deliver::ledger::Bounds;
use crate::deliver::output::Output;
use crate::pack::batch::ChunkId;
use crate::tell::log::{Level, Log};
use crate::tell::totals::Totals;

impl Stream {
    /// Keeps a journal. Its file is written anew when it is larger than `max_bytes`.
    pub fn keep_journal(&mut self, now: Instant, unix_time: Duration, max_bytes: usize) {
        self.journal = Some(Journal::new(now, unix_time, max_bytes));
    }

    /// What an earlier machine of the stream, or an earlier process, remembered.
    pub fn remember(&mut self, now: Instant, remembered: Remembered) {
        for Remains { mut chunk, age } in remembered.0 {
            // It was a page of another journal.
            chunk.page = 0;
            let Some(key) = chunk.key else {
                continue;
            };
            self.last_chunk += 1;
            let id = ChunkId(self.last_chunk);
            let kept = now.checked_sub(age).unwrap_or(now);
            if let Some(journal) = &self.journal {
                chunk.done_at = journal.unix_time(kept);
            }
            self.left.keep(kept, Bounds::NONE, key, id, &chunk.left);
            self.chunks.insert(id, chunk);
        }
    }

    /// An output begins. The stream's limits are the lower ones of all its outputs'.
    pub fn join(
        &mut self,
        now: Instant,
        id: OutputId,
        delivery: Delivery,
        totals: Arc<Totals>,
        log: Log,
    ) {
        // What it has from before is bounded as what it will remember.
        let gone = self.left.shrink(delivery.resume);
        let own = delivery.limits;
        let mut output = Output::new(now, delivery, totals, log);
        output.tell_forgotten(now, gone.len());
        self.forget(now, gone);
        let limits = self.limits().map_or(own, |before| before.merge(own));
        if self
            .limits()
            .is_some_and(|before| limits != own || limits != before)
        {
            output.log.write(now, Level::Warn, "merged limits", || {
                format!(
                    "another output sends to this delivery stream too: for both together the \
                     lower one of each limit holds: {limits}"
                )
            });
        }
        self.gate.set_limits(now, limits);
        self.outputs.insert(id, output);
    }

    /// The lower ones of all outputs' limits.
    fn limits(&self) -> Option<Limits> {
        let limits = self.outputs.values().map(|output| output.delivery.limits);
        limits.reduce(Limits::merge)
    }

    /// An output ends. What it remembers of chunks stays, also of those that the host waits for, if
    /// they are named. Its calls are given up, and what of them may have been stored is ambiguous.
    pub fn leave(&mut self, now: Instant, id: OutputId, was_sent: impl Fn(CallId) -> bool) {
        let Some(mut output) = self.outputs.remove(&id) else {
            return;
        };
        for (call_id, call) in self.calls.extract_if(.., |_, call| call.output == id) {
            self.gate.ended(call.bytes);
            if was_sent(call_id) {
                output.totals.ambiguous.add(call.documents());
            }
        }
        // Its limits hold no longer.
        if let Some(limits) = self.limits() {
            self.gate.set_limits(now, limits);
        }
        let remembered = iter::from_fn(|| output.ledger.pop());
        let unheard = self.unheard.leave(id);
        let named = output.open.iter().chain(&output.parts).chain(&unheard);
        let named = named.map(|id| (*id, now));
        for (chunk_id, kept) in remembered.chain(named) {
            let Some(mut chunk) = self.chunks.remove(&chunk_id) else {
                continue;
            };
            chunk.flush = None;
            // Its calls were given up, so all that is left waits.
            chunk.waiting = chunk.left.clone();
            chunk.suspects.clear();
            let Some(key) = chunk.key else {
                continue;
            };
            // The next output forgets what it has no room for, and tells of it.
            self.left
                .keep(kept, Bounds::NONE, key, chunk_id, &chunk.left);
            self.chunks.insert(chunk_id, chunk);
        }
    }

    /// The last output has left. Returns what is remembered of chunks, for the stream's next
    /// machine.
    pub fn end(mut self, now: Instant) -> Remembered {
        let remains = iter::from_fn(|| self.left.pop()).filter_map(|(id, kept)| {
            let chunk = self.chunks.remove(&id).filter(|chunk| chunk.is_begun)?;
            let age = now.saturating_duration_since(kept);
            Some(Remains { chunk, age })
        });
        Remembered(remains.collect())
    }

    /// The host stops: nothing lingers, and all flushes of the output end by this time, also those
    /// that are still to come.
    pub fn stop(&mut self, id: OutputId, deadline: Instant) {
        let Some(output) = self.outputs.get_mut(&id) else {
            return;
        };
        output.stop = Some(deadline);
        output.queue.hurry();
        for chunk in &output.open {
            let chunk = self.chunks.get_mut(chunk);
            if let Some(flush) = chunk.and_then(|chunk| chunk.flush.as_mut()) {
                flush.deadline = flush.deadline.min(deadline);
            }
        }
    }
}
