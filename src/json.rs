//! Writes JSON text: compact, UTF-8 as it is, every number exact.

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
#[inline]
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    // Most strings of logs are plain as a whole: looked at once, copied at once.
    let (plain, rest) = text.split_at(plain_length(text));
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        push_rest(out, rest);
    }
    out.push(b'"');
}

/// What follows the first byte that is not plain.
fn push_rest(out: &mut Vec<u8>, text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        return push_escaped(out, text);
    }
    for chunk in text.utf8_chunks() {
        push_escaped(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// How many bytes from the start are ASCII that JSON does not escape; eight are looked at in one.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    // The high bit of each byte that is zero; above the lowest such byte it may be set in vain.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, tail) = text.as_chunks::<8>();
    for (number, bytes) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let special = (word & HIGH) | control | quote | backslash;
        if special != 0 {
            return number * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &u8| byte.is_ascii() && ESCAPES[usize::from(*byte)] == PLAIN;
    let plain = tail.iter().take_while(|byte| is_plain(byte)).count();
    words.len() * 8 + plain
}

/// Bytes that are text go out as text, others as base64.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
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

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == PLAIN {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        if escape == UNICODE {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 0x0f)]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
}

const PLAIN: u8 = 0;
const UNICODE: u8 = b'u';

/// The letter after the backslash for each byte that JSON must escape.
const ESCAPES: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = UNICODE;
        control += 1;
    }
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

    #[test]
    fn escapes_what_must_be_and_nothing_else() {
        assert_eq!(
            string("é 漢 🚀 \u{7f} /".as_bytes()),
            "\"é 漢 🚀 \u{7f} /\""
        );
        assert_eq!(
            string(b"\"\\\n\r\t\x08\x0c\x00\x1f"),
            r#""\"\\\n\r\t\b\f\u0000\u001f""#
        );
        assert_eq!(
            string(b"a\xff\xfeb\xe6\xbc"),
            "\"a\u{fffd}\u{fffd}b\u{fffd}\""
        );
    }

    #[test]
    fn what_is_not_plain_is_found_wherever_it_stands() {
        for special in 0..=u8::MAX {
            let is_plain = special.is_ascii() && ESCAPES[usize::from(special)] == PLAIN;
            for length in 1..20 {
                for place in 0..length {
                    let mut text = vec![b'a'; length];
                    text[place] = special;
                    let expected = if is_plain { length } else { place };
                    assert_eq!(plain_length(&text), expected, "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_string_reads_back(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(text.as_bytes())).unwrap(), text);
        }

        #[test]
        fn any_bytes_become_what_std_makes_of_them(bytes in any::<Vec<u8>>()) {
            let read: String = serde_json::from_str(&string(&bytes)).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn a_finite_float_reads_back_exactly(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let mut out = Vec::new();
            push_float(&mut out, value);
            let read: f64 = std::str::from_utf8(&out).unwrap().parse().unwrap();
            prop_assert_eq!(read.to_bits(), value.to_bits());
            serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        }
    }
}
