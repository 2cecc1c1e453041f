//! Makes one document of one event: the line of text that goes to Firehose.

use std::mem;

use crate::format::accessor::Accessor;
use crate::format::added::Added;
use crate::format::doubles::Doubles;
use crate::format::event::Time;
use crate::format::msgpack::{Malformed, Reader, Token};
use crate::format::outcome::Outcome;
use crate::format::selection::Selection;
use crate::format::time::TimeFormat;
use crate::format::transcode::{Choice, Transcoder, close};
use crate::format::truncate;
use crate::schema::watch::{Drift, Watch};

/// What a document is made of. The steps follow each other in the order of the fields, except
/// that `log_key` is looked for in the event as it came, with its dots replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Keep only these values of an event; empty keeps all.
    pub data_keys: Vec<Accessor>,
    /// The document is this value instead of the whole event.
    pub log_key: Option<Accessor>,
    /// Add the event's metadata under this key.
    pub metadata_key: Option<String>,
    /// Add the attributes of the event's group under this key.
    pub group_key: Option<String>,
    /// Add the event's time.
    pub time_key: Option<TimeKey>,
    /// What stands for each dot in keys.
    pub replace_dots: Option<String>,
    /// The most bytes a document may have, its newline included.
    pub max_bytes: usize,
}

impl Format {
    /// The options that add a pair to a document, and their keys.
    pub fn added_keys(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let time_key = self.time_key.as_ref().map(|time| &time.key);
        let keys = [
            self.metadata_key.as_ref().map(|key| ("metadata_key", key)),
            self.group_key.as_ref().map(|key| ("group_key", key)),
            time_key.map(|key| ("time_key", key)),
        ];
        let keys = keys.into_iter().flatten();
        keys.map(|(option, key)| (option, key.as_str()))
    }

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
    /// Of `data_keys`, if one of them is nested.
    selection: Option<Selection>,
    /// What was selected of the event.
    selected: Vec<u8>,
    added: Added,
    transcoder: Transcoder,
    doubles: Doubles,
    /// Also those whose key comes again.
    has_all_pairs: bool,
}

/// The choice among an event's own pairs.
struct Own<'o> {
    data_keys: &'o [Accessor],
    added: &'o mut Added,
}

impl Choice for Own<'_> {
    fn leaves_out(&mut self, reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        if self.data_keys.is_empty() {
            return Ok(false);
        }
        let mut pair = *reader;
        let name = pair.read_name()?;
        let is_it = |key: &Accessor| Some(key.first_key().as_bytes()) == name;
        if self.data_keys.iter().any(is_it) {
            return Ok(false);
        }
        pair.skip()?;
        *reader = pair;
        Ok(true)
    }

    fn asks_again(&self, key: &[u8]) -> bool {
        self.added.has_key(key)
    }

    fn replaces(&mut self, start: usize, out: &mut Vec<u8>) -> bool {
        self.added.replaces(start, out)
    }
}

impl<'f> Formatter<'f> {
    pub fn new(format: &'f Format) -> Self {
        let mut transcoder = Transcoder::new(format.replace_dots.clone());
        let is_nested = format.data_keys.iter().any(Accessor::is_nested);
        Self {
            format,
            selection: is_nested.then(|| Selection::new(&format.data_keys)),
            selected: Vec::new(),
            added: Added::new(format, &mut transcoder),
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

    /// Whether `set_metadata` is to be called for each event.
    pub fn adds_metadata(&self) -> bool {
        self.format.metadata_key.is_some()
    }

    /// Takes the metadata of the event that comes next, if it has any.
    pub fn set_metadata(&mut self, metadata: Option<Reader<'_>>) {
        self.added.set_metadata(metadata);
    }

    /// Whether `set_group` is to be called where a group begins or ends.
    pub fn adds_group(&self) -> bool {
        self.format.group_key.is_some()
    }

    /// Takes the attributes of the group that the events belong to from here on; of none, nothing.
    pub fn set_group(&mut self, attributes: &[u8]) {
        self.added.set_group(attributes);
    }

    /// Has documents compared with a table; not for a `log_key`.
    pub fn watch(&mut self, watch: Option<Box<Watch>>) {
        self.transcoder.watch = watch;
        // The keys of this formatter are new.
        self.transcoder.forgot();
    }

    /// What the watch has to tell.
    pub fn drift(&mut self) -> Drift {
        let watch = self.transcoder.watch.as_mut();
        watch.map_or_else(Drift::default, |watch| watch.take())
    }

    pub fn into_watch(self) -> Option<Box<Watch>> {
        self.transcoder.watch
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
        let is_json = if let Some(log_key) = &self.format.log_key {
            *reader = body;
            match self.log_value(log_key, reader, out)? {
                None => return Ok(Outcome::WithoutLogKey),
                Some(is_json) => is_json,
            }
        } else {
            let has_fields = match &self.selection {
                None => self.map(pairs, time, reader, out)?,
                Some(_) => {
                    *reader = body;
                    self.selected_map(time, reader, out)?
                }
            };
            if !has_fields {
                out.truncate(start);
                return Ok(Outcome::WithoutField);
            }
            true
        };
        // All keys that were written have to be in it.
        if let Some(watch) = &mut self.transcoder.watch {
            watch.written(&out[start..]);
        }
        let doubled = match is_json && self.transcoder.may_have_doubles && !self.has_all_pairs {
            true => self.doubles.leave_out(out, start),
            false => None,
        };
        let length = out.len() - start + 1;
        let limit = self.format.max_bytes;
        if length > limit {
            let cut = if is_json {
                truncate::json(&out[start..], limit - 1, self.added.time_key())
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
    // Always: nearly every event comes by here.
    #[inline(always)]
    fn map(
        &mut self,
        pairs: u32,
        time: Time,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Malformed> {
        out.push(b'{');
        let start = out.len();
        self.added.begin(time);
        let mut own = Own {
            data_keys: &self.format.data_keys,
            added: &mut self.added,
        };
        if let Err(malformed) = self.transcoder.pairs(pairs, reader, out, &mut own) {
            self.transcoder.forgot();
            return Err(malformed);
        }
        let has_fields = out.len() > start + self.added.written || self.added.has_metadata();
        self.added.push_rest(out);
        self.transcoder.may_have_doubles |= self.added.may_have_doubles();
        close(out, b'}');
        Ok(has_fields)
    }

    /// The same of the body that is next, and of which a selection is made first.
    fn selected_map(
        &mut self,
        time: Time,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Malformed> {
        let mut selected = mem::take(&mut self.selected);
        selected.clear();
        if let Some(selection) = &self.selection {
            selection.write(reader, &mut selected)?;
        }
        let mut body = Reader::new(&selected);
        // Where nothing is selected there is no map to read.
        let pairs = match body.read() {
            Ok(Token::Map(pairs)) => pairs,
            _ => 0,
        };
        let has_fields = self.map(pairs, time, &mut body, out)?;
        self.selected = selected;
        Ok(has_fields)
    }

    /// Writes the value that `log_key` finds in the body that is next. Tells whether it is JSON
    /// rather than the text of a string, if there is one.
    fn log_value(
        &mut self,
        log_key: &Accessor,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<bool>, Malformed> {
        let transcoder = &mut self.transcoder;
        let is_it = |key: &str, name: &[u8]| transcoder.without_dots(name) == key.as_bytes();
        let Some(mut value) = log_key.place(reader, is_it)? else {
            return Ok(None);
        };
        let start = value;
        if let Token::Str(text) = value.read()? {
            out.extend_from_slice(without_trailing_newlines(text));
            return Ok(Some(false));
        }
        value = start;
        self.transcoder.value(&mut value, out)?;
        Ok(Some(true))
    }
}

/// The document ends in a newline of its own; Docker's log lines bring one too.
fn without_trailing_newlines(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b'\n');
    &text[..end.map_or(0, |last| last + 1)]
}
