//! The JSON text of keys that were written before: keys repeat from event to event, so most are
//! found again by one comparison and copied ready as they are, escapes, dots, colon and all.
//!
//! Each text has a bit of its own, so an object that gets a key a second time is noticed by one
//! more comparison.

use wide::u8x16;
use xxhash_rust::xxh3::xxh3_64;

/// The most bytes of a key that is kept, both of its msgpack and of its text.
const SIZE: usize = 32;

/// A hash table of keys. One that is full begins anew with the next event, so keys that never come
/// again cost no more than being written twice.
#[derive(Debug)]
pub(crate) struct Keys {
    entries: Box<[Entry; ENTRIES]>,
    count: usize,
    /// A hash table of the texts that have a bit of their own, whatever msgpack they come from.
    texts: Box<[Text; ENTRIES]>,
    text_count: u32,
    /// There was a key without room.
    is_full: bool,
}

const INDEX_BITS: u32 = 7;
const ENTRIES: usize = 1 << INDEX_BITS;
/// Of the entries, so that a search finds an empty one soon; and of the bits.
const MAX_COUNT: usize = ENTRIES / 2;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    key: [u8x16; 2],
    text: [u8; SIZE],
    /// Of the text; an empty entry has none.
    length: usize,
    bit: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Text {
    text: [u8x16; 2],
    /// An empty place has none.
    bit: u64,
}

/// The msgpack of a key that can be kept, or its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Filled up with zeros.
    blocks: [u8x16; 2],
    pub(crate) length: usize,
}

/// The keys that an object has so far, or one of them: each has one bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// No other text has the bit.
    pub(crate) own: u64,
    /// Texts that have no bit of their own share these.
    shared: u64,
}

impl Seen {
    /// Adds a key's own bit; true if the object has that key already.
    #[inline(always)]
    pub(crate) fn has_own(&mut self, bit: u64) -> bool {
        if self.own & bit != 0 {
            return true;
        }
        self.own |= bit;
        false
    }

    /// Adds a key; true if the object has, or may have, that key already.
    pub(crate) fn may_have(&mut self, key: Self) -> bool {
        let may_have = self.shared & key.shared != 0;
        self.shared |= key.shared;
        may_have | self.has_own(key.own)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            entries: Box::new([Entry::default(); ENTRIES]),
            count: 0,
            texts: Box::new([Text::default(); ENTRIES]),
            text_count: 0,
            is_full: false,
        }
    }
}

impl Keys {
    /// Begins anew, and tells so, if there was a key without room. Not while an object is open, as
    /// bits of its keys would then stand for others.
    #[inline]
    pub(crate) fn make_room(&mut self) -> bool {
        let begins_anew = self.is_full;
        if begins_anew {
            self.entries.fill(Entry::default());
            self.count = 0;
            self.texts.fill(Text::default());
            self.text_count = 0;
            self.is_full = false;
        }
        begins_anew
    }

    /// Appends the text of `key`, if it is kept, and gives that text's bit.
    #[inline(always)]
    pub(crate) fn push(&self, key: Key, out: &mut Vec<u8>) -> Option<u64> {
        let mut index = key.hash();
        loop {
            let entry = &self.entries[index % ENTRIES];
            if key.is(&entry.key) {
                // A block of fixed size that is cut again takes no call.
                let end = out.len() + entry.length;
                out.extend_from_slice(&entry.text);
                out.truncate(end);
                return Some(entry.bit);
            }
            if entry.length == 0 {
                return None;
            }
            index += 1;
        }
    }

    /// The bit of a key that is not kept and was written as `text`. If both are short, it is kept.
    pub(crate) fn keep(&mut self, key: Option<Key>, text: &KeyText<'_>) -> Seen {
        let Some(own) = self.own_bit(text) else {
            let shared = 1 << (text.hash % u64::from(u64::BITS));
            return Seen { own: 0, shared };
        };
        let text = text.bytes;
        match key {
            Some(_) if self.count == MAX_COUNT => self.is_full = true,
            Some(key) => {
                self.count += 1;
                let mut index = key.hash();
                while self.entries[index % ENTRIES].length > 0 {
                    index += 1;
                }
                let entry = &mut self.entries[index % ENTRIES];
                entry.key = key.blocks;
                entry.text[..text.len()].copy_from_slice(text);
                entry.length = text.len();
                entry.bit = own;
            }
            None => {}
        }
        Seen { own, shared: 0 }
    }

    /// The text that has a bit of its own.
    pub(crate) fn text_of(&self, bit: u64) -> Option<Vec<u8>> {
        let text = self.texts.iter().find(|text| text.bit == bit)?;
        let mut bytes: Vec<u8> = text.text.iter().flat_map(|half| half.to_array()).collect();
        // It is filled up with zeros, and JSON has none.
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(SIZE));
        Some(bytes)
    }

    /// The bit of a short text, which gets one if there is one left.
    fn own_bit(&mut self, text: &KeyText<'_>) -> Option<u64> {
        let mut index = text.hash as usize;
        let text = text.short?;
        loop {
            let known = &mut self.texts[index % ENTRIES];
            if known.bit == 0 {
                let bit = 1_u64.checked_shl(self.text_count);
                self.is_full |= bit.is_none();
                *known = Text {
                    text: text.blocks,
                    bit: bit?,
                };
                self.text_count += 1;
                return bit;
            }
            if text.is(&known.text) {
                return Some(known.bit);
            }
            index += 1;
        }
    }
}

/// The JSON text of a key, with its colon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyText<'t> {
    pub(crate) bytes: &'t [u8],
    short: Option<Key>,
    pub(crate) hash: u64,
}

impl<'t> KeyText<'t> {
    pub(crate) fn new(bytes: &'t [u8]) -> Self {
        let short = Key::of(bytes);
        let hash = short.map_or_else(|| xxh3_64(bytes), |key| key.whole_hash());
        Self { bytes, short, hash }
    }
}

impl Key {
    /// The key at the start of `input`, if it is a short string.
    #[inline(always)]
    pub(crate) fn read(input: &[u8]) -> Option<Self> {
        const FIXSTR: u8 = 0xa0;
        let (halves, _) = input.first_chunk::<SIZE>()?.as_chunks();
        let length = usize::from(input[0].wrapping_sub(FIXSTR)) + 1;
        let masks = MASKS.get(length)?;
        let blocks = [0, 1].map(|half| u8x16::new(halves[half]) & u8x16::new(masks[half]));
        Some(Self { blocks, length })
    }

    /// All of `text`, if it is short.
    fn of(text: &[u8]) -> Option<Self> {
        let mut block = [0; SIZE];
        block.get_mut(..text.len())?.copy_from_slice(text);
        let (halves, _) = block.as_chunks();
        let blocks = [0, 1].map(|half| u8x16::new(halves[half]));
        let length = text.len();
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

    /// One that few other keys have.
    #[inline(always)]
    fn whole_hash(&self) -> u64 {
        const FACTORS: [u64; 4] = [
            0x9e37_79b9_7f4a_7c15,
            0xbf58_476d_1ce4_e5b9,
            0x94d0_49bb_1331_11eb,
            0xd6e8_feb8_6659_fd93,
        ];
        let folded = |block: u8x16, a: u64, b: u64| {
            let bits = u128::from_le_bytes(block.to_array());
            let product = u128::from(bits as u64 ^ a) * u128::from((bits >> 64) as u64 ^ b);
            product as u64 ^ (product >> 64) as u64
        };
        let [a, b, c, d] = FACTORS;
        folded(self.blocks[0], a, b) ^ folded(self.blocks[1], c, d).rotate_left(17)
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
        let bit = keys.push(key, &mut out);
        if bit.is_some() {
            assert_eq!(out, [b"before", expected].concat());
        } else {
            assert_eq!(out, b"before");
            keys.keep(Some(key), &KeyText::new(expected));
        }
        bit.is_some()
    }

    /// Each length, and as many keys as there is room for, whatever follows them.
    #[test]
    fn a_key_is_found_again() {
        let lengths = (0..32).map(|length| vec![b'k'; length]);
        let numbers = (32..MAX_COUNT).map(|number| format!("key {number}").into_bytes());
        let names: Vec<Vec<u8>> = lengths.chain(numbers).collect();
        let mut keys = Keys::default();
        for (round, after) in [b'k', 0, 0xff].into_iter().enumerate() {
            for key in names.iter().map(|name| msgpack(name)) {
                let input = [&key[..], &[after; SIZE]].concat();
                assert_eq!(Key::read(&input).unwrap().length, key.len());
                assert_eq!(write(&mut keys, &input, &text(&key)), round > 0, "{key:?}");
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_not_kept() {
        let mut keys = Keys::default();
        let input = [&msgpack(b"key")[..], &[0; SIZE]].concat();
        for (length, is_kept) in [(SIZE + 1, false), (SIZE, false), (SIZE, true)] {
            assert_eq!(write(&mut keys, &input, &vec![b'x'; length]), is_kept);
        }
    }

    #[test]
    fn a_key_without_room_shares_a_bit_until_there_is_room() {
        let mut keys = Keys::default();
        let text = |number: usize| number.to_string().into_bytes();
        let mut seen = Seen::default();
        for number in 0..MAX_COUNT {
            let key = keys.keep(None, &KeyText::new(&text(number)));
            assert_eq!(key.shared, 0, "{number}");
            assert!(!seen.may_have(key) && seen.may_have(key), "{number}");
        }
        for _ in 0..2 {
            assert_eq!(keys.keep(None, &KeyText::new(&text(MAX_COUNT))).own, 0);
            assert_eq!(keys.keep(None, &KeyText::new(&text(0))).shared, 0);
        }
        keys.make_room();
        assert_eq!(keys.keep(None, &KeyText::new(&text(MAX_COUNT))).shared, 0);
    }
}
