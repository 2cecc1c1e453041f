//! What became of each record of a flush so far.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::failure::Cause;
use crate::limits::{BILLING_UNIT, MAX_BATCH_RECORDS};
use crate::pack::Packed;

/// What became of a flush's documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub documents: u64,
    pub records: u64,
    pub bytes: u64,
    /// Bytes as the bill counts them: each record rounded up.
    pub billed_bytes: u64,
    pub calls: u64,
    pub refused_records: u64,
    /// Records of calls whose answer is not known; sent again, they may be stored twice.
    pub ambiguous_records: u64,
    /// Documents of records that the service refuses for good.
    pub dropped_documents: u64,
    /// The numbers of the documents that were not accepted in time, in order and apart.
    pub undelivered: Vec<Range<usize>>,
    /// Sending again can't help these.
    pub failed: bool,
}

/// Shared by the lanes of a flush.
pub(super) struct Progress<'p> {
    packed: &'p Packed,
    state: Mutex<State>,
}

struct State {
    /// Numbers of records that wait to be sent, first ones first.
    waiting: VecDeque<usize>,
    /// Records that are neither accepted nor dropped nor failed.
    open: usize,
    failed: Vec<usize>,
    delivered: Delivered,
}

/// What one answer came to.
pub(super) struct Settled {
    pub(super) accepted_bytes: usize,
    pub(super) refused: usize,
    /// Why records were refused: throttling, if any was for that.
    pub(super) cause: Option<Cause>,
}

impl<'p> Progress<'p> {
    pub(super) fn new(packed: &'p Packed) -> Self {
        let records = packed.records().len();
        Self {
            packed,
            state: Mutex::new(State {
                waiting: (0..records).collect(),
                open: records,
                failed: Vec::new(),
                delivered: Delivered::default(),
            }),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.state().open == 0
    }

    pub(super) fn bytes(&self, batch: &[usize]) -> usize {
        batch.iter().map(|number| self.data(*number).len()).sum()
    }

    /// Takes the first records that one call carries; one at least, if any waits.
    pub(super) fn take(&self, max_bytes: usize) -> Vec<usize> {
        let mut state = self.state();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(&number) = state.waiting.front() {
            bytes += self.data(number).len();
            let is_full = batch.len() == MAX_BATCH_RECORDS || bytes > max_bytes;
            if is_full && !batch.is_empty() {
                break;
            }
            batch.push(number);
            state.waiting.pop_front();
        }
        batch
    }

    /// Has records sent before those that wait.
    pub(super) fn put_back(&self, batch: Vec<usize>) {
        let mut state = self.state();
        for number in batch.into_iter().rev() {
            state.waiting.push_front(number);
        }
    }

    /// The data of a batch that is being sent.
    pub(super) fn begin(&self, batch: &[usize]) -> Vec<&'p [u8]> {
        self.state().delivered.calls += 1;
        batch.iter().map(|number| self.data(*number)).collect()
    }

    /// Counts accepted records, and has refused ones sent again.
    pub(super) fn settle(&self, batch: Vec<usize>, results: &[Result<(), Cause>]) -> Settled {
        let mut refused = Vec::new();
        let mut cause = None;
        let mut accepted_bytes = 0;
        let mut state = self.state();
        for (number, result) in batch.into_iter().zip(results) {
            match *result {
                Ok(()) => accepted_bytes += self.accept(&mut state, number),
                Err(refusal) => {
                    refused.push(number);
                    if cause != Some(Cause::Throttled) {
                        cause = Some(refusal);
                    }
                }
            }
        }
        drop(state);
        let count = refused.len();
        self.put_back(refused);
        self.state().delivered.refused_records += count as u64;
        Settled {
            accepted_bytes,
            refused: count,
            cause,
        }
    }

    pub(super) fn count_ambiguous(&self, records: usize) {
        self.state().delivered.ambiguous_records += records as u64;
    }

    /// Gives a record up for good; the number of its documents.
    pub(super) fn drop_record(&self, number: usize) -> usize {
        let documents = self.packed.records()[number].documents.len();
        let mut state = self.state();
        state.open -= 1;
        state.delivered.dropped_documents += documents as u64;
        documents
    }

    /// Gives up on records, and on the chunk.
    pub(super) fn fail(&self, batch: Vec<usize>) {
        let mut state = self.state();
        state.open -= batch.len();
        state.failed.extend(batch);
        state.delivered.failed = true;
    }

    /// The end: what still waits was not accepted in time.
    pub(super) fn finish(self) -> Delivered {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut delivered = state.delivered;
        let left = state.waiting.iter().chain(&state.failed);
        let documents = |number: &usize| self.packed.records()[*number].documents.clone();
        delivered.undelivered = joined(left.map(documents).collect());
        delivered
    }

    fn accept(&self, state: &mut State, number: usize) -> usize {
        let bytes = self.data(number).len();
        let documents = self.packed.records()[number].documents.len();
        let delivered = &mut state.delivered;
        delivered.documents += documents as u64;
        delivered.records += 1;
        delivered.bytes += bytes as u64;
        delivered.billed_bytes += bytes.next_multiple_of(BILLING_UNIT) as u64;
        state.open -= 1;
        bytes
    }

    fn data(&self, number: usize) -> &'p [u8] {
        self.packed.data(&self.packed.records()[number])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ranges in order, neighbours made one.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, range| {
        let touches = range.end == next.start;
        if touches {
            range.end = next.end;
        }
        touches
    });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::tests::packed;

    /// Sizes of the batches that a lane would take.
    fn batches(records: &str, max_bytes: usize) -> Vec<usize> {
        let packed = packed(records);
        let progress = Progress::new(&packed);
        let batches = std::iter::from_fn(|| Some(progress.take(max_bytes).len()));
        batches.take_while(|length| *length > 0).collect()
    }

    #[test]
    fn a_batch_ends_at_500_records() {
        assert_eq!(batches(&"a".repeat(1300), 4_194_304), [500, 500, 300]);
    }

    #[test]
    fn a_batch_may_hold_its_bytes_exactly_and_one_record_always() {
        // A letter and its newline.
        assert_eq!(batches("abcd", 8), [4]);
        assert_eq!(batches("abcd", 7), [3, 1]);
        assert_eq!(batches("abcd", 1), [1, 1, 1, 1]);
    }

    #[test]
    fn what_is_put_back_goes_first_and_in_order() {
        let packed = packed("abcdef");
        let progress = Progress::new(&packed);
        let first = progress.take(6);
        assert_eq!(first, [0, 1, 2]);
        progress.put_back(first);
        assert_eq!(progress.take(100), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn throttling_is_the_cause_that_counts() {
        let packed = packed("abc");
        let progress = Progress::new(&packed);
        let batch = progress.take(100);
        let results = [Err(Cause::Throttled), Ok(()), Err(Cause::Server)];
        let settled = progress.settle(batch, &results);
        assert_eq!(settled.cause, Some(Cause::Throttled));
        assert_eq!((settled.accepted_bytes, settled.refused), (2, 2));
        let left: Vec<Range<usize>> = vec![0..1, 2..3];
        assert_eq!(progress.finish().undelivered, left);
    }
}
