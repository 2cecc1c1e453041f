//! Text that Firehose's conversion to Parquet reads as a timestamp (OpenX JSON SerDe).
//!
//! Source: <https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-concepts.html>.

use std::sync::LazyLock;

use regex::Regex;

use crate::schema::seen::Kind;

/// `yyyy-MM-dd'T'HH:mm:ss[.S]'Z'` or `yyyy-MM-dd HH:mm:ss[.S]`, up to nine digits of `S`; and how date
/// and time begin in these and other forms, such as with an offset or without the `Z`.
static ACCEPTED_AND_ANY: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let date = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
    let time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
    let fraction = r"(\.[0-9]{1,9})?";
    let accepted = format!("^{date}(T{time}{fraction}Z| {time}{fraction})$");
    let any = format!("^{date}[Tt ]{time}");
    [accepted, any].map(|pattern| Regex::new(&pattern).expect("it is a pattern"))
});

pub(crate) fn kind_of(text: &str) -> Kind {
    let [accepted, any] = &*ACCEPTED_AND_ANY;
    match any.is_match(text) {
        true if accepted.is_match(text) => Kind::Timestamp,
        true => Kind::OtherTime,
        false => Kind::Text,
    }
}
