//! Decoding and formatting, beside copying the chunk, which nothing that reads it all can beat,
//! and beside what serde makes of it: rmp-serde transcoded into serde_json.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use firehose_core::format::document::{Format, Formatter};
use firehose_core::format::event::{self, Head};
use firehose_core::format::msgpack::Reader;

use crate::shapes;

pub(crate) fn benchmarks(criterion: &mut Criterion) {
    let format = Format {
        max_bytes: 1_024_000,
        ..Format::default()
    };
    for shape in shapes::all() {
        let bodies = bodies(&shape.chunk);
        let mut out = Vec::new();
        by_serde(&bodies, &mut out);
        let expected = std::mem::take(&mut out);
        by_formatter(&shape.chunk, &mut Formatter::new(&format), &mut out);
        assert!(out == expected, "{}: serde differs", shape.name);

        let mut group = criterion.benchmark_group(format!("transcode/{}", shape.name));
        group.throughput(Throughput::Bytes(shape.chunk.len() as u64));
        group.bench_function("firehose", |bencher| {
            let mut formatter = Formatter::new(&format);
            bencher.iter(|| {
                out.clear();
                by_formatter(&shape.chunk, &mut formatter, &mut out);
                black_box(&out);
            });
        });
        group.bench_function("serde-transcode", |bencher| {
            bencher.iter(|| {
                out.clear();
                by_serde(&bodies, &mut out);
                black_box(&out);
            });
        });
        group.bench_function("memcpy", |bencher| {
            bencher.iter(|| {
                out.clear();
                out.extend_from_slice(&shape.chunk);
                black_box(&out);
            });
        });
        group.finish();
    }
}

fn by_formatter(chunk: &[u8], formatter: &mut Formatter<'_>, out: &mut Vec<u8>) {
    let mut reader = Reader::new(chunk);
    while !reader.is_empty() {
        let Ok(Head::Event(time)) = event::read_head(&mut reader) else {
            panic!("the chunk holds events only");
        };
        formatter
            .write(time, &mut reader, out)
            .expect("it is whole");
    }
}

/// serde knows nothing of Fluent Bit's heads, so it is given the bodies alone.
fn bodies(mut chunk: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while !chunk.is_empty() {
        let event = rmpv::decode::read_value(&mut chunk).expect("the chunk is msgpack");
        let mut body = Vec::new();
        rmpv::encode::write_value(&mut body, &event[1]).expect("memory can be written");
        bodies.push(body);
    }
    bodies
}

fn by_serde(bodies: &[Vec<u8>], out: &mut Vec<u8>) {
    for body in bodies {
        let mut reader = rmp_serde::Deserializer::from_read_ref(body);
        let mut writer = serde_json::Serializer::new(&mut *out);
        serde_transcode::transcode(&mut reader, &mut writer).expect("it is msgpack");
        out.push(b'\n');
    }
}
