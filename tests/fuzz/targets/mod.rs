//! What is done with one hostile input, and what must hold whatever it is. Each target is a
//! function that panics when it does not. The bounded test of this folder calls them, and so do
//! the fuzzer's programs in `fuzz/fuzz_targets`, each of which uses one.

#![allow(
    dead_code,
    reason = "each of the fuzzer's programs compiles its own copy and uses a part of it"
)]

#[path = "../../support/body.rs"]
pub(crate) mod body;
pub(crate) mod chunk;
pub(crate) mod config;
pub(crate) mod pack;
#[path = "../../support/packed.rs"]
pub(crate) mod packed;
pub(crate) mod replies;

use arbitrary::Unstructured;
use firehose_core::format::accessor::Accessor;
use firehose_core::format::document::{Format, TimeKey};
use firehose_core::format::time::TimeFormat;

/// The end of an input chooses the options, so that a chunk that a host wrote is a good input as
/// it is.
const OPTIONS: usize = 16;

/// The chunk, and what chooses the options.
fn split(data: &[u8]) -> (&[u8], Unstructured<'_>) {
    let (chunk, options) = data.split_at(data.len().saturating_sub(OPTIONS));
    (chunk, Unstructured::new(options))
}

/// Keys that the recorded chunks have, so that options find them.
const KEYS: [&str; 8] = ["log", "message", "a", "a.b", "time", "i", "level", "ключ"];
const PLACES: [&str; 10] = [
    "log",
    "message",
    "a",
    "a.b",
    "i",
    "$log[0]",
    "$log['a']",
    "$a['b']",
    "$n_a['b'][5]['c']",
    "$u",
];
const TIME_FORMATS: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S.%3NZ",
    "%s.%9N",
    "%L|%f|%6N %c %%",
    "\"%D\"\n",
];
const REPLACEMENTS: [&str; 4] = ["_", "..", "\"", "é"];

/// The least limit of a document here: enough for the mark of a cut in a JSON string.
const SMALLEST: usize = 40;

fn place(options: &mut Unstructured<'_>) -> arbitrary::Result<Accessor> {
    Ok(Accessor::of_option(options.choose(&PLACES)?).expect("the places are right"))
}

fn format(options: &mut Unstructured<'_>) -> arbitrary::Result<Format> {
    let mut format = Format {
        max_bytes: options.int_in_range(SMALLEST..=4096)?,
        ..Format::default()
    };
    for _ in 0..options.int_in_range(0..=2_u8)? {
        format.data_keys.push(place(options)?);
    }
    match options.int_in_range(0..=3_u8)? {
        0 => format.log_key = Some(place(options)?),
        1 => {
            format.time_key = Some(TimeKey {
                key: (*options.choose(&KEYS)?).to_owned(),
                format: TimeFormat::parse(options.choose(&TIME_FORMATS)?)
                    .expect("the formats are right"),
            });
        }
        2 => {
            format.metadata_key = Some("a".to_owned());
            format.group_key = Some("level".to_owned());
        }
        _ => {}
    }
    if options.arbitrary()? {
        format.replace_dots = Some((*options.choose(&REPLACEMENTS)?).to_owned());
    }
    Ok(format)
}
