//! Every option of an `[OUTPUT]` section: one row says its name, what it takes, and its default.
//!
//! How a value is read, the error of a wrong one, and what is said of a name that is nearly one
//! come from its row. Three columns of `docs/options.md` repeat the rows, and a test compares them.

use std::ops::RangeInclusive;

use self::Kind::{Choice, Flag, Form, Free, List, Number, Secret, Url};
use self::Unit::{Bytes, Count, Time};
use super::value;
use crate::limits::{BILLING_UNIT, MAX_BATCH_BYTES, MAX_RECORD_BYTES};

pub struct Row {
    pub name: &'static str,
    pub kind: Kind,
    /// A value in backquotes with a remark, or words on what holds without a value.
    pub default: &'static str,
}

const fn row(name: &'static str, kind: Kind, default: &'static str) -> Row {
    Row {
        name,
        kind,
        default,
    }
}

/// In the order of the page on options.
#[rustfmt::skip] // A row stands in a line, where it fits.
pub static ALL: &[Row] = &[
    row("delivery_stream", Form(
        "the stream's name: 1 to 64 of the characters a-z A-Z 0-9 _ . -, such as `app-logs`; or a \
         template with $TAG, $TAG[n] or $key['sub'] in it",
        value::is_stream_name_or_template,
    ), "required"),
    row("delivery_stream_default", Form(
        "a stream's name: 1 to 64 of the characters a-z A-Z 0-9 _ . -, such as `other-logs`",
        value::is_stream_name,
    ), "required with a template"),
    row("delivery_stream_replace", Form(
        "one of the characters a-z A-Z 0-9 _ . -, such as `-`",
        value::is_stream_letter,
    ), "none"),
    row("delivery_stream_lower_case", Flag, "`false`"),
    row("delivery_stream_allow", List(
        "names with commas between, in which * stands for any characters, such as `app-*, audit`",
    ), "all names"),
    // A platform with forty namespaces has room to grow. Each stream has a task and a journal.
    row("max_delivery_streams", Number(Count, 1..=1_000), "`64`"),
    row("region", Form("a region's name, such as `eu-west-1`", value::is_region), "the SDK's chain"),
    row("endpoint", Url, "AWS's of the region"),
    row("ca_file", Free("a file of PEM certificates"), "the system's certificates"),
    row("profile", Form(
        "a profile's name of the characters a-z A-Z 0-9 _ . / % @ : + -, such as `default`",
        value::is_profile,
    ), "the SDK's chain"),
    row("role_arn", Form(
        "a role's whole ARN, such as `arn:aws:iam::000000000000:role/logs`",
        value::is_role_arn,
    ), "none"),
    // AWS calls it no secret, but it guards the role.
    row("external_id", Secret(
        "2 to 1224 of the characters a-z A-Z 0-9 _ + = , . @ : / -",
        value::is_external_id,
    ), "none"),
    row("sts_endpoint", Url, "AWS's of the region"),

    row("destination", List(
        "`plain`, or one or more of `parquet`, `lambda` and `dynamic_partitioning` with commas \
         between them",
    ), "none"),
    row("data_keys", List(
        "keys or record accessors with commas between, such as `level, $log['message']`",
    ), "all keys"),
    row("metadata_key", Free("a key"), "none"),
    row("group_key", Free("a key"), "none"),
    row("time_key", Free("a key"), "none"),
    row("time_key_format", Free(
        "strftime in UTC, and `%3N` `%L` (ms), `%6N` `%f` (us), `%9N` (ns)",
    ), "`%Y-%m-%dT%H:%M:%S.%3NZ`"),
    row("replace_dots", Free("any text"), "none"),
    row("log_key", Free("a key, or a record accessor such as `$log['message']`"), "none"),
    row("schema_file", Free("a file with a table, a directory of `STREAM.json`, or such as `/tables/$TAG[1].json`"), "none"),
    // To compare a log line takes about ten times as long as to write it: a fifth of a percent.
    row("schema_check_every", Number(Count, 1..=1_000_000), "`5000`"),

    row("simple_aggregation", Flag, "`false`"),
    // The smallest multiple of the billing unit, 51 of it, at which rounding up to it costs under
    // 2 % for documents of up to 5 KiB: a full record then lacks less than 5,120 of its bytes.
    row("aggregation_size", Number(Bytes, BILLING_UNIT..=MAX_RECORD_BYTES), "`261120`"),
    row("aggregation_max_documents", Number(Count, 1..=1_000_000),
        "no cap; 500 with `destination` `lambda` or `dynamic_partitioning`"),
    row("compression", Choice(&["none", "gzip", "zstd", "snappy"]), "`none`"),

    // It must be able to carry the largest record. By default, four records of the default size:
    // larger calls were no cheaper and cost memory; a smaller quota takes a second for one.
    row("batch_size", Number(Bytes, MAX_RECORD_BYTES..=MAX_BATCH_BYTES), "`1048576`"),
    // Enough to keep a round trip of 50 ms from slowing a stream down: 640 calls of 500 short
    // records a second, and 90 MiB of larger ones.
    row("max_in_flight", Number(Count, 1..=64), "`32`"),
    // Two of Fluent Bit's largest chunks as JSON lines. With more under way a drain was no faster.
    row("max_bytes_in_flight", Number(Bytes, MAX_RECORD_BYTES..=1_000_000_000), "`8388608`"),
    // A sidecar that writes 2 KB a second gathers two billing units meanwhile. Alone, a document is
    // billed the same whenever it is sent. The most is a quarter of the longest flush_timeout.
    row("linger", Number(Time, 0..=10 * MINUTE / 4), "`5s` with `simple_aggregation`, else `0s`"),
    row("quota", Choice(&["none", "regional"]), "`none`"),
    row("max_bytes_per_second", Number(Bytes, 1_000..=1_000_000_000), "the quota's"),
    row("max_records_per_second", Number(Count, 1..=1_000_000_000), "the quota's"),
    row("max_requests_per_second", Number(Count, 1..=1_000_000), "the quota's"),
    row("request_timeout", Number(Time, SECOND / 10..=10 * MINUTE), "`10s`"),
    // Helpers that ask for a second factor, or for a token by way of a browser's session, take many
    // seconds; AWS's own tools wait for one as long as it takes.
    row("credentials_timeout", Number(Time, SECOND..=10 * MINUTE), "`60s`"),
    row("flush_timeout", Number(Time, SECOND..=10 * MINUTE), "`30s`"),
    // Fluent Bit's own default of `grace`.
    row("stop_timeout", Number(Time, 0..=60 * MINUTE), "`5s`"),
    row("auto_retry_requests", Flag, "`true`"),
    row("resume_max_chunks", Number(Count, 1..=1_000_000), "`1000`"),
    row("resume_max_bytes", Number(Bytes, 1_000..=1_000_000_000), "`1000000`"),
    row("state_path", Free("a directory"), "none"),
    row("state_sync", Flag, "`false`"),
    // Some 10,000 chunks between two times that it is written anew.
    row("state_max_bytes", Number(Bytes, 10_000..=100_000_000), "`1000000`"),

    row("rejected_path", Free("a file's path"), "none"),
    // With the one that was rotated, less than a hundredth of a usual disk. The least has room for
    // some of the largest documents.
    row("rejected_max_bytes", Number(Bytes, 10_000_000..=1_000_000_000), "`100000000`"),
];

/// Times are counted in milliseconds.
const SECOND: usize = 1_000;
const MINUTE: usize = 60 * SECOND;

/// What an option takes: how it is read, and how that is told.
pub enum Kind {
    Flag,
    Number(Unit, RangeInclusive<usize>),
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Any text. Who needs it may still refuse it.
    Free(&'static str),
    /// Text that this function takes.
    Form(&'static str, fn(&str) -> bool),
    /// The same, and no line shows it.
    Secret(&'static str, fn(&str) -> bool),
    Url,
    /// Texts with commas between. It may stand several times, as the items of a list in YAML do.
    List(&'static str),
}

#[derive(Clone, Copy)]
pub enum Unit {
    Count,
    Bytes,
    Time,
}

impl Row {
    /// The row of an option that the plugin itself asks for.
    pub(super) fn of(name: &str) -> &'static Self {
        let mut rows = ALL.iter();
        rows.find(|row| row.name == name)
            .unwrap_or_else(|| panic!("the table of options has no {name}"))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind, List(_))
    }

    /// The default, where it is a value.
    pub(super) fn default_value(&self) -> Option<&'static str> {
        Some(self.default.strip_prefix('`')?.split_once('`')?.0)
    }
}

impl Kind {
    /// What is allowed: the end of an error's sentence. A column of the page on options repeats it.
    pub fn takes(&self) -> String {
        self.takes_up_to(usize::MAX)
    }

    /// The same of a number that another option keeps lower.
    pub(super) fn takes_up_to(&self, most: usize) -> String {
        match self {
            Flag => "`true` or `false` (or `on`, `off`, `yes`, `no`)".to_owned(),
            Url => "an http or https URL, or a host alone, such as \
                    `https://firehose.eu-west-1.amazonaws.com`, without a user name"
                .to_owned(),
            Choice([others @ .., last]) => format!("`{}` or `{last}`", others.join("`, `")),
            Choice([]) => "nothing".to_owned(),
            Free(words) | Form(words, _) | Secret(words, _) | List(words) => (*words).to_owned(),
            Number(unit, range) => {
                let (least, most) = (*range.start(), most.min(*range.end()));
                match unit {
                    Count => format!("a number from `{least}` to `{most}`"),
                    Bytes => format!(
                        "`{least}` to `{most}` bytes, such as `{}` or `{}`",
                        value::round_size(least, usize::div_ceil),
                        value::round_size(most, |size, unit| size / unit),
                    ),
                    Time => format!(
                        "a whole number of ms, s, m or h, from `{}` to `{}`",
                        value::time_text(least),
                        value::time_text(most),
                    ),
                }
            }
        }
    }

    /// A number of the range, but not above `most`.
    pub(super) fn number(&self, text: &str, most: usize) -> Option<usize> {
        let Number(unit, range) = self else {
            return None;
        };
        let number = match unit {
            Count => text.parse().ok(),
            Bytes => value::size(text),
            Time => value::milliseconds(text),
        };
        number.filter(|number| range.contains(number) && *number <= most)
    }

    /// What any other kind takes, as it is used from here on.
    pub(super) fn text(&self, text: &str) -> Option<String> {
        match self {
            Form(_, takes) | Secret(_, takes) => takes(text).then(|| text.to_owned()),
            Url => value::endpoint(text),
            Free(_) => Some(text.to_owned()),
            Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                word.map(|word| (*word).to_owned())
            }
            Flag | Number(..) | List(_) => None,
        }
    }
}
