//! The columns that hold all that was seen, and what the operator should know of them.

use firehose_core::schema::glue_type::{GlueType, is_name};
use firehose_core::schema::kind::Kind;
use firehose_core::schema::mapping::Mapping;

use crate::schema::names;
use crate::schema::seen::{Field, Fields, LineNumber, MAX_FIELDS, Sample, Seen};

pub(crate) struct Column {
    pub(crate) name: String,
    /// The key in lower case, where it is not the column's name.
    pub(crate) mapped_key: Option<String>,
    pub(crate) glue_type: GlueType,
}

/// The columns, of which `mapping` names some, and notes in sentences.
pub(crate) fn columns(sample: &Sample, mapping: &Mapping) -> (Vec<Column>, Vec<String>) {
    let mut notes = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for (key, field) in &sample.root {
        let (path, _) = field.key();
        note_spellings(path, field, &mut notes);
        let is_taken = |name: &str| {
            let is_other_key = name != key && sample.root.contains_key(name);
            is_other_key
                || mapping.has_column(name)
                || columns.iter().any(|column| column.name == name)
        };
        let mapped = mapping.column_of(key).map(str::to_owned);
        let Some(name) = mapped.or_else(|| names::column(key, is_taken)) else {
            notes.push(no_name(path, field));
            continue;
        };
        let mapped_key = (name != *key).then(|| key.clone());
        if mapped_key.is_some() {
            notes.push(format!(
                "`{path}` cannot name a column: it fills `{name}`, as ColumnToJsonKeyMappings says"
            ));
        }
        let glue_type = type_of(path, &field.seen, &mut notes);
        columns.push(Column {
            name,
            mapped_key,
            glue_type,
        });
    }
    notes.extend(sample.room.overflow.map(overflow));
    (columns, notes)
}

/// The type that takes all values that were seen there. What is less than sure goes to `notes`.
pub(crate) fn type_of(path: &str, seen: &Seen, notes: &mut Vec<String>) -> GlueType {
    let kinds: Vec<Kind> = seen.kinds.keys().copied().collect();
    let line = seen.kinds.values().next().or(seen.null.as_ref());
    let line = line.copied().unwrap_or_default();
    let plain = match kinds.as_slice() {
        [Kind::Boolean] => "boolean",
        [Kind::Integer] => "bigint",
        [Kind::Fraction] | [Kind::Integer, Kind::Fraction] => "double",
        [Kind::Timestamp] => "timestamp",
        [Kind::Text] | [Kind::OtherTime, Kind::Text] => "string",
        [Kind::Array] => {
            let path = format!("{path}[]");
            let none = Seen::default();
            let items = type_of(&path, seen.items.as_deref().unwrap_or(&none), notes);
            return GlueType::Array(Box::new(items));
        }
        [Kind::Object] => match structure(path, &seen.fields, notes) {
            fields if fields.is_empty() => {
                let reason = format!("no field of it can be kept (line {line})");
                string(path, &reason, notes)
            }
            fields => return GlueType::Struct(fields),
        },
        [Kind::OtherTime] => {
            let reason = format!(
                "a time, but in a form that the conversion refuses as a timestamp (line {line}); \
                 write it in UTC and with Z, as 2026-01-15T10:20:30.123Z"
            );
            string(path, &reason, notes)
        }
        [] if seen.null.is_none() => string(path, "its arrays were empty", notes),
        [] => {
            let reason = format!("it was only null (first in line {line})");
            string(path, &reason, notes)
        }
        _ => {
            let kinds = seen.kinds.iter();
            let kinds = kinds.map(|(kind, line)| format!("{} (line {line})", kind.name()));
            let reason = format!("it was {}", kinds.collect::<Vec<_>>().join(", "));
            string(path, &reason, notes)
        }
    };
    GlueType::plain(plain)
}

fn string(path: &str, reason: &str, notes: &mut Vec<String>) -> &'static str {
    notes.push(format!("`{path}` is string: {reason}"));
    "string"
}

/// Of an object, the fields that a struct can have.
fn structure(path: &str, fields: &Fields, notes: &mut Vec<String>) -> Vec<(String, GlueType)> {
    let mut kept = Vec::new();
    for (key, field) in fields {
        let path = format!("{path}.{}", field.key().0);
        note_spellings(&path, field, notes);
        if is_name(key) {
            kept.push((key.clone(), type_of(&path, &field.seen, notes)));
        } else {
            notes.push(no_name(&path, field));
        }
    }
    kept
}

fn no_name(path: &str, field: &Field) -> String {
    let why = match field.key() {
        ("", _) => "no column has an empty name; rename the key",
        _ => {
            "a field of a struct has lower-case letters, digits and _ in its name; rename the key, \
             or set the plugin's replace_dots if it has dots"
        }
    };
    format!("`{path}` (line {}) is lost: {why}", field.key().1)
}

fn note_spellings(path: &str, field: &Field, notes: &mut Vec<String>) {
    let one_document = collision(path, field);
    let several = || {
        let spellings = spellings(field);
        format!("`{path}` has spellings that are one column: {spellings}")
    };
    notes.extend(one_document.or_else(|| (field.spellings.len() > 1).then(several)));
}

/// A sentence, where one document has two spellings of a key.
fn collision(path: &str, field: &Field) -> Option<String> {
    field.collision.map(|line| {
        let spellings = spellings(field);
        format!(
            "`{path}` (line {line}): one document has two spellings of it, which fails the \
             conversion of the record: {spellings}"
        )
    })
}

fn spellings(field: &Field) -> String {
    let spellings = field.spellings.iter();
    let spellings = spellings.map(|(key, line)| format!("`{key}` (line {line})"));
    spellings.collect::<Vec<_>>().join(", ")
}

/// The collisions of these fields and all below, in sentences.
pub(crate) fn collisions(prefix: &str, fields: &Fields, sentences: &mut Vec<String>) {
    for field in fields.values() {
        let mut path = format!("{prefix}{}", field.key().0);
        sentences.extend(collision(&path, field));
        let mut place = Some(&field.seen);
        while let Some(seen) = place {
            collisions(&format!("{path}."), &seen.fields, sentences);
            path += "[]";
            place = seen.items.as_deref();
        }
    }
}

pub(crate) fn overflow(line: LineNumber) -> String {
    format!(
        "more than {MAX_FIELDS} different keys (line {line}): the rest was not looked at; keys that \
         are data, such as ids, belong into values"
    )
}
