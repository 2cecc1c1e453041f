//! Parts of a chunk: ranges of its bytes, each of whole events.
//!
//! What an event is called by is where it lies: the same chunk has the same bytes every time.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges, in order and apart; neighbours are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Ends by starts.
    ends: BTreeMap<usize, usize>,
}

impl Parts {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many ranges.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> usize {
        self.iter().map(|part| part.len()).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.ends.iter().map(|(start, end)| *start..*end)
    }

    /// Takes the first range.
    pub fn pop_first(&mut self) -> Option<Range<usize>> {
        self.ends.pop_first().map(|(start, end)| start..end)
    }

    /// Adds a range that touches none of the others' bytes.
    pub fn insert(&mut self, part: Range<usize>) {
        if part.is_empty() {
            return;
        }
        let end = self.ends.remove(&part.end).unwrap_or(part.end);
        if let Some((_, before)) = self.ends.range_mut(..part.start).next_back()
            && *before == part.start
        {
            *before = end;
            return;
        }
        self.ends.insert(part.start, end);
    }

    /// Removes a range that lies within one of these.
    pub fn remove(&mut self, part: Range<usize>) {
        if part.is_empty() {
            return;
        }
        let around = self.ends.range_mut(..=part.start).next_back();
        let Some((&start, end)) = around.filter(|(_, end)| **end >= part.end) else {
            return;
        };
        let old_end = std::mem::replace(end, part.start);
        if start == part.start {
            self.ends.remove(&start);
        }
        if part.end < old_end {
            self.ends.insert(part.end, old_end);
        }
    }
}

impl From<Range<usize>> for Parts {
    fn from(part: Range<usize>) -> Self {
        let mut parts = Self::default();
        parts.insert(part);
        parts
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a set of single bytes.
        #[test]
        fn holds_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((0..40_usize, 0..10_usize), 1..60),
        ) {
            let mut parts = Parts::default();
            let mut bytes = BTreeSet::new();
            for (start, length) in steps {
                let part = start..start + length;
                if part.clone().all(|byte| !bytes.contains(&byte)) {
                    parts.insert(part.clone());
                    parts.remove(start..start);
                    bytes.extend(part);
                } else if part.clone().all(|byte| bytes.contains(&byte)) {
                    parts.remove(part.clone());
                    bytes.retain(|byte| !part.contains(byte));
                }
                prop_assert_eq!(parts.iter().flatten().collect::<BTreeSet<_>>(), bytes.clone());
                prop_assert_eq!(parts.bytes(), bytes.len());
                let ranges: Vec<_> = parts.iter().collect();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert_eq!(ranges.len(), parts.count());
            }
        }
    }

    #[test]
    fn an_empty_range_is_none() {
        assert!(Parts::from(3..3).is_empty());
        let mut parts = Parts::from(0..4);
        parts.insert(6..6);
        assert_eq!(parts.pop_first(), Some(0..4));
        assert_eq!(parts.pop_first(), None);
    }
}
