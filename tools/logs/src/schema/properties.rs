//! Properties of the columns, for any documents.

use proptest::prelude::*;
use serde_json::Value;

use crate::schema::columns::{Column, columns};
use crate::schema::drift::drift;
use crate::schema::glue_type::GlueType;
use crate::schema::mapping::Mapping;
use crate::schema::print;
use crate::schema::read::sample;
use crate::schema::table;
use crate::schema::timestamp::{self, Reading};

/// JSON texts of values, with objects of these keys.
fn value(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just("x".to_owned()),
        Just("2026-01-15T10:20:30.123Z".to_owned()),
        Just("2026-01-15 10:20:30".to_owned()),
        Just("2026-01-15T10:20:30+09:00".to_owned()),
        "\\PC{0,3}",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<i128>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| Value::from(value).to_string()),
        text.prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| format!("[{}]", values.join(","))),
            object(keys, inner),
        ]
    })
}

fn object(
    keys: &'static [&'static str],
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let fields = prop::collection::btree_map(prop::sample::select(keys), value, 0..4);
    fields.prop_map(|fields| {
        let fields: Vec<String> = fields
            .iter()
            .map(|(key, value)| format!("{}:{value}", Value::from(*key)))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}

fn documents(
    top: &'static [&'static str],
    nested: &'static [&'static str],
) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(object(top, value(nested)), 1..6)
}

fn columns_of(documents: &[String]) -> Vec<Column> {
    let lines: Vec<&str> = documents.iter().map(String::as_str).collect();
    columns(&sample(&lines), &Mapping::default()).0
}

/// The names and types, whatever order the fields came in.
fn in_order(documents: &[String]) -> Vec<(String, GlueType)> {
    fn sorted(glue_type: GlueType) -> GlueType {
        match glue_type {
            GlueType::Struct(fields) => {
                let mut fields: Vec<_> = fields
                    .into_iter()
                    .map(|(name, glue_type)| (name, sorted(glue_type)))
                    .collect();
                fields.sort_by(|(a, _), (b, _)| a.cmp(b));
                GlueType::Struct(fields)
            }
            GlueType::Array(items) => GlueType::Array(Box::new(sorted(*items))),
            other => other,
        }
    }
    let columns = columns_of(documents).into_iter();
    let mut columns: Vec<_> = columns
        .map(|column| (column.name, sorted(column.glue_type)))
        .collect();
    columns.sort_by(|(a, _), (b, _)| a.cmp(b));
    columns
}

/// Whether a type holds a value without losing any of it but keys that nothing can hold.
fn holds(glue_type: &GlueType, value: &Value) -> bool {
    match (glue_type, value) {
        (GlueType::Text(_), _) | (_, Value::Null) => true,
        (GlueType::Boolean, Value::Bool(_)) => true,
        (GlueType::Integer(64), Value::Number(number)) => number.as_str().parse::<i64>().is_ok(),
        (GlueType::Number(name), Value::Number(_)) => name == "double",
        (GlueType::Timestamp, Value::String(text)) => timestamp::read(text) == Reading::Accepted,
        (GlueType::Array(items), Value::Array(values)) => {
            values.iter().all(|value| holds(items, value))
        }
        (GlueType::Struct(fields), Value::Object(object)) => object.iter().all(|(key, value)| {
            let field = fields
                .iter()
                .find(|(name, _)| *name == key.to_ascii_lowercase());
            match field {
                Some((_, glue_type)) => holds(glue_type, value),
                None => ["p-q", ""].contains(&key.as_str()),
            }
        }),
        _ => false,
    }
}

const ANY_KEYS: &[&str] = &["a", "A", "b", "timestamp", "p-q", "이", ""];
const NESTED_KEYS: &[&str] = &["a", "A", "b", "p-q", ""];
const PLAIN_KEYS: &[&str] = &["a", "b", "user", "no", "@c", "d.e"];
const PLAIN_NESTED_KEYS: &[&str] = &["a", "b", "c_1", "user"];

proptest! {
    /// Joining types is commutative, associative and idempotent.
    #[test]
    fn neither_order_nor_repetition_of_documents_matters(
        documents in documents(ANY_KEYS, NESTED_KEYS),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut others = documents.clone();
        others.rotate_left(seed.index(documents.len()));
        others.extend(documents.iter().rev().cloned());
        prop_assert_eq!(in_order(&documents), in_order(&others));
    }

    #[test]
    fn a_column_holds_every_value_of_its_key(documents in documents(ANY_KEYS, NESTED_KEYS)) {
        let columns = columns_of(&documents);
        for document in &documents {
            let document: Value = serde_json::from_str(document).unwrap();
            for (key, value) in document.as_object().unwrap() {
                let key = key.to_lowercase();
                let column = columns.iter().find(|column| {
                    *column.mapped_key.as_ref().unwrap_or(&column.name) == key
                });
                match column {
                    Some(column) => prop_assert!(holds(&column.glue_type, value), "{key} {column:?}"),
                    None => prop_assert_eq!(key, ""),
                }
            }
        }
    }

    #[test]
    fn a_table_of_these_columns_loses_nothing(
        documents in documents(PLAIN_KEYS, PLAIN_NESTED_KEYS),
    ) {
        let columns = columns_of(&documents);
        prop_assume!(!columns.is_empty());
        let printed = print::yaml(&columns).replace("\n", "\n    ");
        let text = format!("Table:\n  StorageDescriptor:\n    {printed}");
        let mut table = table::read(&text, None).unwrap();
        for column in &columns {
            if let Some(key) = &column.mapped_key {
                table.mapping.add(&column.name, key);
            }
        }
        let lines: Vec<&str> = documents.iter().map(String::as_str).collect();
        let drift = drift(&sample(&lines), &table);
        prop_assert!(drift.losses.is_empty() && drift.remarks.is_empty(), "{drift:?}\n{text}");
    }
}
