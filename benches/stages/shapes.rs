//! What is measured: chunks of about a megabyte, each of events of one shape. The same bytes in
//! every run.

use std::time::Duration;

use fastrand::Rng;
use firehose_host::{EventFormat, encode_event, encode_line};
use rmpv::Value;

#[path = "../../tools/measure/src/bench/http_lines.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the tests of that file run with its own crate"
)]
mod lines;

const SEED: u64 = 20_260_115;
const BYTES: usize = 1_000_000;
const TIME: Duration = Duration::new(1_768_435_200, 123_456_789);

/// A chunk as Fluent Bit hands it over.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) chunk: Vec<u8>,
}

pub(crate) fn all() -> Vec<Shape> {
    let shape = |name, body| Shape {
        name,
        chunk: repeat(body),
    };
    vec![
        http_lines(2500),
        shape("small maps", small_map),
        shape("deep", deep),
        shape("long strings", long_string),
        shape("escapes", escapes),
        shape("non-ASCII", non_ascii),
        shape("integers", integers),
        shape("floats", floats),
    ]
}

/// Structured HTTP logs of about 400 bytes, the same that `make bench` sends.
pub(crate) fn http_lines(count: u64) -> Shape {
    let file = tempfile::NamedTempFile::new().expect("there is room for temporary files");
    lines::write(file.path(), count).expect("a temporary file can be written");
    let text = std::fs::read(file.path()).expect("it was just written");
    let mut chunk = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line = line.trim_ascii_end();
        encode_line(&mut chunk, EventFormat::V2, Some("timestamp"), line);
    }
    Shape {
        name: "HTTP log lines",
        chunk,
    }
}

fn repeat(body: fn(&mut Rng) -> Value) -> Vec<u8> {
    let mut rng = Rng::with_seed(SEED);
    let mut chunk = Vec::new();
    while chunk.len() < BYTES {
        encode_event(&mut chunk, EventFormat::V2, TIME, body(&mut rng));
    }
    chunk
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.map(|(key, value)| (key.into(), value)).into())
}

fn small_map(rng: &mut Rng) -> Value {
    map([
        ("level", "info".into()),
        ("count", rng.u16(..).into()),
        ("ok", rng.bool().into()),
    ])
}

fn deep(rng: &mut Rng) -> Value {
    (0..32).fold(rng.u8(..).into(), |inner, level| match level % 4 {
        0 => Value::Array(vec![inner]),
        _ => map([("inner", inner)]),
    })
}

fn long_string(rng: &mut Rng) -> Value {
    let text: String = (0..8000).map(|_| rng.alphanumeric()).collect();
    map([("log", text.into())])
}

/// JSON within text, paths, and the lines of a stack trace.
fn escapes(rng: &mut Rng) -> Value {
    let id = rng.u32(..);
    map([
        (
            "payload",
            format!("{{\"id\":{id},\"state\":\"paid\",\"tags\":[\"a\",\"b\"]}}").into(),
        ),
        ("path", format!("C:\\logs\\{id}\\current.log").into()),
        (
            "stack",
            format!("Error: no order {id}\n\tat find (orders.js:12:7)\n\tat main (index.js:3:1)")
                .into(),
        ),
    ])
}

fn non_ascii(rng: &mut Rng) -> Value {
    let id = rng.u32(..);
    map([
        (
            "메시지",
            format!("주문 {id}번이 접수되었습니다. 문 앞에 놓아 주세요 ☂").into(),
        ),
        ("メモ", format!("荷物{id}を受付に預けてください").into()),
        (
            "note",
            format!("Café №{id}: über-große Überraschung").into(),
        ),
    ])
}

fn integers(rng: &mut Rng) -> Value {
    let mut numbers = Vec::new();
    for bits in 1..=32 {
        numbers.push(Value::from(rng.u64(..) >> (64 - 2 * bits)));
        numbers.push(Value::from(-(rng.i64(0..i64::MAX) >> (63 - bits))));
    }
    map([("values", Value::Array(numbers))])
}

fn floats(rng: &mut Rng) -> Value {
    let mut numbers = Vec::new();
    for _ in 0..32 {
        numbers.push(Value::from(rng.f64()));
        numbers.push(Value::from(f64::from(rng.u32(..1_000_000)) / 1000.0));
    }
    map([("values", Value::Array(numbers))])
}
