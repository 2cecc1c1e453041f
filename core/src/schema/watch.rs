//! Decides which documents of a stream are compared with its table, and remembers what was told.

use std::mem;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::check::{Checker, Fault, Finding};
use super::known::Known;
use super::streams::Schema;
use crate::format::keys::{KeyText, Keys};

/// What the log and the metrics are to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Documents that were compared with the table.
    pub checked: u64,
    /// Those of them that fail the conversion.
    pub failing: u64,
    pub findings: Vec<Finding>,
    /// No more findings are told.
    pub is_full: bool,
}

impl Drift {
    pub fn add(&mut self, other: &Self) {
        self.checked += other.checked;
        self.failing += other.failing;
        self.findings.extend_from_slice(&other.findings);
        self.is_full |= other.is_full;
    }
}

/// What is known of one stream's documents. It takes as much memory however many keys there are.
#[derive(Debug)]
pub struct Watch {
    schema: Schema,
    known: Known,
    checker: Checker,
    /// How many documents are left until one is compared.
    left: u32,
    drift: Drift,
}

/// How many findings are told of a stream. A table that lacks more is not the stream's.
pub const MOST_TOLD: usize = 1_000;

/// How many are told at once: half of the lines that may wait for the host's log.
const MOST_AT_ONCE: usize = 50;

impl Watch {
    pub fn new(schema: Schema) -> Self {
        Self {
            known: Known::new(Arc::clone(&schema.nodes)),
            schema,
            checker: Checker::default(),
            left: 1,
            drift: Drift::default(),
        }
    }

    /// Takes what is new since the last time.
    pub fn take(&mut self) -> Drift {
        mem::take(&mut self.drift)
    }

    /// The bits of keys stand for other texts from now on, and no container is open.
    pub(crate) fn begin(&mut self) {
        self.known.begin();
    }

    /// Looks at a key, unless it was before. One without a bit of its own has the bit 0.
    #[inline(never)]
    pub(crate) fn key(&mut self, text: &KeyText<'_>, bit: u64) {
        if self.known.key(text, bit) {
            self.left = 1;
        }
    }

    /// A container begins, behind the key with this bit or as an element of an array.
    #[inline(always)]
    pub(crate) fn open(&mut self, bit: u64, is_map: bool, keys: &Keys) {
        if self.known.misses(bit) {
            self.look_at(bit, keys);
        }
        self.known.open(bit, is_map);
    }

    /// A container ends, which had the keys with these bits.
    #[inline(always)]
    pub(crate) fn close(&mut self, bits: u64, keys: &Keys) {
        if self.known.misses(bits) {
            self.look_at(bits, keys);
        }
        self.known.close();
    }

    /// Looks at keys of the open object that were met before, but at another place.
    #[cold]
    #[inline(never)]
    fn look_at(&mut self, bits: u64, keys: &Keys) {
        let each = (0..u64::BITS).map(|number| 1 << number);
        for bit in each.filter(|bit| bits & bit != 0) {
            if let Some(text) = keys.text_of(bit) {
                self.key(&KeyText::new(&text), bit);
            }
        }
    }

    /// A document is written: neither cut, nor rid of keys that come again.
    #[inline]
    pub(crate) fn written(&mut self, document: &[u8]) {
        self.left -= 1;
        if self.left == 0 {
            self.check(document);
        }
    }

    #[cold]
    fn check(&mut self, document: &[u8]) {
        self.left = self.schema.check_every;
        let mut told = self.schema.told.faults();
        let drift = &mut self.drift;
        let mut fails = false;
        let mut found = |path: String, fault: Fault| {
            fails |= !matches!(fault, Fault::NoColumn(_));
            if told.len() == MOST_TOLD || drift.findings.len() == MOST_AT_ONCE {
                return;
            }
            if told.insert((fault.number(), xxh3_64(path.as_bytes()))) {
                drift.is_full |= told.len() == MOST_TOLD;
                drift.findings.push(Finding { path, fault });
            }
        };
        self.checker.check(&self.schema.nodes, document, &mut found);
        self.drift.checked += 1;
        self.drift.failing += u64::from(fails);
        self.known.is_full = told.len() == MOST_TOLD;
    }
}
