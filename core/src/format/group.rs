//! The groups of a chunk. Their markers lie among the events, and events that are packed by
//! themselves lie behind them: so whoever begins within a chunk asks here for the group that is open
//! there.

use std::ops::Range;

use crate::format::event::{self, Head};
use crate::format::msgpack::{Malformed, Reader};

/// What was read of a chunk so far, from its start on.
#[derive(Debug, Default)]
pub struct Groups {
    /// Where each marker ends, and where the attributes are of the group that is open from there on.
    markers: Vec<(usize, Range<usize>)>,
    read_to: usize,
}

impl Groups {
    /// Where the attributes are of the group that is open at an event, by its offset in the chunk;
    /// an empty range outside of groups.
    pub fn open_at(&mut self, chunk: &[u8], offset: usize) -> Range<usize> {
        while self.read_to < offset {
            // Of what is no msgpack no event is made.
            if self.read_next(chunk).is_err() {
                self.read_to = usize::MAX;
            }
        }
        let before = self.markers.partition_point(|(end, _)| *end <= offset);
        let last = self.markers[..before].last();
        last.map_or(0..0, |(_, attributes)| attributes.clone())
    }

    fn read_next(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(chunk);
        reader.advance(self.read_to)?;
        let head = event::read_head(&mut reader)?;
        let start = reader.offset();
        reader.skip()?;
        self.read_to = reader.offset();
        match head {
            Head::GroupStart => self.markers.push((self.read_to, start..self.read_to)),
            Head::GroupEnd => self.markers.push((self.read_to, 0..0)),
            Head::Event(_) | Head::Other => {}
        }
        Ok(())
    }
}
