//! The host: hands chunks over, hears what became of them, and keeps what is to come again.

use std::collections::BTreeMap;
use std::mem;

use firehose_core::deliver::ranges::Ranges;
use firehose_core::deliver::router::{Conclusion, Router};
use firehose_core::deliver::stream::Arrival;
use firehose_core::deliver::verdict::Verdict;
use firehose_core::pack::batch::ChunkId;

use super::life::{Answered, Member, Waiter};
use super::{Event, LONGEST_UNHEARD, LONGEST_WRITE, RETRY, State, World, event};
use crate::script::{self, Happening};

impl World<'_> {
    /// Gives chunks that are ready to workers that are free.
    pub(super) fn assign(&mut self) -> Result<(), String> {
        let count = self.chunks.len();
        for place in (0..count).map(|place| (place + self.turn) % count) {
            let output = self.script.chunks[place].output;
            let workers = &mut self.life.outputs[output].workers;
            if self.chunks[place].state != State::Ready {
                continue;
            }
            let Some(worker) = workers.iter().position(Option::is_none) else {
                continue;
            };
            workers[worker] = Some(place);
            // A thread that is held hands on what it answered just now after the next flush.
            let holds_thread = self.script.outputs[output].holds_threads;
            for answered in &mut self.life.unheard {
                let is_its = (answered.output, answered.worker) == (output, worker);
                answered.is_behind |= holds_thread && is_its && answered.at == self.now;
            }
            self.turn = place + 1;
            self.flush(place, output, worker)?;
            return self.assign();
        }
        Ok(())
    }

    fn flush(&mut self, place: usize, output: usize, worker: usize) -> Result<(), String> {
        let now = self.now;
        self.say(|| format!("chunk {place} is flushed to output {output} by worker {worker}"));
        let timeout = self.configs[output].delivery.flush_timeout;
        // One that comes after the stop's end is answered at once.
        let due = self.life.stop.map_or(now + timeout, |stop| stop.max(now));
        self.chunks[place].state = State::Flushed(due);
        let caller = self.script.outputs[output].holds_threads.then_some(worker);
        let members = self.life.members_of(output);
        let life = &mut self.life;
        let Some(router) = &mut life.outputs[output].router else {
            let waiter = Waiter {
                place,
                member: members[0],
                part: None,
            };
            return self.arrive(caller, waiter);
        };
        let parts = parts(&self.script.chunks[place]);
        let ids = parts.keys().map(|way| life.members[members[*way]].id);
        let flush = router.begin(now, caller, ids.collect());
        for (way, ranges) in parts {
            let waiter = Waiter {
                place,
                member: members[way],
                part: Some((flush, ranges)),
            };
            self.arrive(caller, waiter)?;
        }
        Ok(())
    }

    /// A chunk, or a part of it, comes to a machine.
    fn arrive(&mut self, caller: Option<usize>, waiter: Waiter) -> Result<(), String> {
        let member = &self.life.members[waiter.member];
        let (id, place) = (member.id, member.stream);
        let bytes = &self.chunks[waiter.place].bytes;
        let stream = &mut self.life.streams[place];
        let arrival = Arrival {
            caller,
            tag: "tag",
            length: bytes.len(),
            key: stream.wants_names(id).then(|| waiter.key(bytes)),
            part: waiter.part.as_ref().map(|(_, ranges)| ranges.clone()),
        };
        self.life.last_ended[place] = self.now;
        let flushed = stream.flush(self.now, id, arrival);
        let flushed = flushed.ok_or("strange: there is no output")?;
        self.life.flushed.insert((place, flushed), waiter);
        self.drive(place)
    }

    /// A machine is done with a chunk, or with a part of it, or has no more time.
    pub(super) fn ended(
        &mut self,
        stream: usize,
        id: ChunkId,
        verdict: Verdict,
    ) -> Result<(), String> {
        let Some(waiter) = self.life.flushed.remove(&(stream, id)) else {
            return Err("answer: for a chunk that nobody waits for".to_owned());
        };
        let ended = self.life.last_ended[stream];
        let place = waiter.place;
        if verdict != Verdict::Retry && self.now > ended + LONGEST_WRITE {
            return Err(format!("slow: chunk {place}, by {:?}", self.now - ended));
        }
        let Some((flush, _)) = waiter.part else {
            return self.answered(place, verdict);
        };
        self.say(|| format!("chunk {place} at stream {stream}: {verdict:?}"));
        let Member {
            id: part, output, ..
        } = self.life.members[waiter.member];
        let router = self.life.outputs[output].router.as_mut();
        let router = router.expect("a part has a router");
        if let Some(verdict) = router.ended(self.now, flush, part, Some(id), verdict) {
            self.answered(place, verdict)?;
        }
        self.conclude(output)
    }

    /// Tells machines what a router knows of chunks that the host was answered about.
    pub(super) fn conclude(&mut self, output: usize) -> Result<(), String> {
        let now = self.now;
        let Some(router) = &mut self.life.outputs[output].router else {
            return Ok(());
        };
        for conclusion in router.conclusions(now) {
            let Conclusion {
                part,
                chunk,
                comes_again,
            } = conclusion;
            let member = self.life.members.iter().find(|member| member.id == part);
            let stream = member.ok_or("strange: a member that is gone")?.stream;
            self.life.streams[stream].concluded(now, chunk, comes_again);
            self.drive(stream)?;
        }
        let own = &mut self.life.outputs[output];
        if let Some(due) = own.router.as_ref().and_then(Router::due)
            && own.wake.is_none_or(|known| due < known)
        {
            if due <= now {
                return Err("idle: a router waits until now".to_owned());
            }
            own.wake = Some(due);
            self.at(due, Event::Conclude(self.life.number, output));
        }
        Ok(())
    }

    /// The host has its answer.
    fn answered(&mut self, place: usize, verdict: Verdict) -> Result<(), String> {
        self.say(|| format!("chunk {place}: {verdict:?}"));
        let State::Flushed(due) = self.chunks[place].state else {
            return Err(format!("answer: chunk {place} was not flushed"));
        };
        if self.now > due {
            return Err(format!("late: chunk {place} by {:?}", self.now - due));
        }
        self.chunks[place].is_at_deadline = self.now == due;
        self.give_back(place, verdict);
        if verdict != Verdict::Retry {
            self.chunks[place].answered = Some(self.now);
            if let Some(bytes) = self.kill_at_answer.take() {
                self.at(self.now, Event::Happens(Happening::Kill(bytes)));
            }
        }
        if verdict == Verdict::Retry && self.small_ledgers() {
            // Which chunk was forgotten is not told.
            self.forget_open();
        }
        Ok(())
    }

    pub(super) fn give_back(&mut self, place: usize, verdict: Verdict) {
        let now = self.now;
        let life = &mut self.life;
        for (output_place, output) in life.outputs.iter_mut().enumerate() {
            for (worker_place, worker) in output.workers.iter_mut().enumerate() {
                if worker.take_if(|chunk| *chunk == place).is_none() {
                    continue;
                }
                let its = |answered: &Answered| {
                    (answered.output, answered.worker) == (output_place, worker_place)
                };
                // Some are handed on one flush later still.
                life.unheard.retain_mut(|answered| {
                    let is_kept = answered.is_behind && !answered.is_late;
                    if its(answered) {
                        answered.is_late = answered.is_behind;
                        answered.is_behind = false;
                        answered.at = now;
                    }
                    !its(answered) || is_kept
                });
                if verdict != Verdict::Retry {
                    life.unheard.push(Answered {
                        place,
                        output: output_place,
                        worker: worker_place,
                        at: now,
                        is_behind: false,
                        is_late: false,
                    });
                }
            }
        }
        self.chunks[place].state = match verdict {
            Verdict::Delivered | Verdict::Failed => State::Done,
            Verdict::Retry => {
                self.at(self.now + RETRY, Event::Arrives(place));
                State::Away
            }
        };
    }

    /// What the host has not heard comes again, and is known if there is a journal.
    pub(super) fn hand_over_unheard(&mut self) {
        let keeps_journal = self.script.journal_bytes.is_some();
        for place in 0..self.chunks.len() {
            let answered = self.chunks[place].answered;
            let is_late = answered.is_some_and(|at| self.now < at + LONGEST_UNHEARD);
            if is_late && keeps_journal && self.has_twin(place) {
                // One of the same bytes is taken for it.
                let documents = &self.script.chunks[place].documents;
                documents.iter().for_each(|id| self.stored.may_drop(*id));
            }
        }
        for answered in mem::take(&mut self.life.unheard) {
            let Answered { place, .. } = answered;
            let is_unheard = answered.is_behind || answered.at == self.now;
            if !is_unheard || self.has_twin(place) {
                continue;
            }
            if !self.is_good_disk() || self.small_ledgers() {
                self.stored.forget(&self.script.chunks[place].documents);
            }
            self.chunks[place].state = State::Away;
            self.at(self.now + RETRY, Event::Arrives(place));
        }
    }
}

/// What of a chunk goes to each of its output's streams.
fn parts(chunk: &script::Chunk) -> BTreeMap<usize, Ranges> {
    let mut parts: BTreeMap<usize, Ranges> = BTreeMap::new();
    let mut end = 0;
    for (id, way) in chunk.documents.iter().zip(&chunk.ways) {
        let start = end;
        end += event(*id).len();
        parts.entry(*way).or_default().insert(start..end);
    }
    parts
}
