//! Writes JSON text: compact, UTF-8 as it is, every number exact.

use wide::u8x16;

/// A float that JSON has no word for (NaN, infinities) becomes `null`.
pub fn push_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

pub fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes `text` in quotes; bytes that are not UTF-8 become U+FFFD.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    push_text(out, text, text.len(), b"\"");
}

/// Writes a quote, the first `length` bytes of `input`, and `end`; bytes that are not UTF-8 become
/// U+FFFD.
///
/// Where `input` goes on after the text, short text is looked at and copied as a block of fixed
/// size, which takes no loop and no call.
#[inline(always)]
pub fn push_text<const N: usize>(out: &mut Vec<u8>, input: &[u8], length: usize, end: &[u8; N]) {
    out.push(b'"');
    // Most strings of logs are plain as a whole: looked at once, copied at once.
    let plain = match input.first_chunk::<{ 2 * BLOCK }>() {
        Some(block) if length <= block.len() => {
            let (halves, _) = block.as_chunks();
            let [low, high] = [0, 1].map(|half| specials(u8x16::new(halves[half])).to_bitmask());
            let plain = length.min((low | high << BLOCK).trailing_zeros() as usize);
            let end = out.len() + plain;
            out.extend_from_slice(block);
            out.truncate(end);
            plain
        }
        _ => {
            let plain = plain_length(input, length, specials);
            out.extend_from_slice(&input[..plain]);
            plain
        }
    };
    if plain < length {
        push_rest(out, &input[plain..], length - plain);
    }
    out.extend_from_slice(end);
}

/// What begins with the first byte that is not plain.
#[cold]
fn push_rest(out: &mut Vec<u8>, input: &[u8], length: usize) {
    let text = push_ascii(out, input, length);
    if text.is_empty() {
        return;
    }
    if let Ok(text) = simdutf8::basic::from_utf8(text) {
        return push_escaped(out, text);
    }
    for chunk in text.utf8_chunks() {
        push_escaped(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Writes what is ASCII of the first `length` bytes of `input`, and returns the rest.
fn push_ascii<'t>(out: &mut Vec<u8>, mut input: &'t [u8], mut length: usize) -> &'t [u8] {
    loop {
        let plain = plain_length(input, length, specials);
        push_block(out, input, plain);
        let text = &input[plain..length];
        match text.first() {
            Some(&byte) if byte.is_ascii() => push_escape(out, byte),
            _ => return text,
        }
        input = &input[plain + 1..];
        length -= plain + 1;
    }
}

const BLOCK: usize = 16;

/// How many bytes of the text, the first `length` of `input`, come before the first marked one.
#[inline]
fn plain_length(input: &[u8], length: usize, marks: impl Fn(u8x16) -> u8x16) -> usize {
    let (blocks, _) = input[..length].as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let marked = marks(u8x16::new(*block)).to_bitmask();
        if marked != 0 {
            return number * BLOCK + marked.trailing_zeros() as usize;
        }
    }
    let at = blocks.len() * BLOCK;
    let marked = marks(block(&input[at..])).to_bitmask();
    length.min(at + marked.trailing_zeros() as usize)
}

/// The first bytes of `input`, which at its end are filled up with zeros.
#[inline]
fn block(input: &[u8]) -> u8x16 {
    u8x16::new(input.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [0; BLOCK];
        block[..input.len()].copy_from_slice(input);
        block
    }))
}

/// Sets the high bit of each byte that is not ASCII or that JSON escapes.
#[inline]
fn specials(block: u8x16) -> u8x16 {
    escapes(block) | block
}

/// Sets the high bit of each byte that JSON escapes, and of no other.
#[inline]
fn escapes(block: u8x16) -> u8x16 {
    let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
    let quote = block.simd_eq(u8x16::splat(b'"'));
    let backslash = block.simd_eq(u8x16::splat(b'\\'));
    control | quote | backslash
}

/// Appends the first `length` bytes of `input`: where they are few and more follow them, as a
/// block of fixed size that is cut again, which takes no call.
#[inline]
fn push_block(out: &mut Vec<u8>, input: &[u8], length: usize) {
    match input.first_chunk::<{ 2 * BLOCK }>() {
        Some(block) if length <= block.len() => {
            let end = out.len() + length;
            out.extend_from_slice(block);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&input[..length]),
    }
}

/// Bytes that are text go out as text, others as base64.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => {
            out.push(b'"');
            push_escaped(out, text);
            out.push(b'"');
        }
        Err(_) => push_base64(out, bytes),
    }
}

pub fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    base64_simd::STANDARD.encode_append(bytes, out);
    out.push(b'"');
}

/// Writes what stands for `text` inside of quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_length(rest, rest.len(), escapes);
        push_block(out, rest, plain);
        let Some((&byte, after)) = rest[plain..].split_first() else {
            return;
        };
        push_escape(out, byte);
        rest = after;
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    match ESCAPES[usize::from(byte)] {
        UNICODE => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let [high, low] = [byte >> 4, byte & 0x0f].map(|digit| HEX[usize::from(digit)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

const UNICODE: u8 = b'u';

/// The letter after the backslash for each byte that JSON must escape.
const ESCAPES: [u8; 256] = {
    let mut table = [UNICODE; 256];
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    /// What comes before, after and around the place, within blocks and across them.
    #[test]
    fn every_byte_is_written_right_wherever_it_stands() {
        for special in 0..=u8::MAX {
            for length in [1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 70] {
                for place in 0..length {
                    let mut text = vec![b'a'; length];
                    text[place] = special;
                    let expected = serde_json::to_string(&String::from_utf8_lossy(&text)).unwrap();
                    assert_eq!(string(&text), expected);
                }
            }
        }
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "[a-z ]{0,40}".prop_map(String::into_bytes),
            "[가-힣éß☂🚀]{0,20}".prop_map(String::into_bytes),
            "[\"\\\\\n\t\u{1}]{1,3}".prop_map(String::into_bytes),
            prop::collection::vec(0x80..=0xff_u8, 1..3),
            any::<Vec<u8>>(),
        ]
    }

    proptest! {
        /// Mostly text, with what must be escaped or is damaged in between.
        #[test]
        fn any_text_becomes_what_std_makes_of_it(
            pieces in prop::collection::vec(piece(), 0..20),
            slack in 0..100_usize,
        ) {
            let bytes = pieces.concat();
            let text = &bytes[..bytes.len().saturating_sub(slack)];
            let expected = serde_json::to_string(&String::from_utf8_lossy(text)).unwrap();
            let mut out = Vec::new();
            push_text(&mut out, &bytes, text.len(), b"\"");
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
