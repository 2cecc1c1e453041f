//! Formats the chunk in a file so many times:
//! `firehose-instructions CHUNK TIMES [time_key KEY] [schema_file FILE]`.

#![forbid(unsafe_code)]

use std::hint::black_box;

use firehose_core::format::document::{Format, Formatter, TimeKey};
use firehose_core::format::event::{self, Head};
use firehose_core::format::msgpack::Reader;
use firehose_core::format::time::{self, TimeFormat};
use firehose_core::schema::streams::Schema;
use firehose_core::schema::table;
use firehose_core::schema::watch::Watch;

/// A scratch buffer is emptied when it holds as much as a record may.
const MAX_BYTES: usize = 1_024_000;

/// The default of `schema_check_every`.
const CHECK_EVERY: u32 = 5_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chunk, times, rest @ ..] = arguments.as_slice() else {
        panic!("CHUNK TIMES are needed");
    };
    let option = |name| {
        let pair = rest.chunks_exact(2).find(|pair| pair[0] == name);
        pair.map(|pair| &pair[1])
    };
    let chunk = std::fs::read(chunk).expect("CHUNK is a file");
    let times: usize = times.parse().expect("TIMES is a number");
    let mut watch = option("schema_file").map(|file| {
        let text = std::fs::read_to_string(file).expect("FILE can be read");
        let table = table::read(&text, None).expect("FILE has a table");
        let schema = Schema::new(table, CHECK_EVERY).expect("the table is small");
        Box::new(Watch::new(schema))
    });
    let time_key = option("time_key").map(|key| TimeKey {
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
        watch = write(&chunk, &format, watch, &mut out);
    }
}

fn write(
    chunk: &[u8],
    format: &Format,
    watch: Option<Box<Watch>>,
    out: &mut Vec<u8>,
) -> Option<Box<Watch>> {
    let mut formatter = Formatter::new(format);
    formatter.watch(watch);
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
    black_box(formatter.drift());
    formatter.into_watch()
}
