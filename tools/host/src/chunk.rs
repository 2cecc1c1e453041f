//! Chunks: the msgpack streams of events that a flush is given.

use std::str::FromStr;
use std::time::SystemTime;

use rmpv::Value;

/// The msgpack of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFormat {
    /// `[time, map]`, through Fluent Bit 2.0.
    Legacy,
    /// `[[time, metadata], map]`, from 2.1 on.
    V2,
}

/// When an event happened, since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    pub seconds: u32,
    pub nanoseconds: u32,
}

/// What one flush is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub data: Vec<u8>,
    pub events: usize,
}

/// Packs lines into chunks.
pub struct ChunkBuilder {
    format: EventFormat,
    size: usize,
    time_key: Option<String>,
    chunk: Chunk,
}

/// Appends one event with empty metadata. `record` is its map, but anything is encoded as it is.
pub fn encode_event(out: &mut Vec<u8>, format: EventFormat, time: EventTime, record: &Value) {
    encode_header(out, format, time);
    rmpv::encode::write_value(out, record).expect("writing to memory succeeds");
}

// === impl ChunkBuilder ===

impl ChunkBuilder {
    /// A chunk is complete when it has at least `size` bytes. With `time_key` an event's time is
    /// read from that key of its map, an RFC 3339 text; the key stays in the map.
    pub fn new(format: EventFormat, size: usize, time_key: Option<String>) -> Self {
        Self {
            format,
            size,
            time_key,
            chunk: Chunk::empty(),
        }
    }

    /// Adds one line without its line end; returns a chunk when this line completes it.
    ///
    /// A JSON object becomes the event's map, any other line `{"log": line}`, byte for byte, as
    /// Fluent Bit's tail input does without a parser. An object nested deeper than 127 levels or
    /// with a number beyond a float's range counts as other. Keys keep their order; of two equal
    /// keys the last value counts. The event's time is `now` unless the map has the time key in
    /// RFC 3339.
    pub fn push_line(&mut self, line: &[u8], now: EventTime) -> Option<Chunk> {
        match parse_object(line) {
            Some(record) => {
                let time = self.time_of(&record).unwrap_or(now);
                encode_event(&mut self.chunk.data, self.format, time, &record);
            }
            None => encode_raw_line(&mut self.chunk.data, self.format, now, line),
        }
        self.chunk.events += 1;
        (self.chunk.data.len() >= self.size).then(|| self.take())
    }

    /// The last, incomplete chunk, unless it is empty.
    pub fn finish(&mut self) -> Option<Chunk> {
        (self.chunk.events > 0).then(|| self.take())
    }

    fn take(&mut self) -> Chunk {
        std::mem::replace(&mut self.chunk, Chunk::empty())
    }

    fn time_of(&self, record: &Value) -> Option<EventTime> {
        let key = self.time_key.as_deref()?;
        let (_, value) = record
            .as_map()?
            .iter()
            .find(|(name, _)| name.as_str() == Some(key))?;
        value.as_str()?.parse().ok()
    }
}

fn parse_object(line: &[u8]) -> Option<Value> {
    let object: serde_json::Value = serde_json::from_slice(line).ok()?;
    object.is_object().then(|| to_msgpack(object)).flatten()
}

/// Converts by hand: read straight into a msgpack value, numbers would turn into maps as soon as
/// another crate of the build switches on serde_json's `arbitrary_precision`.
fn to_msgpack(json: serde_json::Value) -> Option<Value> {
    Some(match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => flag.into(),
        serde_json::Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(unsigned), _) => unsigned.into(),
            (None, Some(signed)) => signed.into(),
            (None, None) => number.as_f64()?.into(),
        },
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(items) => {
            let items: Option<Vec<Value>> = items.into_iter().map(to_msgpack).collect();
            Value::Array(items?)
        }
        serde_json::Value::Object(members) => {
            let members: Option<Vec<(Value, Value)>> = members
                .into_iter()
                .map(|(key, value)| Some((key.into(), to_msgpack(value)?)))
                .collect();
            Value::Map(members?)
        }
    })
}

fn encode_header(out: &mut Vec<u8>, format: EventFormat, time: EventTime) {
    const IN_MEMORY: &str = "writing to memory succeeds";
    rmp::encode::write_array_len(out, 2).expect(IN_MEMORY);
    if format == EventFormat::V2 {
        rmp::encode::write_array_len(out, 2).expect(IN_MEMORY);
    }
    rmp::encode::write_ext_meta(out, 8, 0).expect(IN_MEMORY);
    out.extend_from_slice(&time.seconds.to_be_bytes());
    out.extend_from_slice(&time.nanoseconds.to_be_bytes());
    if format == EventFormat::V2 {
        rmp::encode::write_map_len(out, 0).expect(IN_MEMORY);
    }
}

fn encode_raw_line(out: &mut Vec<u8>, format: EventFormat, time: EventTime, line: &[u8]) {
    const IN_MEMORY: &str = "writing to memory succeeds";
    encode_header(out, format, time);
    rmp::encode::write_map_len(out, 1).expect(IN_MEMORY);
    rmp::encode::write_str(out, "log").expect(IN_MEMORY);
    // A line need not be UTF-8: Fluent Bit writes its bytes as a msgpack string all the same.
    let length = u32::try_from(line.len()).expect("a line is shorter than 4 GiB");
    rmp::encode::write_str_len(out, length).expect(IN_MEMORY);
    out.extend_from_slice(line);
}

// === impl Chunk ===

impl Chunk {
    fn empty() -> Self {
        Self {
            data: Vec::new(),
            events: 0,
        }
    }
}

// === impl EventTime ===

impl EventTime {
    pub fn now() -> Self {
        let since_epoch = SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("the clock is set after 1970");
        Self {
            seconds: u32::try_from(since_epoch.as_secs()).expect("the year is before 2106"),
            nanoseconds: since_epoch.subsec_nanos(),
        }
    }
}

impl FromStr for EventTime {
    type Err = String;

    /// Reads an RFC 3339 time between 1970 and 2106.
    fn from_str(text: &str) -> Result<Self, String> {
        let time: jiff::Timestamp = text
            .parse()
            .map_err(|error: jiff::Error| format!("time {text:?}: {error}"))?;
        let out_of_range = |_| format!("time {text:?}: it must be between 1970 and 2106");
        Ok(Self {
            seconds: u32::try_from(time.as_second()).map_err(out_of_range)?,
            nanoseconds: u32::try_from(time.subsec_nanosecond()).map_err(out_of_range)?,
        })
    }
}

// === impl EventFormat ===

impl FromStr for EventFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "legacy" => Ok(Self::Legacy),
            "v2" => Ok(Self::V2),
            _ => Err(format!("event format {text:?}: it must be v2 or legacy")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EventTime = EventTime {
        seconds: 1_700_000_000,
        nanoseconds: 123_456_789,
    };
    const NOW_EXT: [u8; 10] = [0xd7, 0, 0x65, 0x53, 0xf1, 0x00, 0x07, 0x5b, 0xcd, 0x15];

    fn chunk_of(format: EventFormat, time_key: Option<&str>, line: &[u8]) -> Vec<u8> {
        let mut builder = ChunkBuilder::new(format, 1, time_key.map(str::to_owned));
        builder
            .push_line(line, NOW)
            .expect("one byte is enough")
            .data
    }

    #[test]
    fn legacy_event_byte_for_byte() {
        let mut expected = vec![0x92];
        expected.extend_from_slice(&NOW_EXT);
        expected.extend_from_slice(b"\x81\xa1a\x01");
        assert_eq!(chunk_of(EventFormat::Legacy, None, br#"{"a":1}"#), expected);
    }

    #[test]
    fn v2_event_byte_for_byte() {
        let mut expected = vec![0x92, 0x92];
        expected.extend_from_slice(&NOW_EXT);
        expected.extend_from_slice(b"\x80\x81\xa1a\x01");
        assert_eq!(chunk_of(EventFormat::V2, None, br#"{"a":1}"#), expected);
    }

    #[test]
    fn values_keep_order_and_exact_numbers() {
        let line = br#"{"z":18446744073709551615,"a":-9223372036854775808,
            "m":{"y":0.30000000000000004,"x":7.038531e-26},"b":[null,true,"\u00e9",1.0,-1]}"#;
        let data = chunk_of(EventFormat::Legacy, None, line);
        let event = rmpv::decode::read_value(&mut data.as_slice()).unwrap();
        let floats = vec![
            (Value::from("y"), Value::from(0.300_000_000_000_000_04)),
            (Value::from("x"), Value::from(7.038_531e-26)),
        ];
        let list = vec![
            Value::Nil,
            Value::from(true),
            Value::from("é"),
            Value::from(1.0),
            Value::from(-1),
        ];
        let expected = vec![
            (Value::from("z"), Value::from(u64::MAX)),
            (Value::from("a"), Value::from(i64::MIN)),
            (Value::from("m"), Value::Map(floats)),
            (Value::from("b"), Value::Array(list)),
        ];
        assert_eq!(event[1], Value::Map(expected));
    }

    #[test]
    fn lines_that_are_no_object_become_a_log_key() {
        for line in [
            &b"plain text"[..],
            b"[1]",
            b"{\"a\":1",
            b"\xff\xfe\x00",
            b"12",
            b"{\"a\":1e400}",
        ] {
            let data = chunk_of(EventFormat::Legacy, None, line);
            let mut expected = vec![0x92];
            expected.extend_from_slice(&NOW_EXT);
            expected.extend_from_slice(b"\x81\xa3log");
            expected.push(0xa0 + line.len() as u8);
            expected.extend_from_slice(line);
            assert_eq!(data, expected);
        }
    }

    #[test]
    fn time_key_sets_the_time_and_stays() {
        let line = br#"{"t":"2023-11-14T23:13:20.123456789+01:00"}"#;
        let data = chunk_of(EventFormat::Legacy, Some("t"), line);
        assert_eq!(data[1..11], NOW_EXT);
        assert_eq!(data[11], 0x81);
        for line in [
            &br#"{"t":"yesterday"}"#[..],
            br#"{"t":5}"#,
            br#"{"u":"2024-01-01T00:00:00Z"}"#,
            br#"{"t":"1969-12-31T23:59:59Z"}"#,
        ] {
            let data = chunk_of(EventFormat::Legacy, Some("t"), line);
            assert_eq!(data[1..11], NOW_EXT);
        }
    }

    #[test]
    fn chunks_end_at_the_size_and_the_rest_follows() {
        let line = br#"{"a":1}"#; // 15 bytes as a legacy event
        let mut builder = ChunkBuilder::new(EventFormat::Legacy, 45, None);
        assert_eq!(builder.push_line(line, NOW), None);
        assert_eq!(builder.push_line(line, NOW), None);
        let full = builder.push_line(line, NOW).unwrap();
        assert_eq!((full.events, full.data.len()), (3, 45));
        assert_eq!(builder.finish(), None);
        assert_eq!(builder.push_line(line, NOW), None);
        let rest = builder.finish().unwrap();
        assert_eq!((rest.events, rest.data.len()), (1, 15));
        assert_eq!(builder.finish(), None);
    }
}
