//! What a value is to Firehose's conversion to Parquet (OpenX JSON SerDe).
//!
//! Source: <https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html>.

use std::ops::{Range, RangeInclusive};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Boolean,
    /// Of 64 bits.
    Integer,
    HugeInteger,
    /// With a fraction or an exponent.
    Fraction,
    /// Text in a form that the conversion reads as a timestamp.
    Timestamp,
    /// Text that begins as a time does, in another form.
    OtherTime,
    Text,
    Object,
    Array,
}

impl Kind {
    pub fn of_text(text: &str) -> Self {
        let (head, rest) = text.as_bytes().split_at(text.len().min(SECOND));
        if !is_second(head) {
            return Self::Text;
        }
        let is_accepted = match head[10] {
            b'T' => rest.strip_suffix(b"Z").is_some_and(is_fraction),
            b' ' => is_fraction(rest),
            _ => false,
        };
        match is_accepted {
            true => Self::Timestamp,
            false => Self::OtherTime,
        }
    }

    pub fn of_number(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(_) => Self::Integer,
            Err(_) if text.contains(['.', 'e', 'E']) => Self::Fraction,
            Err(_) => Self::HugeInteger,
        }
    }

    /// In a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::HugeInteger => "integer beyond 64 bits",
            Self::Fraction => "fraction",
            Self::Timestamp => "timestamp",
            Self::OtherTime => "time in a form that the conversion refuses",
            Self::Text => "text",
            Self::Object => "object",
            Self::Array => "array",
        }
    }
}

/// Whether the conversion reads the text as a timestamp: a time, or the seconds or milliseconds
/// since 1970.
pub fn is_timestamp(text: &str) -> bool {
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    Kind::of_text(text) == Kind::Timestamp || is_number && is_fraction(fraction.as_bytes())
}

/// The length of `yyyy-MM-ddTHH:mm:ss`.
const SECOND: usize = 19;

fn is_second(text: &[u8]) -> bool {
    let number = |range: Range<usize>, allowed: RangeInclusive<u32>| {
        let digits = str::from_utf8(&text[range]).unwrap_or_default();
        let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && digits.parse().is_ok_and(|number| allowed.contains(&number))
    };
    text.len() == SECOND
        && [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')].map(|(at, byte)| text[at] == byte)
            == [true; 4]
        && b"Tt ".contains(&text[10])
        && number(0..4, 0..=9999)
        && number(5..7, 1..=12)
        && number(8..10, 1..=31)
        && number(11..13, 0..=23)
        && number(14..16, 0..=59)
        && number(17..19, 0..=59)
}

/// Nothing, or a point and up to nine digits.
fn is_fraction(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b'.', digits @ ..] => {
            (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}
