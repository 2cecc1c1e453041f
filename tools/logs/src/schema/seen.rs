//! What was seen of the sample: kinds of values and where each came first, never the values.

use std::collections::BTreeMap;

use firehose_core::schema::kind::Kind;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Fields at most, at all depths together. Keys that are data, such as user ids, would otherwise
/// fill the memory.
pub(crate) const MAX_FIELDS: usize = 10_000;
/// How many spellings of one key are kept, to be told.
const MAX_SPELLINGS: usize = 4;

/// A line's number, from 1.
pub(crate) type LineNumber = u64;

/// All documents of a sample.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) documents: u64,
    pub(crate) root: Fields,
    pub(crate) room: Room,
}

#[derive(Debug, Default)]
pub(crate) struct Room {
    /// How many there are.
    fields: usize,
    /// The first line with a key that had no room any more.
    pub(crate) overflow: Option<LineNumber>,
}

/// The fields of an object, by their keys in lower case, in the order in which they appeared.
pub(crate) type Fields = IndexMap<String, Field>;

#[derive(Debug, Default)]
pub(crate) struct Field {
    /// As they are in the documents, each with its first line.
    pub(crate) spellings: Vec<(String, LineNumber)>,
    /// The first line in which one object had two spellings: one value of the two is lost.
    pub(crate) collision: Option<LineNumber>,
    pub(crate) seen: Seen,
}

/// What was seen at one place of the documents.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Each with its first line.
    pub(crate) kinds: BTreeMap<Kind, LineNumber>,
    /// The first line with null, which is of any kind.
    pub(crate) null: Option<LineNumber>,
    /// The least and the most of `Kind::Integer`.
    pub(crate) least: Option<(i64, LineNumber)>,
    pub(crate) most: Option<(i64, LineNumber)>,
    /// Of `Kind::Object`.
    pub(crate) fields: Fields,
    /// Of `Kind::Array`.
    pub(crate) items: Option<Box<Seen>>,
}

// === impl Sample ===

impl Sample {
    pub(crate) fn add(&mut self, document: &Map<String, Value>, line: LineNumber) {
        self.documents += 1;
        add_fields(&mut self.root, document, line, &mut self.room);
    }
}

fn add_fields(fields: &mut Fields, object: &Map<String, Value>, line: LineNumber, room: &mut Room) {
    for (key, value) in object {
        let name = key.to_lowercase();
        if !fields.contains_key(&name) {
            if room.fields == MAX_FIELDS {
                room.overflow.get_or_insert(line);
                continue;
            }
            room.fields += 1;
        }
        let field = fields.entry(name).or_default();
        field.spell(key, object, line);
        field.seen.add(value, line, room);
    }
}

// === impl Field ===

impl Field {
    /// As it was spelled first, and where.
    pub(crate) fn key(&self) -> (&str, LineNumber) {
        let (key, line) = &self.spellings[0];
        (key, *line)
    }

    fn spell(&mut self, key: &str, object: &Map<String, Value>, line: LineNumber) {
        // Mostly there is one spelling only, and nothing to look for.
        if matches!(self.spellings.as_slice(), [(known, _)] if known == key) {
            return;
        }
        let is_known = self.spellings.iter().any(|(known, _)| known == key);
        if !is_known && self.spellings.len() < MAX_SPELLINGS {
            self.spellings.push((key.to_owned(), line));
        }
        let name = key.to_lowercase();
        if self.collision.is_none() && object.keys().any(|k| k != key && k.to_lowercase() == name) {
            self.collision = Some(line);
        }
    }
}

// === impl Seen ===

impl Seen {
    fn add(&mut self, value: &Value, line: LineNumber, room: &mut Room) {
        let Some(kind) = kind_of(value) else {
            self.null.get_or_insert(line);
            return;
        };
        self.kinds.entry(kind).or_insert(line);
        if let Some(number) = value.as_i64() {
            if self.least.is_none_or(|(least, _)| number < least) {
                self.least = Some((number, line));
            }
            if self.most.is_none_or(|(most, _)| number > most) {
                self.most = Some((number, line));
            }
        } else if let Value::Object(object) = value {
            add_fields(&mut self.fields, object, line, room);
        } else if let Value::Array(values) = value {
            let items = self.items.get_or_insert_default();
            for value in values {
                items.add(value, line, room);
            }
        }
    }
}

/// None for null.
fn kind_of(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(number) => Kind::of_number(number.as_str()),
        Value::String(text) => Kind::of_text(text),
        Value::Object(_) => Kind::Object,
        Value::Array(_) => Kind::Array,
    })
}
