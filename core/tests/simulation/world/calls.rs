//! Calls of the service.

use std::time::Duration;

use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::deliver::stream::CallId;

use super::life::Call;
use super::{Event, World};
use crate::script::{Fate, Id, What};

impl World<'_> {
    pub(super) fn begin_call(
        &mut self,
        stream: usize,
        output: usize,
        call: CallId,
        records: &[Vec<Id>],
    ) -> Result<(), String> {
        let fate = self.script.fates.get(self.calls_begun).cloned();
        let mut fate = fate.unwrap_or(Fate {
            after: Duration::from_millis(20),
            what: What::Accept,
        });
        self.calls_begun += 1;
        let chunks = self.script.chunks.iter();
        let poison: Vec<Id> = chunks.flat_map(|chunk| &chunk.poison).copied().collect();
        if records.iter().flatten().any(|id| poison.contains(id))
            && matches!(fate.what, What::Accept | What::Twice | What::Refuse(..))
        {
            fate.what = What::Fail(Cause::Payload, false);
        }
        if self.now < self.missing[stream] {
            fate.what = What::Fail(Cause::NoStream, false);
        }
        let stored = |number: usize| match &fate.what {
            What::Accept | What::Twice => true,
            What::Refuse(mask, _) => mask & (1 << (number % 32)) == 0,
            What::Fail(_, stored) | What::Never(stored) => *stored,
            What::Unconnected => false,
        };
        let is_sent = !matches!(fate.what, What::Unconnected);
        let mut is_stored = false;
        for (number, record) in records.iter().enumerate() {
            if stored(number) {
                is_stored = true;
                self.stored.accept(record);
            }
        }
        self.say(|| {
            format!(
                "call {} of output {output} with {records:?}: {fate:?}",
                call.0
            )
        });
        let (life, now) = (self.life.number, self.now);
        let timeout = self.configs[output].delivery.request_timeout;
        match fate.what {
            What::Never(_) => self.at(now + timeout, Event::GiveUp(life, stream, call)),
            _ if fate.after >= timeout => self.at(now + timeout, Event::GiveUp(life, stream, call)),
            _ => self.at(now + fate.after, Event::Answer(life, stream, call)),
        }
        let begun = Call {
            records: records.to_vec(),
            fate,
            is_sent,
            is_stored,
        };
        self.life.calls.insert((stream, call), begun);
        Ok(())
    }

    pub(super) fn answer(&mut self, stream: usize, id: CallId) -> Result<(), String> {
        let Some(call) = self.life.calls.remove(&(stream, id)) else {
            return Ok(());
        };
        self.say(|| format!("call {} is answered: {:?}", id.0, call.fate.what));
        let mut is_twice = false;
        let fail = |cause| {
            let text = "scripted".to_owned();
            Err(CallError { cause, text })
        };
        let answer = match call.fate.what {
            What::Accept => Ok(vec![Ok(()); call.records.len()]),
            What::Twice => {
                is_twice = true;
                Ok(vec![Ok(()); call.records.len()])
            }
            What::Refuse(mask, cause) => {
                let refused = |number: usize| mask & (1 << (number % 32)) != 0;
                let result = |number| if refused(number) { Err(cause) } else { Ok(()) };
                Ok((0..call.records.len()).map(result).collect())
            }
            What::Fail(cause, _) => fail(cause),
            What::Unconnected => fail(Cause::Network),
            What::Never(_) => return Ok(()),
        };
        self.end_call(stream, id, &call, answer, is_twice)
    }

    /// The driver waits no longer for an answer.
    pub(super) fn give_up(&mut self, stream: usize, id: CallId) -> Result<(), String> {
        let Some(call) = self.life.calls.remove(&(stream, id)) else {
            return Ok(());
        };
        self.say(|| format!("call {} is given up", id.0));
        let cause = if call.is_sent {
            Cause::Unanswered
        } else {
            Cause::Network
        };
        let text = "no answer".to_owned();
        self.end_call(stream, id, &call, Err(CallError { cause, text }), false)
    }

    fn end_call(
        &mut self,
        stream: usize,
        id: CallId,
        call: &Call,
        answer: Result<Vec<Result<(), Cause>>, CallError>,
        is_twice: bool,
    ) -> Result<(), String> {
        let documents: Vec<Id> = call.records.iter().flatten().copied().collect();
        if let Err(error) = &answer {
            if call.is_sent && error.cause.is_ambiguous() {
                self.ambiguous += documents.len() as u64;
                if call.is_stored {
                    self.stored.excuse(&documents);
                }
            }
            let is_refusal = matches!(error.cause, Cause::Payload | Cause::Serialization);
            if let ([id], true) = (&documents[..], is_refusal) {
                self.stored.may_drop(*id);
            }
        }
        if let Ok(results) = &answer {
            for (record, result) in call.records.iter().zip(results) {
                if result.is_ok() {
                    self.disks[stream].accepted(record);
                }
            }
        }
        let (forgotten, rejected) = (self.forgotten(), self.rejected());
        let mut dropped = 0;
        self.life.last_ended[stream] = self.now;
        for _ in 0..=u8::from(is_twice) {
            let answer = answer.as_deref().map_err(CallError::clone);
            let stream = &mut self.life.streams[stream];
            dropped += u64::from(stream.answered(self.now, id, call.is_sent, answer));
        }
        if dropped != self.rejected() - rejected {
            return Err(format!(
                "{dropped} documents told as dropped, and others counted"
            ));
        }
        self.drive(stream)?;
        self.excuse_forgotten(forgotten);
        Ok(())
    }

    fn forgotten(&self) -> u64 {
        let members = self.life.members.iter();
        members
            .map(|member| member.totals.forgotten_chunks.get())
            .sum()
    }

    fn rejected(&self) -> u64 {
        let members = self.life.members.iter();
        members.map(|member| member.totals.rejected.get()).sum()
    }

    /// For want of room in the ledger a chunk is sent whole.
    fn excuse_forgotten(&mut self, before: u64) {
        if self.forgotten() > before {
            self.forget_open();
        }
    }
}
