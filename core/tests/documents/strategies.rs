//! Chunks and options, such as hosts and users make them and such as nobody would.

use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value;

use crate::model::{Options, Place, Step};

/// Keys that options name too, so that they meet.
const NAMES: [&str; 8] = [
    "log", "log.text", "log_text", "a", "a.b", "time", "at.time", "ключ",
];

const TIME_FORMATS: [&str; 5] = [
    "%Y-%m-%dT%H:%M:%S.%3NZ",
    "%Y-%m-%d %H:%M:%S",
    "%s.%9N",
    "%L|%f|%6N %e %b",
    "at \"%S\"",
];

const BROKEN_UTF8: [&[u8]; 6] = [
    b"\xff",
    b"a\xc3",
    b"\xe6\x97.",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf0\x9f\x98\xff",
];

/// The values of a chunk and the bytes of each.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) values: Vec<Vec<u8>>,
}

impl Chunk {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.values.concat()
    }

    /// The start of the value that holds the byte at `offset`.
    pub(crate) fn start_of(&self, offset: usize) -> usize {
        let mut start = 0;
        for value in &self.values {
            if offset < start + value.len() {
                break;
            }
            start += value.len();
        }
        start
    }
}

pub(crate) fn chunk() -> BoxedStrategy<Chunk> {
    let value = prop_oneof![
        12 => event(),
        6 => group_marker(),
        1 => not_event(),
    ];
    let encoded = (value, any::<bool>()).prop_map(|(value, wide)| {
        let mut bytes = Vec::new();
        push(&value, wide, &mut bytes);
        bytes
    });
    prop::collection::vec(encoded, 0..12)
        .prop_map(|values| Chunk { values })
        .boxed()
}

/// Events with large maps, in which keys come again, in other forms of msgpack too.
pub(crate) fn chunk_of_doubles() -> BoxedStrategy<Chunk> {
    let key = prop_oneof![
        (0..90_u8).prop_map(Value::from),
        (0..90_u8).prop_map(|number| Value::from(number.to_string())),
        (0..90_u8).prop_map(|number| Value::Binary(number.to_string().into_bytes())),
        select(&NAMES[..]).prop_map(Value::from),
        (0..4_u8)
            .prop_map(|number| format!("a.name.longer.than.those.that.are.kept.{number}").into()),
    ]
    .boxed();
    let leaf = any::<u8>().prop_map(Value::from);
    let value = leaf.prop_recursive(2, 200, 50, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            4 => prop::collection::vec((key.clone(), inner), 0..50).prop_map(Value::Map),
        ]
    });
    let encoded = (time(), value).prop_map(|(time, value)| {
        let mut bytes = Vec::new();
        push(&pair(time, value), false, &mut bytes);
        bytes
    });
    prop::collection::vec(encoded, 0..6)
        .prop_map(|values| Chunk { values })
        .boxed()
}

pub(crate) fn options() -> BoxedStrategy<Options> {
    let name = || select(&NAMES[..]).prop_map(str::to_owned);
    let time_key = (name(), select(&TIME_FORMATS[..]).prop_map(str::to_owned));
    let added = (
        prop::option::of(name()),
        prop::option::of(name()),
        prop::option::of(time_key),
    );
    let log_or_added = prop_oneof![
        3 => place().prop_map(|place| (Some(place), (None, None, None))),
        5 => added.prop_map(|added| (None, added)),
    ];
    let data_keys = prop_oneof![Just(Vec::new()), prop::collection::vec(place(), 1..6)];
    let replacement = select(&["_", "-", "__", "\"", "é", ".."][..]).prop_map(str::to_owned);
    (data_keys, log_or_added, prop::option::of(replacement))
        .prop_map(|(data_keys, (log_key, added), replace_dots)| {
            let (metadata_key, group_key, time_key) = added;
            Options {
                data_keys,
                log_key,
                metadata_key,
                group_key,
                time_key,
                replace_dots,
            }
        })
        .prop_filter("a key is added twice", |options| {
            let time_key = options.time_key.as_ref().map(|(key, _)| key);
            let keys = [
                options.metadata_key.as_ref(),
                options.group_key.as_ref(),
                time_key,
            ];
            let dot = options.replace_dots.as_deref().unwrap_or(".");
            let written: Vec<_> = keys
                .into_iter()
                .flatten()
                .map(|key| key.replace('.', dot))
                .collect();
            (1..written.len()).all(|index| !written[..index].contains(&written[index]))
        })
        .boxed()
}

/// A key as it is, or a place below one.
fn place() -> BoxedStrategy<Place> {
    let step = prop_oneof![
        4 => select(&NAMES[..]).prop_map(|name| Step::Key(name.to_owned())),
        1 => (0..3_usize).prop_map(Step::Index),
    ];
    let nested = (
        select(&["log", "log_text", "a", "time"][..]),
        prop::collection::vec(step, 0..3),
    );
    let plain = select(&NAMES[..]).prop_map(|name| (name, Vec::new()));
    let place =
        |(name, rest): (&str, Vec<Step>)| [&[Step::Key(name.to_owned())], &rest[..]].concat();
    prop_oneof![plain, nested].prop_map(place).boxed()
}

fn event() -> BoxedStrategy<Value> {
    (time(), metadata(), body())
        .prop_map(|(time, metadata, body)| pair(head(time, metadata), body))
        .boxed()
}

fn group_marker() -> BoxedStrategy<Value> {
    let event_times = [u32::MAX, u32::MAX - 1].map(|seconds| event_time(seconds, 0));
    let mut stamps = event_times.to_vec();
    stamps.extend([Value::from(-1), Value::from(-2)]);
    (
        select(stamps),
        metadata(),
        prop_oneof![2 => body(), 1 => value()],
    )
        .prop_map(|(stamp, metadata, body)| pair(head(stamp, metadata), body))
        .boxed()
}

/// Well-formed values that miss being an event by a little.
fn not_event() -> BoxedStrategy<Value> {
    let no_time = select(vec![
        Value::Nil,
        Value::from("1700000000"),
        Value::Binary(vec![0; 8]),
        Value::F64(f64::NAN),
        Value::F64(f64::INFINITY),
        Value::Ext(0, vec![0; 7]),
        Value::Ext(1, vec![0; 8]),
        Value::Array(vec![]),
        Value::Array(vec![1.into()]),
        Value::Array(vec![1.into(), 2.into(), 3.into()]),
        Value::Array(vec![pair(1.into(), 2.into()), 3.into()]),
        Value::Map(vec![(1.into(), 2.into())]),
    ]);
    prop_oneof![
        scalar(),
        (no_time, body()).prop_map(|(stamp, body)| pair(stamp, body)),
        (time(), metadata(), scalar())
            .prop_map(|(time, metadata, body)| pair(head(time, metadata), body)),
        (time(), body()).prop_map(|(time, body)| pair(time, Value::Array(vec![body]))),
        (time(), body()).prop_map(|(time, body)| Value::Array(vec![time, body, Value::Nil])),
        time().prop_map(|time| Value::Array(vec![time])),
    ]
    .boxed()
}

fn pair(first: Value, second: Value) -> Value {
    Value::Array(vec![first, second])
}

/// As the hosts before 2.1 wrote it, or with metadata.
fn head(time: Value, metadata: Option<Value>) -> Value {
    match metadata {
        Some(metadata) => pair(time, metadata),
        None => time,
    }
}

fn metadata() -> BoxedStrategy<Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(Value::Map(vec![]))),
        scalar().prop_map(Some),
        map(value()).prop_map(Some),
    ]
    .boxed()
}

fn event_time(seconds: u32, nanoseconds: u32) -> Value {
    let bytes = [seconds.to_be_bytes(), nanoseconds.to_be_bytes()].concat();
    Value::Ext(0, bytes)
}

fn time() -> BoxedStrategy<Value> {
    let is_marker = |seconds: &i64| matches!(seconds, -1 | -2);
    let seconds = 1_700_000_000..1_700_000_003_u32;
    prop_oneof![
        4 => (seconds, 0..1_000_000_000_u32).prop_map(|(s, ns)| event_time(s, ns)),
        // Zero nanoseconds would make markers of the last two seconds.
        1 => (any::<u32>(), 1..=u32::MAX).prop_map(|(s, ns)| event_time(s, ns)),
        1 => (-100..2_000_000_000_i64).prop_filter("a marker", move |s| !is_marker(s)).prop_map(Value::from),
        1 => any::<i64>().prop_filter("a marker", move |s| !is_marker(s)).prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        // Fractions that a float holds exactly.
        1 => (-4_000_000_000_000..4_000_000_000_000_i64).prop_map(|n| Value::F64(n as f64 / 1024.0)),
        1 => select(vec![Value::F64(1e300), Value::F64(-1e300), Value::F64(0.0)]),
        1 => Just(event_time(u32::MAX - 2, 0)),
    ].boxed()
}

fn body() -> BoxedStrategy<Value> {
    map(value()).boxed()
}

fn map(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec((key(), values), 0..7).prop_map(Value::Map)
}

fn value() -> BoxedStrategy<Value> {
    scalar()
        .prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                map(inner),
            ]
        })
        .boxed()
}

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        1 => Just(Value::Nil),
        1 => any::<bool>().prop_map(Value::from),
        3 => integer(),
        3 => float(),
        6 => text().prop_map(Value::from),
        1 => broken_text(),
        1 => prop_oneof![text().prop_map(String::into_bytes), any::<Vec<u8>>()].prop_map(Value::Binary),
        1 => (any::<i8>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| Value::Ext(kind, bytes)),
    ].boxed()
}

fn integer() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-200..70_000_i64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        select(vec![
            Value::from(i64::MIN),
            Value::from(i64::MAX),
            Value::from(u64::MAX),
            Value::from(1_u64 << 53),
            Value::from((1_u64 << 53) + 1),
        ]),
    ]
}

fn float() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::num::f64::ANY.prop_map(Value::F64),
        proptest::num::f32::ANY.prop_map(Value::F32),
        (-1000..1000_i32).prop_map(|n| Value::F64(f64::from(n) / 10.0)),
        select(vec![
            Value::F64(-0.0),
            Value::F64(3.14e300),
            Value::F64(1e15),
            Value::F64(1e16),
            Value::F64(1e-5),
            Value::F64(1e-6),
            Value::F64(5e-324),
            Value::F64(f64::MAX),
            Value::F32(0.1),
            Value::F64(f64::INFINITY),
        ]),
    ]
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        3 => "[a-z. ]{0,12}",
        1 => any::<String>(),
        1 => "[\"\\\\/\\x00-\\x1f\\x7f]{0,8}",
        1 => "[aé漢🚀\u{2028}\u{10ffff}]{0,10}",
        1 => "[a-z\\\\\"]{0,120}",
        1 => "[a-z\n]{0,5}\n{0,3}",
        1 => "\n{1,3}",
    ]
    .boxed()
}

/// A string that is not UTF-8. Such a value can only be had by reading it.
fn broken_text() -> impl Strategy<Value = Value> {
    let bytes = prop_oneof![
        select(&BROKEN_UTF8[..]).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 1..12),
    ];
    bytes.prop_map(|bytes| {
        let mut encoded = vec![0xd9, bytes.len() as u8];
        encoded.extend(bytes);
        rmpv::decode::read_value(&mut &encoded[..]).unwrap()
    })
}

fn key() -> BoxedStrategy<Value> {
    prop_oneof![
        12 => select(&NAMES[..]).prop_map(Value::from),
        1 => select(&NAMES[..]).prop_map(|name| Value::Binary(name.into())),
        2 => scalar(),
        1 => container_key(),
        // The same text, and longer than what is kept.
        1 => select(vec![Value::from(7), Value::from("7"), Value::Binary(b"7".to_vec())]),
        1 => Just(Value::from("a.name.that.is.longer.than.those.that.are.kept")),
    ]
    .boxed()
}

/// Containers whose keys may be containers again.
fn container_key() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        "[a-z.\"]{0,5}".prop_map(Value::from),
        (-9..9_i64).prop_map(Value::from),
        Just(Value::F64(0.5)),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::Binary),
    ];
    let any = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Map),
        ]
    });
    prop_oneof![
        prop::collection::vec(any.clone(), 0..3).prop_map(Value::Array),
        prop::collection::vec((any.clone(), any), 0..3).prop_map(Value::Map),
    ]
    .boxed()
}

/// Writes a value as a host may: in the shortest forms, or `wide`, all lengths and integers in
/// the longest. rmpv itself would write a string that is not UTF-8 as bin.
pub(crate) fn push(value: &Value, wide: bool, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            push_head(out, wide, text.as_bytes().len(), (0xa0, 32), 0xda);
            out.extend(text.as_bytes());
        }
        Value::Array(items) => {
            push_head(out, wide, items.len(), (0x90, 16), 0xdc);
            for item in items {
                push(item, wide, out);
            }
        }
        Value::Map(pairs) => {
            push_head(out, wide, pairs.len(), (0x80, 16), 0xde);
            for (key, value) in pairs {
                // The model writes a container in a container's key again: in the shortest form.
                push(key, wide && !(key.is_array() || key.is_map()), out);
                push(value, wide, out);
            }
        }
        Value::Binary(bytes) if wide => {
            out.push(0xc6);
            out.extend((bytes.len() as u32).to_be_bytes());
            out.extend(bytes);
        }
        Value::Ext(kind, bytes) if wide => {
            out.push(0xc9);
            out.extend((bytes.len() as u32).to_be_bytes());
            out.push(*kind as u8);
            out.extend(bytes);
        }
        Value::Integer(number) if wide && number.is_i64() => {
            out.push(0xd3);
            out.extend(number.as_i64().unwrap().to_be_bytes());
        }
        _ => rmpv::encode::write_value(out, value).unwrap(),
    }
}

/// `fixed`: the marker that holds lengths under a limit itself. The marker after `medium`, which
/// is followed by 16 bits of length, is followed by 32.
fn push_head(out: &mut Vec<u8>, wide: bool, length: usize, fixed: (u8, usize), medium: u8) {
    let (marker, limit) = fixed;
    if wide {
        out.push(medium + 1);
        out.extend((length as u32).to_be_bytes());
    } else if length < limit {
        out.push(marker | length as u8);
    } else {
        out.push(medium);
        out.extend((length as u16).to_be_bytes());
    }
}
