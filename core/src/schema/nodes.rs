//! A table laid out for looking keys up: each place that may have a value is a node.

use std::collections::HashMap;

use super::glue_type::{self, GlueType};
use super::kind::Kind;
use super::mapping::Mapping;
use super::table::Table;

/// Below 32,768, as `known` needs a bit of it.
pub(super) type Id = u16;

/// Below what the table does not know, and below what is no container in it.
pub(super) const NOWHERE: Id = 0;
/// The documents themselves.
pub(super) const ROOT: Id = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    mapping: Mapping,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Plain(String),
    Array(Id),
    /// The keys are data.
    Map(Id),
    /// By the names of the fields.
    Struct(HashMap<String, Id>),
}

impl Nodes {
    /// None, if there are more than can be numbered.
    pub(super) fn new(table: Table) -> Option<Self> {
        let mut nodes = Self {
            nodes: vec![Node::Plain(String::new())],
            mapping: table.mapping,
        };
        nodes.add(&GlueType::Struct(table.columns))?;
        Some(nodes)
    }

    /// A container stands before what is in it, so the documents are the first.
    fn add(&mut self, glue_type: &GlueType) -> Option<Id> {
        let id = i16::try_from(self.nodes.len()).ok()?.cast_unsigned();
        self.nodes.push(Node::Plain(String::new()));
        let node = match glue_type {
            GlueType::Plain(name) => Node::Plain(name.clone()),
            GlueType::Array(items) => Node::Array(self.add(items)?),
            GlueType::Map(_, values) => Node::Map(self.add(values)?),
            GlueType::Struct(fields) => {
                let mut ids = HashMap::new();
                for (name, glue_type) in fields {
                    ids.insert(name.clone(), self.add(glue_type)?);
                }
                Node::Struct(ids)
            }
        };
        self.nodes[usize::from(id)] = node;
        Some(id)
    }

    /// In the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(super) fn get(&self, id: Id) -> &Node {
        &self.nodes[usize::from(id)]
    }

    /// The node of a column or field.
    pub(super) fn find(&self, struct_id: Id, name: &str) -> Option<Id> {
        match self.get(struct_id) {
            Node::Struct(fields) => fields.get(name).copied(),
            _ => None,
        }
    }

    /// The name by which a key is looked for, as the conversion does it.
    pub(super) fn name(&self, struct_id: Id, key: &str) -> String {
        let key = key.to_lowercase();
        match self.mapping.column_of(&key) {
            Some(column) if struct_id == ROOT => column.to_owned(),
            _ => self.mapping.converted(&key),
        }
    }
}

impl Node {
    /// None, whatever the value, if nothing is known of the type.
    pub(super) fn takes(&self, kind: Kind) -> Option<bool> {
        match self {
            Self::Plain(name) => glue_type::plain_takes(name, kind),
            Self::Array(_) => Some(kind == Kind::Array),
            Self::Map(_) | Self::Struct(_) => Some(kind == Kind::Object),
        }
    }

    /// In a sentence.
    pub(super) fn type_name(&self) -> &str {
        match self {
            Self::Plain(name) => name,
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Struct(_) => "struct",
        }
    }
}
