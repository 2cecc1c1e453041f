//! What befalls a process, how it ends, and what the next one finds.

use std::mem;
use std::time::Duration;

use firehose_core::deliver::stream::{Remembered, Step};
use firehose_core::deliver::verdict::Verdict;

use super::life::{Answered, Life, Member};
use super::{Event, State, World};
use crate::disk::Disk;
use crate::script::{Happening, Id, What};

impl World<'_> {
    pub(super) fn befall(&mut self, what: Happening) -> Result<(), String> {
        let (now, life) = (self.now, self.life.number);
        self.say(|| format!("{what:?}"));
        match what {
            Happening::Kill(bytes) => self.begin_anew(Some(Death::OfProcess(bytes)))?,
            Happening::KillAtAnswer(bytes) => self.kill_at_answer = Some(bytes),
            Happening::PowerLoss(place) => self.begin_anew(Some(Death::OfMachine(place)))?,
            Happening::BadDisk(millis, is_slow) => {
                let until = now + Duration::from_millis(millis.into());
                self.bad_disks = Some((until, is_slow));
            }
            Happening::Reload => self.begin_anew(None)?,
            Happening::Panic(pieces) => self.panic_next = Some(pieces),
            Happening::Unready(millis) => {
                for place in 0..self.life.members.len() {
                    self.life.members[place].is_ready = false;
                    let back = now + Duration::from_millis(millis.into());
                    self.at(back, Event::Ready(life, place));
                }
            }
            Happening::NoStream(stream, seconds) => {
                let stream = usize::from(stream) % self.missing.len();
                self.missing[stream] = now + Duration::from_secs(seconds.into());
            }
            Happening::Stop if self.life.stop.is_none() => {
                let times = self
                    .configs
                    .iter()
                    .map(|config| config.delivery.stop_timeout);
                let stop = now + times.min().unwrap_or_default();
                self.life.stop = Some(stop);
                for chunk in &mut self.chunks {
                    if let State::Flushed(due) = &mut chunk.state {
                        *due = stop.min(*due);
                    }
                }
                for place in 0..self.life.members.len() {
                    let Member { id, stream: of, .. } = self.life.members[place];
                    self.life.streams[of].stop(id, stop);
                    self.drive(of)?;
                }
                self.at(stop + Duration::from_millis(1), Event::Exit(life));
            }
            Happening::Stop => {}
        }
        Ok(())
    }

    /// Another process takes over, or the same one with its configuration loaded anew.
    pub(super) fn begin_anew(&mut self, death: Option<Death>) -> Result<(), String> {
        let is_other_process = death.is_some() || self.life.stop.is_some();
        let mut remembered = Vec::new();
        match death {
            None => remembered = self.leave(),
            // What was counted goes with the process.
            Some(_) => {
                self.count_ambiguous();
                self.ambiguous = self.counted_ambiguous;
            }
        }
        for call in self.life.calls.values().filter(|call| call.is_sent) {
            let documents: Vec<Id> = call.records.iter().flatten().copied().collect();
            if death.is_none() {
                self.ambiguous += documents.len() as u64;
            }
            let accepts = matches!(
                call.fate.what,
                What::Accept | What::Twice | What::Refuse(..)
            );
            if call.is_stored || accepts {
                self.stored.excuse(&documents);
            }
        }
        if is_other_process {
            remembered = self.read_journals(death);
        }
        let keeps_journal = self.script.journal_bytes.is_some();
        if (is_other_process && !keeps_journal) || self.small_ledgers() {
            self.forget_open();
        }
        self.hand_over_unheard();
        for place in 0..self.chunks.len() {
            if matches!(self.chunks[place].state, State::Flushed(_)) {
                self.give_back(place, Verdict::Retry);
            }
        }
        let number = self.life.number + 1;
        self.life = Life::new(number, self.now, self.script, &self.configs, remembered);
        Ok(())
    }

    /// All outputs leave: what their streams remember.
    fn leave(&mut self) -> Vec<Remembered> {
        let is_bad = self.is_bad_disk().is_some();
        for ((stream, chunk), waiter) in &self.life.flushed {
            let key = waiter.key(&self.chunks[waiter.place].bytes);
            self.life.streams[*stream].named(*chunk, key);
        }
        for Member { id, stream, .. } in &self.life.members {
            let calls = &self.life.calls;
            let was_sent = |call| calls[&(*stream, call)].is_sent;
            self.life.streams[*stream].leave(self.now, *id, was_sent);
        }
        self.count_ambiguous();
        let streams = mem::take(&mut self.life.streams).into_iter();
        let streams = streams.zip(&mut self.disks).map(|(mut stream, disk)| {
            if let Step::Write(page) = stream.next(self.now) {
                disk.write(page);
            }
            while disk.written(is_bad).is_some() {}
            stream.end(self.now)
        });
        streams.collect()
    }

    /// What another process finds; what it does not is excused.
    fn read_journals(&mut self, death: Option<Death>) -> Vec<Remembered> {
        if let Some(Death::OfMachine(_)) = death {
            self.forget_open();
            for answered in &self.life.unheard {
                let documents = &self.script.chunks[answered.place].documents;
                self.stored.forget(documents);
            }
            // Which were closed may not be known either, and then one of the same bytes is thought
            // to be an old one.
            for chunk in &self.script.chunks {
                chunk
                    .documents
                    .iter()
                    .for_each(|id| self.stored.may_drop(*id));
            }
        }
        let bytes = match death {
            // Nothing, half of the time.
            Some(Death::OfProcess(bytes)) => usize::from(bytes / 2 * (bytes % 2)),
            _ => 0,
        };
        let mut accepted: Vec<Id> = Vec::new();
        for disk in &mut self.disks {
            accepted.extend(disk.die(bytes));
        }
        // The host hears what is written before, if its flush has time for that.
        let had_time = |answered: &&Answered| !self.chunks[answered.place].is_at_deadline;
        let unheard = self.life.unheard.iter().filter(had_time);
        for answered in unheard.filter(|_| self.is_good_disk()) {
            let documents = &self.script.chunks[answered.place].documents;
            accepted.retain(|id| !documents.contains(id) || self.has_twin(answered.place));
        }
        self.stored.excuse(&accepted);
        if let Some(Death::OfMachine(place)) = death {
            let disks = self.disks.iter_mut();
            disks.for_each(|disk| disk.lose_power(place.into()));
        }
        self.disks.iter_mut().map(Disk::read).collect()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Death {
    /// So many bytes of what was being written are.
    OfProcess(u16),
    /// With a place in the file.
    OfMachine(u16),
}
