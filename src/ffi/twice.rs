//! Chunks that the host hands over again while their flush is not over, as Fluent Bit 3.2 does when
//! it stops: the second flush waits for what becomes of the first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use firehose_core::deliver::verdict::Verdict;

use crate::lent::{Host, Told};

/// The flushes of an output that are not over.
#[derive(Default)]
pub(super) struct Open(Mutex<BTreeMap<Place, Vec<Host>>>);

/// Where a chunk lies in memory, and its length. No two chunks lie in one place as long as the
/// flush of one is not over.
type Place = (usize, usize);

/// The first flush of a chunk.
pub(super) struct First<'o> {
    open: &'o Open,
    place: Place,
    /// A retry until it is known.
    verdict: Verdict,
}

impl Open {
    /// A flush begins. If it is not the first of its chunk, `host` is told what the first is
    /// answered.
    pub(super) fn begin(&self, chunk: &[u8], host: &Host) -> Option<First<'_>> {
        let place = (chunk.as_ptr().addr(), chunk.len());
        let mut flushes = self.flushes();
        if let Some(others) = flushes.get_mut(&place) {
            others.push(host.clone());
            return None;
        }
        flushes.insert(place, Vec::new());
        let verdict = Verdict::Retry;
        Some(First {
            open: self,
            place,
            verdict,
        })
    }

    fn flushes(&self) -> MutexGuard<'_, BTreeMap<Place, Vec<Host>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl First<'_> {
    /// The flush ends.
    pub(super) fn end(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for First<'_> {
    /// The others are not kept, however it ended.
    fn drop(&mut self) {
        let others = self.open.flushes().remove(&self.place);
        for host in others.into_iter().flatten() {
            host(Told::Answer(self.verdict, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn host() -> (Host, Receiver<Verdict>) {
        let (sender, receiver) = channel();
        let host = move |told| {
            if let Told::Answer(verdict, _) = told {
                sender.send(verdict).expect("the test listens");
            }
        };
        (Arc::new(host), receiver)
    }

    #[test]
    fn a_second_flush_is_answered_what_the_first_is() {
        let open = Open::default();
        let [(first, _), (second, told), (other, _)] = [host(), host(), host()];
        let chunks = b"abcdef".split_at(3);
        let begun = open.begin(chunks.0, &first).expect("it is the first");
        assert!(open.begin(chunks.0, &second).is_none());
        assert!(open.begin(chunks.1, &other).is_some());
        assert!(told.try_recv().is_err());
        begun.end(Verdict::Delivered);
        assert_eq!(told.try_recv(), Ok(Verdict::Delivered));
        // It may come again, and end without a verdict.
        let begun = open.begin(chunks.0, &first).expect("the other one is over");
        assert!(open.begin(chunks.0, &second).is_none());
        drop(begun);
        assert_eq!(told.try_recv(), Ok(Verdict::Retry));
        assert!(told.try_recv().is_err());
    }
}
