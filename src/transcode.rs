//! Turns msgpack values into JSON text, straight from the chunk into the output.

use crate::json;
use crate::msgpack::{Malformed, Reader, Token};

/// Writes values and keys. Nesting lives on a heap stack that is kept between events, so neither
/// depth nor the number of events costs an allocation or overflows a thread's stack.
#[derive(Debug, Default)]
pub struct Transcoder {
    replace_dots: Option<String>,
    inside_key: bool,
    open: Vec<Container>,
    scratch: Vec<u8>,
}

/// An array or map whose elements are being written.
#[derive(Debug)]
struct Container {
    is_map: bool,
    left: u32,
}

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
        // An error may have left containers of the value before open.
        self.open.clear();
        loop {
            if let Some((input, length)) = reader.read_short_text() {
                json::push_text(out, input, length, b"\"");
            } else {
                match reader.read()? {
                    Token::Array(0) => out.extend_from_slice(b"[]"),
                    Token::Map(0) => out.extend_from_slice(b"{}"),
                    Token::Array(left) => {
                        out.push(b'[');
                        self.open.push(Container {
                            is_map: false,
                            left,
                        });
                        continue;
                    }
                    Token::Map(left) => {
                        out.push(b'{');
                        self.open.push(Container { is_map: true, left });
                        self.key(reader, out)?;
                        continue;
                    }
                    scalar => push_scalar(scalar, out),
                }
            }
            loop {
                let Some(container) = self.open.last_mut() else {
                    return Ok(());
                };
                container.left -= 1;
                if container.left > 0 {
                    out.push(b',');
                    if container.is_map {
                        self.key(reader, out)?;
                    }
                    break;
                }
                out.push(if container.is_map { b'}' } else { b']' });
                self.open.pop();
            }
        }
    }

    /// Writes the next value of `reader` as a key, with its colon.
    pub fn key(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
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
        let mut text = Vec::new();
        let mut inner = Self {
            inside_key: true,
            ..Self::default()
        };
        inner.value(&mut Reader::new(key), &mut text)?;
        json::push_string(out, self.without_dots(&text));
        Ok(())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use rmpv::Value;

    fn json(value: &Value, replace_dots: Option<&str>) -> String {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        let mut out = Vec::new();
        let mut reader = Reader::new(&bytes);
        Transcoder::new(replace_dots.map(str::to_owned))
            .value(&mut reader, &mut out)
            .unwrap();
        assert!(reader.is_empty());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_every_kind_of_value() {
        let cases = [
            (Value::Nil, "null"),
            (Value::Boolean(true), "true"),
            (Value::from(u64::MAX), "18446744073709551615"),
            (Value::from(i64::MIN), "-9223372036854775808"),
            (Value::F64(0.1), "0.1"),
            (Value::F64(1e300), "1e+300"),
            (Value::F64(-0.0), "-0.0"),
            (Value::F64(f64::NAN), "null"),
            (Value::F64(f64::NEG_INFINITY), "null"),
            (Value::F32(0.5), "0.5"),
            (Value::Binary(b"text".to_vec()), "\"text\""),
            (Value::Binary(vec![0xff, 0xfe]), "\"//4=\""),
            (Value::Ext(7, vec![1, 2, 3]), "\"AQID\""),
            (Value::Array(vec![]), "[]"),
            (Value::Map(vec![]), "{}"),
            (
                Value::Array(vec![1.into(), Value::Array(vec![2.into()]), 3.into()]),
                "[1,[2],3]",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(json(&value, None), expected, "{value}");
        }
    }

    #[test]
    fn keys_of_every_kind_become_text() {
        let inner = Value::Map(vec![(Value::Map(vec![]), 1.into())]);
        let map = Value::Map(vec![
            ("b".into(), 1.into()),
            ("a".into(), 2.into()),
            (7.into(), 3.into()),
            (Value::Nil, 4.into()),
            (Value::F64(1.5), 5.into()),
            (Value::Binary(vec![0xff]), 6.into()),
            (Value::Array(vec!["x".into(), 1.into()]), 7.into()),
            (inner, 8.into()),
        ]);
        assert_eq!(
            json(&map, None),
            r#"{"b":1,"a":2,"7":3,"null":4,"1.5":5,"/w==":6,"[\"x\",1]":7,"{\"gA==\":1}":8}"#
        );
    }

    #[test]
    fn dots_are_replaced_in_keys_at_every_depth_and_nowhere_else() {
        let map = Value::Map(vec![(
            "a.b".into(),
            Value::Array(vec![Value::Map(vec![("c.d.".into(), "e.f".into())])]),
        )]);
        assert_eq!(json(&map, Some("__")), r#"{"a__b":[{"c__d__":"e.f"}]}"#);
    }

    #[test]
    fn depth_is_bounded_by_the_bytes_alone() {
        let depth = 2_000_000;
        let mut bytes = vec![0x91; depth];
        bytes.push(0x2a);
        let mut out = Vec::new();
        Transcoder::default()
            .value(&mut Reader::new(&bytes), &mut out)
            .unwrap();
        assert_eq!(out.len(), 2 * depth + 2);
    }

    #[test]
    fn keys_within_keys_do_not_grow_without_bound() {
        let mut bytes = vec![0x81; 100_000];
        bytes.extend_from_slice(&[0xc0; 100_001]);
        let mut out = Vec::new();
        Transcoder::default()
            .value(&mut Reader::new(&bytes), &mut out)
            .unwrap();
        assert!(out.len() < 3 * bytes.len(), "{} bytes", out.len());
    }
}
