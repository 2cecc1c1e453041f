//! What the packer notes of what is not delivered as a whole.

use std::ops::Range;

use firehose_core::format::outcome::Tally;
use firehose_core::format::rejected::{self, Reason};
use firehose_core::pack::batch::{Batch, Noted};
use firehose_core::pack::packer::{OneChunk, Packer, Room};
use proptest::prelude::*;

use crate::model;
use crate::packed::PLAIN;
use crate::properties::format;
use crate::{cases, strategies};

/// Calls of three documents, of which some are refused and packed again.
const ROOM: Room = Room {
    bytes: usize::MAX,
    record_bytes: usize::MAX,
    documents: 3,
};

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn each_event_that_is_counted_is_noted_once_however_often_it_is_packed(
        chunk in prop_oneof![strategies::chunk(), strategies::chunk_of_doubles()],
        options in strategies::options(),
        max_bytes in 40..400_usize,
        refused in prop::collection::vec(any::<bool>(), 0..20),
        is_corrupt in any::<bool>(),
    ) {
        let whole = chunk.bytes();
        let bytes = [&whole[..], if is_corrupt { b"\xc1ab" } else { b"" }].concat();
        let format = format(&options, max_bytes);
        let mut source = OneChunk::new(&bytes);
        let mut packer = Packer::new("logs", PLAIN);
        packer.notes = true;
        let (mut batch, mut tally, mut noted) = (Batch::default(), Tally::default(), Vec::new());
        let mut refused = refused.into_iter();
        loop {
            packer.pack(&format, &mut source, ROOM, &mut batch);
            source.packed(&batch);
            batch.counted.iter().for_each(|counted| tally.add(&counted.tally));
            noted.append(&mut batch.noted);
            if batch.records.is_empty() {
                break;
            }
            if refused.next() == Some(true) {
                let ranges = batch.shares.iter().map(|share| share.range.clone());
                ranges.for_each(|range| source.waiting.insert(range));
            }
        }
        let number = |reason| noted.iter().filter(|noted| noted.reason == reason).count() as u64;
        prop_assert_eq!(number(Reason::NoLogKey), tally.without_log_key);
        prop_assert_eq!(number(Reason::NoField), tally.without_field);
        prop_assert_eq!(number(Reason::NoEvent), tally.not_events);
        prop_assert_eq!(number(Reason::Truncated), tally.truncated);
        prop_assert_eq!(number(Reason::Corrupt), u64::from(is_corrupt));
        prop_assert!(number(Reason::DoubledKeys) <= tally.doubled.pairs);
        let range = |noted: &Noted| noted.piece.range.clone();
        let mut ranges: Vec<Range<usize>> = noted.iter().map(range).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        prop_assert!(ranges.windows(2).all(|two| two[0].end <= two[1].start), "{ranges:?}");
        if is_corrupt {
            prop_assert_eq!(ranges.pop(), Some(whole.len()..bytes.len()));
        }
        for noted in noted.iter().filter(|noted| noted.reason == Reason::Truncated) {
            let [group, event] = [&noted.group, &noted.piece.range].map(|it| &bytes[it.clone()]);
            let value = rejected::in_group(group, event);
            let before = model::format(&bytes[..noted.piece.range.start], &options).documents.len();
            let with_it = model::format(&bytes[..noted.piece.range.end], &options);
            if model::format(&value, &options).doubled == 0 {
                let kept = rejected::whole(&value, Reason::Truncated, &format);
                prop_assert_eq!(kept, with_it.documents[before].text());
            }
        }
    }
}
