//! Text that Firehose's conversion to Parquet reads as a timestamp (OpenX JSON SerDe).
//!
//! Source: <https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html>.

use std::sync::LazyLock;

use regex::Regex;

/// What a text is, taken as a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// `yyyy-MM-dd'T'HH:mm:ss[.S]'Z'` or `yyyy-MM-dd HH:mm:ss[.S]`, up to nine digits of `S`.
    Accepted,
    /// Date and time in another form, such as with an offset or without the `Z`.
    Refused,
    NoTime,
}

/// Date, what stands before the time, time, and the rest.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    let date = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])";
    let time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
    Regex::new(&format!("(?s)^{date}([Tt ]){time}(.*)$")).expect("it is a pattern")
});

pub(crate) fn read(text: &str) -> Reading {
    let Some((_, [separator, rest])) = TIME.captures(text).map(|found| found.extract()) else {
        return Reading::NoTime;
    };
    let (fraction, zone) = match rest.strip_suffix('Z') {
        Some(fraction) => (fraction, "Z"),
        None => (rest, ""),
    };
    let is_fraction = fraction
        .strip_prefix('.')
        .map_or(fraction.is_empty(), |digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit())
        });
    match (separator, zone) {
        ("T", "Z") | (" ", "") if is_fraction => Reading::Accepted,
        _ => Reading::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::Reading::{Accepted, NoTime, Refused};

    #[test]
    fn forms() {
        for (reading, texts) in [
            (
                Accepted,
                "2026-01-15T10:20:30Z|2026-01-15T10:20:30.1Z|2026-01-15T10:20:30.123456789Z|\
                 2026-12-31 23:59:59|2026-10-01 00:00:00.123",
            ),
            (
                Refused,
                "2026-01-15T10:20:30|2026-01-15T10:20:30.123|2026-01-15T10:20:30+09:00|\
                 2026-01-15T10:20:30.123+0900|2026-01-15 10:20:30Z|2026-01-15 10:20:30 UTC|\
                 2026-01-15T10:20:30.Z|2026-01-15T10:20:30.1234567890Z|2026-01-15T10:20:30z|\
                 2026-01-15t10:20:30Z|2026-01-15T10:20:30Z and more|2026-01-15T10:20:30Z\n",
            ),
            (
                NoTime,
                "2026-01-15|2026-01-15T10:20Z|2026-13-15T10:20:30Z|2026-00-15T10:20:30Z|\
                 2026-01-32T10:20:30Z|2026-01-00T10:20:30Z|2026-01-15T24:20:30Z|\
                 2026-01-15T10:60:30Z|2026-01-15T10:20:60Z|26-01-15T10:20:30Z|1768472430|\
                 ２０２６-01-15T10:20:30Z|",
            ),
        ] {
            for text in texts.split('|') {
                assert_eq!(super::read(text), reading, "{text}");
            }
        }
    }
}
