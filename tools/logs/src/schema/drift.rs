//! What an existing table does to the documents of a sample.

use firehose_core::schema::glue_type::{self, GlueType};
use firehose_core::schema::kind::Kind;
use firehose_core::schema::mapping::Mapping;
use firehose_core::schema::table::Table;

use crate::schema::columns;
use crate::schema::seen::{Field, Fields, LineNumber, Sample, Seen};

/// Sentences, each about one place of the documents.
pub(crate) struct Drift<'t> {
    mapping: &'t Mapping,
    /// What loses data.
    pub(crate) losses: Vec<String>,
    /// What does not.
    pub(crate) remarks: Vec<String>,
}

pub(crate) fn drift<'t>(sample: &Sample, table: &'t Table) -> Drift<'t> {
    let mapping = &table.mapping;
    let mut drift = Drift {
        mapping,
        losses: Vec::new(),
        remarks: Vec::new(),
    };
    drift.fields("", &sample.root, &table.columns);
    columns::collisions("", &sample.root, &mut drift.losses);
    let overflow = sample.room.overflow.map(columns::overflow);
    drift.losses.extend(overflow);
    drift
}

impl Drift<'_> {
    /// Compares the fields of an object with a struct's fields or, without a prefix, a table's columns.
    fn fields(&mut self, prefix: &str, fields: &Fields, known: &[(String, GlueType)]) {
        let is_root = prefix.is_empty();
        let what = if is_root { "column" } else { "field" };
        let name_of = |key: &String| match self.mapping.column_of(key) {
            Some(column) if is_root => column.to_owned(),
            _ => self.mapping.converted(key),
        };
        let names: Vec<String> = fields.keys().map(name_of).collect();
        for (name, field) in names.iter().zip(fields.values()) {
            let path = format!("{prefix}{}", field.key().0);
            match known.iter().find(|(known, _)| known == name) {
                Some((_, glue_type)) => self.value(&path, &field.seen, glue_type),
                None => self.unknown(&path, field, what),
            }
        }
        for (name, glue_type) in known.iter().filter(|(name, _)| !names.contains(name)) {
            self.remarks.push(format!(
                "`{prefix}{name}`: a {what} of type {glue_type} that no document fills"
            ));
        }
    }

    fn unknown(&mut self, path: &str, field: &Field, what: &str) {
        let (_, line) = field.key();
        if field.seen.kinds.is_empty() {
            self.remarks.push(format!(
                "`{path}` (line {line}): no {what}, and only null so far"
            ));
            return;
        }
        let glue_type = columns::type_of(path, &field.seen, &mut Vec::new());
        self.losses.push(format!(
            "`{path}` (line {line}): no {what}, so the conversion drops it without a word; its type is \
             {glue_type}"
        ));
    }

    fn value(&mut self, path: &str, seen: &Seen, glue_type: &GlueType) {
        for (kind, line) in &seen.kinds {
            if glue_type.takes(*kind) == Some(false) {
                self.fails(path, kind.name(), *line, glue_type);
            }
        }
        let below = format!("{path}.");
        match glue_type {
            GlueType::Plain(name) if glue_type.takes(Kind::Text).is_none() => {
                self.remarks.push(format!(
                    "`{path}`: nothing is known here of what {name} takes"
                ));
            }
            GlueType::Plain(name) => {
                let ends = seen.least.into_iter().chain(seen.most);
                for (value, line) in
                    ends.filter(|(value, _)| !glue_type::range(name).contains(value))
                {
                    self.fails(path, &format!("the integer {value}"), line, glue_type);
                }
            }
            GlueType::Array(items) => {
                if let Some(seen) = &seen.items {
                    self.value(&format!("{path}[]"), seen, items);
                }
            }
            GlueType::Map(_, values) => {
                for field in seen.fields.values() {
                    self.value(&(below.clone() + field.key().0), &field.seen, values);
                }
            }
            GlueType::Struct(_) if seen.fields.is_empty() => {}
            GlueType::Struct(fields) => self.fields(&below, &seen.fields, fields),
        }
    }

    fn fails(&mut self, path: &str, what: &str, line: LineNumber, glue_type: &GlueType) {
        self.losses.push(format!(
            "`{path}` (line {line}): {what} where the table has {glue_type}, which fails the \
             conversion of the record"
        ));
    }
}
