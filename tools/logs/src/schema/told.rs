//! The columns that the plugin's log asks for, from its lines about `schema_file`.

use std::path::Path;

use firehose_core::schema::glue_type::{GlueType, is_name};
use firehose_core::schema::infer::merged;
use firehose_core::schema::table::Table;

use crate::lines::Lines;
use crate::schema::columns::Column;
use crate::schema::names;

/// The columns to add, those of the table that get a field more, and notes in sentences.
pub(crate) fn columns(log: &Path, table: &Table) -> Result<(Vec<Column>, Vec<String>), String> {
    let mut lines = Lines::open(log)?;
    let mut root = GlueType::Struct(table.columns.clone());
    let mut keys: Vec<String> = Vec::new();
    let mut notes = Vec::new();
    while let Some((number, line)) = lines.next_line()? {
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        let Some((path, text)) = told(&line) else {
            continue;
        };
        let glue_type = GlueType::parse(text).map_err(|why| format!("line {number}: {why}"))?;
        let steps = steps(path);
        let (Some(Step::Key(key)), inner) = (steps.first(), &steps[1..]) else {
            continue;
        };
        let can_be = |step: &Step| !matches!(step, Step::Key(key) if !is_name(&key.to_lowercase()));
        if !inner.iter().all(can_be) {
            notes.push(format!(
                "`{path}` is lost: no field has such a name; rename the key"
            ));
            continue;
        }
        let key = key.to_lowercase();
        let column = table.mapping.column_of(&key).unwrap_or(&key).to_owned();
        add(
            &mut root,
            &[&[Step::Key(column.clone())], inner].concat(),
            glue_type,
        );
        if !keys.contains(&column) {
            keys.push(column);
        }
    }
    let GlueType::Struct(mut fields) = root else {
        return Err("the table has no columns".to_owned());
    };
    if keys.is_empty() {
        return Err(format!(
            "{} has no line about a key without a column",
            lines.name
        ));
    }
    fields.retain(|(name, _)| keys.contains(name));
    let mut columns: Vec<Column> = Vec::new();
    for (key, glue_type) in fields {
        let is_known = table.columns.iter().any(|(name, _)| *name == key);
        let is_taken = |name: &str| columns.iter().any(|column| column.name == name);
        let name = match is_known {
            true => Some(key.clone()),
            false => names::column(&key, is_taken),
        };
        let Some(name) = name else {
            notes.push("no column has an empty name; rename the key".to_owned());
            continue;
        };
        let mapped_key = (name != key).then_some(key);
        columns.push(Column {
            name,
            mapped_key,
            glue_type,
        });
    }
    Ok((columns, notes))
}

/// A key without a column, and its type.
fn told(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once("schema_file has no column for the key `")?;
    let (path, rest) = rest.split_once("` of tag ")?;
    let (_, glue_type) = rest.rsplit_once(": add it with the type ")?;
    Some((path, glue_type.trim_end()))
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Items,
    Values,
}

/// A key that could be taken for a path stands in brackets and quotes.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, after) = quoted.split_once("\"]").unwrap_or((quoted, ""));
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("[]") {
            steps.push(Step::Items);
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let (key, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            steps.push(match key {
                "*" => Step::Values,
                key => Step::Key(key.to_owned()),
            });
            rest = after;
        }
    }
    steps
}

/// Adds a type below a place, with all that leads to it.
fn add(place: &mut GlueType, steps: &[Step], glue_type: GlueType) {
    let Some((step, inner)) = steps.split_first() else {
        let known = std::mem::replace(place, GlueType::plain("string"));
        *place = match known {
            GlueType::Struct(fields) if fields.is_empty() => glue_type,
            known => merged(known, glue_type),
        };
        return;
    };
    let nothing = || GlueType::Struct(Vec::new());
    match step {
        Step::Key(key) => {
            if !matches!(place, GlueType::Struct(_)) {
                *place = nothing();
            }
            let GlueType::Struct(fields) = place else {
                return;
            };
            let key = key.to_lowercase();
            let at = fields.iter().position(|(name, _)| *name == key);
            let at = at.unwrap_or_else(|| {
                fields.push((key, nothing()));
                fields.len() - 1
            });
            add(&mut fields[at].1, inner, glue_type);
        }
        Step::Items => {
            if !matches!(place, GlueType::Array(_)) {
                *place = GlueType::Array(Box::new(nothing()));
            }
            if let GlueType::Array(items) = place {
                add(items, inner, glue_type);
            }
        }
        Step::Values => {
            if !matches!(place, GlueType::Map(..)) {
                let keys = Box::new(GlueType::plain("string"));
                *place = GlueType::Map(keys, Box::new(nothing()));
            }
            if let GlueType::Map(_, values) = place {
                add(values, inner, glue_type);
            }
        }
    }
}
