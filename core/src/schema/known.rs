//! Notices keys that were not looked at before, while a document is written.
//!
//! A key whose text has a bit of its own (`format::keys`) costs nothing: each object of the table
//! has a mask of the bits that were looked at there, which is compared once for a whole object. All
//! other keys are found by a hash of their text.

use std::sync::Arc;

use super::check::unquoted;
use super::nodes::{Id, NOWHERE, Node, Nodes, ROOT};
use crate::format::keys::KeyText;

/// Keeps the keys of one place apart from those of another.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug)]
pub(super) struct Known {
    nodes: Arc<Nodes>,
    /// One for each node.
    places: Vec<Place>,
    /// The structs that have a bit in their mask.
    marked: Vec<Id>,
    texts: Texts,
    /// The node of the innermost container that is open, and those of the containers around it.
    open: Id,
    around: Vec<Id>,
    /// A key without a column is nothing new, as no more can be told.
    pub(super) is_full: bool,
}

#[derive(Debug)]
struct Place {
    /// The bits of keys that were looked at there. Where keys are data, or none are: all.
    mask: u64,
    /// Which container of the table begins behind the key with each bit, and last, behind a key
    /// without a bit of its own. In an array or a map, the same everywhere.
    below: Box<[Below; 65]>,
    is_struct: bool,
}

/// A node, if it is a container; one bit tells whether that is an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Below(u16);

impl Below {
    fn new(id: Id, nodes: &Nodes) -> Self {
        match nodes.get(id) {
            Node::Plain(_) => Self::default(),
            Node::Array(_) => Self(id << 1),
            Node::Map(_) | Node::Struct(_) => Self(id << 1 | 1),
        }
    }

    #[inline(always)]
    fn opened(self, is_map: bool) -> Id {
        match self.0 & 1 == u16::from(is_map) {
            true => self.0 >> 1,
            false => NOWHERE,
        }
    }
}

impl Place {
    fn new(node: &Node, nodes: &Nodes) -> Self {
        let (is_struct, below) = match node {
            Node::Struct(_) => (true, NOWHERE),
            Node::Array(inside) | Node::Map(inside) => (false, *inside),
            Node::Plain(_) => (false, NOWHERE),
        };
        Self {
            mask: if is_struct { 0 } else { u64::MAX },
            below: Box::new([Below::new(below, nodes); 65]),
            is_struct,
        }
    }
}

impl Known {
    pub(super) fn new(nodes: Arc<Nodes>) -> Self {
        Self {
            places: nodes.all().map(|node| Place::new(node, &nodes)).collect(),
            nodes,
            marked: Vec::new(),
            texts: Texts::default(),
            open: ROOT,
            around: Vec::new(),
            is_full: false,
        }
    }

    pub(super) fn begin(&mut self) {
        self.open = ROOT;
        self.around.clear();
        for id in self.marked.drain(..) {
            self.places[usize::from(id)].mask = 0;
        }
    }

    fn place(&mut self, id: Id) -> &mut Place {
        &mut self.places[usize::from(id)]
    }

    /// Looks at a key of the open container, unless it was before; true if there may be something to
    /// tell of it. One without a bit of its own has the bit 0.
    pub(super) fn key(&mut self, text: &KeyText<'_>, bit: u64) -> bool {
        let id = self.open;
        if self.place(id).mask & bit != 0 {
            return false;
        }
        let hash = text.hash.wrapping_add(u64::from(id).wrapping_mul(FACTOR));
        let (below, is_new) = match self.texts.get(hash) {
            Some(below) => (below, false),
            None => self.new_key(id, text.bytes, hash),
        };
        let place = self.place(id);
        if place.is_struct {
            place.below[bit.trailing_zeros() as usize] = below;
            let is_first = place.mask == 0;
            place.mask |= bit;
            if is_first {
                self.marked.push(id);
            }
        }
        is_new
    }

    #[cold]
    fn new_key(&mut self, id: Id, text: &[u8], hash: u64) -> (Below, bool) {
        if !self.place(id).is_struct {
            return (Below::default(), false);
        }
        let key = unquoted(text.strip_suffix(b":").unwrap_or(text));
        let found = self.nodes.find(id, &self.nodes.name(id, &key));
        let below = Below::new(found.unwrap_or(NOWHERE), &self.nodes);
        self.texts.insert(hash, below);
        (below, found.is_some() || !self.is_full)
    }

    /// Whether one of these bits was not looked at in the open container.
    #[inline(always)]
    pub(super) fn misses(&self, bits: u64) -> bool {
        bits & !self.places[usize::from(self.open)].mask != 0
    }

    #[inline(always)]
    pub(super) fn open(&mut self, bit: u64, is_map: bool) {
        let below = &self.places[usize::from(self.open)].below;
        let below = below[bit.trailing_zeros() as usize];
        self.around.push(self.open);
        self.open = below.opened(is_map);
    }

    #[inline(always)]
    pub(super) fn close(&mut self) {
        self.open = self.around.pop().unwrap_or(NOWHERE);
    }
}

/// Keys by a hash of their text and place, with what is below each.
#[derive(Debug)]
struct Texts {
    /// A hash of 0 is an empty place.
    places: Box<[(u64, Below); PLACES]>,
    count: usize,
}

/// More than a table usually has of keys; 64 KiB.
const PLACES: usize = 4096;

impl Default for Texts {
    fn default() -> Self {
        Self {
            places: Box::new([(0, Below(0)); PLACES]),
            count: 0,
        }
    }
}

impl Texts {
    #[inline]
    fn get(&self, hash: u64) -> Option<Below> {
        let mut at = hash as usize % PLACES;
        loop {
            let (known, below) = self.places[at];
            if known == hash {
                return Some(below);
            }
            if known == 0 {
                return None;
            }
            at = (at + 1) % PLACES;
        }
    }

    /// Begins anew where there is no more room, so a search finds an empty place soon.
    fn insert(&mut self, hash: u64, below: Below) {
        if self.count == PLACES / 2 {
            self.places.fill((0, Below(0)));
            self.count = 0;
        }
        let mut at = hash as usize % PLACES;
        while self.places[at].0 != 0 {
            at = (at + 1) % PLACES;
        }
        self.places[at] = (hash, below);
        self.count += 1;
    }
}
