//! The calls under way, and which ranges of which chunks each holds.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::pack::batch::{Batch, Piece, Record, Share};

/// Names an output of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId(pub u64);

/// Names a call. Calls are numbered in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) output: OutputId,
    pub(super) began: Instant,
    /// Of its data, before base64.
    pub(super) bytes: usize,
    pub(super) records: Vec<Record>,
    pub(super) shares: Vec<Share>,
    pub(super) suspicion: Option<Suspicion>,
}

/// One of the documents of a call is thought to be bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    /// How many of them to send together.
    pub(super) documents: u64,
    /// The last call that had begun when they were refused first.
    pub(super) since: CallId,
    /// It is one document, and was refused alone.
    pub(super) is_alone: bool,
}

/// A call that is being packed.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) output: OutputId,
    pub(super) suspect: Option<Suspect>,
    /// What was taken so far.
    pub(super) taken: Vec<Piece>,
}

/// Documents among which one is bad.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) pieces: Vec<Piece>,
    pub(super) suspicion: Suspicion,
}

impl Call {
    pub(super) fn new(
        output: OutputId,
        began: Instant,
        batch: &Batch,
        suspicion: Option<Suspicion>,
    ) -> Self {
        Self {
            output,
            began,
            bytes: batch.bytes,
            records: batch.records.clone(),
            shares: batch.shares.clone(),
            suspicion,
        }
    }

    pub(super) fn documents(&self) -> u64 {
        self.records.iter().map(|record| record.documents).sum()
    }

    pub(super) fn pieces(&self) -> impl DoubleEndedIterator<Item = Piece> {
        self.shares.iter().map(Share::piece)
    }

    /// Each record with its shares.
    pub(super) fn shares_by_record(&self) -> impl Iterator<Item = (&Record, &[Share])> {
        let mut start = 0;
        self.records.iter().map(move |record| {
            let shares = &self.shares[start..record.end];
            start = record.end;
            (record, shares)
        })
    }
}

impl Suspect {
    pub(super) fn of(call: &Call, suspicion: Suspicion) -> Self {
        Self {
            pieces: call.pieces().collect(),
            suspicion,
        }
    }
}

/// All calls under way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    calls: BTreeMap<CallId, Call>,
    begun: u64,
    /// The last call of which something was accepted, by when it began.
    accepted: Option<CallId>,
}

impl Flight {
    /// Of a stream that begins anew: no call is under way, and numbers go on.
    pub(super) fn after(before: &Self) -> Self {
        Self {
            begun: before.begun,
            ..Self::default()
        }
    }

    pub(super) fn last(&self) -> CallId {
        CallId(self.begun)
    }

    pub(super) fn begin(&mut self, call: Call) -> CallId {
        self.begun += 1;
        let id = CallId(self.begun);
        self.calls.insert(id, call);
        id
    }

    pub(super) fn end(&mut self, id: CallId) -> Option<Call> {
        self.calls.remove(&id)
    }

    pub(super) fn has(&self, id: CallId) -> bool {
        self.calls.contains_key(&id)
    }

    /// Something of this call was accepted.
    pub(super) fn accepted(&mut self, id: CallId) {
        self.accepted = self.accepted.max(Some(id));
    }

    /// Whether something was accepted of a call that began after this one.
    pub(super) fn has_accepted_since(&self, id: CallId) -> bool {
        self.accepted > Some(id)
    }

    pub(super) fn of_output(&self, output: OutputId) -> Vec<CallId> {
        let calls = self.calls.iter();
        let own = calls.filter(|(_, call)| call.output == output);
        own.map(|(id, _)| *id).collect()
    }
}
