//! Formats the chunk in a file so many times: `firehose-instructions CHUNK TIMES [TIME_KEY]`.
//!
//! The plugin's own files are compiled here instead of the plugin being a dependency, as that would
//! optimise the AWS SDK once more for a program that has no use for it.

#![forbid(unsafe_code)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the files belong to a library, of which this uses a part"
)]

#[path = "../../../src/document.rs"]
mod document;
#[path = "../../../src/doubles.rs"]
mod doubles;
#[path = "../../../src/event.rs"]
mod event;
#[path = "../../../src/json.rs"]
mod json;
#[path = "../../../src/keys.rs"]
mod keys;
#[path = "../../../src/msgpack.rs"]
mod msgpack;
#[path = "../../../src/time_format.rs"]
mod time_format;
#[path = "../../../src/tokens.rs"]
mod tokens;
#[path = "../../../src/transcode.rs"]
mod transcode;
#[path = "../../../src/truncate.rs"]
mod truncate;

use std::hint::black_box;

use document::{Format, Formatter, TimeKey};
use event::Head;
use msgpack::Reader;
use time_format::TimeFormat;

/// A scratch buffer is emptied when it holds as much as a record may.
const MAX_BYTES: usize = 1_024_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chunk, times, rest @ ..] = arguments.as_slice() else {
        panic!("CHUNK TIMES [TIME_KEY] are needed");
    };
    let chunk = std::fs::read(chunk).expect("CHUNK is a file");
    let times: usize = times.parse().expect("TIMES is a number");
    let time_key = rest.first().map(|key| TimeKey {
        key: key.clone(),
        format: TimeFormat::parse(time_format::DEFAULT).expect("the default is right"),
    });
    let format = Format {
        time_key,
        max_bytes: MAX_BYTES,
        ..Format::default()
    };
    let mut out = Vec::with_capacity(2 * MAX_BYTES);
    for _ in 0..times {
        write(&chunk, &format, &mut out);
    }
}

fn write(chunk: &[u8], format: &Format, out: &mut Vec<u8>) {
    let mut formatter = Formatter::new(format);
    let mut reader = Reader::new(chunk);
    while !reader.is_empty() {
        let Ok(Head::Event(time)) = event::read_head(&mut reader) else {
            panic!("the chunk holds events only");
        };
        let written = formatter.write(time, &mut reader, out);
        written.expect("the chunk is msgpack");
        if out.len() > MAX_BYTES {
            black_box(&out);
            out.clear();
        }
    }
}
