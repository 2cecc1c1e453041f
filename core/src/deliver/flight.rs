//! The calls under way, and which ranges of which chunks each holds.

use std::time::Instant;

use crate::pack::batch::{Piece, Record, Share};

/// Names an output of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId(pub u64);

/// Names a call. Calls are numbered in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

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
    /// The last call that had begun when they were first refused. What a later call accepts shows
    /// that the stream takes data.
    pub(super) since: CallId,
    /// It is one document, and was refused alone.
    pub(super) is_alone: bool,
}

#[derive(Debug)]
pub(super) struct Filling {
    pub(super) output: OutputId,
    pub(super) suspect: Option<Suspect>,
    pub(super) taken: Vec<Piece>,
}

/// Documents among which one is bad.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) pieces: Vec<Piece>,
    pub(super) suspicion: Suspicion,
}

impl Suspicion {
    /// Whether it waits until something is accepted, which tells whether the document is bad.
    pub(super) fn is_held(&self, last_accepted: Option<CallId>) -> bool {
        self.is_alone && last_accepted <= Some(self.since)
    }
}

impl Call {
    pub(super) fn documents(&self) -> u64 {
        self.records.iter().map(|record| record.documents).sum()
    }

    pub(super) fn pieces(&self) -> Vec<Piece> {
        self.shares.iter().map(Share::piece).collect()
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
