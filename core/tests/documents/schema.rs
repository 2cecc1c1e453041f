//! What is told of documents that differ from a stream's table.

use std::collections::BTreeMap;

use firehose_core::format::accessor::Accessor;
use firehose_core::format::document::Format;
use firehose_core::pack::batch::Batch;
use firehose_core::pack::packer::{OneChunk, Packer};
use firehose_core::schema::check::{Fault, Finding};
use firehose_core::schema::streams::Schema;
use firehose_core::schema::table;
use firehose_core::schema::watch::{Drift, MOST_TOLD};
use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value;
use serde_json::Value as Json;

use crate::cases;
use crate::packed::{PLAIN, ROOM};

/// A table in the form of `aws glue get-table`.
fn glue(columns: &str) -> String {
    let columns = columns.split("; ").map(|column| {
        let (name, glue_type) = column.split_once(' ').unwrap();
        serde_json::json!({"Name": name, "Type": glue_type, "Comment": "as it is"})
    });
    let columns: Vec<Json> = columns.collect();
    serde_json::json!({"Table": {"Name": "http", "StorageDescriptor": {"Columns": columns}}})
        .to_string()
}

fn schema(text: &str, check_every: u32) -> Schema {
    Schema::new(table::read(text, None).unwrap(), check_every).unwrap()
}

fn packer(schema: Schema) -> Packer {
    let mut packer = Packer::new("logs", PLAIN);
    packer.schema = Some(schema);
    packer
}

/// What a chunk of these events tells, and the documents that it becomes.
fn drift(packer: &mut Packer, format: &Format, events: &[Value]) -> (Drift, Vec<Json>) {
    let mut chunk = Vec::new();
    for event in events {
        let event = Value::Array(vec![1.into(), event.clone()]);
        rmpv::encode::write_value(&mut chunk, &event).unwrap();
    }
    let mut source = OneChunk::new(&chunk);
    let mut batch = Batch::default();
    packer.pack(format, &mut source, ROOM, &mut batch);
    let mut drift = Drift::default();
    for counted in &batch.counted {
        drift.add(&counted.tally.drift);
    }
    let datas = crate::body::datas(&batch.finish());
    let documents = datas
        .iter()
        .map(|data| serde_json::from_slice(data).unwrap());
    (drift, documents.collect())
}

fn event(json: &str) -> Value {
    let json: Json = serde_json::from_str(json).unwrap();
    json_value(&json)
}

/// Numbers as they are: the tests' `serde_json` keeps their text.
fn json_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (None, Some(number), _) => number.into(),
            (.., number) => number.unwrap_or_default().into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().map(json_value).collect()),
        Json::Object(pairs) => {
            let pairs = pairs.iter();
            Value::Map(
                pairs
                    .map(|(key, value)| (key.as_str().into(), json_value(value)))
                    .collect(),
            )
        }
    }
}

fn format() -> Format {
    Format {
        max_bytes: 1_000_000,
        ..Format::default()
    }
}

fn shown(drift: &Drift) -> String {
    let shown = drift
        .findings
        .iter()
        .map(|Finding { path, fault }| match fault {
            Fault::NoColumn(glue_type) => format!("{path} + {glue_type}"),
            Fault::WrongType(what, column) => format!("{path}: {what} in {column}"),
            Fault::SameName => format!("{path} again"),
        });
    shown.collect::<Vec<_>>().join("; ")
}

const COLUMNS: &str = "id int; ts timestamp; at date; ok boolean; cost decimal(10,2); name varchar(20); \
     user struct<Id:bigint,tags:array<string>,geo:struct<lat:double>>; labels map<string,int>; \
     items array<struct<sku:string>>";

#[test]
fn each_difference_is_told_by_its_path() {
    for (document, expected, fails) in [
        (
            r#"{"ID":1,"Ts":"2026-01-15T10:20:30.123Z","ok":true,"cost":1.5,"name":"a"}"#,
            "",
            0,
        ),
        (r#"{"ts":"2026-01-15 10:20:30"}"#, "", 0),
        (r#"{"ts":1768472430123}"#, "", 0),
        (r#"{"ts":"1768472430.5"}"#, "", 0),
        (r#"{"at":"any","id":null,"user":null}"#, "", 0),
        (
            r#"{"user":{"ID":1,"Tags":["a"],"geo":{"lat":1}},"labels":{"A.b":1},"items":[{"sku":""}]}"#,
            "",
            0,
        ),
        (r#"{"name":{"a":1}}"#, "", 0),
        (r#"{"traceId":"a"}"#, "traceId + string", 0),
        (
            r#"{"new":{"a":[1,2.5],"b":{"c":null,"D":true},"e":[]}}"#,
            "new + struct<a:array<double>,b:struct<c:string,d:boolean>,e:array<string>>",
            0,
        ),
        (
            r#"{"new":[{"a":1},{"b":"2026-01-15T10:20:30Z"}]}"#,
            "new + array<struct<a:bigint,b:timestamp>>",
            0,
        ),
        (
            r#"{"a.b":1,"":2,"new":null}"#,
            r#"["a.b"] + bigint; [""] + bigint"#,
            0,
        ),
        (
            r#"{"user":{"plan":"x","geo":{"lon":18446744073709551616}}}"#,
            "user.plan + string; user.geo.lon + double",
            0,
        ),
        (
            r#"{"items":[{"sku":"","price":3}]}"#,
            "items[].price + bigint",
            0,
        ),
        (r#"{"id":2147483648}"#, "id: integer in int", 1),
        (r#"{"id":"1"}"#, "id: text in int", 1),
        (
            r#"{"ts":"2026-01-15T10:20:30+09:00"}"#,
            "ts: time in a form that the conversion refuses in timestamp",
            1,
        ),
        (r#"{"ts":"now"}"#, "ts: text in timestamp", 1),
        (
            r#"{"user":"a","labels":{"b":"x"},"items":{"sku":1}}"#,
            "user: text in struct; labels.*: text in int; items: object in array",
            1,
        ),
        (
            r#"{"user":{"tags":[1],"geo":[1]},"id":{"a":1}}"#,
            "user.geo: array in struct; id: object in int",
            1,
        ),
        (
            r#"{"userId":1,"UserID":2}"#,
            "userId + bigint; UserID + bigint; UserID again",
            1,
        ),
        (r#"{"labels":{"A":1,"a":2}}"#, "labels.* again", 1),
    ] {
        let mut packer = packer(schema(&glue(COLUMNS), 1_000));
        let (drift, _) = drift(&mut packer, &format(), &[event(document)]);
        assert_eq!(shown(&drift), expected, "{document}");
        assert_eq!((drift.checked, drift.failing), (1, fails), "{document}");
    }
}

#[test]
fn what_is_sent_counts() {
    let format = Format {
        data_keys: ["id", "a.b"]
            .map(|key| Accessor::of_option(key).unwrap())
            .to_vec(),
        replace_dots: Some("_".to_owned()),
        ..format()
    };
    let event = event(r#"{"id":1,"a.b":{"c.d":1},"secret":1}"#);
    let mut packer = packer(schema(&glue("id int; a_b struct<e:int>"), 1_000));
    let (drift, _) = drift(&mut packer, &format, &[event]);
    assert_eq!(shown(&drift), "a_b.c_d + bigint");
}

/// The same key again is no other key, and what stood behind it counts.
#[test]
fn keys_that_come_again_are_looked_at() {
    let new = Value::Map(vec![("new".into(), 1.into())]);
    let event = Value::Map(vec![("user".into(), new), ("user".into(), Value::Nil)]);
    let mut packer = packer(schema(&glue(COLUMNS), 1_000));
    let (drift, _) = drift(&mut packer, &format(), &[event]);
    assert_eq!(shown(&drift), "user.new + bigint");
}

/// A new key is told at its first document, a wrong type on the sample, each once.
#[test]
fn keys_are_always_looked_at_and_types_on_a_sample() {
    let right = event(r#"{"id":1,"user":{"geo":{"lat":1}},"labels":{"lat":1}}"#);
    let mut packer = packer(schema(&glue(COLUMNS), 10));
    let mut tell = |event: &Value, number| {
        let events = vec![event.clone(); number];
        drift(&mut packer, &format(), &events).0
    };
    assert_eq!(tell(&right, 1).checked, 1);
    assert_eq!(tell(&right, 9), Drift::default());
    assert_eq!(tell(&right, 20).checked, 2);
    // `lat` is known, but not there, and `labels` has any key.
    let new = event(r#"{"id":1,"user":{"lat":1},"labels":{"new":1}}"#);
    let first = tell(&new, 3);
    assert_eq!(shown(&first), "user.lat + bigint");
    assert_eq!(first.checked, 1);
    let wrong = event(r#"{"id":"x","user":{"lat":1}}"#);
    let second = tell(&wrong, 10);
    assert_eq!(shown(&second), "id: text in int");
    assert_eq!((second.checked, second.failing), (1, 1));
    let third = tell(&wrong, 100);
    assert_eq!(shown(&third), "");
    assert_eq!((third.checked, third.failing), (10, 10));
}

#[test]
fn hostile_keys_are_told_up_to_a_number_and_then_cost_little() {
    let mut packer = packer(schema(&glue("id int"), 1_000_000));
    let mut all = Drift::default();
    for number in 0..10_000 {
        let event = event(&format!(r#"{{"{}{number}":1}}"#, "k".repeat(number % 60)));
        all.add(&drift(&mut packer, &format(), &[event]).0);
    }
    assert_eq!(all.findings.len(), MOST_TOLD);
    assert!(all.is_full);
    assert_eq!(all.checked, MOST_TOLD as u64);
}

/// Ids as keys: one column for each would be no use.
#[test]
fn objects_of_ever_new_keys_become_text() {
    let item = |number: usize| format!(r#"{{"id{number}": {{"a": 1}}}}"#);
    for (count, told) in [
        (
            2,
            "array<struct<id0:struct<a:bigint>,id1:struct<a:bigint>>>",
        ),
        (2_000, "array<string>"),
    ] {
        let items: Vec<String> = (0..count).map(item).collect();
        let event = [event(&format!(r#"{{"new": [{}]}}"#, items.join(",")))];
        let mut packer = packer(schema(&glue("id int"), 1));
        let (drift, _) = drift(&mut packer, &format(), &event);
        assert!(shown(&drift).contains(told), "{}", shown(&drift));
    }
}

#[test]
fn a_stream_that_comes_again_tells_nothing_again() {
    let schema = schema(&glue("id int"), 1);
    let event = [event(r#"{"plan": 1}"#)];
    let told = [(); 2].map(|()| {
        let mut packer = packer(schema.clone());
        drift(&mut packer, &format(), &event).0.findings.len()
    });
    assert_eq!(told, [1, 0]);
}

#[test]
fn a_table_without_columns_is_none() {
    let none = table::read(r#"{"Columns": []}"#, None).unwrap();
    assert_eq!(
        Schema::new(none, 1),
        Err("the table has no columns".to_owned())
    );
}

#[test]
fn a_path_is_short_and_on_one_line() {
    let mut packer = packer(schema(&glue("id int"), 1));
    let key = "a\n\u{2028}`é".to_owned() + &"x".repeat(10_000);
    let event = Value::Map(vec![(key.into(), 1.into())]);
    let (drift, _) = drift(&mut packer, &format(), &[event]);
    let path = &drift.findings[0].path;
    assert!(path.starts_with("a\u{fffd}\u{fffd}\u{fffd}é"), "{path}");
    assert_eq!(path.chars().count(), 256);
}

#[test]
fn both_forms_of_a_table_are_the_same_and_mappings_count() {
    let printed = "# CloudFormation: of the table's StorageDescriptor\nColumns:\n  - Name: \"ts\"\n    \
                   Type: timestamp\n  - Name: \"user\"\n    Type: struct<id:bigint,geo:map<string,double>>\n\
                   # Of the stream's OpenXJsonSerDe:\nColumnToJsonKeyMappings:\n  \"ts\": \"timestamp\"\n\n\
                   -- Athena\nCREATE EXTERNAL TABLE `logs` (\n  `ts` timestamp\n)\n";
    let printed = table::read(printed, None).unwrap();
    let text = glue("ts timestamp; user struct<`id`:bigint, geo:map<string,double>>");
    let mut described: Json = serde_json::from_str(&text).unwrap();
    described["ColumnToJsonKeyMappings"] = serde_json::json!({"ts": "timestamp"});
    let described = table::read(&described.to_string(), None).unwrap();
    assert_eq!(printed.columns, described.columns);
    assert_eq!(printed.mapping, described.mapping);
    let schema = Schema::new(printed, 1).unwrap();
    let event = event(r#"{"Timestamp":"2026-01-15T10:20:30Z","ts":1}"#);
    let (drift, _) = drift(&mut packer(schema), &format(), &[event]);
    assert_eq!(shown(&drift), "ts again");
}

const NAMES: [&str; 7] = [
    "a",
    "A",
    "b",
    "name",
    "Straße",
    "STRASSE",
    "a_name_that_is_longer_than_all_that_are_kept",
];

fn name() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(&NAMES[..]).prop_map(str::to_owned),
        1 => (0..100_u8).prop_map(|number| format!("k{number}")),
    ]
    .boxed()
}

fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<u8>().prop_map(Value::from),
        Just("x".into())
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            3 => pairs(inner),
        ]
    })
    .boxed()
}

fn pairs(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let pair = (name(), value);
    prop::collection::vec(pair, 0..8)
        .prop_map(|pairs| {
            let pairs: BTreeMap<String, Value> = pairs.into_iter().collect();
            let pairs = pairs.into_iter();
            Value::Map(pairs.map(|(key, value)| (key.into(), value)).collect())
        })
        .boxed()
}

/// A struct's fields, as Glue writes them.
fn fields() -> BoxedStrategy<String> {
    let leaf = select(&["int", "string", "map<string,int>"][..]).prop_map(str::to_owned);
    let glue_type = leaf.prop_recursive(3, 30, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| format!("array<{items}>")),
            inner
                .clone()
                .prop_map(|values| format!("map<string,{values}>")),
            fields_of(inner).prop_map(|fields| format!("struct<{fields}>")),
        ]
    });
    fields_of(glue_type)
}

fn fields_of(glue_type: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let field = (name(), glue_type);
    prop::collection::vec(field, 1..6)
        .prop_map(|fields| {
            let fields: BTreeMap<_, _> = fields
                .into_iter()
                .map(|(name, it)| (name.to_lowercase(), it))
                .collect();
            let fields = fields.iter().map(|(name, it)| format!("{name}:{it}"));
            fields.collect::<Vec<_>>().join(",")
        })
        .boxed()
}

/// Splits at commas outside of brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|letter| {
        depth += i32::from(letter == '<') - i32::from(letter == '>');
        letter == ',' && depth == 0
    })
    .collect()
}

/// The paths without a column, whether each was null where it came first. By the text of the type.
/// What leads to a key is in lower case, as its spelling makes no other place.
fn missing(value: &Json, path: &str, glue_type: &str, found: &mut BTreeMap<String, bool>) {
    let inside = |kind| glue_type.strip_prefix(kind)?.strip_suffix('>');
    match value {
        Json::Array(items) => {
            for item in items {
                let items = inside("array<").unwrap_or("");
                missing(item, &format!("{path}[]"), items, found);
            }
        }
        Json::Object(pairs) => {
            for (key, value) in pairs {
                let dot = if path.is_empty() { "" } else { "." };
                if let Some(values) = inside("map<string,") {
                    missing(value, &format!("{path}{dot}*"), values, found);
                } else if let Some(fields) = inside("struct<") {
                    let path = format!("{path}{dot}{key}");
                    let fields = parts(fields);
                    let mut fields = fields.iter().filter_map(|field| field.split_once(':'));
                    match fields.find(|(name, _)| *name == key.to_lowercase()) {
                        Some((_, glue_type)) => {
                            missing(value, &path.to_lowercase(), glue_type, found)
                        }
                        None => _ = found.entry(path).or_insert(value.is_null()),
                    }
                }
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Beside the first document, only those with a new key are compared.
    #[test]
    fn what_is_told_to_be_missing_is_and_what_is_missing_is_told(
        fields in fields(),
        chunks in prop::collection::vec(prop::collection::vec(pairs(value()), 1..4), 1..4),
    ) {
        let columns = parts(&fields).join("; ").replace("; ", "\n");
        let columns: Vec<Json> = columns.lines().map(|field| {
            let (name, glue_type) = field.split_once(':').unwrap();
            serde_json::json!({"Name": name, "Type": glue_type})
        }).collect();
        let text = serde_json::json!({"Columns": columns}).to_string();
        let mut packer = packer(schema(&text, 1_000_000));
        let (mut told, mut expected) = (Vec::new(), BTreeMap::new());
        for events in &chunks {
            let (drift, documents) = drift(&mut packer, &format(), events);
            prop_assume!(drift.findings.len() < 50);
            let is_missing = |finding: &&Finding| matches!(finding.fault, Fault::NoColumn(_));
            let place = |finding: &Finding| match finding.path.rsplit_once('.') {
                Some((outer, key)) => format!("{}.{key}", outer.to_lowercase()),
                None => finding.path.clone(),
            };
            told.extend(drift.findings.iter().filter(is_missing).map(place));
            for document in &documents {
                missing(document, "", &format!("struct<{fields}>"), &mut expected);
            }
        }
        for path in &told {
            prop_assert!(expected.contains_key(path), "{} is there: {}", path, fields);
        }
        for (path, was_null) in &expected {
            prop_assert!(*was_null || told.contains(path), "{} is not told", path);
        }
    }
}
