//! Makes one document of one event: the line of text that goes to Firehose.

use crate::format::doubles::Doubles;
use crate::format::event::Time;
use crate::format::json;
use crate::format::msgpack::{Malformed, Reader, Token};
use crate::format::outcome::Outcome;
use crate::format::time::{TimeFormat, TimeWriter};
use crate::format::transcode::{Choice, Transcoder, close};
use crate::format::truncate;

/// What a document is made of. The steps follow each other in the order of the fields, except
/// that dots are replaced before `log_key` is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Keep only these keys of an event; empty keeps all.
    pub data_keys: Vec<String>,
    /// The document is this key's value instead of the whole event.
    pub log_key: Option<String>,
    /// Add the event's time.
    pub time_key: Option<TimeKey>,
    /// What stands for each dot in keys.
    pub replace_dots: Option<String>,
    /// The most bytes a document may have, its newline included.
    pub max_bytes: usize,
}

impl Format {
    /// Whether Firehose's conversion to Parquet reads all times that are added.
    pub fn has_convertible_times(&self) -> bool {
        let time_key = self.time_key.as_ref();
        time_key.is_none_or(|key| key.format.is_convertible())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeKey {
    pub key: String,
    pub format: TimeFormat,
}

/// Writes documents. Its buffers are kept from one to the next.
#[derive(Debug)]
pub struct Formatter<'f> {
    format: &'f Format,
    time: Option<TimePair>,
    transcoder: Transcoder,
    doubles: Doubles,
    /// Also those whose key comes again.
    has_all_pairs: bool,
}

#[derive(Debug)]
struct TimePair {
    /// The key's JSON text, with its colon.
    text: Vec<u8>,
    writer: TimeWriter,
}

/// The choice among an event's own pairs.
struct Own<'o> {
    data_keys: &'o [String],
    time: Option<&'o mut TimePair>,
    /// The event's.
    at: Time,
    /// How many bytes were written for the time so far.
    time_length: usize,
}

impl Choice for Own<'_> {
    fn leaves_out(&mut self, reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        if self.data_keys.is_empty() {
            return Ok(false);
        }
        let mut pair = *reader;
        let name = pair.read_name()?;
        if keeps(self.data_keys, name) {
            return Ok(false);
        }
        pair.skip()?;
        *reader = pair;
        Ok(true)
    }

    fn replaces(&mut self, start: usize, out: &mut Vec<u8>) -> bool {
        let is_time = |time: &&mut TimePair| time.text == out[start..];
        if !self.time.as_ref().is_some_and(is_time) {
            return false;
        }
        out.truncate(start);
        self.push_time(out);
        true
    }
}

impl Own<'_> {
    /// Writes the time, followed by a comma, unless it is there already.
    fn push_time(&mut self, out: &mut Vec<u8>) {
        if let Some(time) = &mut self.time
            && self.time_length == 0
        {
            let start = out.len();
            out.extend_from_slice(&time.text);
            out.extend_from_slice(time.writer.write(self.at));
            out.push(b',');
            self.time_length = out.len() - start;
        }
    }
}

impl<'f> Formatter<'f> {
    pub fn new(format: &'f Format) -> Self {
        let mut transcoder = Transcoder::new(format.replace_dots.clone());
        let time = format.time_key.as_ref().map(|time| {
            let mut text = Vec::new();
            json::push_string(&mut text, transcoder.without_dots(time.key.as_bytes()));
            text.push(b':');
            TimePair {
                text,
                writer: TimeWriter::new(time.format.clone()),
            }
        });
        Self {
            format,
            time,
            transcoder,
            doubles: Doubles::default(),
            has_all_pairs: false,
        }
    }

    /// Leaves no pair out whose key comes again, for whoever keeps what is not delivered.
    pub fn of_all_pairs(format: &'f Format) -> Self {
        Self {
            has_all_pairs: true,
            ..Self::new(format)
        }
    }

    /// Appends the document of the event whose body is next in `reader`, ending in one newline.
    ///
    /// On an error `out` may hold a part of a document.
    pub fn write(
        &mut self,
        time: Time,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome<'_>, Malformed> {
        let start = out.len();
        let body = *reader;
        let Token::Map(pairs) = reader.read()? else {
            *reader = body;
            reader.skip()?;
            return Ok(Outcome::NotAnEvent);
        };
        let is_json = match &self.format.log_key {
            None if self.map(pairs, time, reader, out)? => true,
            None => {
                out.truncate(start);
                return Ok(Outcome::WithoutField);
            }
            Some(log_key) => match self.log_value(log_key, pairs, reader, out)? {
                None => return Ok(Outcome::WithoutLogKey),
                Some(is_json) => is_json,
            },
        };
        let doubled = match is_json && self.transcoder.may_have_doubles && !self.has_all_pairs {
            true => self.doubles.leave_out(out, start),
            false => None,
        };
        let length = out.len() - start + 1;
        let limit = self.format.max_bytes;
        if length > limit {
            let cut = if is_json {
                let time = self.time.as_ref().map(|time| &time.text[..]);
                truncate::json(&out[start..], limit - 1, time)
            } else {
                truncate::text(&out[start..], limit - 1)
            };
            out.truncate(start);
            out.extend_from_slice(&cut);
        }
        out.push(b'\n');
        Ok(Outcome::Document {
            cut_from: (length > limit).then_some(length),
            doubled,
        })
    }

    /// Writes the event as it is chosen; false if it has no field of its own.
    fn map(
        &mut self,
        pairs: u32,
        time: Time,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Malformed> {
        out.push(b'{');
        let start = out.len();
        let mut own = Own {
            data_keys: &self.format.data_keys,
            time: self.time.as_mut(),
            at: time,
            time_length: 0,
        };
        self.transcoder.pairs(pairs, reader, out, &mut own)?;
        let has_fields = out.len() > start + own.time_length;
        own.push_time(out);
        close(out, b'}');
        Ok(has_fields)
    }

    /// Writes the value of the last pair whose key is `log_key`, and passes over all others. Tells
    /// whether it is JSON rather than the text of a string, if there is one.
    fn log_value(
        &mut self,
        log_key: &str,
        pairs: u32,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<bool>, Malformed> {
        let start = out.len();
        let mut is_json = None;
        for _ in 0..pairs {
            let name = reader.read_name()?;
            let is_it = |name| self.transcoder.without_dots(name) == log_key.as_bytes();
            if !keeps(&self.format.data_keys, name) || !name.is_some_and(is_it) {
                reader.skip()?;
                continue;
            }
            out.truncate(start);
            let mut value = *reader;
            if let Token::Str(text) = value.read()? {
                out.extend_from_slice(without_trailing_newlines(text));
                *reader = value;
                is_json = Some(false);
            } else {
                self.transcoder.value(reader, out)?;
                is_json = Some(true);
            }
        }
        Ok(is_json)
    }
}

fn keeps(keys: &[String], name: Option<&[u8]>) -> bool {
    keys.is_empty() || keys.iter().any(|key| Some(key.as_bytes()) == name)
}

/// The document ends in a newline of its own; Docker's log lines bring one too.
fn without_trailing_newlines(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b'\n');
    &text[..end.map_or(0, |last| last + 1)]
}
