//! The JSON text of keys that were written before: keys repeat from event to event, so most are
//! found again by one comparison and copied ready as they are, escapes, dots, colon and all.

use wide::u8x16;

/// The most bytes of a key that is kept, both of its msgpack and of its text.
const SIZE: usize = 32;

/// A hash table of keys. One that is full begins anew, so keys that never come again cost no more
/// than being written twice.
#[derive(Debug)]
pub(crate) struct Keys {
    entries: Box<[Entry; ENTRIES]>,
    count: usize,
}

const INDEX_BITS: u32 = 7;
const ENTRIES: usize = 1 << INDEX_BITS;
/// Of the entries, so that a search finds an empty one soon.
const MAX_COUNT: usize = ENTRIES / 2;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    key: [u8x16; 2],
    text: [u8; SIZE],
    /// Of the text; an empty entry has none.
    length: usize,
}

/// The msgpack of a key that can be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Filled up with zeros.
    blocks: [u8x16; 2],
    pub(crate) length: usize,
}

/// Where a key belongs that is not there.
#[derive(Debug)]
pub(crate) struct Vacancy {
    key: Key,
    index: usize,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            entries: Box::new([Entry::default(); ENTRIES]),
            count: 0,
        }
    }

    /// Appends the text of `key`, if it is kept.
    #[inline(always)]
    pub(crate) fn push(&self, key: Key, out: &mut Vec<u8>) -> Result<(), Vacancy> {
        let mut index = key.hash();
        loop {
            let entry = &self.entries[index % ENTRIES];
            if key.is(&entry.key) {
                // A block of fixed size that is cut again takes no call.
                let end = out.len() + entry.length;
                out.extend_from_slice(&entry.text);
                out.truncate(end);
                return Ok(());
            }
            if entry.length == 0 {
                return Err(Vacancy { key, index });
            }
            index += 1;
        }
    }

    /// Keeps the text of a key, unless it is too long.
    pub(crate) fn keep(&mut self, vacancy: Vacancy, text: &[u8]) {
        if text.len() > SIZE {
            return;
        }
        let mut index = vacancy.index;
        if self.count == MAX_COUNT {
            self.entries.fill(Entry::default());
            self.count = 0;
            index = vacancy.key.hash();
        }
        self.count += 1;
        let entry = &mut self.entries[index % ENTRIES];
        entry.key = vacancy.key.blocks;
        entry.text[..text.len()].copy_from_slice(text);
        entry.length = text.len();
    }
}

impl Key {
    /// The key at the start of `input`, if it is a short string.
    #[inline(always)]
    pub(crate) fn read(input: &[u8]) -> Option<Self> {
        const FIXSTR: u8 = 0xa0;
        let block: &[u8; SIZE] = input.first_chunk()?;
        let length = usize::from(block[0].wrapping_sub(FIXSTR)) + 1;
        let masks = MASKS.get(length)?;
        let (halves, _) = block.as_chunks();
        let blocks = [0, 1].map(|half| u8x16::new(halves[half]) & u8x16::new(masks[half]));
        Some(Self { blocks, length })
    }

    #[inline(always)]
    fn hash(&self) -> usize {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let [a, b] = self.blocks;
        let mixed = u128::from_le_bytes((a ^ b).to_array());
        let mixed = mixed as u64 ^ ((mixed >> 64) as u64).rotate_left(32);
        (mixed.wrapping_mul(FACTOR) >> (u64::BITS - INDEX_BITS)) as usize
    }

    #[inline(always)]
    fn is(&self, other: &[u8x16; 2]) -> bool {
        let [a, b] = [0, 1].map(|half| self.blocks[half].simd_eq(other[half]));
        (a & b).to_bitmask() == 0xffff
    }
}

/// The bytes that belong to a key, for each length.
static MASKS: [[[u8; 16]; 2]; SIZE + 1] = {
    let mut masks = [[[0; 16]; 2]; SIZE + 1];
    let mut length = 0;
    while length <= SIZE {
        let mut at = 0;
        while at < length {
            masks[length][at / 16][at % 16] = u8::MAX;
            at += 1;
        }
        length += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The text of a key in these tests, so that a mix-up shows.
    fn text(key: &[u8]) -> Vec<u8> {
        key.iter().rev().copied().collect()
    }

    fn msgpack(name: &[u8]) -> Vec<u8> {
        [&[0xa0 + name.len() as u8], name].concat()
    }

    /// Writes the key at the start of `input` as `Transcoder` does; true if it was kept already.
    fn write(keys: &mut Keys, input: &[u8], expected: &[u8]) -> bool {
        let key = Key::read(input).unwrap();
        let mut out = b"before".to_vec();
        match keys.push(key, &mut out) {
            Ok(()) => {
                assert_eq!(out, [b"before", expected].concat());
                true
            }
            Err(vacancy) => {
                assert_eq!(out, b"before");
                keys.keep(vacancy, expected);
                false
            }
        }
    }

    #[test]
    fn a_key_of_any_length_is_found_again_whatever_follows_it() {
        let mut keys = Keys::new();
        for length in 0..32 {
            let key = msgpack(&vec![b'k'; length]);
            for (round, after) in [b'k', 0, 0xff].into_iter().enumerate() {
                let input = [&key[..], &[after; SIZE]].concat();
                assert_eq!(Key::read(&input).unwrap().length, key.len());
                assert_eq!(write(&mut keys, &input, &text(&key)), round > 0, "{length}");
            }
        }
    }

    #[test]
    fn what_is_no_short_string_or_too_near_the_end_is_no_key() {
        for head in (0..0xa0).chain(0xc0..=0xff) {
            assert!(Key::read(&[head; SIZE]).is_none(), "{head:x}");
        }
        assert!(Key::read(&[0xa1; SIZE]).is_some());
        assert!(Key::read(&[0xa1; SIZE - 1]).is_none());
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let mut keys = Keys::new();
        let input = [&msgpack(b"key")[..], &[0; SIZE]].concat();
        assert!(!write(&mut keys, &input, &[b'x'; SIZE + 1]));
        assert!(!write(&mut keys, &input, &[b'x'; SIZE]));
        assert!(write(&mut keys, &input, &[b'x'; SIZE]));
    }

    #[test]
    fn as_many_keys_as_there_is_room_for_stay() {
        let mut keys = Keys::new();
        for round in 0..3 {
            for number in 0..MAX_COUNT {
                let key = msgpack(format!("key {number}").as_bytes());
                let input = [&key[..], &[0; SIZE]].concat();
                assert_eq!(write(&mut keys, &input, &text(&key)), round > 0, "{number}");
            }
        }
    }

    proptest! {
        /// Few letters and many keys: most come again, and the table is begun anew many times.
        #[test]
        fn the_text_is_that_of_the_key(names in prop::collection::vec("[ab]{0,8}", 0..2000)) {
            let mut keys = Keys::new();
            for name in names {
                let key = msgpack(name.as_bytes());
                let input = [&key[..], &[0; SIZE]].concat();
                write(&mut keys, &input, &text(&key));
                prop_assert!(keys.count <= MAX_COUNT);
            }
        }
    }
}
