//! Chunks: the msgpack streams of events that a flush is given.

use std::time::{Duration, SystemTime};

use rmpv::Value;

/// The msgpack of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFormat {
    /// `[time, map]`, through Fluent Bit 2.0.
    Legacy,
    /// `[[time, metadata], map]`, from 2.1 on.
    V2,
}

/// All lines as the events of one chunk.
pub fn chunk(format: EventFormat, lines: &[String]) -> Vec<u8> {
    let mut chunk = Vec::new();
    for line in lines {
        encode_line(&mut chunk, format, None, line.as_bytes());
    }
    chunk
}

/// Appends a line as an event: a JSON object is its map, any other line is `{"log": line}`, as with
/// Fluent Bit's tail input. It happened when its time key says so in RFC 3339, else now.
pub fn encode_line(chunk: &mut Vec<u8>, format: EventFormat, time_key: Option<&str>, line: &[u8]) {
    let object = serde_json::from_slice(line).ok();
    let object = object.filter(serde_json::Value::is_object);
    let time = time_key.and_then(|key| object.as_ref()?.get(key)?.as_str()?.parse().ok());
    let time = time.and_then(|time: jiff::Timestamp| time.as_duration().try_into().ok());
    let time = time.unwrap_or_else(|| {
        let now = SystemTime::UNIX_EPOCH.elapsed();
        now.expect("the clock is set after 1970")
    });
    let record = object.map_or_else(
        || Value::Map(vec![("log".into(), String::from_utf8_lossy(line).into())]),
        to_msgpack,
    );
    encode_event(chunk, format, time, record);
}

/// Appends an event with empty metadata and with its time since 1970.
pub fn encode_event(chunk: &mut Vec<u8>, format: EventFormat, time: Duration, record: Value) {
    let seconds = u32::try_from(time.as_secs()).expect("the year is before 2106");
    let time = [seconds, time.subsec_nanos()].map(u32::to_be_bytes);
    let time = Value::Ext(0, time.concat());
    let head = match format {
        EventFormat::Legacy => time,
        EventFormat::V2 => Value::Array(vec![time, Value::Map(vec![])]),
    };
    let event = Value::Array(vec![head, record]);
    rmpv::encode::write_value(chunk, &event).expect("writing to memory succeeds");
}

/// Converts by hand: read straight into a msgpack value, numbers would turn into maps as soon as
/// another crate of the build switches on serde_json's `arbitrary_precision`.
fn to_msgpack(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => flag.into(),
        serde_json::Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(unsigned), _) => unsigned.into(),
            (None, Some(signed)) => signed.into(),
            (None, None) => number.as_f64().map_or(Value::Nil, Value::from),
        },
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(items) => {
            Value::Array(items.into_iter().map(to_msgpack).collect())
        }
        serde_json::Value::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(key, value)| (key.into(), to_msgpack(value)));
            Value::Map(members.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2023-11-14T22:13:20.123456789Z";
    const TIME_EXT: &[u8] = b"\xd7\x00\x65\x53\xf1\x00\x07\x5b\xcd\x15";

    #[test]
    fn events_byte_for_byte() {
        let line = format!(r#"{{"t":"{TIME}"}}"#);
        let record = [b"\x81\xa1t\xbe", TIME.as_bytes()].concat();
        for (format, expected) in [
            (EventFormat::Legacy, [b"\x92", TIME_EXT, &record].concat()),
            (
                EventFormat::V2,
                [b"\x92\x92", TIME_EXT, b"\x80", &record].concat(),
            ),
        ] {
            let mut chunk = Vec::new();
            encode_line(&mut chunk, format, Some("t"), line.as_bytes());
            assert_eq!(chunk, expected);
        }
    }

    #[test]
    fn lines_that_are_no_object_become_a_log_key() {
        for line in ["plain text", "[1]", "{\"a\":1"] {
            let chunk = chunk(EventFormat::Legacy, &[line.to_owned()]);
            let event = rmpv::decode::read_value(&mut &chunk[..]).unwrap();
            let expected = vec![(Value::from("log"), Value::from(line))];
            assert_eq!(event[1], Value::Map(expected));
        }
    }
}
