//! Turns msgpack values into JSON text, straight from the chunk into the output.

use crate::format::json;
use crate::format::keys::{Key, KeyText, Keys, Seen};
use crate::format::msgpack::{Malformed, Reader, Token};
use crate::schema::watch::Watch;

/// Writes values and keys. Nesting lives on a heap stack that is kept between events, so neither
/// depth nor the number of events costs an allocation or overflows a thread's stack.
#[derive(Debug, Default)]
pub struct Transcoder {
    replace_dots: Option<String>,
    /// The containers around the one whose elements are being written, and the keys so far of those
    /// that are maps.
    open: Vec<Container>,
    open_seen: Vec<Seen>,
    /// The keys of the map whose elements are being written.
    seen: Seen,
    scratch: Vec<u8>,
    /// The keys of outermost maps are kept apart, as a `Choice` is made only among those.
    outer_keys: Keys,
    inner_keys: Keys,
    /// An object of what was written last may have a key twice.
    pub may_have_doubles: bool,
    inside_key: bool,
    /// Is shown the keys of `pairs`.
    pub(crate) watch: Option<Box<Watch>>,
    /// For the watch, the own bit of the key that was new last; 0 if it has none.
    new_own: u64,
    /// Writes keys that are containers; made when there is one.
    container_keys: Option<Box<Transcoder>>,
}

#[derive(Debug)]
struct Container {
    is_map: bool,
    left: u32,
}

/// Decides about the pairs of an outermost map; without a decision they are written as they are. A
/// key that is to be written as it is may come again without a question.
pub trait Choice {
    /// Reads the next pair if it is to be left out; else nothing.
    fn leaves_out(&mut self, _reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        Ok(false)
    }

    /// Whether a key, as it is written, its colon included, is asked about each time it comes.
    fn asks_again(&self, _key: &[u8]) -> bool {
        false
    }

    /// Whether something else stands for the pair whose key was just written from `start` of `out`,
    /// its colon included. That is written over the key, with a comma, or is nothing.
    fn replaces(&mut self, _start: usize, _out: &mut Vec<u8>) -> bool {
        false
    }
}

struct All;

impl Choice for All {}

impl Transcoder {
    /// `replace_dots`: what stands for each dot of a key, at every depth.
    pub fn new(replace_dots: Option<String>) -> Self {
        Self {
            replace_dots,
            ..Self::default()
        }
    }

    /// Writes the next value of `reader`.
    pub fn value(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let alone = Container {
            is_map: false,
            left: 1,
        };
        self.elements::<false>(alone, reader, out, &mut All)?;
        out.pop();
        Ok(())
    }

    /// Writes the next pairs of `reader`, each followed by a comma, as they are chosen.
    pub fn pairs(
        &mut self,
        count: u32,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
        choice: &mut dyn Choice,
    ) -> Result<(), Malformed> {
        let map = Container {
            is_map: true,
            left: count,
        };
        match self.watch.is_some() {
            true => self.elements::<true>(map, reader, out, choice),
            false => self.elements::<false>(map, reader, out, choice),
        }
    }

    /// Writes the elements of a container, each followed by a comma. That comma is there for the
    /// next element, or to be replaced by the container's end. What the watch needs costs others
    /// nothing.
    #[inline(never)]
    fn elements<const IS_WATCHED: bool>(
        &mut self,
        outermost: Container,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
        choice: &mut dyn Choice,
    ) -> Result<(), Malformed> {
        // An error may have left containers of the value before open.
        self.open.clear();
        self.open_seen.clear();
        self.seen = Seen::default();
        self.may_have_doubles = false;
        let begins_anew = self.outer_keys.make_room() | self.inner_keys.make_room();
        if IS_WATCHED && begins_anew {
            self.forgot();
        }
        let mut current = outermost;
        loop {
            if current.left == 0 {
                let Some(outer) = self.open.pop() else {
                    return Ok(());
                };
                if IS_WATCHED {
                    self.closed();
                }
                close(out, if current.is_map { b'}' } else { b']' });
                out.push(b',');
                current = outer;
                if current.is_map {
                    self.seen = self.open_seen.pop().unwrap_or_default();
                }
                continue;
            }
            current.left -= 1;
            // For the watch, the key's own bit; 0 if it has none, or there is no key.
            let mut own = 0;
            if current.is_map {
                if let Some((length, bit)) = self.kept_key(reader.rest(), out) {
                    own = bit;
                    reader.advance(length)?;
                } else if self.key::<IS_WATCHED>(reader, out, choice)? {
                    own = self.new_own;
                } else {
                    continue;
                }
            }
            if let Some((input, length)) = reader.read_short_text() {
                json::push_text(out, input, length, b"\",");
                continue;
            }
            let (bracket, is_map, left) = match reader.read()? {
                Token::Array(left) => (b'[', false, left),
                Token::Map(left) => (b'{', true, left),
                scalar => {
                    push_scalar(scalar, out);
                    out.push(b',');
                    continue;
                }
            };
            out.push(bracket);
            if current.is_map {
                self.open_seen.push(self.seen);
            }
            self.seen = Seen::default();
            if IS_WATCHED {
                self.opened(own, is_map);
            }
            self.open.push(current);
            current = Container { is_map, left };
        }
    }

    /// The bits of keys may stand for others from now on, and no container is open.
    #[cold]
    pub(crate) fn forgot(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.begin();
        }
    }

    #[inline(always)]
    fn opened(&mut self, own: u64, is_map: bool) {
        if let Some(watch) = &mut self.watch {
            watch.open(own, is_map, &self.inner_keys);
        }
    }

    #[inline(always)]
    fn closed(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.close(self.seen.own, &self.inner_keys);
        }
    }

    /// Writes the key at the start of `input`, with its colon, if it is kept; gives its length and
    /// its bit.
    #[inline(always)]
    fn kept_key(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<(usize, u64)> {
        let keys = if self.open.is_empty() {
            &self.outer_keys
        } else {
            &self.inner_keys
        };
        let key = Key::read(input)?;
        let bit = keys.push(key, out)?;
        if self.seen.has_own(bit) {
            self.may_have_doubles = true;
        }
        Some((key.length, bit))
    }

    /// Writes the key of the next pair, with its colon, unless another choice is made: then false.
    #[cold]
    fn key<const IS_WATCHED: bool>(
        &mut self,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
        choice: &mut dyn Choice,
    ) -> Result<bool, Malformed> {
        let is_outermost = self.open.is_empty();
        if is_outermost && choice.leaves_out(reader)? {
            return Ok(false);
        }
        let key = Key::read(reader.rest());
        let start = out.len();
        self.new_key(reader, out)?;
        let key = key.filter(|_| !(is_outermost && choice.asks_again(&out[start..])));
        if is_outermost && choice.replaces(start, out) {
            reader.skip()?;
            return Ok(false);
        }
        let keys = if is_outermost {
            &mut self.outer_keys
        } else {
            &mut self.inner_keys
        };
        let text = KeyText::new(&out[start..]);
        let seen = keys.keep(key, &text);
        self.may_have_doubles |= self.seen.may_have(seen);
        if IS_WATCHED && let Some(watch) = &mut self.watch {
            self.new_own = seen.own;
            watch.key(&text, seen.own);
        }
        Ok(true)
    }

    fn new_key(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let start = *reader;
        match reader.read()? {
            Token::Bin(bytes) if str::from_utf8(bytes).is_err() => json::push_base64(out, bytes),
            Token::Str(text) | Token::Bin(text) => json::push_string(out, self.without_dots(text)),
            Token::Ext(_, bytes) => json::push_base64(out, bytes),
            Token::Array(_) | Token::Map(_) => {
                *reader = start;
                reader.skip()?;
                self.container_key(reader.since(&start), out)?;
            }
            scalar => {
                let mut text = Vec::new();
                push_scalar(scalar, &mut text);
                json::push_string(out, self.without_dots(&text));
            }
        }
        out.push(b':');
        Ok(())
    }

    /// A key's text with its dots replaced.
    pub fn without_dots<'k>(&'k mut self, text: &'k [u8]) -> &'k [u8] {
        let Some(replacement) = &self.replace_dots else {
            return text;
        };
        if !text.contains(&b'.') {
            return text;
        }
        self.scratch.clear();
        for &byte in text {
            match byte {
                b'.' => self.scratch.extend_from_slice(replacement.as_bytes()),
                _ => self.scratch.push(byte),
            }
        }
        &self.scratch
    }

    /// A container as a key goes out as its JSON text. Escaping that text again at every level of
    /// keys within keys would double it each time, so within a key it is base64 of the msgpack.
    fn container_key(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.inside_key {
            json::push_base64(out, key);
            return Ok(());
        }
        let inner = self.container_keys.get_or_insert_with(|| {
            Box::new(Self {
                inside_key: true,
                ..Self::new(None)
            })
        });
        let mut text = Vec::new();
        inner.value(&mut Reader::new(key), &mut text)?;
        json::push_string(out, self.without_dots(&text));
        Ok(())
    }
}

/// Ends a container, in place of the comma behind its last element.
pub fn close(out: &mut Vec<u8>, bracket: u8) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(bracket);
}

#[inline(always)]
fn push_scalar(token: Token<'_>, out: &mut Vec<u8>) {
    match token {
        Token::Bool(true) => out.extend_from_slice(b"true"),
        Token::Bool(false) => out.extend_from_slice(b"false"),
        Token::Unsigned(value) => json::push_integer(out, value),
        Token::Signed(value) => json::push_integer(out, value),
        Token::Float(value) => json::push_float(out, value),
        Token::Str(text) => json::push_string(out, text),
        Token::Bin(bytes) => json::push_bytes(out, bytes),
        Token::Ext(_, bytes) => json::push_base64(out, bytes),
        // Containers never get here: their callers open them.
        Token::Nil | Token::Array(_) | Token::Map(_) => out.extend_from_slice(b"null"),
    }
}
