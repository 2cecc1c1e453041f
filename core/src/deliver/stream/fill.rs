//! What goes into the next call, and what found no room there.

use std::time::Instant;

use super::{Step, Stream};
use crate::deliver::flight::{Call, CallId, Filling, OutputId, Suspect, Suspicion};
use crate::pack::batch::{Batch, ChunkId, Piece};
use crate::pack::packer::Room;
use crate::tell::log::Level;

impl Stream {
    /// Begins a call of an output.
    pub(super) fn fill(&mut self, id: OutputId) -> Step {
        let suspect = self.next_suspect(id);
        let output = &self.outputs[&id];
        let documents = suspect.as_ref().map(|suspect| suspect.suspicion.documents);
        let room = Room {
            bytes: self.gate.call_bytes().min(output.delivery.batch_size),
            record_bytes: self.gate.record_bytes(),
            documents: documents.unwrap_or(u64::MAX),
        };
        self.filling = Some(Filling {
            output: id,
            suspect,
            taken: Vec::new(),
        });
        Step::Pack(id, room)
    }

    /// A document that was refused alone goes last: whether others are accepted shows whether it is
    /// bad.
    fn next_suspect(&mut self, id: OutputId) -> Option<Suspect> {
        let output = self.outputs.get_mut(&id)?;
        let is_last = output.queue.first().is_none();
        let is_held = |suspicion: Suspicion| suspicion.is_held(self.last_accepted);
        let suspects = &mut output.suspects;
        suspects.pop_back_if(|suspect| is_last || !is_held(suspect.suspicion))
    }

    /// The next piece of the call that is being packed.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let filling = self.filling.as_mut()?;
        let piece = match &mut filling.suspect {
            Some(suspect) => (!suspect.pieces.is_empty()).then(|| suspect.pieces.remove(0)),
            None => {
                let queue = &mut self.outputs.get_mut(&filling.output)?.queue;
                loop {
                    let id = queue.first()?;
                    let chunk = self.chunks.get_mut(&id);
                    if let Some(range) = chunk.and_then(|chunk| chunk.waiting.pop_first()) {
                        break Some(Piece { chunk: id, range });
                    }
                    queue.pop();
                }
            }
        }?;
        filling.taken.push(piece.clone());
        Some(piece)
    }

    /// Events of a chunk before this offset are in the tally already: packing them again must not
    /// count them twice.
    pub fn counted(&self, chunk: ChunkId) -> usize {
        self.chunks.get(&chunk).map_or(0, |chunk| chunk.counted)
    }

    /// A call was packed. Returns the call to make; None if the batch holds nothing to send.
    pub fn packed(&mut self, now: Instant, batch: &Batch) -> Option<CallId> {
        let filling = self.filling.take()?;
        for counted in &batch.counted {
            if let Some(chunk) = self.chunks.get_mut(&counted.chunk) {
                chunk.counted = chunk.counted.max(counted.to);
                chunk.history.is_corrupt |= counted.tally.corrupt.is_some();
                if let Some(flush) = &mut chunk.flush {
                    flush.tally.add(&counted.tally);
                }
            }
        }
        for piece in &batch.passed {
            if let Some(chunk) = self.chunks.get_mut(&piece.chunk) {
                chunk.pass(piece.range.clone());
            }
        }
        let suspect = filling.suspect;
        let suspect = suspect.map(|suspect| (suspect.pieces, suspect.suspicion));
        let (suspects, suspicion) = suspect.unzip();
        let mut rest = batch.rest.clone();
        rest.extend(suspects.into_iter().flatten());
        self.wait_again(now, filling.output, rest, suspicion);
        let output = self.outputs.get_mut(&filling.output);
        if let Some(output) = output.filter(|output| output.queue.first().is_some()) {
            // The call had no room for it: it has waited for others long enough.
            output.queue.hurry();
        }
        if batch.records.is_empty() {
            return None;
        }
        let (bytes, records) = (batch.bytes, batch.records.len());
        self.gate.began(now, bytes, records, self.random.f64());
        self.last_call.0 += 1;
        let call = Call {
            output: filling.output,
            began: now,
            bytes,
            records: batch.records.clone(),
            shares: batch.shares.clone(),
            suspicion,
        };
        self.calls.insert(self.last_call, call);
        Some(self.last_call)
    }

    /// Packing ended by a panic, at a chunk if that is known: all that was taken waits again.
    pub fn pack_panicked(&mut self, now: Instant, at: Option<ChunkId>) {
        let Some(filling) = self.filling.take() else {
            return;
        };
        let suspect = filling.suspect.into_iter();
        let mut pieces = filling.taken;
        pieces.extend(suspect.flat_map(|suspect| suspect.pieces));
        self.wait_again(now, filling.output, pieces, None);
        self.gate.failed(now, false, self.random.f64());
        let mut of = String::new();
        if let Some(chunk) = at.and_then(|at| self.chunks.get_mut(&at)) {
            of = format!(" of a chunk of tag {}", chunk.tag);
            if let Some(flush) = &mut chunk.flush {
                flush.panics += 1;
                if flush.is_given_up() {
                    flush.deadline = now;
                }
            }
        }
        if let Some(output) = self.outputs.get_mut(&filling.output) {
            output.log.write(now, Level::Error, "panic", || {
                format!(
                    "the plugin failed by a panic while it packed documents{of}: please report \
                     it as a bug (standard error says more); they are tried again"
                )
            });
        }
    }

    /// Lets pieces that were taken wait again: before all others, or as suspects.
    pub(super) fn wait_again(
        &mut self,
        now: Instant,
        id: OutputId,
        mut pieces: Vec<Piece>,
        suspicion: Option<Suspicion>,
    ) {
        let Some(output) = self.outputs.get_mut(&id) else {
            return;
        };
        let Some(suspicion) = suspicion else {
            for Piece { chunk: id, range } in pieces.into_iter().rev() {
                if let Some(chunk) = self.chunks.get_mut(&id) {
                    chunk.waiting.insert(range);
                    if chunk.flush.is_some() {
                        output.queue.put_back(id, now);
                    }
                }
            }
            return;
        };
        // Without a flush there are no bytes to pack: these pieces wait for the chunk's next flush.
        pieces.retain(|piece| match self.chunks.get_mut(&piece.chunk) {
            Some(chunk) if chunk.flush.is_none() => {
                chunk.suspects.push((piece.clone(), suspicion));
                false
            }
            chunk => chunk.is_some(),
        });
        let suspect = Suspect { pieces, suspicion };
        match suspicion.is_held(self.last_accepted) {
            _ if suspect.pieces.is_empty() => {}
            true => output.suspects.push_front(suspect),
            false => output.suspects.push_back(suspect),
        }
    }

    /// The call that was to be packed can't be sent yet: until its output is ready, no call of it
    /// is due.
    pub fn hold(&mut self) {
        let Some(filling) = self.filling.take() else {
            return;
        };
        if let Some(output) = self.outputs.get_mut(&filling.output) {
            output.is_ready = false;
            output.suspects.extend(filling.suspect);
        }
    }
}
