//! The pairs of a document that its event's body does not have: the event's metadata, the head of
//! its group, and its time.

use crate::format::document::Format;
use crate::format::event::Time;
use crate::format::json;
use crate::format::msgpack::{Malformed, Reader, Token};
use crate::format::time::TimeWriter;
use crate::format::transcode::Transcoder;

/// The pairs in the order of a document. Their texts are kept from one to the next.
#[derive(Debug)]
pub(crate) struct Added {
    pairs: Vec<Pair>,
    /// Of metadata and groups, if they are added.
    values: Option<Values>,
    /// The msgpack of what the group's pair has as its value.
    group: Vec<u8>,
    /// The event's.
    time: Time,
    /// How many bytes were written that say nothing of the event itself.
    pub(crate) written: usize,
}

#[derive(Debug)]
struct Pair {
    kind: Kind,
    /// The key's JSON text with its colon; behind it the value and a comma, unless it is a time.
    text: Vec<u8>,
    key_length: usize,
    /// The event has it.
    is_there: bool,
    is_written: bool,
    may_have_doubles: bool,
}

#[derive(Debug)]
enum Kind {
    Metadata,
    Group,
    Time(TimeWriter),
}

impl Added {
    pub(crate) fn new(format: &Format, transcoder: &mut Transcoder) -> Self {
        let metadata = format.metadata_key.iter().map(|key| (key, Kind::Metadata));
        let group = format.group_key.iter().map(|key| (key, Kind::Group));
        let time = format.time_key.iter().map(|time| {
            let writer = TimeWriter::new(time.format.clone());
            (&time.key, Kind::Time(writer))
        });
        let pair = |(key, kind): (&String, Kind)| {
            let mut text = Vec::new();
            json::push_string(&mut text, transcoder.without_dots(key.as_bytes()));
            text.push(b':');
            Pair {
                key_length: text.len(),
                text,
                is_there: matches!(kind, Kind::Time(_)),
                kind,
                is_written: false,
                may_have_doubles: false,
            }
        };
        let has_values = format.metadata_key.is_some() || format.group_key.is_some();
        let pairs = metadata.chain(group).chain(time).map(pair).collect();
        Self {
            pairs,
            values: has_values.then(|| Values {
                transcoder: Transcoder::new(format.replace_dots.clone()),
                in_hex: Vec::new(),
            }),
            group: Vec::new(),
            time: Time::default(),
            written: 0,
        }
    }

    /// Begins the document of an event.
    pub(crate) fn begin(&mut self, time: Time) {
        self.written = 0;
        self.time = time;
        for pair in &mut self.pairs {
            pair.is_written = false;
        }
    }

    /// Takes the metadata of the event that comes next, if it has any.
    pub(crate) fn set_metadata(&mut self, metadata: Option<Reader<'_>>) {
        self.set(|kind| matches!(kind, Kind::Metadata), metadata);
    }

    /// Takes the attributes of the group that the events belong to from here on; of none, nothing.
    pub(crate) fn set_group(&mut self, attributes: &[u8]) {
        // Groups may be as many as events, and mostly say the same.
        if self.group != attributes {
            self.group.clear();
            self.group.extend_from_slice(attributes);
            let attributes = Some(Reader::new(attributes));
            self.set(|kind| matches!(kind, Kind::Group), attributes);
        }
    }

    fn set(&mut self, is_it: impl Fn(&Kind) -> bool, value: Option<Reader<'_>>) {
        let pair = self.pairs.iter_mut().find(|pair| is_it(&pair.kind));
        if let (Some(pair), Some(values)) = (pair, &mut self.values) {
            pair.set(values, value);
        }
    }

    /// Whether a key, as it is written with its colon, is one of a pair that some events have.
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        self.pairs.iter().any(|pair| pair.key() == key)
    }

    /// Writes a pair of the same key over the key that was just written from `start` of `out`, or
    /// nothing if that pair is written already; false if the event has no such pair.
    pub(crate) fn replaces(&mut self, start: usize, out: &mut Vec<u8>) -> bool {
        let is_it = |pair: &&mut Pair| pair.is_there && pair.key() == &out[start..];
        let Some(pair) = self.pairs.iter_mut().find(is_it) else {
            return false;
        };
        out.truncate(start);
        self.written += pair.push(self.time, out);
        true
    }

    /// Writes the pairs that did not take a place so far.
    #[inline]
    pub(crate) fn push_rest(&mut self, out: &mut Vec<u8>) {
        for pair in self.pairs.iter_mut().filter(|pair| pair.is_there) {
            self.written += pair.push(self.time, out);
        }
    }

    /// Whether the event says something without a field of its body.
    pub(crate) fn has_metadata(&self) -> bool {
        self.has(|pair| matches!(pair.kind, Kind::Metadata))
    }

    pub(crate) fn may_have_doubles(&self) -> bool {
        self.has(|pair| pair.may_have_doubles)
    }

    /// Whether the event has such a pair of metadata or of a group.
    fn has(&self, is_it: impl Fn(&Pair) -> bool) -> bool {
        let has_it = |pair: &Pair| pair.is_there && is_it(pair);
        self.values.is_some() && self.pairs.iter().any(has_it)
    }

    /// The text of the time's key, with its colon.
    pub(crate) fn time_key(&self) -> Option<&[u8]> {
        let mut pairs = self.pairs.iter();
        let time = pairs.find(|pair| matches!(pair.kind, Kind::Time(_)));
        time.map(Pair::key)
    }
}

impl Pair {
    fn key(&self) -> &[u8] {
        &self.text[..self.key_length]
    }

    /// Takes a value, if it is a map with a pair at least.
    fn set(&mut self, values: &mut Values, value: Option<Reader<'_>>) {
        self.text.truncate(self.key_length);
        self.is_there = false;
        let Some(value) = value else {
            return;
        };
        let mut head = value;
        if let Ok(Token::Map(1..)) = head.read()
            && let Ok(may_have_doubles) = values.push(value, &mut self.text)
        {
            self.text.push(b',');
            self.is_there = true;
            self.may_have_doubles = may_have_doubles;
        }
    }

    /// Writes the pair, followed by a comma, unless it is there already. Gives the bytes that say
    /// nothing of the event itself.
    #[inline]
    fn push(&mut self, time: Time, out: &mut Vec<u8>) -> usize {
        if self.is_written {
            return 0;
        }
        self.is_written = true;
        let start = out.len();
        out.extend_from_slice(&self.text);
        if let Kind::Time(writer) = &mut self.kind {
            out.extend_from_slice(writer.write(time));
            out.push(b',');
        }
        match self.kind {
            Kind::Metadata => 0,
            Kind::Group | Kind::Time(_) => out.len() - start,
        }
    }
}

/// Writes the values of metadata and groups.
#[derive(Debug)]
struct Values {
    transcoder: Transcoder,
    in_hex: Vec<u8>,
}

impl Values {
    /// Appends the JSON of a value; tells whether an object of it may have a key twice.
    fn push(&mut self, mut value: Reader<'_>, out: &mut Vec<u8>) -> Result<bool, Malformed> {
        self.in_hex.clear();
        push_in_hex(&mut value, &mut self.in_hex)?;
        let mut value = Reader::new(&self.in_hex);
        self.transcoder.value(&mut value, out)?;
        Ok(self.transcoder.may_have_doubles)
    }
}

/// Copies a value with its bytes as text in hexadecimal digits. They are ids of traces and spans,
/// which every other system shows so; some are UTF-8 by chance.
fn push_in_hex(value: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    const FIXSTR: u8 = 0xa0;
    const STR_8: u8 = 0xd9;
    const STR_32: u8 = 0xdb;
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut left: u64 = 1;
    while left > 0 {
        left -= 1;
        let start = *value;
        match value.read()? {
            Token::Bin(bytes) => {
                let length = u32::try_from(2 * bytes.len()).map_err(|_| Malformed::Truncated)?;
                match length {
                    0..32 => out.push(FIXSTR | length as u8),
                    32..256 => out.extend_from_slice(&[STR_8, length as u8]),
                    256.. => {
                        out.push(STR_32);
                        out.extend_from_slice(&length.to_be_bytes());
                    }
                }
                let digits = |byte: &u8| [byte >> 4, byte & 0xf].map(|it| DIGITS[usize::from(it)]);
                out.extend(bytes.iter().flat_map(digits));
                continue;
            }
            Token::Array(length) => left += u64::from(length),
            Token::Map(length) => left += 2 * u64::from(length),
            _ => {}
        }
        out.extend_from_slice(value.since(&start));
    }
    Ok(())
}
