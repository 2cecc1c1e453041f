//! Reads msgpack where it lies: no copies, no allocation, no recursion.
//!
//! A length in the input is only ever compared with the bytes that are left, so a header that
//! claims 4 GiB costs nothing.

/// Why bytes are not msgpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A value claims more bytes than are left.
    Truncated,
    /// The byte `0xc1`, which the format never uses.
    Reserved,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "a value is longer than the bytes that follow",
            Self::Reserved => "a byte that msgpack never uses",
        })
    }
}

/// One value, or the head of a container whose elements follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    Float(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    /// Followed by this many values.
    Array(u32),
    /// Followed by this many pairs of key and value.
    Map(u32),
}

/// A position in msgpack bytes. Copying it is how a caller looks ahead.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            length: bytes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes were read.
    pub fn offset(&self) -> usize {
        self.length - self.bytes.len()
    }

    /// The bytes between an earlier position of this reader and this one.
    pub fn since(&self, earlier: &Reader<'a>) -> &'a [u8] {
        &earlier.bytes[..earlier.bytes.len() - self.bytes.len()]
    }

    /// The bytes that are left.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Passes over so many bytes.
    #[inline]
    pub fn advance(&mut self, length: usize) -> Result<(), Malformed> {
        self.take(length)?;
        Ok(())
    }

    /// Reads a string of up to 255 bytes: its length, and the input from its first byte on to the
    /// end. Of whatever else is next, nothing is read.
    #[inline]
    pub fn read_short_text(&mut self) -> Option<(&'a [u8], usize)> {
        let (length, text) = match self.bytes {
            [head @ 0xa0..=0xbf, text @ ..] => (usize::from(head & 0x1f), text),
            [0xd9, length, text @ ..] => (usize::from(*length), text),
            _ => return None,
        };
        self.bytes = text.get(length..)?;
        Some((text, length))
    }

    // Always: where it is inlined, no token is built only to be taken apart again.
    #[inline(always)]
    pub fn read(&mut self) -> Result<Token<'a>, Malformed> {
        let head = self.array::<1>()?[0];
        Ok(match head {
            0x00..=0x7f => Token::Unsigned(head.into()),
            0x80..=0x8f => Token::Map((head & 0x0f).into()),
            0x90..=0x9f => Token::Array((head & 0x0f).into()),
            0xa0..=0xbf => Token::Str(self.take((head & 0x1f).into())?),
            0xc0 => Token::Nil,
            0xc1 => return Err(Malformed::Reserved),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => Token::Bin(self.take_u8()?),
            0xc5 => Token::Bin(self.take_u16()?),
            0xc6 => Token::Bin(self.take_u32()?),
            0xc7 => {
                let length = self.array::<1>()?[0];
                self.ext(length.into())?
            }
            0xc8 => {
                let length = u16::from_be_bytes(self.array()?);
                self.ext(length.into())?
            }
            0xc9 => {
                let length = u32::from_be_bytes(self.array()?);
                self.ext(length as usize)?
            }
            0xca => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(self.array::<1>()?[0].into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.ext(1 << (head - 0xd4))?,
            0xd9 => Token::Str(self.take_u8()?),
            0xda => Token::Str(self.take_u16()?),
            0xdb => Token::Str(self.take_u32()?),
            0xdc => Token::Array(u16::from_be_bytes(self.array()?).into()),
            0xdd => Token::Array(u32::from_be_bytes(self.array()?)),
            0xde => Token::Map(u16::from_be_bytes(self.array()?).into()),
            0xdf => Token::Map(u32::from_be_bytes(self.array()?)),
            0xe0..=0xff => Token::Signed((head as i8).into()),
        })
    }

    /// Reads a key; those that options can name are text, and of others there is no name.
    pub fn read_name(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let start = *self;
        Ok(match self.read()? {
            Token::Str(name) | Token::Bin(name) => Some(name),
            Token::Array(_) | Token::Map(_) => {
                *self = start;
                self.skip()?;
                None
            }
            _ => None,
        })
    }

    /// Passes over one whole value, however deep.
    pub fn skip(&mut self) -> Result<(), Malformed> {
        // u64: a chunk would need 2^32 nested maps of 2^32 pairs to overflow it.
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            match self.read()? {
                Token::Array(length) => left += u64::from(length),
                Token::Map(length) => left += 2 * u64::from(length),
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self
            .bytes
            .split_at_checked(length)
            .ok_or(Malformed::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.bytes = tail;
        Ok(*head)
    }

    fn take_u8(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.array::<1>()?[0];
        self.take(length.into())
    }

    fn take_u16(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(length.into())
    }

    fn take_u32(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(length as usize)
    }

    fn ext(&mut self, length: usize) -> Result<Token<'a>, Malformed> {
        let kind = self.array::<1>()?[0] as i8;
        Ok(Token::Ext(kind, self.take(length)?))
    }
}

/// Writers may use a signed form for a number that is not negative; there is one token for it.
fn signed(value: i64) -> Token<'static> {
    u64::try_from(value).map_or(Token::Signed(value), Token::Unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form_at_its_limits() {
        let cases: &[(&[u8], Token<'_>)] = &[
            (&[0x7f], Token::Unsigned(127)),
            (&[0xe0], Token::Signed(-32)),
            (&[0xd0, 0x05], Token::Unsigned(5)),
            (&[0xd0, 0x80], Token::Signed(-128)),
            (&[0xcd, 0xff, 0xff], Token::Unsigned(65_535)),
            (&[0xd2, 0x80, 0, 0, 0], Token::Signed(i32::MIN.into())),
            (
                b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
                Token::Unsigned(u64::MAX),
            ),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Token::Signed(i64::MIN)),
            (&[0xca, 0x3f, 0x80, 0, 0], Token::Float(1.0)),
            (&[0xa0], Token::Str(b"")),
            (&[0xa2, b'a', b'b'], Token::Str(b"ab")),
            (&[0xd9, 1, b'a'], Token::Str(b"a")),
            (&[0xda, 0, 1, b'a'], Token::Str(b"a")),
            (&[0xdb, 0, 0, 0, 1, b'a'], Token::Str(b"a")),
            (&[0xc4, 1, 9], Token::Bin(&[9])),
            (&[0xc5, 0, 1, 9], Token::Bin(&[9])),
            (&[0xc6, 0, 0, 0, 1, 9], Token::Bin(&[9])),
            (&[0xd4, 0xff, 9], Token::Ext(-1, &[9])),
            (&[0xd6, 1, 1, 2, 3, 4], Token::Ext(1, &[1, 2, 3, 4])),
            (&[0xc7, 1, 5, 9], Token::Ext(5, &[9])),
            (&[0xc8, 0, 1, 5, 9], Token::Ext(5, &[9])),
            (&[0xc9, 0, 0, 0, 1, 5, 9], Token::Ext(5, &[9])),
            (&[0xdc, 1, 0], Token::Array(256)),
            (&[0xdf, 0xff, 0xff, 0xff, 0xff], Token::Map(u32::MAX)),
        ];
        for (bytes, expected) in cases {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.read().as_ref(), Ok(expected), "{bytes:02x?}");
            assert!(reader.is_empty(), "{bytes:02x?} was not read to its end");
            let input = [*bytes, b"after"].concat();
            let mut reader = Reader::new(&input);
            let is_short = matches!(bytes[0], 0xa0..=0xbf | 0xd9);
            match reader.read_short_text() {
                Some((text, length)) => assert_eq!(Token::Str(&text[..length]), *expected),
                None => assert!(!is_short, "{bytes:02x?}"),
            }
            let rest = if is_short { b"after" } else { &input[..] };
            assert_eq!(reader.rest(), rest);
            for cut in 0..bytes.len() {
                let mut short = Reader::new(&bytes[..cut]);
                assert_eq!(short.read_short_text(), None, "{bytes:02x?} cut");
                assert_eq!(short.read(), Err(Malformed::Truncated), "{bytes:02x?} cut");
            }
        }
    }
}
