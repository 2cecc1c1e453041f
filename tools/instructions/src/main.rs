//! Formats the chunk in a file so many times: `firehose-instructions CHUNK TIMES [TIME_KEY]`.

#![forbid(unsafe_code)]

use std::hint::black_box;

use firehose_core::format::document::{Format, Formatter, TimeKey};
use firehose_core::format::event::{self, Head};
use firehose_core::format::msgpack::Reader;
use firehose_core::format::time::{self, TimeFormat};

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
        format: TimeFormat::parse(time::DEFAULT).expect("the default is right"),
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
