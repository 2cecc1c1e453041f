//! What outlives the process: which ranges of which chunks the service accepted, as entries of a
//! file that only grows.
//!
//! An entry is written before the host hears that its chunk is done with, and another one after it
//! heard. So whatever chunk the next process is handed again, it knows what of it was accepted.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::deliver::ledger::Key;
use crate::deliver::ranges::Ranges;
use crate::pack::batch::ChunkId;

use super::chunk::Chunk;

/// How a file begins. The last byte is the version.
const HEAD: [u8; 8] = *b"fbfhjnl\x01";

/// An entry's length and checksum stand before it.
const FRAME: usize = 8;

/// How long the host waits for an entry to be written. A disk that takes longer may cost what it
/// would have remembered, but must not hold the delivery up.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long nothing is written after a failure.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    /// Ranges of a chunk are done with: so many documents were accepted, or refused for good.
    Done {
        chunk: u64,
        key: Key,
        length: usize,
        ranges: Vec<Range<usize>>,
        delivered: u64,
        rejected: u64,
        /// When, in Unix time.
        at: u64,
    },
    /// The host knows that all of a chunk is done with, or the chunk is forgotten.
    Closed { chunk: u64 },
}

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Pages are numbered in the order in which they are to be written.
    pub number: u64,
    pub bytes: Vec<u8>,
    /// Whether it takes the place of all that the file holds.
    pub is_whole: bool,
}

/// What is known of the chunks that were not done with, oldest first.
#[derive(Debug, Default)]
pub struct Remembered(pub(super) Vec<Remains>);

#[derive(Debug)]
pub(super) struct Remains {
    pub(super) chunk: Chunk,
    /// For how long it has been remembered. The time in which no process ran does not count: the
    /// host has not given it up meanwhile.
    pub(super) age: Duration,
}

impl Remembered {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a file tells, and how many bytes at its end are no entries.
pub fn read(file: &[u8]) -> Result<(Remembered, usize), UnknownVersion> {
    let mut chunks = BTreeMap::new();
    let mut newest = 0;
    let mut rest = match file.split_at_checked(HEAD.len()) {
        Some((head, rest)) if head == HEAD => rest,
        Some((head, _)) if head[..7] == HEAD[..7] => return Err(UnknownVersion(head[7])),
        _ => return Ok((Remembered::default(), file.len())),
    };
    while let Some((entry, after)) = next(rest) {
        rest = after;
        match entry {
            Entry::Done {
                chunk,
                key,
                length,
                ranges,
                delivered,
                rejected,
                at,
            } => {
                newest = at.max(newest);
                let known = chunks.entry(chunk);
                let chunk: &mut Chunk = known.or_insert_with(|| Chunk::new("", length));
                chunk.key = Some(key);
                ranges.into_iter().for_each(|range| chunk.pass(range));
                chunk.history.delivered += delivered;
                chunk.history.rejected += rejected;
                chunk.done_at = at;
            }
            Entry::Closed { chunk } => _ = chunks.remove(&chunk),
        }
    }
    let remains = chunks.into_values().map(|mut chunk| {
        chunk.waiting = chunk.left.clone();
        let age = Duration::from_secs(newest.saturating_sub(chunk.done_at));
        Remains { chunk, age }
    });
    Ok((Remembered(remains.collect()), rest.len()))
}

/// A file is of a version that is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVersion(pub u8);

/// Returns the entry that the bytes begin with, and the bytes behind it.
fn next(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (frame, rest) = bytes.split_first_chunk::<FRAME>()?;
    let [a, b, c, d, checksum @ ..] = frame;
    let length = u32::from_le_bytes([*a, *b, *c, *d]);
    let (entry, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    if *checksum != self::checksum(entry) {
        return None;
    }
    Some((rmp_serde::from_slice(entry).ok()?, rest))
}

fn checksum(entry: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64(entry).to_le_bytes();
    [a, b, c, d]
}

fn push(entries: &mut Vec<u8>, entry: &Entry) {
    let start = entries.len();
    entries.extend([0; FRAME]);
    rmp_serde::encode::write(entries, entry).expect("memory takes all that is written");
    let (frame, entry) = entries[start..].split_at_mut(FRAME);
    frame[..4].copy_from_slice(&(entry.len() as u32).to_le_bytes());
    frame[4..].copy_from_slice(&checksum(entry));
}

/// What of a chunk is done with.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) ranges: Ranges,
    pub(super) delivered: u64,
    pub(super) rejected: u64,
}

/// What is to be written to a stream's file, and how that goes.
#[derive(Debug)]
pub(super) struct Journal {
    /// A moment, and the same in Unix time.
    began: (Instant, Duration),
    max_bytes: usize,
    /// From this size on the file is written anew.
    full_bytes: usize,
    file_bytes: usize,
    /// Of the next page.
    entries: Vec<u8>,
    number: u64,
    is_whole: bool,
    /// The pages that are being written, and since when.
    unwritten: VecDeque<(u64, Instant)>,
    broken_until: Option<Instant>,
    /// A fault was told of, and that it is over was not.
    is_told: bool,
    news: Option<News>,
}

/// What an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    Broken(String),
    Mended,
}

impl Journal {
    pub(super) fn new(now: Instant, unix_time: Duration, max_bytes: usize) -> Self {
        Self {
            began: (now, unix_time),
            max_bytes,
            full_bytes: max_bytes,
            file_bytes: 0,
            entries: Vec::new(),
            number: 1,
            is_whole: true,
            unwritten: VecDeque::new(),
            broken_until: None,
            is_told: false,
            news: None,
        }
    }

    /// A new one that writes the file anew; its pages are numbered on.
    pub(super) fn anew(&self) -> Self {
        Self {
            number: self.number,
            ..Self::new(self.began.0, self.began.1, self.max_bytes)
        }
    }

    /// Notes what of a chunk is done with, and on which page that will stand.
    pub(super) fn done(&mut self, now: Instant, id: ChunkId, chunk: &mut Chunk, done: &Done) {
        chunk.done_at = self.unix_time(now);
        chunk.page = match self.takes_entries(now) {
            true => self.push(id, chunk, done),
            false => 0,
        };
    }

    pub(super) fn unix_time(&self, at: Instant) -> u64 {
        let (began, unix_time) = self.began;
        let later = at.saturating_duration_since(began);
        let earlier = began.saturating_duration_since(at);
        (unix_time + later).saturating_sub(earlier).as_secs()
    }

    /// Notes that nothing needs to be known of a chunk anymore.
    pub(super) fn closed(&mut self, now: Instant, id: ChunkId) {
        if self.takes_entries(now) {
            push(&mut self.entries, &Entry::Closed { chunk: id.0 });
        }
    }

    /// Not while the disk is bad. What is left out then is on the whole page that comes after.
    fn takes_entries(&mut self, now: Instant) -> bool {
        if self.is_late(now) {
            self.broke(format!("a write takes more than {PATIENCE:?}"));
            return false;
        }
        self.broken_until.is_none_or(|until| until <= now)
    }

    fn push(&mut self, id: ChunkId, chunk: &Chunk, done: &Done) -> u64 {
        let Some(key) = chunk.key else {
            return 0;
        };
        let entry = Entry::Done {
            chunk: id.0,
            key,
            length: chunk.length,
            ranges: done.ranges.iter().collect(),
            delivered: done.delivered,
            rejected: done.rejected,
            at: chunk.done_at,
        };
        push(&mut self.entries, &entry);
        self.number
    }

    /// Whether a page is still to be written, and worth the wait.
    pub(super) fn holds(&self, now: Instant, page: u64) -> bool {
        let first = self.unwritten.front().map_or(self.number, |first| first.0);
        page >= first && !self.is_late(now)
    }

    fn is_late(&self, now: Instant) -> bool {
        self.patience().is_some_and(|patience| patience <= now)
    }

    /// Until when the host waits for pages to be written.
    fn patience(&self) -> Option<Instant> {
        self.unwritten.front().map(|first| first.1 + PATIENCE)
    }

    /// When something is to be done though nothing happens.
    pub(super) fn dues(&self) -> impl Iterator<Item = Instant> {
        let again = self.broken_until.filter(|_| self.is_whole);
        self.patience().into_iter().chain(again)
    }

    /// The next page, if there is anything to write. `chunks` are all of which anything is known.
    pub(super) fn page<'c>(
        &mut self,
        now: Instant,
        chunks: impl Iterator<Item = (ChunkId, &'c Chunk)>,
    ) -> Option<Page> {
        // After a fault the file lacks what was left out, and no entry may come for long.
        let is_again = self.is_told && self.is_whole && self.takes_entries(now);
        if self.entries.is_empty() && !is_again {
            return None;
        }
        let number = self.number;
        self.number += 1;
        let is_full = self.file_bytes + self.entries.len() > self.full_bytes;
        let is_whole = self.is_whole || is_full;
        if is_whole {
            self.entries = HEAD.to_vec();
            let mut chunks: Vec<_> = chunks.filter(|(_, chunk)| chunk.is_begun).collect();
            chunks.sort_unstable_by_key(|(id, _)| *id);
            for (id, chunk) in chunks {
                self.push(id, chunk, &chunk.done());
            }
            self.file_bytes = 0;
            self.full_bytes = self.max_bytes.max(2 * self.entries.len());
            self.is_whole = false;
        }
        self.file_bytes += self.entries.len();
        self.unwritten.push_back((number, now));
        Some(Page {
            number,
            bytes: std::mem::take(&mut self.entries),
            is_whole,
        })
    }

    /// A page was written, or could not be.
    pub(super) fn written(&mut self, now: Instant, number: u64, result: Result<(), String>) {
        self.unwritten.retain(|unwritten| unwritten.0 > number);
        match result {
            Err(why) => {
                self.broken_until = Some(now + PAUSE);
                self.broke(why);
            }
            // One of those that were asked for before the fault.
            Ok(()) if self.is_whole => {}
            Ok(()) => {
                self.broken_until = None;
                if std::mem::take(&mut self.is_told) {
                    self.news = Some(News::Mended);
                }
            }
        }
    }

    fn broke(&mut self, why: String) {
        self.is_whole = true;
        if !std::mem::replace(&mut self.is_told, true) {
            self.news = Some(News::Broken(why));
        }
    }

    pub(super) fn news(&mut self) -> Option<News> {
        self.news.take()
    }
}
