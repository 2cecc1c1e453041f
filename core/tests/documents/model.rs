//! The reference: a chunk is read into a tree, and each option is one step on that tree. Slow,
//! recursive, and without a line of the plugin's.

use std::collections::HashMap;

use chrono::DateTime;
use rmpv::Value;

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) data_keys: Vec<Place>,
    pub(crate) log_key: Option<Place>,
    pub(crate) metadata_key: Option<String>,
    pub(crate) group_key: Option<String>,
    /// The key and its format.
    pub(crate) time_key: Option<(String, String)>,
    pub(crate) replace_dots: Option<String>,
}

/// What a record accessor names. It has a step at least, the first one a key.
pub(crate) type Place = Vec<Step>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As it is printed.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Document {
    Json(Json),
    /// The text of a `log_key`.
    Raw(Vec<u8>),
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) documents: Vec<Document>,
    pub(crate) not_events: u64,
    pub(crate) without_log_key: u64,
    pub(crate) without_field: u64,
    /// Pairs whose key stands again behind them.
    pub(crate) doubled: u64,
}

/// What a chunk of whole values comes to, whatever the length of its documents.
pub(crate) fn format(chunk: &[u8], options: &Options) -> Outcome {
    let mut rest = chunk;
    let values = std::iter::from_fn(|| match rest {
        [] => None,
        _ => Some(rmpv::decode::read_value(&mut rest).unwrap()),
    });
    of_values(values, options)
}

/// The same of values that were read already.
pub(crate) fn of_values(values: impl Iterator<Item = Value>, options: &Options) -> Outcome {
    let mut outcome = Outcome::default();
    let mut group = Value::Nil;
    for value in values {
        match read(&value) {
            Some(Item::GroupStart(attributes)) => group = attributes.clone(),
            Some(Item::GroupEnd) => group = Value::Nil,
            Some(Item::Event(event, Value::Map(pairs))) => {
                match document(event, &group, pairs, options) {
                    None if options.log_key.is_none() => outcome.without_field += 1,
                    Some(Document::Json(json)) => {
                        let json = once(json, &mut outcome.doubled);
                        outcome.documents.push(Document::Json(json));
                    }
                    Some(document) => outcome.documents.push(document),
                    None => outcome.without_log_key += 1,
                }
            }
            _ => outcome.not_events += 1,
        }
    }
    outcome
}

pub(crate) fn written_time_key(options: &Options) -> Option<String> {
    let (key, _) = options.time_key.as_ref()?;
    Some(without_dots(key.clone(), options.replace_dots.as_deref()))
}

type Pairs = [(Value, Value)];

fn document(event: Head, group: &Value, pairs: &Pairs, options: &Options) -> Option<Document> {
    let dots = options.replace_dots.as_deref();
    if let Some(log_key) = &options.log_key {
        let value = find(&Value::Map(pairs.to_vec()), log_key, dots)?;
        return Some(match value {
            Value::String(text) => Document::Raw(without_newlines(text.as_bytes())),
            _ => Document::Json(json(&value, dots, false)),
        });
    }
    let mut pairs = pairs.to_vec();
    if !options.data_keys.is_empty() {
        let places: Vec<&[Step]> = options.data_keys.iter().map(Vec::as_slice).collect();
        pairs = match select(&Value::Map(pairs), &places) {
            Some(Value::Map(pairs)) => pairs,
            _ => Vec::new(),
        };
    }
    let mut own = pairs.len();
    let mut added = Vec::new();
    if let (Some(key), Some(metadata)) = (&options.metadata_key, of_a_pair(event.metadata)) {
        own += 1;
        added.push((key, metadata));
    }
    if let (Some(key), Some(group)) = (&options.group_key, of_a_pair(group)) {
        added.push((key, group));
    }
    if let Some((key, format)) = &options.time_key {
        added.push((key, Value::from(time_text(event.time, format))));
    }
    for (key, value) in added {
        let written = |text| without_dots(text, dots);
        let is_it =
            |pair: &(Value, Value)| written(key_text(&pair.0, false)) == written(key.to_owned());
        own -= pairs.iter().filter(|pair| is_it(pair)).count();
        match pairs.iter().position(is_it) {
            None => pairs.push((Value::from(key.as_str()), value)),
            Some(first) => {
                pairs[first].1 = value;
                let mut number = 0;
                pairs.retain(|pair| {
                    number += 1;
                    number == first + 1 || !is_it(pair)
                });
            }
        }
    }
    let document = Document::Json(json(&Value::Map(pairs), dots, false));
    (own > 0).then_some(document)
}

/// A map with a pair at least, its bytes in hexadecimal digits.
fn of_a_pair(value: &Value) -> Option<Value> {
    let pairs = value.as_map()?;
    (!pairs.is_empty()).then(|| in_hex(value))
}

fn in_hex(value: &Value) -> Value {
    match value {
        Value::Binary(bytes) => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Value::from(digits.concat())
        }
        Value::Array(items) => Value::Array(items.iter().map(in_hex).collect()),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| (in_hex(key), in_hex(value));
            Value::Map(pairs.iter().map(pair).collect())
        }
        other => other.clone(),
    }
}

/// The value at a place, of keys whose dots are replaced.
fn find(value: &Value, place: &[Step], dots: Option<&str>) -> Option<Value> {
    let Some((step, rest)) = place.split_first() else {
        return Some(value.clone());
    };
    let inner = match (step, value) {
        (Step::Key(key), Value::Map(pairs)) => {
            let is_it = |(found, _): &&(Value, Value)| {
                let name = name(found).map(|name| String::from_utf8_lossy(name).into_owned());
                name.is_some_and(|name| without_dots(name, dots) == *key)
            };
            &pairs.iter().rfind(is_it)?.1
        }
        (Step::Index(index), Value::Array(items)) => items.get(*index)?,
        _ => return None,
    };
    find(inner, rest, dots)
}

/// What of a value is at one of these places, in the containers around it.
fn select(value: &Value, places: &[&[Step]]) -> Option<Value> {
    if places.iter().any(|place| place.is_empty()) {
        return Some(value.clone());
    }
    let inner = |is_it: &dyn Fn(&Step) -> bool, value: &Value| {
        let here = places.iter().filter(|place| is_it(&place[0]));
        let rests: Vec<&[Step]> = here.map(|place| &place[1..]).collect();
        select(value, &rests)
    };
    match value {
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| {
                let name = name(key)?;
                let is_it = |step: &Step| matches!(step, Step::Key(key) if key.as_bytes() == name);
                Some((key.clone(), inner(&is_it, value)?))
            };
            let kept: Vec<_> = pairs.iter().filter_map(pair).collect();
            (!kept.is_empty()).then_some(Value::Map(kept))
        }
        Value::Array(items) => {
            let item = |(index, value)| inner(&|step| *step == Step::Index(index), value);
            let kept: Vec<_> = items.iter().enumerate().filter_map(item).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

/// Keeps the last of the pairs that have the same key, where it is.
fn once(json: Json, doubled: &mut u64) -> Json {
    match json {
        Json::Array(items) => {
            Json::Array(items.into_iter().map(|item| once(item, doubled)).collect())
        }
        Json::Object(pairs) => {
            let numbered = pairs.iter().enumerate();
            let last = numbered.map(|(number, (key, _))| (key.clone(), number));
            let last: HashMap<String, usize> = last.collect();
            let mut kept = Vec::new();
            for (number, (key, value)) in pairs.into_iter().enumerate() {
                if last[&key] == number {
                    kept.push((key, once(value, doubled)));
                } else {
                    *doubled += 1;
                }
            }
            Json::Object(kept)
        }
        scalar => scalar,
    }
}

fn without_newlines(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    while text.last() == Some(&b'\n') {
        text.pop();
    }
    text
}

impl Document {
    /// Without its newline.
    pub(crate) fn text(&self) -> Vec<u8> {
        match self {
            Self::Json(json) => json.text().into_bytes(),
            Self::Raw(text) => text.clone(),
        }
    }
}

impl Json {
    pub(crate) fn text(&self) -> String {
        let joined = |items: Vec<String>| items.join(",");
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::Array(items) => format!("[{}]", joined(items.iter().map(Self::text).collect())),
            Self::Object(pairs) => {
                let pair = |(key, value): &(String, Json)| quoted(key) + ":" + &value.text();
                format!("{{{}}}", joined(pairs.iter().map(pair).collect()))
            }
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The keys that options can name are text.
fn name(key: &Value) -> Option<&[u8]> {
    match key {
        Value::String(text) => Some(text.as_bytes()),
        Value::Binary(bytes) => Some(bytes),
        _ => None,
    }
}

fn without_dots(text: String, dots: Option<&str>) -> String {
    match dots {
        Some(replacement) => text.replace('.', replacement),
        None => text,
    }
}

fn json(value: &Value, dots: Option<&str>, inside_key: bool) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(value) => Json::Number(value.to_string()),
        Value::F32(value) => float((*value).into()),
        Value::F64(value) => float(*value),
        Value::String(text) => Json::Text(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        Value::Binary(bytes) => Json::Text(text_or_base64(bytes)),
        Value::Ext(_, bytes) => Json::Text(base64(bytes)),
        Value::Array(items) => {
            let item = |item| json(item, dots, inside_key);
            Json::Array(items.iter().map(item).collect())
        }
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| {
                let key = without_dots(key_text(key, inside_key), dots);
                (key, json(value, dots, inside_key))
            };
            Json::Object(pairs.iter().map(pair).collect())
        }
    }
}

fn key_text(key: &Value, inside_key: bool) -> String {
    match key {
        Value::Array(_) | Value::Map(_) if inside_key => {
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, key).unwrap();
            base64(&bytes)
        }
        _ => match json(key, None, true) {
            Json::Text(text) => text,
            other => other.text(),
        },
    }
}

fn float(value: f64) -> Json {
    if value.is_finite() {
        Json::Number(serde_json::to_string(&value).unwrap())
    } else {
        Json::Null
    }
}

fn text_or_base64(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| base64(bytes))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_padding = digit > group.len();
            let index = bits >> (18 - 6 * digit) & 63;
            text.push(if is_padding {
                '='
            } else {
                ALPHABET[index as usize].into()
            });
        }
    }
    text
}

#[derive(Clone, Copy)]
struct Time {
    seconds: i128,
    nanoseconds: u32,
}

#[derive(Clone, Copy)]
struct Head<'v> {
    time: Time,
    metadata: &'v Value,
}

enum Item<'v> {
    Event(Head<'v>, &'v Value),
    GroupStart(&'v Value),
    GroupEnd,
}

fn read(value: &Value) -> Option<Item<'_>> {
    let [head, body] = value.as_array()?.as_slice() else {
        return None;
    };
    let (stamp, metadata) = match head {
        Value::Array(head) => match head.as_slice() {
            [stamp, metadata] => (stamp, metadata),
            _ => return None,
        },
        stamp => (stamp, &Value::Nil),
    };
    let event = |seconds, nanoseconds| {
        let time = Time {
            seconds,
            nanoseconds,
        };
        Some(Item::Event(Head { time, metadata }, body))
    };
    match stamp {
        Value::Integer(seconds) => match i128::from(seconds.as_u64().unwrap_or(0))
            + i128::from(seconds.as_i64().unwrap_or(0).min(0))
        {
            -1 => Some(Item::GroupStart(body)),
            -2 => Some(Item::GroupEnd),
            seconds => event(seconds, 0),
        },
        Value::F64(seconds) if seconds.is_finite() => {
            let fraction = seconds.rem_euclid(1.0);
            event((seconds - fraction) as i128, (fraction * 1e9) as u32)
        }
        Value::Ext(0, bytes) if bytes.len() == 8 => {
            let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            match (number(0), number(4)) {
                (0xffff_ffff, 0) => Some(Item::GroupStart(body)),
                (0xffff_fffe, 0) => Some(Item::GroupEnd),
                (seconds, nanoseconds) => event(seconds.into(), nanoseconds),
            }
        }
        _ => None,
    }
}

fn time_text(time: Time, format: &str) -> String {
    let (year_0, year_10000) = (-62_167_219_200, 253_402_300_800);
    let seconds = time.seconds.clamp(year_0, year_10000 - 1) as i64;
    let digits = format!("{:09}", time.nanoseconds.min(999_999_999));
    let format = format
        .replace("%3N", &digits[..3])
        .replace("%L", &digits[..3])
        .replace("%6N", &digits[..6])
        .replace("%f", &digits[..6])
        .replace("%9N", &digits);
    let date = DateTime::from_timestamp(seconds, 0).unwrap();
    date.format(&format).to_string()
}
