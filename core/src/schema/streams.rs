//! Which table belongs to which stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::nodes::Nodes;
use super::table::Table;

/// A stream's table, and how often types are looked at. A copy takes no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) nodes: Arc<Nodes>,
    pub(super) check_every: u32,
}

impl Schema {
    /// Beside documents with a new key, one of `check_every` is compared.
    pub fn new(table: Table, check_every: u32) -> Result<Self, String> {
        let nodes = Nodes::new(table).ok_or("the table has more than 32,000 columns and fields")?;
        Ok(Self {
            nodes: Arc::new(nodes),
            check_every,
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
