//! Formats an event's time for `time_key`: strftime in UTC, and fractions of a second.

use std::ops::Range;

use chrono::DateTime;
use chrono::format::{Item, StrftimeItems};

use crate::format::event::Time;
use crate::format::json;

/// Milliseconds and `Z`: the finest form that Firehose's conversion to Parquet reads as a
/// timestamp (`yyyy-MM-dd'T'HH:mm:ss[.S]'Z'`, OpenX JSON SerDe).
pub const DEFAULT: &str = "%Y-%m-%dT%H:%M:%S.%3NZ";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeFormat {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    /// strftime text whose result only changes with the second.
    calendar: String,
    /// This many digits of the fraction of a second behind it.
    digits: usize,
}

/// Conversions to digits of the fraction of a second.
const FRACTIONS: [(&str, usize); 5] = [("%3N", 3), ("%6N", 6), ("%9N", 9), ("%L", 3), ("%f", 6)];

impl TimeFormat {
    /// An error is a sentence about what the format may hold.
    pub fn parse(format: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut calendar = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            calendar.push_str(&rest[..at]);
            rest = &rest[at..];
            let mut fractions = FRACTIONS.into_iter();
            let fraction = fractions.find(|(conversion, _)| rest.starts_with(conversion));
            if let Some((conversion, digits)) = fraction {
                let calendar = std::mem::take(&mut calendar);
                pieces.push(Piece { calendar, digits });
                rest = &rest[conversion.len()..];
            } else if let Some(length) = calendar_conversion(rest) {
                calendar.push_str(&rest[..length]);
                rest = &rest[length..];
            } else {
                let shown: String = rest.chars().take(3).collect();
                return Err(format!(
                    "`{shown}` is no conversion; it takes those of strftime (%{CONVERSIONS}) \
                     and the fractions %3N or %L (ms), %6N or %f (us), %9N (ns), such as \
                     `{DEFAULT}`"
                ));
            }
        }
        if format.is_empty() {
            return Err(format!("it takes a strftime format, such as `{DEFAULT}`"));
        }
        calendar.push_str(rest);
        pieces.push(Piece {
            calendar,
            digits: 0,
        });
        Ok(Self { pieces })
    }

    /// Whether Firehose's conversion to Parquet reads what it writes as a timestamp: date and time
    /// with `T` and `Z`, or with a blank between them, up to nine digits of a fraction, or the
    /// seconds or milliseconds since 1970 (OpenX JSON SerDe).
    ///
    /// Source: <https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html>.
    pub fn is_convertible(&self) -> bool {
        let time = Time {
            seconds: 1_700_000_000,
            nanoseconds: 0,
        };
        let mut writer = TimeWriter::new(self.clone());
        let text = String::from_utf8_lossy(writer.write(time)).into_owned();
        let text = text.trim_matches('"');
        let (body, zone) = match text.strip_suffix('Z') {
            Some(body) => (body, "Z"),
            None => (text, ""),
        };
        let (second, fraction) = body.split_once('.').unwrap_or((body, "0"));
        let has_fraction = (1..=9).contains(&fraction.len()) && fraction.parse::<u32>().is_ok();
        let is_second = matches!(
            (second, zone),
            ("2023-11-14T22:13:20", "Z") | ("2023-11-14 22:13:20" | "1700000000", "")
        );
        text == "1700000000000" || is_second && has_fraction
    }
}

/// The conversions of strftime(3) that mean something in UTC and the C locale.
const CONVERSIONS: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%";

/// The length of the calendar conversion at the start of `text`: glibc's padding flags allowed.
fn calendar_conversion(text: &str) -> Option<usize> {
    let flag = text[1..].starts_with(['-', '_', '0']);
    let length = if flag { 3 } else { 2 };
    let conversion = text.get(..length)?;
    let letter = conversion.chars().last()?;
    let known = CONVERSIONS.contains(letter)
        && !StrftimeItems::new(conversion).any(|item| item == Item::Error);
    known.then_some(length)
}

/// Writes times as JSON strings. Events of one chunk mostly share their second, so the calendar is
/// worked out once a second and only the fraction's digits once an event.
#[derive(Debug, Default)]
pub struct TimeWriter {
    format: TimeFormat,
    second: Option<i64>,
    text: Vec<u8>,
    fractions: Vec<Fraction>,
    /// A piece of the calendar, before it is escaped.
    calendar: String,
}

/// Where in a text the digits of a fraction are, and how many nanoseconds the last one counts.
#[derive(Debug)]
struct Fraction {
    digits: Range<usize>,
    unit: u32,
}

impl TimeWriter {
    pub fn new(format: TimeFormat) -> Self {
        Self {
            format,
            ..Self::default()
        }
    }

    /// The time's text in quotes.
    pub fn write(&mut self, time: Time) -> &[u8] {
        if self.second != Some(time.seconds) {
            self.start_second(time.seconds);
        }
        for Fraction { digits, unit } in &self.fractions {
            let mut value = time.nanoseconds / unit;
            for digit in self.text[digits.clone()].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
        &self.text
    }

    fn start_second(&mut self, seconds: i64) {
        // `Time` keeps to years that chrono can print.
        let date = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        self.second = Some(seconds);
        self.text.clear();
        self.fractions.clear();
        self.text.push(b'"');
        for Piece { calendar, digits } in &self.format.pieces {
            self.calendar.clear();
            date.format(calendar)
                .write_to(&mut self.calendar)
                .expect("a String takes every write, and the format was checked");
            json::push_escaped(&mut self.text, &self.calendar);
            if *digits > 0 {
                let start = self.text.len();
                self.text.resize(start + digits, b'0');
                self.fractions.push(Fraction {
                    digits: start..self.text.len(),
                    unit: 10_u32.pow(9 - *digits as u32),
                });
            }
        }
        self.text.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(format: &str, seconds: i64, nanoseconds: u32) -> String {
        let mut writer = TimeWriter::new(TimeFormat::parse(format).unwrap());
        let time = Time {
            seconds,
            nanoseconds,
        };
        serde_json::from_slice(writer.write(time)).unwrap()
    }

    #[test]
    fn some_times_convert_to_parquet_and_some_do_not() {
        let check = |formats: &str, expected| {
            for format in formats.split("; ") {
                let parsed = TimeFormat::parse(format).unwrap();
                assert_eq!(parsed.is_convertible(), expected, "{format}");
            }
        };
        check(DEFAULT, true);
        let right = "%Y-%m-%dT%H:%M:%SZ; %FT%T.%9NZ; %Y-%m-%d %H:%M:%S; %F %T.%f; %s; %s.%3N; \
                     %s%3N; %s%L";
        // The first is both peers' default.
        let wrong = "%Y-%m-%dT%H:%M:%S; %Y-%m-%dT%H:%M:%S.%3N; %s%6N; %s%3NZ; %FT%T%z; %F %TZ; \
                     %F %T %Z; %sZ; %d/%b/%Y:%T; %H:%M";
        check(right, true);
        check(wrong, false);
    }

    #[test]
    fn formats_as_strftime_does_in_utc() {
        let (s, ns) = (1_700_000_000, 123_456_789);
        for (pattern, expected) in [
            (DEFAULT, "2023-11-14T22:13:20.123Z"),
            ("%Y-%m-%dT%H:%M:%S", "2023-11-14T22:13:20"),
            ("%Y-%m-%dT%H:%M:%S.%LZ", "2023-11-14T22:13:20.123Z"),
            ("%s.%6N", "1700000000.123456"),
            ("%s%f", "1700000000123456"),
            ("%9N|%3N", "123456789|123"),
            (
                "%a %A %b %B %e %j %p %y %%",
                "Tue Tuesday Nov November 14 318 PM 23 %",
            ),
            ("%F %T %z %Z", "2023-11-14 22:13:20 +0000 UTC"),
            ("%-d/%_m/%0I", "14/11/10"),
            ("at", "at"),
            ("é%Y漢", "é2023漢"),
            ("\"%Y\\%n%t%3N\"", "\"2023\\\n\t123\""),
        ] {
            assert_eq!(format(pattern, s, ns), expected, "{pattern}");
        }
        assert_eq!(format("%F %3N", -1, 0), "1969-12-31 000");
        assert_eq!(format("%Y", -62_167_219_200, 0), "0000");
        assert_eq!(format("%Y", 253_402_300_799, 0), "9999");
    }

    #[test]
    fn refuses_what_it_cannot_write() {
        for pattern in [
            "%Q", "%", "abc%", "%.3f", "%5N", "%-", "%é", "%-é", "%+", "%E", "",
        ] {
            assert!(TimeFormat::parse(pattern).is_err(), "{pattern}");
        }
    }
}
