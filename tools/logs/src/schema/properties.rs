//! What any documents come to.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::schema::columns::columns;
use crate::schema::drift::drift;
use crate::schema::mapping::Mapping;
use crate::schema::read::sample;
use crate::schema::{print, table};

const KEYS: &[&str] = &["a", "b", "user", "no", "@c", "d.e"];
const NESTED_KEYS: &[&str] = &["a", "b", "c_1", "user"];

/// Values of each kind, as JSON texts.
const LEAVES: &str = "null|true|7|-9223372036854775809|0.5|\"x\"|\"2026-01-15T10:20:30.123Z\"|\
                      \"2026-01-15 10:20:30\"|\"2026-01-15T10:20:30+09:00\"";

fn value() -> impl Strategy<Value = String> {
    let leaf = select(LEAVES.split('|').collect::<Vec<_>>()).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let items = vec(inner.clone(), 0..4);
        prop_oneof![
            items.prop_map(|items| format!("[{}]", items.join(","))),
            object(NESTED_KEYS, inner),
        ]
    })
}

fn object(
    keys: &'static [&'static str],
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let fields = btree_map(select(keys), value, 0..4);
    fields.prop_map(|fields| {
        let fields = fields
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    })
}

proptest! {
    #[test]
    fn a_table_of_these_columns_loses_nothing(documents in vec(object(KEYS, value()), 1..6)) {
        let sample = sample(&documents);
        let (columns, _) = columns(&sample, &Mapping::default());
        prop_assume!(!columns.is_empty());
        let printed = print::yaml(&columns).replace("\n", "\n    ");
        let text = format!("Table:\n  StorageDescriptor:\n    {printed}");
        let mut table = table::read(&text, None).unwrap();
        for column in &columns {
            if let Some(key) = &column.mapped_key {
                table.mapping.add(&column.name, key);
            }
        }
        let drift = drift(&sample, &table);
        prop_assert!(drift.losses.is_empty() && drift.remarks.is_empty(), "{drift:?}\n{text}");
    }
}
