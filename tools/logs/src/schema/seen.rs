//! What was seen of the sample: kinds of values and where each came first, never the values.

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use crate::schema::timestamp::{self, Reading};

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
    first: [Option<LineNumber>; Kind::ALL.len()],
    /// The least and the most of `Kind::Integer`.
    pub(crate) least: Option<(i64, LineNumber)>,
    pub(crate) most: Option<(i64, LineNumber)>,
    /// Of `Kind::Object`.
    pub(crate) fields: Fields,
    /// Of `Kind::Array`.
    pub(crate) items: Option<Box<Seen>>,
}

/// What a value is to the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    /// Of 64 bits.
    Integer,
    HugeInteger,
    /// With a fraction or an exponent.
    Fraction,
    /// Text in a form that the conversion reads as a timestamp.
    Timestamp,
    /// Text that begins as a time does, in another form.
    OtherTime,
    Text,
    Object,
    Array,
}

// === impl Sample ===

impl Sample {
    pub(crate) fn add(&mut self, document: &Map<String, Value>, line: LineNumber) {
        self.documents += 1;
        let mut room = Room {
            left: MAX_FIELDS - self.fields,
            overflow: self.overflow,
        };
        add_fields(&mut self.root, document, line, &mut room);
        self.fields = MAX_FIELDS - room.left;
        self.overflow = room.overflow;
    }
}

/// For how many more fields there is room.
struct Room {
    left: usize,
    overflow: Option<LineNumber>,
}

fn add_fields(fields: &mut Fields, object: &Map<String, Value>, line: LineNumber, room: &mut Room) {
    for (key, value) in object {
        let name = key.to_lowercase();
        if !fields.contains_key(&name) {
            if room.left == 0 {
                room.overflow.get_or_insert(line);
                continue;
            }
            room.left -= 1;
        }
        let field = fields.entry(name).or_default();
        field.spell(key, object, line);
        field.seen.add(value, line, room);
    }
}

// === impl Field ===

impl Field {
    /// As it was spelled first.
    pub(crate) fn key(&self) -> &str {
        &self.spellings[0].0
    }

    fn spell(&mut self, key: &str, object: &Map<String, Value>, line: LineNumber) {
        // Mostly there is one spelling only, and nothing to look for.
        if matches!(self.spellings.as_slice(), [(known, _)] if known == key) {
            return;
        }
        if self.spellings.len() < MAX_SPELLINGS
            && self.spellings.iter().all(|(known, _)| known != key)
        {
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
        let kind = Kind::of(value);
        self.first[kind as usize].get_or_insert(line);
        match value {
            Value::Number(number) => self.widen(number, line),
            Value::Object(object) => add_fields(&mut self.fields, object, line, room),
            Value::Array(values) => {
                let items = self.items.get_or_insert_default();
                for value in values {
                    items.add(value, line, room);
                }
            }
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    fn widen(&mut self, number: &Number, line: LineNumber) {
        let Some(value) = number.as_i64() else { return };
        if self.least.is_none_or(|(least, _)| value < least) {
            self.least = Some((value, line));
        }
        if self.most.is_none_or(|(most, _)| value > most) {
            self.most = Some((value, line));
        }
    }

    /// The kinds that were seen but null, each with its first line, in the order of `Kind`.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (Kind, LineNumber)> {
        let all = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Null);
        all.filter_map(|kind| Some((kind, self.first[kind as usize]?)))
    }

    /// The first line in which anything was here, null too.
    pub(crate) fn first_line(&self) -> Option<LineNumber> {
        self.first.iter().flatten().min().copied()
    }
}

// === impl Kind ===

impl Kind {
    const ALL: [Kind; 10] = [
        Kind::Null,
        Kind::Boolean,
        Kind::Integer,
        Kind::HugeInteger,
        Kind::Fraction,
        Kind::Timestamp,
        Kind::OtherTime,
        Kind::Text,
        Kind::Object,
        Kind::Array,
    ];

    fn of(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(number) if number.as_i64().is_some() => Kind::Integer,
            Value::Number(number) if number.as_str().contains(['.', 'e', 'E']) => Kind::Fraction,
            Value::Number(_) => Kind::HugeInteger,
            Value::String(text) => match timestamp::read(text) {
                Reading::Accepted => Kind::Timestamp,
                Reading::Refused => Kind::OtherTime,
                Reading::NoTime => Kind::Text,
            },
            Value::Object(_) => Kind::Object,
            Value::Array(_) => Kind::Array,
        }
    }

    /// In a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::HugeInteger => "integer beyond 64 bits",
            Kind::Fraction => "fraction",
            Kind::Timestamp => "timestamp",
            Kind::OtherTime => "time in a form that the conversion refuses",
            Kind::Text => "text",
            Kind::Object => "object",
            Kind::Array => "array",
        }
    }
}
