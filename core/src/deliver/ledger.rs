//! Remembers which chunks were handed back for a retry.
//!
//! Fluent Bit hands such a chunk over again with the same tag and bytes, and no name: so it is
//! known by a hash of both, and of what makes them other documents.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::deliver::ranges::Ranges;
use crate::pack::batch::ChunkId;

/// Names a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key(u64, u64);

impl Key {
    /// The key of a chunk whose bytes are gone. No chunk that comes has it.
    pub const UNKNOWN: Self = Self(0, 0);

    /// `scope` names the output by what it makes of a chunk and where it sends it.
    pub fn new(secret: &Secret, scope: &str, tag: &str, chunk: &[u8]) -> Self {
        Self::of_part(secret, scope, tag, chunk, &Ranges::from(0..chunk.len()))
    }

    /// Names a part of a chunk by its bytes and by where they lie.
    pub fn of_part(secret: &Secret, scope: &str, tag: &str, chunk: &[u8], part: &Ranges) -> Self {
        let mut hash = Xxh3::with_secret(secret.0);
        for text in [scope, tag] {
            hash.update(&text.len().to_le_bytes());
            hash.update(text.as_bytes());
        }
        for range in part.iter() {
            hash.update(&range.start.to_le_bytes());
            hash.update(&range.end.to_le_bytes());
            hash.update(chunk.get(range).unwrap_or_default());
        }
        let digest = hash.digest128();
        Self((digest >> 64) as u64, digest as u64)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

/// Random bytes. Whoever does not know them can't make chunks that share a key.
#[derive(Clone)]
pub struct Secret(pub [u8; Self::LENGTH]);

impl Secret {
    pub const LENGTH: usize = 192;
}

/// How much an output's ledger may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub max_chunks: usize,
    pub max_bytes: usize,
}

impl Bounds {
    /// For what was bounded when it was first kept.
    pub const NONE: Self = Self {
        max_chunks: usize::MAX,
        max_bytes: usize::MAX,
    };
}

/// Chunks that no flush waits for, oldest first.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    /// Of all entries.
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    chunk: ChunkId,
    bytes: usize,
    kept: Instant,
}

/// Fluent Bit gives a chunk back far sooner: its longest pause between two retries is 2,000 s by
/// default (`scheduler.cap`). It has given up a chunk that is older than this.
const LONGEST: Duration = Duration::from_hours(6);

impl Ledger {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the oldest chunk of a key: equal chunks are each resumed once.
    pub fn take(&mut self, key: &Key) -> Option<ChunkId> {
        let place = self.entries.iter().position(|entry| entry.key == *key)?;
        let entry = self.entries.remove(place)?;
        Some(self.taken(entry).chunk)
    }

    /// Keeps a chunk with what is left of it. Returns the chunks that had to go to make room: the
    /// oldest ones, or this one if it is too large by itself.
    pub fn keep(
        &mut self,
        kept: Instant,
        bounds: Bounds,
        key: Key,
        chunk: ChunkId,
        left: &Ranges,
    ) -> Vec<ChunkId> {
        // What it takes to remember a chunk: 64 bytes of the entry here, and about 128 of what the
        // machine knows of it; and 2 x 32 for each range. A range is 16 bytes in a tree that may be
        // half full, and the machine keeps two such trees: what is left, and what waits.
        let bytes = 192 + 64 * left.count();
        if bytes > bounds.max_bytes {
            return vec![chunk];
        }
        let gone = self.shrink(Bounds {
            max_chunks: bounds.max_chunks.saturating_sub(1),
            max_bytes: bounds.max_bytes - bytes,
        });
        self.bytes += bytes;
        self.entries.push_back(Entry {
            key,
            chunk,
            bytes,
            kept,
        });
        gone
    }

    /// Forgets the oldest until what is left is within bounds. Returns what had to go.
    pub fn shrink(&mut self, bounds: Bounds) -> Vec<ChunkId> {
        let mut gone = Vec::new();
        while self.entries.len() > bounds.max_chunks || self.bytes > bounds.max_bytes {
            let Some((oldest, _)) = self.pop() else {
                break;
            };
            gone.push(oldest);
        }
        gone
    }

    /// Takes a chunk that was kept so long that the host has given it up.
    pub fn outlived(&mut self, now: Instant) -> Option<ChunkId> {
        let age = |entry: &Entry| now.saturating_duration_since(entry.kept);
        let oldest = self.entries.pop_front_if(|entry| age(entry) >= LONGEST)?;
        Some(self.taken(oldest).chunk)
    }

    /// When the oldest chunk is that old.
    pub fn outlives_at(&self) -> Option<Instant> {
        Some(self.entries.front()?.kept + LONGEST)
    }

    /// Takes the oldest chunk, and since when it was kept.
    pub fn pop(&mut self) -> Option<(ChunkId, Instant)> {
        let oldest = self.entries.pop_front()?;
        let Entry { chunk, kept, .. } = self.taken(oldest);
        Some((chunk, kept))
    }

    fn taken(&mut self, entry: Entry) -> Entry {
        self.bytes -= entry.bytes;
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([7; Secret::LENGTH]);

    fn key(chunk: &str) -> Key {
        Key::new(&SECRET, "scope", "tag", chunk.as_bytes())
    }

    /// So many ranges.
    fn left(count: usize) -> Ranges {
        let mut left = Ranges::default();
        for number in 0..count {
            left.insert(2 * number..2 * number + 1);
        }
        left
    }

    const NONE: [u64; 0] = [];

    struct Kept(Ledger, Bounds, Instant);

    impl Kept {
        fn new(max_chunks: usize, max_bytes: usize) -> Self {
            let bounds = Bounds {
                max_chunks,
                max_bytes,
            };
            Self(Ledger::default(), bounds, Instant::now())
        }

        fn keep(&mut self, chunk: &str, id: u64, ranges: usize) -> Vec<u64> {
            let Self(ledger, bounds, now) = self;
            let gone = ledger.keep(*now, *bounds, key(chunk), ChunkId(id), &left(ranges));
            gone.into_iter().map(|chunk| chunk.0).collect()
        }

        fn take(&mut self, chunk: &str) -> Option<u64> {
            self.0.take(&key(chunk)).map(|chunk| chunk.0)
        }
    }

    #[test]
    fn keys_tell_secret_scope_tag_and_chunk_apart() {
        let key = |scope, tag, chunk| Key::new(&SECRET, scope, tag, chunk);
        let keys = [
            key("s", "a", b"b"),
            key("s", "a", b"c"),
            key("s", "ab", b""),
            key("s", "", b"ab"),
            key("sa", "", b"b"),
            key("", "sa", b"b"),
            Key::new(&Secret([8; Secret::LENGTH]), "s", "a", b"b"),
            Key::of_part(&SECRET, "s", "a", b"bb", &Ranges::from(1..2)),
        ];
        for (at, first) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(first));
        }
        assert_eq!(keys[0], key("s", "a", b"b"));
    }

    #[test]
    fn equal_chunks_are_resumed_once_each_oldest_first() {
        let mut kept = Kept::new(10, 10_000);
        kept.keep("same", 1, 1);
        kept.keep("same", 2, 1);
        assert_eq!(kept.take("other"), None);
        assert_eq!(kept.take("same"), Some(1));
        assert_eq!(kept.take("same"), Some(2));
        assert_eq!(kept.take("same"), None);
        assert!(kept.0.is_empty());
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room_but_for_none_that_is_too_large_alone() {
        let mut kept = Kept::new(2, 10_000);
        assert_eq!(kept.keep("a", 1, 1), NONE);
        assert_eq!(kept.keep("b", 2, 1), NONE);
        assert_eq!(kept.keep("c", 3, 1), [1]);
        assert_eq!(kept.take("b"), Some(2));

        let mut kept = Kept::new(100, 4_000);
        assert_eq!(kept.keep("a", 1, 10), NONE);
        assert_eq!(kept.keep("c", 3, 100), [3]);
        assert_eq!(kept.keep("b", 2, 55), [1]);
        assert_eq!(kept.take("b"), Some(2));
    }

    #[test]
    fn as_much_is_kept_as_there_is_room_for_and_no_more_goes_than_has_to() {
        // What remembering so many ranges takes.
        let bytes = |ranges: usize| 192 + 64 * ranges;
        let mut kept = Kept::new(100, bytes(10));
        assert_eq!(kept.keep("alone", 1, 11), [1]);
        assert_eq!(kept.keep("alone", 1, 10), NONE);

        let mut kept = Kept::new(100, bytes(10) + bytes(2) + bytes(1));
        assert_eq!(kept.keep("a", 1, 10), NONE);
        assert_eq!(kept.keep("b", 2, 2), NONE);
        assert_eq!(kept.keep("c", 3, 1), NONE);
        assert_eq!(kept.keep("d", 4, 1), [1]);
        assert_eq!(kept.keep("e", 5, 12), [2, 3]);
        assert_eq!(kept.take("d"), Some(4));
    }

    #[test]
    fn what_the_host_gave_up_ages() {
        let mut kept = Kept::new(100, 4_000);
        kept.keep("a", 1, 1);
        kept.2 += LONGEST / 2;
        kept.keep("b", 2, 1);
        kept.2 += LONGEST / 2;
        assert_eq!(kept.0.outlived(kept.2), Some(ChunkId(1)));
        assert_eq!(kept.0.outlived(kept.2), None);
        assert_eq!(kept.take("b"), Some(2));
    }
}
