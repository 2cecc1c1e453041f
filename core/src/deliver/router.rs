//! The flushes of an output with several delivery streams. Each stream's machine has its part of a
//! chunk. The host is answered when all parts have ended, and each machine is told whether the
//! chunk comes again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::time::{Duration, Instant};

use crate::pack::batch::ChunkId;

use super::flight::OutputId;
use super::unheard::Unheard;
use super::verdict::Verdict;

/// While all of the host's threads wait, a flush that has waited for so long is handed back.
const SHORTEST: Duration = Duration::from_secs(2);

/// Threads are told apart for the output as a whole.
const OUTPUT: OutputId = OutputId(0);

#[derive(Debug, Default)]
pub struct Router {
    flushes: BTreeMap<FlushId, Flush>,
    last: FlushId,
    /// The host's threads that a flush came from so far.
    callers: BTreeSet<usize>,
    /// How many there are, as far as that is known.
    workers: usize,
    /// Whether what a machine knows outlives the process: then it is kept until the host has surely
    /// heard.
    has_journals: bool,
    unheard: Unheard,
    /// Flushes that were answered, and that the host may not have heard of.
    answered: BTreeMap<FlushId, Vec<(OutputId, ChunkId)>>,
    todo: Vec<(OutputId, Order)>,
    /// All that lingers was told to go.
    is_hurried: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(u64);

#[derive(Debug)]
struct Flush {
    arrived: Instant,
    caller: usize,
    /// Parts that have not ended.
    open: Vec<OutputId>,
    /// Parts that are done with.
    done: Vec<(OutputId, ChunkId)>,
    is_left: bool,
    is_delivered: bool,
    is_handed_back: bool,
}

/// What a stream's machine is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// [`super::stream::Stream::concluded`].
    Conclude { chunk: ChunkId, comes_again: bool },
    /// [`super::stream::Stream::hand_back`].
    HandBack { caller: usize },
    /// [`super::stream::Stream::hurry`].
    Hurry,
}

impl Router {
    pub fn new(has_journals: bool, workers: usize) -> Self {
        Self {
            has_journals,
            workers,
            ..Self::default()
        }
    }

    /// A flush begins, with a part for each of these.
    pub fn begin(&mut self, now: Instant, caller: usize, parts: Vec<OutputId>) -> FlushId {
        self.callers.insert(caller);
        self.unheard.flush_begins(now, OUTPUT, caller);
        self.last.0 += 1;
        let flush = Flush {
            arrived: now,
            caller,
            open: parts,
            done: Vec::new(),
            is_left: false,
            is_delivered: false,
            is_handed_back: false,
        };
        self.flushes.insert(self.last, flush);
        self.is_hurried = false;
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
        self.unheard.flush_ends(now, OUTPUT, flush.caller);
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
    pub fn orders(&mut self, now: Instant) -> Vec<(OutputId, Order)> {
        for ChunkId(id) in self.unheard.heard(now) {
            let done = self.answered.remove(&FlushId(id)).unwrap_or_default();
            self.conclude(done, false);
        }
        self.relieve(now);
        mem::take(&mut self.todo)
    }

    /// When there may be orders though nothing happens.
    pub fn due(&self) -> Option<Instant> {
        let crowded = self.crowd().map(|(arrived, _)| arrived + SHORTEST);
        crowded.into_iter().chain(self.unheard.due()).min()
    }

    /// Whether a machine has anything that is not concluded.
    pub fn needs(&self, part: OutputId) -> bool {
        let mut open = self.flushes.values().flat_map(|flush| &flush.open);
        let done = self.flushes.values().map(|flush| &flush.done);
        let mut done = done.chain(self.answered.values()).flatten();
        open.any(|id| *id == part) || done.any(|(id, _)| *id == part)
    }

    fn conclude(&mut self, done: Vec<(OutputId, ChunkId)>, comes_again: bool) {
        let order = |(part, chunk)| (part, Order::Conclude { chunk, comes_again });
        self.todo.extend(done.into_iter().map(order));
    }

    /// While all of the host's threads wait, no other stream gets a chunk. So nothing lingers, and
    /// a stream that holds up most of them hands its oldest flush back.
    fn relieve(&mut self, now: Instant) {
        if !self.all_wait() {
            return;
        }
        if !mem::replace(&mut self.is_hurried, true) {
            let open = self.flushes.values().flat_map(|flush| &flush.open);
            let open: BTreeSet<OutputId> = open.copied().collect();
            self.todo
                .extend(open.into_iter().map(|part| (part, Order::Hurry)));
        }
        let Some((arrived, id)) = self.crowd() else {
            return;
        };
        if let Some(flush) = self.flushes.get_mut(&id)
            && arrived + SHORTEST <= now
        {
            flush.is_handed_back = true;
            let caller = flush.caller;
            let order = |part: &OutputId| (*part, Order::HandBack { caller });
            self.todo.extend(flush.open.iter().map(order));
        }
    }

    fn all_wait(&self) -> bool {
        self.flushes.len() >= self.callers.len().max(self.workers)
    }

    /// The oldest flush of those that wait for the stream that most of them wait for, if all of the
    /// host's threads wait.
    fn crowd(&self) -> Option<(Instant, FlushId)> {
        let mut flushes = self.flushes.values();
        if !self.all_wait() || flushes.any(|flush| flush.is_handed_back) {
            return None;
        }
        let mut waiting: HashMap<OutputId, usize> = HashMap::new();
        for part in self.flushes.values().flat_map(|flush| &flush.open) {
            *waiting.entry(*part).or_default() += 1;
        }
        let (most, _) = waiting
            .into_iter()
            .max_by_key(|(id, count)| (*count, *id))?;
        let mut flushes = self.flushes.iter();
        let oldest = flushes.find(|(_, flush)| flush.open.contains(&most));
        oldest.map(|(id, flush)| (flush.arrived, *id))
    }
}
