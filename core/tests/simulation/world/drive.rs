//! Does what the machines ask for.

use std::collections::HashMap;
use std::time::Duration;

use firehose_core::deliver::journal::Page;
use firehose_core::deliver::stream::{OutputId, Step, Stream};
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::packer::{Room, Source};

use super::life::Waiter;
use super::{Chunk, Event, World};
use crate::service::records;

impl World<'_> {
    /// Does all that a machine asks for.
    pub(super) fn drive(&mut self, stream: usize) -> Result<(), String> {
        let now = self.now;
        loop {
            match self.life.streams[stream].next(now) {
                Step::Pack(id, room) => self.pack(stream, id, room)?,
                Step::Name(chunk) => {
                    let waiter = &self.life.flushed[&(stream, chunk)];
                    let key = waiter.key(&self.chunks[waiter.place].bytes);
                    self.life.streams[stream].named(chunk, key);
                }
                Step::Write(page) => self.write(stream, page),
                Step::Answer(chunk, verdict) => self.ended(stream, chunk, verdict)?,
                Step::Wait(None) => return Ok(()),
                Step::Wait(Some(time)) => {
                    if time <= now {
                        return Err("idle: asked to wait until now".to_owned());
                    }
                    let wake = &mut self.life.wakes[stream];
                    if wake.is_none_or(|known| time < known) {
                        *wake = Some(time);
                        let life = self.life.number;
                        self.at(time, Event::Wake(life, stream));
                    }
                    return Ok(());
                }
            }
        }
    }

    fn write(&mut self, stream: usize, page: Page) {
        let time = Duration::from_micros(page.number * 370 % 3_000);
        let slow = self.bad_disks.filter(|(_, is_slow)| *is_slow);
        let due = slow.map_or(self.now, |(until, _)| until.max(self.now)) + time;
        // One after the other.
        let due = due.max(self.life.last_written[stream]);
        self.life.last_written[stream] = due;
        self.disks[stream].write(page);
        self.at(due, Event::Written(self.life.number, stream));
    }

    fn pack(&mut self, stream_place: usize, id: OutputId, mut room: Room) -> Result<(), String> {
        let now = self.now;
        let mut members = self.life.members.iter();
        let member = members.position(|member| member.id == id);
        let member = member.ok_or("strange: an output that is gone")?;
        let place = self.life.members[member].output;
        let stream = &mut self.life.streams[stream_place];
        if !self.life.members[member].is_ready {
            stream.hold();
            return Ok(());
        }
        if let Some(pieces) = self.panic_next.take() {
            let mut at = None;
            for _ in 0..pieces {
                at = stream.next_piece().map(|piece| piece.chunk).or(at);
            }
            stream.pack_panicked(now, at);
            self.say(|| format!("packing for output {place} ends by a panic at {at:?}"));
            return Ok(());
        }
        room.bytes = room.bytes.min(self.script.outputs[place].batch_bytes);
        let mut batch = Batch::default();
        let mut waiters = Waiters {
            stream,
            place: stream_place,
            flushed: &self.life.flushed,
            chunks: &self.chunks,
        };
        let format = &self.configs[place].delivery.format;
        self.life.members[member]
            .packer
            .pack(format, &mut waiters, room, &mut batch);
        let Some(call) = self.life.streams[stream_place].packed(now, &batch) else {
            return Ok(());
        };
        self.check_gate(stream_place)?;
        self.begin_call(stream_place, place, call, &records(&batch.finish()))
    }

    /// What the gate promises.
    fn check_gate(&self, stream: usize) -> Result<(), String> {
        let own = self.script.outputs.iter().zip(&self.configs);
        let own = own.filter(|(output, _)| output.streams.contains(&stream));
        let most = own
            .map(|(_, config)| config.delivery.limits.max_in_flight)
            .min();
        let in_flight = self
            .life
            .calls
            .keys()
            .filter(|(of, _)| *of == stream)
            .count()
            + 1;
        if self.life.streams[stream].in_flight() != in_flight || Some(in_flight) > most {
            return Err(format!(
                "gate: {in_flight} calls under way, {most:?} may be"
            ));
        }
        if self.life.stop.is_some_and(|stop| stop < self.now) {
            return Err("gate: a call begins after the end of all flushes".to_owned());
        }
        Ok(())
    }
}

struct Waiters<'w> {
    stream: &'w mut Stream,
    place: usize,
    flushed: &'w HashMap<(usize, ChunkId), Waiter>,
    chunks: &'w [Chunk],
}

impl Source for Waiters<'_> {
    fn next(&mut self) -> Option<Piece> {
        self.stream.next_piece()
    }

    fn counted(&self, chunk: ChunkId) -> usize {
        self.stream.counted(chunk)
    }

    fn read<R>(&mut self, chunk: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
        // The host has the bytes of a chunk back with its answer: this finds who reads them later.
        let waiter = &self.flushed[&(self.place, chunk)];
        reader(&self.chunks[waiter.place].bytes)
    }
}
