//! Text that Firehose's conversion to Parquet reads as a timestamp (OpenX JSON SerDe).
//!
//! Source: <https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html>.

/// What a text is, taken as a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// `yyyy-MM-dd'T'HH:mm:ss[.S]'Z'` or `yyyy-MM-dd HH:mm:ss[.S]`, up to nine digits of `S`.
    Accepted,
    /// Date and time in another form, such as with an offset or without the `Z`.
    Refused,
    NoTime,
}

pub(crate) fn read(text: &str) -> Reading {
    let Some((separator, rest)) = date_and_time(text.as_bytes()) else {
        return Reading::NoTime;
    };
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let digits = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
            match digits {
                1..=9 => &fraction[digits..],
                _ => return Reading::Refused,
            }
        }
    };
    match (separator, rest) {
        (b'T', b"Z") | (b' ', b"") => Reading::Accepted,
        _ => Reading::Refused,
    }
}

/// Reads `yyyy-MM-dd?HH:mm:ss`: what is at the question mark, and what follows.
fn date_and_time(text: &[u8]) -> Option<(u8, &[u8])> {
    const PATTERN: &[u8; 19] = b"0000-00-00?00:00:00";
    let (head, rest) = text.split_first_chunk::<19>()?;
    let matches = |(c, pattern): (&u8, &u8)| match pattern {
        b'0' => c.is_ascii_digit(),
        b'?' => matches!(c, b'T' | b't' | b' '),
        separator => c == separator,
    };
    if !head.iter().zip(PATTERN).all(matches) {
        return None;
    }
    let number = |at: usize| (head[at] - b'0') * 10 + (head[at + 1] - b'0');
    let (month, day) = (number(5), number(8));
    let (hour, minute, second) = (number(11), number(14), number(17));
    let is_time = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    is_time.then_some((head[10], rest))
}

#[cfg(test)]
mod tests {
    use super::Reading::{Accepted, NoTime, Refused};

    #[test]
    fn forms() {
        for (text, expected) in [
            ("2026-01-15T10:20:30Z", Accepted),
            ("2026-01-15T10:20:30.1Z", Accepted),
            ("2026-01-15T10:20:30.123456789Z", Accepted),
            ("2026-01-15 10:20:30", Accepted),
            ("2026-01-15 10:20:30.123", Accepted),
            ("2026-01-15T10:20:30", Refused),
            ("2026-01-15T10:20:30.123", Refused),
            ("2026-01-15T10:20:30+09:00", Refused),
            ("2026-01-15T10:20:30.123+0900", Refused),
            ("2026-01-15 10:20:30Z", Refused),
            ("2026-01-15 10:20:30 UTC", Refused),
            ("2026-01-15T10:20:30.Z", Refused),
            ("2026-01-15T10:20:30.1234567890Z", Refused),
            ("2026-01-15T10:20:30z", Refused),
            ("2026-01-15t10:20:30Z", Refused),
            ("2026-01-15T10:20:30Z and more", Refused),
            ("2026-01-15", NoTime),
            ("2026-01-15T10:20Z", NoTime),
            ("2026-13-15T10:20:30Z", NoTime),
            ("2026-00-15T10:20:30Z", NoTime),
            ("2026-01-32T10:20:30Z", NoTime),
            ("2026-01-00T10:20:30Z", NoTime),
            ("2026-01-15T24:20:30Z", NoTime),
            ("2026-01-15T10:60:30Z", NoTime),
            ("2026-01-15T10:20:60Z", NoTime),
            ("26-01-15T10:20:30Z", NoTime),
            ("1768472430", NoTime),
            ("２０２６-01-15T10:20:30Z", NoTime),
            ("", NoTime),
        ] {
            assert_eq!(super::read(text), expected, "{text}");
        }
    }
}
