//! The events of a chunk: `[time, map]` as Fluent Bit wrote them before 2.1,
//! `[[time, metadata], map]` since.

use crate::format::msgpack::{Malformed, Reader, Token};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Since 1970 in UTC, within the years 0 to 9999.
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// What the reader found, and where it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// An event; the reader is at its body.
    Event(Time),
    /// The start of a group, such as OpenTelemetry's records of one resource and scope; the reader
    /// is at the group's attributes.
    GroupStart,
    /// Its end; the reader is at a map that says nothing.
    GroupEnd,
    /// Well-formed msgpack that is no event; the reader is where it was.
    Other,
}

#[inline]
pub fn read_head(reader: &mut Reader<'_>) -> Result<Head, Malformed> {
    // Nearly all that Fluent Bit writes: an EventTime, and no metadata.
    const LENGTH: usize = 13;
    if let Some([0x92, 0x92, 0xd7, 0x00, time @ .., 0x80]) = reader.rest().first_chunk::<LENGTH>()
        && let event @ Head::Event(_) = event_time(time)
    {
        reader.advance(LENGTH)?;
        return Ok(event);
    }
    read_any_head(reader)
}

fn read_any_head(reader: &mut Reader<'_>) -> Result<Head, Malformed> {
    let start = *reader;
    let mut head = Head::Other;
    if reader.read()? == Token::Array(2) {
        let token = reader.read()?;
        if token == Token::Array(2) {
            head = to_head(reader.read()?);
            // The metadata.
            reader.skip()?;
        } else {
            head = to_head(token);
        }
    }
    if head == Head::Other {
        *reader = start;
    }
    Ok(head)
}

/// The metadata of the event whose head is next, if the host wrote any.
pub fn metadata(mut reader: Reader<'_>) -> Option<Reader<'_>> {
    for _ in 0..2 {
        reader
            .read()
            .ok()
            .filter(|token| *token == Token::Array(2))?;
    }
    // The time.
    reader.skip().ok()?;
    Some(reader)
}

/// EventTime: ext type 0, seconds and nanoseconds as big-endian u32.
const EVENT_TIME: i8 = 0;
const GROUP_START: i64 = -1;
const GROUP_END: i64 = -2;

fn to_head(token: Token<'_>) -> Head {
    match token {
        Token::Ext(EVENT_TIME, bytes) => bytes.try_into().map_or(Head::Other, event_time),
        Token::Unsigned(seconds) => time(i64::try_from(seconds).unwrap_or(i64::MAX), 0),
        Token::Signed(GROUP_START) => Head::GroupStart,
        Token::Signed(GROUP_END) => Head::GroupEnd,
        Token::Signed(seconds) => time(seconds, 0),
        Token::Float(seconds) if seconds.is_finite() => {
            let whole = seconds.floor();
            time(whole as i64, ((seconds - whole) * 1e9) as u32)
        }
        _ => Head::Other,
    }
}

/// Group markers are written as EventTime too: -1 and -2 with no nanoseconds. All other values are
/// times, up to the year 2106.
fn event_time(bytes: &[u8; 8]) -> Head {
    let bits = u64::from_be_bytes(*bytes);
    let (seconds, nanoseconds) = ((bits >> 32) as u32, bits as u32);
    match (seconds.cast_signed().into(), nanoseconds) {
        (GROUP_START, 0) => Head::GroupStart,
        (GROUP_END, 0) => Head::GroupEnd,
        _ => time(seconds.into(), nanoseconds),
    }
}

/// Moves a time that no calendar can print to the nearest one that it can: the record matters more.
fn time(seconds: i64, nanoseconds: u32) -> Head {
    const YEAR_0: i64 = -62_167_219_200;
    const END_OF_YEAR_9999: i64 = 253_402_300_799;
    Head::Event(Time {
        seconds: seconds.clamp(YEAR_0, END_OF_YEAR_9999),
        nanoseconds: nanoseconds.min(999_999_999),
    })
}
