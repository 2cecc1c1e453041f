//! Batches whose memory is kept while no call needs it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use firehose_core::pack::batch::Batch;

/// Several answers may come before the next call is packed. A drain of 81 calls to one stream, 4 at a
/// time, allocated 23 batches with one spare one, 4 with two, and no fewer with four. With forty
/// streams, 42 at a time at most, eight of them saved a third of the page faults that two left.
const MOST: usize = 8;

/// Those of an output. All its delivery streams share them: calls are packed one after the other.
#[derive(Default)]
pub struct Spares(Mutex<Vec<Batch>>);

impl Spares {
    /// A batch to be written anew.
    pub fn take(&self) -> Batch {
        self.batches().pop().unwrap_or_default()
    }

    pub fn keep(&self, batch: Batch) {
        let mut batches = self.batches();
        if batches.len() < MOST {
            batches.push(batch);
        }
    }

    fn batches(&self) -> MutexGuard<'_, Vec<Batch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
