//! Which table belongs to which stream.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::nodes::Nodes;
use super::table::Table;

/// A stream's table, and how often types are looked at. A copy takes no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) nodes: Arc<Nodes>,
    pub(super) check_every: u32,
    pub(super) told: Told,
}

/// Which fault was told at which path, by a hash. A stream that goes and comes again has the same
/// one, so nothing is told of it twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<HashSet<(usize, u64)>>>);

impl Told {
    pub(super) fn faults(&self) -> MutexGuard<'_, HashSet<(usize, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Told {}

impl Schema {
    /// Beside documents with a new key, one of `check_every` is compared.
    pub fn new(table: Table, check_every: u32) -> Result<Self, String> {
        if table.columns.is_empty() {
            return Err("the table has no columns".to_owned());
        }
        let nodes = Nodes::new(table).ok_or("the table has more than 32,000 columns and fields")?;
        Ok(Self {
            nodes: Arc::new(nodes),
            check_every,
            told: Told::default(),
        })
    }
}

/// The tables of all streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schemas {
    #[default]
    None,
    /// Any stream's.
    One(Schema),
    /// By the streams' names.
    Each(BTreeMap<String, Schema>),
}

impl Schemas {
    pub fn of(&self, stream: &str) -> Option<Schema> {
        match self {
            Self::None => None,
            Self::One(schema) => Some(schema.clone()),
            Self::Each(schemas) => schemas.get(stream).cloned(),
        }
    }
}
