//! Chunks whose documents go to several delivery streams: each stream's machine has its part.

use std::time::Instant;

use super::Stream;
use crate::deliver::ranges::Ranges;
use crate::pack::batch::ChunkId;

impl Stream {
    /// The host was answered about a chunk, and this part of it was done with. If the host will
    /// hand the chunk over again, as another part is left, this part is remembered. Else the host
    /// knows that all of it is done with.
    pub fn concluded(&mut self, now: Instant, chunk_id: ChunkId, comes_again: bool) {
        let mut outputs = self.outputs.values_mut();
        let output = outputs.find_map(|output| {
            let place = output.parts.iter().position(|id| *id == chunk_id)?;
            output.parts.remove(place);
            Some(output)
        });
        let (Some(output), Some(chunk)) = (output, self.chunks.get(&chunk_id)) else {
            return;
        };
        let mut gone = vec![chunk_id];
        if let Some(key) = chunk.key.filter(|_| comes_again) {
            let bounds = output.delivery.resume;
            gone = output
                .ledger
                .keep(now, bounds, key, chunk_id, &Ranges::default());
            output.tell_forgotten(now, gone.len());
        }
        self.forget(now, gone);
    }

    /// Whether it knows of chunks that come again what was accepted of them.
    pub fn remembers(&self) -> bool {
        let mut chunks = self.chunks.values();
        chunks.any(|chunk| chunk.is_begun && chunk.flush.is_none())
    }
}
