//! Remembers what is left of the chunks that were handed back for a retry.
//!
//! Fluent Bit hands such a chunk over again with the same tag and bytes, and no name: so it is
//! known by a hash of both. An output finds its ledger by the scope that gives its documents,
//! its stream and format, also when it is the successor of another after a hot reload.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::parts::Parts;

/// Names a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    pub fn new(tag: &str, chunk: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(tag.len().to_le_bytes());
        hash.update(tag);
        hash.update(chunk);
        Self(hash.finalize().into())
    }
}

/// What is left of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The events that were not accepted, nor dropped.
    pub parts: Parts,
    /// To where the events were counted that give no document, or less than a whole one.
    pub counted: usize,
}

/// What is left of chunks, by their keys; the oldest goes first when there is no room.
#[derive(Debug)]
pub struct Ledger {
    bounds: Bounds,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// By age: a later entry has a higher number.
    entries: BTreeMap<u64, Entry>,
    /// Equal chunks have one key and an entry each, here oldest first.
    numbers: HashMap<Key, VecDeque<u64>>,
    next_number: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    left: Left,
}

/// How much a ledger may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub max_chunks: usize,
    pub max_bytes: usize,
}

/// The ledgers of the process that hold anything, or belong to an output.
static LEDGERS: Mutex<BTreeMap<String, Arc<Ledger>>> = Mutex::new(BTreeMap::new());

impl Ledger {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            book: Mutex::default(),
        }
    }

    /// The ledger of a scope; one that was left there keeps its bounds.
    pub fn of(scope: &str, bounds: Bounds) -> Arc<Self> {
        let mut ledgers = LEDGERS.lock().unwrap_or_else(PoisonError::into_inner);
        // An output that is gone and left nothing needs no successor.
        ledgers.retain(|_, ledger| Arc::strong_count(ledger) > 1 || !ledger.is_empty());
        let ledger = ledgers.entry(scope.to_owned());
        ledger
            .or_insert_with(|| Arc::new(Self::new(bounds)))
            .clone()
    }

    pub fn is_empty(&self) -> bool {
        self.book().entries.is_empty()
    }

    /// Takes the oldest entry of a key: equal chunks are each resumed once.
    pub fn take(&self, key: &Key) -> Option<Left> {
        let mut book = self.book();
        let number = *book.numbers.get(key)?.front()?;
        book.remove(number)
    }

    /// Keeps an entry, and tells how many had to go for it.
    pub fn keep(&self, key: Key, left: Left) -> usize {
        let mut book = self.book();
        book.insert(Entry { key, left });
        let mut evicted = 0;
        while book.entries.len() > self.bounds.max_chunks || book.bytes > self.bounds.max_bytes {
            let Some(&oldest) = book.entries.keys().next() else {
                break;
            };
            book.remove(oldest);
            evicted += 1;
        }
        evicted
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn insert(&mut self, entry: Entry) {
        let number = self.next_number;
        self.next_number += 1;
        self.bytes += entry.bytes();
        self.numbers.entry(entry.key).or_default().push_back(number);
        self.entries.insert(number, entry);
    }

    fn remove(&mut self, number: u64) -> Option<Left> {
        let entry = self.entries.remove(&number)?;
        self.bytes -= entry.bytes();
        if let Some(numbers) = self.numbers.get_mut(&entry.key) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.numbers.remove(&entry.key);
            }
        }
        Some(entry.left)
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        // Its own size, and that of its places in the two maps.
        const OVERHEAD: usize = size_of::<Entry>() + size_of::<Key>() + 64;
        // Two words, and as much for their place in a tree that is half full.
        const PART: usize = 4 * size_of::<usize>();
        OVERHEAD + self.left.parts.count() * PART
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(chunk: &str) -> Key {
        Key::new("tag", chunk.as_bytes())
    }

    fn left(start: usize, end: usize) -> Left {
        Left {
            parts: Parts::from(start..end),
            counted: 0,
        }
    }

    /// So many parts.
    fn many(count: usize) -> Left {
        let mut many = Left::default();
        for number in 0..count {
            many.parts.insert(2 * number..2 * number + 1);
        }
        many
    }

    fn ledger(max_chunks: usize, max_bytes: usize) -> Ledger {
        Ledger::new(Bounds {
            max_chunks,
            max_bytes,
        })
    }

    #[test]
    fn keys_tell_tag_and_chunk_apart() {
        assert_eq!(Key::new("a", b"b"), Key::new("a", b"b"));
        assert_ne!(Key::new("a", b"b"), Key::new("a", b"c"));
        assert_ne!(Key::new("ab", b""), Key::new("a", b"b"));
        assert_ne!(Key::new("", b"ab"), Key::new("a", b"b"));
    }

    #[test]
    fn a_successor_finds_what_was_left_in_its_scope() {
        let bounds = Bounds {
            max_chunks: 5,
            max_bytes: 10_000,
        };
        let first = Ledger::of("successor", bounds);
        first.keep(key("chunk"), left(1, 2));
        drop(first);
        assert!(Ledger::of("another", bounds).is_empty());
        let second = Ledger::of("successor", bounds);
        assert_eq!(second.take(&key("chunk")), Some(left(1, 2)));
    }

    #[test]
    fn equal_chunks_are_resumed_once_each_oldest_first() {
        let book = ledger(10, 10_000);
        book.keep(key("same"), left(0, 1));
        book.keep(key("same"), left(5, 9));
        assert_eq!(book.take(&key("other")), None);
        assert_eq!(book.take(&key("same")), Some(left(0, 1)));
        assert_eq!(book.take(&key("same")), Some(left(5, 9)));
        assert_eq!(book.take(&key("same")), None);
        assert!(book.is_empty());
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let book = ledger(2, 10_000);
        assert_eq!(book.keep(key("a"), left(0, 1)), 0);
        assert_eq!(book.keep(key("b"), left(0, 2)), 0);
        assert_eq!(book.keep(key("c"), left(0, 3)), 1);
        assert_eq!(book.take(&key("a")), None);
        assert_eq!(book.take(&key("b")), Some(left(0, 2)));

        let book = ledger(100, 1_600);
        assert_eq!(book.keep(key("a"), many(10)), 0);
        assert_eq!(book.keep(key("b"), many(40)), 1);
        assert_eq!(book.take(&key("a")), None);
        // One that is too large by itself does not stay either.
        assert_eq!(book.keep(key("c"), many(100)), 2);
        assert!(book.is_empty());
    }
}
