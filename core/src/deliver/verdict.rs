//! What the host is answered about a chunk.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every document was accepted, or knowingly dropped and counted.
    Delivered,
    /// The host shall keep the chunk and hand it over again.
    Retry,
    /// Nothing of the chunk is good, so handing it over again can't help.
    Failed,
}

/// What became of a chunk's documents, in all its flushes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub delivered: u64,
    /// Documents that the service refuses for good.
    pub rejected: u64,
    /// Some of it can't be read.
    pub is_corrupt: bool,
}

impl Verdict {
    /// The verdict on a chunk at the end of a flush. `is_left` tells whether some of it is left.
    pub fn of(history: &History, is_left: bool) -> Self {
        if is_left {
            return Self::Retry;
        }
        // Where nothing of a chunk is good, the host may want to keep it for somebody to look at.
        let is_bad = history.rejected > 0 || history.is_corrupt;
        match is_bad && history.delivered == 0 {
            true => Self::Failed,
            false => Self::Delivered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_chunk_has_its_verdict() {
        for (delivered, rejected, is_corrupt, is_left, verdict) in [
            (0, 0, false, false, Verdict::Delivered),
            (1, 0, false, false, Verdict::Delivered),
            (1, 1, true, false, Verdict::Delivered),
            (0, 1, false, false, Verdict::Failed),
            (0, 0, true, false, Verdict::Failed),
            (0, 1, true, true, Verdict::Retry),
            (1, 0, false, true, Verdict::Retry),
        ] {
            let history = History {
                delivered,
                rejected,
                is_corrupt,
            };
            assert_eq!(Verdict::of(&history, is_left), verdict, "{history:?}");
        }
    }
}
