//! Ranges of a chunk's bytes, each of whole events.
//!
//! An event is known by where it lies: the same chunk has the same bytes every time.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges, in order and apart; neighbours are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Ends by starts.
    ends: BTreeMap<usize, usize>,
}

impl Ranges {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes(&self) -> usize {
        self.iter().map(|range| range.len()).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.ends.iter().map(|(start, end)| *start..*end)
    }

    pub fn pop_first(&mut self) -> Option<Range<usize>> {
        self.ends.pop_first().map(|(start, end)| start..end)
    }

    /// Adds a range that touches none of the others' bytes.
    pub fn insert(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let end = self.ends.remove(&range.end).unwrap_or(range.end);
        if let Some((_, before)) = self.ends.range_mut(..range.start).next_back()
            && *before == range.start
        {
            *before = end;
            return;
        }
        self.ends.insert(range.start, end);
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        let (mut own, mut others) = (self.iter().peekable(), other.iter().peekable());
        while let (Some(a), Some(b)) = (own.peek(), others.peek()) {
            both.insert(a.start.max(b.start)..a.end.min(b.end));
            if a.end <= b.end {
                own.next();
            } else {
                others.next();
            }
        }
        both
    }

    /// These, which are a part of `all`, with the gaps between them filled that hold nothing of
    /// `all`.
    pub fn joined(&self, all: &Self) -> Self {
        let mut rest = all.clone();
        for range in self.iter() {
            rest.remove(range);
        }
        let is_between = |gap: Range<usize>| {
            let before = rest.ends.range(..gap.end).next_back();
            before.is_some_and(|(_, end)| *end > gap.start)
        };
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in self.iter() {
            match joined.last_mut() {
                Some(last) if !is_between(last.end..range.start) => last.end = range.end,
                _ => joined.push(range),
            }
        }
        joined.into_iter().collect()
    }

    /// Removes what is in a range.
    pub fn remove(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        while let Some((&start, &end)) = self.ends.range(..range.end).next_back()
            && end > range.start
        {
            self.ends.remove(&start);
            if end > range.end {
                self.ends.insert(range.end, end);
            }
            if start < range.start {
                self.ends.insert(start, range.start);
            }
        }
    }
}

impl FromIterator<Range<usize>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<usize>>>(ranges: I) -> Self {
        let mut all = Self::default();
        ranges.into_iter().for_each(|range| all.insert(range));
        all
    }
}

impl From<Range<usize>> for Ranges {
    fn from(range: Range<usize>) -> Self {
        let mut ranges = Self::default();
        ranges.insert(range);
        ranges
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn bytes(ranges: &Ranges) -> BTreeSet<usize> {
        ranges.iter().flatten().collect()
    }

    /// Of single bytes, each with its neighbours where they are there too.
    fn of_bytes(bytes: &BTreeSet<usize>) -> Ranges {
        bytes.iter().map(|byte| *byte..byte + 1).collect()
    }

    proptest! {
        #[test]
        fn a_part_is_found_again_in_what_was_joined(
            all in prop::collection::btree_set(0..40_usize, 0..40),
            other in prop::collection::btree_set(0..40_usize, 0..40),
        ) {
            let both: BTreeSet<usize> = all.intersection(&other).copied().collect();
            let (all, other) = (of_bytes(&all), of_bytes(&other));
            let part = all.intersection(&other);
            prop_assert_eq!(bytes(&part), both);
            let joined = part.joined(&all);
            prop_assert_eq!(joined.intersection(&all), part.clone());
            prop_assert!(joined.count() <= part.count());
            // No gap is left without a byte that keeps the two sides apart.
            let sides: Vec<_> = joined.iter().collect();
            let rest: BTreeSet<usize> = bytes(&all).difference(&bytes(&part)).copied().collect();
            for pair in sides.windows(2) {
                prop_assert!(rest.range(pair[0].end..pair[1].start).next().is_some());
            }
        }

        /// Against a set of single bytes.
        #[test]
        fn holds_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((0..40_usize, 0..10_usize), 1..60),
        ) {
            let mut ranges = Ranges::default();
            let mut bytes = BTreeSet::new();
            for (start, length) in steps {
                let range = start..start + length;
                if range.clone().all(|byte| !bytes.contains(&byte)) {
                    ranges.insert(range.clone());
                    ranges.remove(start..start);
                    bytes.extend(range);
                } else {
                    ranges.remove(range.clone());
                    bytes.retain(|byte| !range.contains(byte));
                }
                prop_assert_eq!(ranges.iter().flatten().collect::<BTreeSet<_>>(), bytes.clone());
                prop_assert_eq!(ranges.bytes(), bytes.len());
                let all: Vec<_> = ranges.iter().collect();
                prop_assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert_eq!(all.len(), ranges.count());
                prop_assert!(all.iter().all(|range| !range.is_empty()));
                let mut rest = ranges.clone();
                let popped: Vec<_> = std::iter::from_fn(|| rest.pop_first()).collect();
                prop_assert_eq!(popped, all);
                prop_assert!(rest.is_empty() && Ranges::from(start..start).is_empty());
            }
        }
    }
}
