//! The machine of one delivery stream. It is told what happens and asked what to do next; it has
//! no clock, no threads and no I/O, so that a test plays any history of it.
//!
//! A chunk's documents are in one of three places: some wait, some are in a call, and some are
//! done with. A call that was begun goes on whatever becomes of the flush. Its answer, however
//! late, tells which of its documents are done with and which wait again.

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::chunk::{Chunk, Flush};
use super::flight::{Call, Filling};
use super::gate::{Admission, Gate};
use super::journal::{Journal, Page};
use super::ledger::{Key, Ledger};
use super::output::Output;
use super::ranges::Ranges;
use super::unheard::Unheard;
use super::verdict::Verdict;
use crate::pack::batch::ChunkId;
use crate::pack::packer::Room;
use crate::tell::log::{Line, Log};

pub use super::flight::{CallId, OutputId};
pub use super::journal::Remembered;
pub use super::output::Delivery;

mod answer;
mod fill;
mod outputs;
mod parts;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Pack what waits of an output, by [`Stream::next_piece`], and tell of it by
    /// [`Stream::packed`].
    Pack(OutputId, Room),
    /// Hash a chunk while the host still waits, and tell the name by [`Stream::named`].
    Name(ChunkId),
    /// Write a page of the journal, and tell of it by [`Stream::written`].
    Write(Page),
    /// Answer the host. The chunk's bytes are not needed anymore.
    Answer(ChunkId, Verdict),
    /// Wait until this time, or until something happens.
    Wait(Option<Instant>),
}

/// When a host that stops has less time left than this, no call begins: if the end cut it off, it
/// might be stored all the same, and the next process would send it again.
const SHORTEST_CALL: Duration = Duration::from_millis(500);

/// A chunk as a flush hands it over.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The host's thread that waits; none if the flush holds no thread.
    pub caller: Option<usize>,
    pub tag: &'a str,
    /// Of the whole chunk.
    pub length: usize,
    pub key: Option<Key>,
    /// The ranges that go to this delivery stream. What becomes of them is answered, and kept until
    /// [`Stream::concluded`]. None: the whole chunk, and the answer is the host's.
    pub part: Option<Ranges>,
}

#[derive(Debug)]
pub struct Stream {
    outputs: BTreeMap<OutputId, Output>,
    /// The chunks of outputs that have left. Any output that is handed such a chunk resumes it.
    left: Ledger,
    chunks: HashMap<ChunkId, Chunk>,
    journal: Option<Journal>,
    unheard: Unheard,
    last_chunk: u64,
    /// Those under way.
    calls: BTreeMap<CallId, Call>,
    last_call: CallId,
    /// The last call of which something was accepted, by when it began.
    last_accepted: Option<CallId>,
    gate: Gate,
    random: Rng,
    /// What is being packed.
    filling: Option<Filling>,
    /// The output whose call began last; the next one's turn is first.
    last_turn: OutputId,
}

impl Stream {
    pub fn new(now: Instant, seed: u64) -> Self {
        Self {
            outputs: BTreeMap::new(),
            left: Ledger::default(),
            chunks: HashMap::new(),
            journal: None,
            unheard: Unheard::default(),
            last_chunk: 0,
            calls: BTreeMap::new(),
            last_call: CallId(0),
            last_accepted: None,
            gate: Gate::new(now),
            random: Rng::with_seed(seed),
            filling: None,
            last_turn: OutputId(0),
        }
    }

    /// Returns a new machine that goes on with the numbers of this one's calls and chunks: so a
    /// late answer to an old call is not taken for a new call's.
    pub fn anew(&self, now: Instant, seed: u64) -> Self {
        Self {
            journal: self.journal.as_ref().map(Journal::anew),
            last_chunk: self.last_chunk,
            last_call: self.last_call,
            ..Self::new(now, seed)
        }
    }

    /// Calls of an output can be made again, after [`Stream::hold`].
    pub fn ready(&mut self, id: OutputId) {
        if let Some(output) = self.outputs.get_mut(&id) {
            output.is_ready = true;
        }
    }

    /// Whether a chunk's name is needed when it comes. Without a journal nothing is hashed while
    /// nothing is left of any.
    pub fn wants_names(&self, id: OutputId) -> bool {
        let output = self.outputs.get(&id);
        let is_known = |ledger: &Ledger| self.journal.is_some() || !ledger.is_empty();
        output.is_some_and(|output| is_known(&output.ledger) || is_known(&self.left))
    }

    /// A flush of a chunk begins. Returns the chunk's id; None if there is no such output.
    pub fn flush(&mut self, now: Instant, id: OutputId, arrival: Arrival) -> Option<ChunkId> {
        let Arrival {
            caller,
            tag,
            length,
            key,
            part,
        } = arrival;
        self.forget_outlived(now);
        let output = self.outputs.get_mut(&id)?;
        let ledgers = [&mut output.ledger, &mut self.left];
        let known = key.and_then(|key| ledgers.into_iter().find_map(|ledger| ledger.take(&key)));
        let chunk_id = known.unwrap_or(ChunkId(self.last_chunk + 1));
        self.last_chunk = self.last_chunk.max(chunk_id.0);
        let chunk = self.chunks.entry(chunk_id);
        let chunk = chunk.or_insert_with(|| Chunk::new(tag, length));
        chunk.key = key;
        tag.clone_into(&mut chunk.tag);
        let is_part = part.is_some();
        chunk.arrive(Flush {
            arrived: now,
            deadline: output.stop.unwrap_or(now + output.delivery.flush_timeout),
            caller,
            tally: Default::default(),
            delivered: 0,
            panics: 0,
            part,
        });
        if known.is_some() {
            output.totals.resumed_chunks.add(1);
        }
        output.open.push(chunk_id);
        let mut linger = output.delivery.linger.time;
        if let Some(caller) = caller.filter(|_| !is_part) {
            self.unheard.flush_begins(now, id, caller);
            linger = output.queue.arrive(now, caller, linger);
        }
        if !chunk.waiting.is_empty() {
            output.queue.push(chunk_id, now, linger);
        }
        for (piece, suspicion) in std::mem::take(&mut chunk.suspects) {
            self.wait_again(now, id, vec![piece], Some(suspicion));
        }
        Some(chunk_id)
    }

    fn ledgers(&mut self) -> impl Iterator<Item = &mut Ledger> {
        let of_outputs = self.outputs.values_mut().map(|output| &mut output.ledger);
        of_outputs.chain(iter::once(&mut self.left))
    }

    /// Forgets chunks that the host has given up.
    fn forget_outlived(&mut self, now: Instant) {
        let outlived = || self.ledgers().find_map(|ledger| ledger.outlived(now));
        let old: Vec<ChunkId> = iter::from_fn(outlived).collect();
        self.forget(now, old);
    }

    /// Forgets chunks of which nothing needs to be known anymore.
    fn forget(&mut self, now: Instant, chunks: Vec<ChunkId>) {
        for id in chunks {
            let is_begun = self.chunks.remove(&id).is_some_and(|it| it.is_begun);
            if let Some(journal) = self.journal.as_mut().filter(|_| is_begun) {
                journal.closed(now, id);
            }
        }
    }

    /// A page of the journal was written, or why it could not be.
    pub fn written(&mut self, now: Instant, page: u64, result: Result<(), String>) {
        let output = self.outputs.values().next().filter(|_| result.is_err());
        if let Some(output) = output {
            output.totals.journal_failures.add(1);
        }
        if let Some(journal) = &mut self.journal {
            journal.written(now, page, result);
        }
    }

    pub fn named(&mut self, chunk: ChunkId, key: Key) {
        if let Some(chunk) = self.chunks.get_mut(&chunk) {
            chunk.key = Some(key);
        }
    }

    /// A chunk's tag; none once nothing is known of it.
    pub fn tag(&self, chunk: ChunkId) -> Option<&str> {
        self.chunks.get(&chunk).map(|chunk| &*chunk.tag)
    }

    /// Returns what to do next. The caller asks again until the answer is to wait.
    pub fn next(&mut self, now: Instant) -> Step {
        if let Some(step) = self.next_end(now) {
            return step;
        }
        let heard = self.unheard.heard(now);
        self.forget(now, heard);
        self.forget_outlived(now);
        if let Some(page) = self.next_page(now) {
            return Step::Write(page);
        }
        match self.next_call(now) {
            Ok(step) => step,
            Err(due) => {
                let open = self.outputs.values().flat_map(|output| &output.open);
                let flushes = open.filter_map(|id| self.chunks.get(id)?.flush.as_ref());
                let deadlines = flushes.map(|flush| flush.deadline);
                let journal = self.journal.iter().flat_map(Journal::dues);
                let journal = journal.filter(|due| *due > now);
                let dues = deadlines.chain(due).chain(journal);
                let due = dues.chain(self.unheard.due()).min();
                let outlived = self.ledgers().filter_map(|ledger| ledger.outlives_at());
                Step::Wait(outlived.chain(due).min())
            }
        }
    }

    /// Ends a flush of which nothing is left to send, or that has no more time.
    fn next_end(&mut self, now: Instant) -> Option<Step> {
        for (output_id, output) in &mut self.outputs {
            for (place, &id) in output.open.iter().enumerate() {
                let chunk = self.chunks.get_mut(&id)?;
                let is_left = !chunk.left.is_empty();
                let is_in_time = |flush: &Flush| now < flush.deadline;
                let journal = self.journal.as_ref();
                let waits = is_left || journal.is_some_and(|it| it.holds(now, chunk.page));
                if waits && chunk.flush.as_ref().is_some_and(is_in_time) {
                    continue;
                }
                // Many flushes may end at once, with nothing of their chunks accepted.
                let is_remembered = if is_left {
                    chunk.has_past()
                } else {
                    chunk.is_shared()
                };
                if is_remembered && chunk.key.is_none() {
                    return Some(Step::Name(id));
                }
                output.open.remove(place);
                output.queue.remove(id);
                for suspect in &mut output.suspects {
                    let own = suspect.pieces.extract_if(.., |piece| piece.chunk == id);
                    let own = own.map(|piece| (piece, suspect.suspicion));
                    chunk.suspects.extend(own);
                }
                output.suspects.retain(|suspect| !suspect.pieces.is_empty());
                let verdict = Verdict::of(&chunk.history, is_left);
                let mut gone = vec![id];
                if let Some(flush) = chunk.flush.take() {
                    let caller = flush.caller;
                    output.ended(now, chunk, &flush, verdict);
                    match &flush.part {
                        Some(part) if is_left => chunk.join_ranges(part),
                        Some(_) => output.parts.append(&mut gone),
                        None => {
                            if let Some(caller) = caller {
                                output.queue.depart(now, caller);
                                self.unheard.flush_ends(now, *output_id, caller);
                            }
                        }
                    }
                    if self.journal.is_some() && !is_left && chunk.is_begun && !gone.is_empty() {
                        self.unheard.answered(now, *output_id, caller, id);
                        gone.clear();
                    }
                }
                if let Some(key) = chunk.key.filter(|_| is_left && is_remembered) {
                    let bounds = output.delivery.resume;
                    gone = output.ledger.keep(now, bounds, key, id, &chunk.left);
                    output.tell_forgotten(now, gone.len());
                }
                self.forget(now, gone);
                return Some(Step::Answer(id, verdict));
            }
        }
        None
    }

    /// Returns the next page of the journal, and writes to the log what an operator should know.
    fn next_page(&mut self, now: Instant) -> Option<Page> {
        let journal = self.journal.as_mut()?;
        let page = journal.page(now, self.chunks.iter().map(|(id, chunk)| (*id, chunk)));
        let output = self.outputs.values_mut().next();
        if let (Some(news), Some(output)) = (journal.news(), output) {
            output.tell_journal(now, &news);
        }
        page
    }

    /// Returns the next call, or when one is due.
    fn next_call(&mut self, now: Instant) -> Result<Step, Option<Instant>> {
        let mut dues = Vec::new();
        let after = self.outputs.range(OutputId(self.last_turn.0 + 1)..);
        let turns = after.chain(self.outputs.range(..=self.last_turn));
        let turns: Vec<OutputId> = turns.map(|(id, _)| *id).collect();
        for id in turns {
            let Some(due) = self.due(now, id) else {
                continue;
            };
            if due > now {
                dues.push(due);
                continue;
            }
            let output = self.outputs.get_mut(&id).expect("it was found just now");
            match self.gate.admit(now) {
                Admission::AfterACall => {}
                Admission::At(time) => {
                    output.held_since.get_or_insert(now);
                    dues.push(time);
                }
                Admission::Now => {
                    if let Some(since) = output.held_since.take() {
                        let waited = now.saturating_duration_since(since);
                        output.totals.throttled.add_time(waited);
                    }
                    self.last_turn = id;
                    return Ok(self.fill(id));
                }
            }
        }
        Err(dues.into_iter().min())
    }

    /// When a call of an output is due, if it has anything to send.
    fn due(&self, now: Instant, id: OutputId) -> Option<Instant> {
        let output = self.outputs.get(&id)?;
        let is_too_late = output.stop.is_some_and(|stop| {
            let shortest = SHORTEST_CALL.min(output.delivery.request_timeout);
            stop.saturating_duration_since(now) < shortest
        });
        if !output.is_ready || is_too_late {
            return None;
        }
        if !output.suspects.is_empty() {
            return Some(now);
        }
        let waiting = |chunk: &Chunk| chunk.waiting.bytes();
        let bytes = |id| self.chunks.get(&id).map_or(0, waiting);
        // All of them wait for something: a flush that is settled ends before a call begins.
        let open = output.open.len();
        let enough = output.delivery.linger.bytes;
        let due = output.queue.due(enough, open, bytes)?;
        Some(if output.stop.is_some() { now } else { due })
    }

    /// An output's log, for lines of those who carry its calls out.
    pub fn log(&mut self, id: OutputId) -> Option<&mut Log> {
        self.outputs.get_mut(&id).map(|output| &mut output.log)
    }

    /// The lines that an output has for the host's log.
    pub fn lines(&mut self, id: OutputId) -> impl Iterator<Item = Line> {
        self.log(id).into_iter().flat_map(Log::take)
    }

    pub fn in_flight(&self) -> usize {
        self.gate.in_flight()
    }

    /// Bytes per second that calls are held to; none if to none.
    pub fn rate(&self) -> Option<f64> {
        self.gate.rate()
    }

    pub fn is_under_way(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }
}
