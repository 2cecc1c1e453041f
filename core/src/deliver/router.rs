//! The flushes of an output with several delivery streams. Each stream's machine has its part of a
//! chunk. The host is answered when all parts have ended, and each machine is told whether the
//! chunk comes again.

use std::collections::BTreeMap;
use std::mem;
use std::time::Instant;

use crate::pack::batch::ChunkId;

use super::flight::OutputId;
use super::unheard::Unheard;
use super::verdict::Verdict;

/// Threads are told apart for the output as a whole.
const OUTPUT: OutputId = OutputId(0);

#[derive(Debug, Default)]
pub struct Router {
    flushes: BTreeMap<FlushId, Flush>,
    last: FlushId,
    /// Whether what a machine knows outlives the process: then it is kept until the host has surely
    /// heard.
    has_journals: bool,
    unheard: Unheard,
    /// Flushes that were answered, and that the host may not have heard of.
    answered: BTreeMap<FlushId, Vec<(OutputId, ChunkId)>>,
    concluded: Vec<Conclusion>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(u64);

#[derive(Debug)]
struct Flush {
    caller: Option<usize>,
    /// Parts that have not ended.
    open: Vec<OutputId>,
    /// Parts that are done with.
    done: Vec<(OutputId, ChunkId)>,
    is_left: bool,
    is_delivered: bool,
}

/// What the machine of a part's stream is to be told, by [`super::stream::Stream::concluded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conclusion {
    pub part: OutputId,
    pub chunk: ChunkId,
    pub comes_again: bool,
}

impl Router {
    pub fn new(has_journals: bool) -> Self {
        Self {
            has_journals,
            ..Self::default()
        }
    }

    /// Returns one that goes on with the numbers of this one's flushes: so the end of an old part is
    /// not taken for a new one's.
    pub fn anew(&self) -> Self {
        Self {
            last: self.last,
            ..Self::new(self.has_journals)
        }
    }

    /// A flush begins, with a part for each of these.
    pub fn begin(&mut self, now: Instant, caller: Option<usize>, parts: Vec<OutputId>) -> FlushId {
        if let Some(caller) = caller {
            self.unheard.flush_begins(now, OUTPUT, caller);
        }
        self.last.0 += 1;
        let flush = Flush {
            caller,
            open: parts,
            done: Vec::new(),
            is_left: false,
            is_delivered: false,
        };
        self.flushes.insert(self.last, flush);
        self.last
    }

    /// A part ended: its chunk's name at its machine, if that keeps it, and what became of it.
    /// Returns what the host is to be answered, once all parts have ended.
    pub fn ended(
        &mut self,
        now: Instant,
        id: FlushId,
        part: OutputId,
        chunk: Option<ChunkId>,
        verdict: Verdict,
    ) -> Option<Verdict> {
        let flush = self.flushes.get_mut(&id)?;
        let place = flush.open.iter().position(|open| *open == part)?;
        flush.open.remove(place);
        match verdict {
            Verdict::Retry => flush.is_left = true,
            Verdict::Delivered => flush.is_delivered = true,
            Verdict::Failed => {}
        }
        if verdict != Verdict::Retry {
            flush.done.extend(chunk.map(|chunk| (part, chunk)));
        }
        if !flush.open.is_empty() {
            return None;
        }
        let flush = self.flushes.remove(&id)?;
        if let Some(caller) = flush.caller {
            self.unheard.flush_ends(now, OUTPUT, caller);
        }
        if flush.is_left || !self.has_journals {
            self.conclude(flush.done, flush.is_left);
        } else {
            self.answered.insert(id, flush.done);
            let chunk = ChunkId(id.0);
            self.unheard.answered(now, OUTPUT, flush.caller, chunk);
        }
        Some(match (flush.is_left, flush.is_delivered) {
            (true, _) => Verdict::Retry,
            (false, true) => Verdict::Delivered,
            (false, false) => Verdict::Failed,
        })
    }

    /// What the machines are to be told now.
    pub fn conclusions(&mut self, now: Instant) -> Vec<Conclusion> {
        for ChunkId(id) in self.unheard.heard(now) {
            let done = self.answered.remove(&FlushId(id)).unwrap_or_default();
            self.conclude(done, false);
        }
        mem::take(&mut self.concluded)
    }

    /// When there may be conclusions though nothing happens.
    pub fn due(&self) -> Option<Instant> {
        self.unheard.due()
    }

    /// Whether a machine has anything that is not concluded.
    pub fn needs(&self, part: OutputId) -> bool {
        let mut open = self.flushes.values().flat_map(|flush| &flush.open);
        let done = self.flushes.values().map(|flush| &flush.done);
        let mut done = done.chain(self.answered.values()).flatten();
        open.any(|id| *id == part) || done.any(|(id, _)| *id == part)
    }

    fn conclude(&mut self, done: Vec<(OutputId, ChunkId)>, comes_again: bool) {
        let conclusion = |(part, chunk)| Conclusion {
            part,
            chunk,
            comes_again,
        };
        self.concluded.extend(done.into_iter().map(conclusion));
    }
}
