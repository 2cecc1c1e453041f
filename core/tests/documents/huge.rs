//! Documents over the service's limit, at its real size, and depth.

use std::iter;

use firehose_core::format::truncate;
use firehose_core::pack::compress::Compression;
use rmpv::Value;
use serde::de::IgnoredAny;

use crate::cut::{self, Cuts};
use crate::model::{self, Document, Json};
use crate::packed;
use crate::strategies;

const LIMIT: usize = 1_024_000;

fn event(body: &Value) -> Vec<u8> {
    let event = Value::Array(vec![1_700_000_000.into(), body.clone()]);
    let mut bytes = Vec::new();
    strategies::push(&event, true, &mut bytes);
    bytes
}

fn map(pairs: &[(&str, Value)]) -> Value {
    let pair = |(key, value): &(&str, Value)| (Value::from(*key), value.clone());
    Value::Map(pairs.iter().map(pair).collect())
}

/// Formats a huge event between two small ones, which must come out as they are. The huge one's
/// document, without its newline.
fn huge(bytes: &[u8], options: &[(&str, &str)]) -> Vec<u8> {
    let small = event(&map(&[("log", "small".into())]));
    let formatted = packed::format(
        &[&small, bytes, &small].concat(),
        &crate::config(options).delivery.format,
    );
    let tally = formatted.tally;
    assert_eq!((tally.corrupt, tally.not_events), (None, 0));
    let [first, huge, last] = &formatted.documents[..] else {
        panic!("{} documents", formatted.documents.len());
    };
    assert_eq!(first, last);
    assert!(first.len() < 60, "{} bytes", first.len());
    assert!(huge.len() <= LIMIT, "{} bytes", huge.len());
    if tally.truncated > 0 {
        assert_eq!(tally.truncated, 1);
        assert!(tally.largest > LIMIT);
    }
    huge.strip_suffix(b"\n").unwrap().to_vec()
}

/// A huge event's document and what was cut of it.
fn cut(body: &Value) -> (String, Cuts) {
    let bytes = event(body);
    let document = huge(&bytes, &[]);
    let original = model::format(&bytes, &model::Options::default());
    let [Document::Json(original)] = &original.documents[..] else {
        panic!("no document");
    };
    assert!(original.text().len() >= LIMIT);
    let cuts = cut::judge(original, &document).unwrap();
    (String::from_utf8(document).unwrap(), cuts)
}

#[test]
fn long_strings_share_the_cut_and_short_ones_are_whole() {
    for unit in ["x", "漢", "\u{1}", "\"", "\\", "é\n🚀"] {
        let long = unit.repeat(1_100_000 / unit.len());
        let (document, cuts) = cut(&map(&[
            ("level", "INFO".into()),
            ("first", long.as_str().into()),
            ("half", "y".repeat(300_000).into()),
            ("second", long.as_str().into()),
            ("code", 500.into()),
        ]));
        assert!(document.starts_with("{\"level\":\"INFO\",\"first\":\""));
        assert!(document.ends_with("[Truncated...]\",\"code\":500}"));
        assert!(!cuts.is_short);
        assert_eq!(cuts.cut.len(), 2, "of {unit:?}");
        assert!(
            document.len() > LIMIT - 20,
            "{} bytes of {unit:?}",
            document.len()
        );
    }
}

#[test]
fn a_document_of_exactly_the_limit_is_whole() {
    let overhead = "{\"log\":\"\"}\n".len();
    let body = |length| map(&[("log", "x".repeat(length).into())]);
    let whole = huge(&event(&body(LIMIT - overhead)), &[]);
    assert_eq!(whole.len(), LIMIT - 1);
    assert!(whole.ends_with(b"xx\"}"));
    let cut = huge(&event(&body(LIMIT - overhead + 1)), &[]);
    assert_eq!(cut.len(), LIMIT - 1);
    assert!(cut.ends_with(b"x[Truncated...]\"}"));
}

#[test]
fn where_there_is_no_string_to_cut_elements_go_from_the_end() {
    let numbers = Value::Array((0..1_000_000).map(|n| (n % 10).into()).collect());
    let (document, cuts) = cut(&map(&[("id", 7.into()), ("n", numbers)]));
    assert!(cuts.is_short);
    assert!(document.starts_with("{\"id\":7,\"n\":[0,1,2,"));
    assert!(document.len() > LIMIT - 10, "{} bytes", document.len());

    let pairs = (0..200_000).map(|n| (Value::from(n), Value::Nil));
    let (document, cuts) = cut(&Value::Map(pairs.collect()));
    assert!(cuts.is_short);
    assert!(document.len() > LIMIT - 20, "{} bytes", document.len());
}

#[test]
fn the_time_and_short_fields_stay_whatever_comes_first() {
    let numbers = || Value::Array(vec![7.into(); 1_000_000]);
    let texts = || Value::Array(vec!["x".repeat(100).into(); 20_000]);
    let many = (0..150_000).map(|n| (n.to_string().into(), n.into()));
    let giants = [
        "x".repeat(2_000_000).into(),
        numbers(),
        texts(),
        Value::Array(vec![Value::Array(vec![numbers(), 1.into()])]),
        Value::Map(many.collect()),
        map(&[("id", 7.into()), ("list", texts()), ("last", "id".into())]),
    ];
    for giant in giants {
        let event = event(&map(&[
            ("giant", giant),
            ("level", "info".into()),
            ("note", "x".repeat(200).into()),
            ("tags", Value::Array(vec!["a".into(), 1.into()])),
        ]));
        let document = huge(&event, &[("time_key", "at")]);
        let text = str::from_utf8(&document).unwrap();
        let note = "x".repeat(200);
        let end = format!(
            r#","level":"info","note":"{note}","tags":["a",1],"at":"2023-11-14T22:13:20.000Z"}}"#
        );
        assert!(text.ends_with(&end), "{:?}", &text[text.len() - 400..]);
        assert!(document.len() > LIMIT - 200, "{} bytes", document.len());
        serde_json::from_slice::<serde_json::Value>(&document).unwrap();
    }
}

/// More short fields than there is room for: the time is not among those that go.
#[test]
fn the_time_stays_among_too_many_fields() {
    let fields = (0..200_000).map(|n| (n.to_string().into(), Value::Nil));
    let fields = fields.chain([(Value::from("a.t"), Value::from("old"))]);
    let event = event(&Value::Map(fields.collect()));
    let options = [("time_key", "a_t"), ("replace_dots", "_")];
    let document = huge(&event, &options);
    assert!(document.starts_with(b"{\"0\":null,"));
    assert!(document.ends_with(b":null,\"a_t\":\"2023-11-14T22:13:20.000Z\"}"));
    assert!(document.len() > LIMIT - 20, "{} bytes", document.len());
}

#[test]
fn a_giant_key_goes_with_its_value() {
    let (document, cuts) = cut(&map(&[
        ("id", 7.into()),
        (&"k".repeat(2_000_000), "v".into()),
        ("end", 8.into()),
    ]));
    assert!(cuts.is_short);
    assert_eq!(document, "{\"id\":7,\"end\":8}");
}

#[test]
fn a_giant_log_line_is_cut_on_a_character() {
    for (unit, lost) in [("x", 0), ("漢", 2), ("\"", 0)] {
        let body = map(&[("log", unit.repeat(2_000_000 / unit.len()).into())]);
        let line = String::from_utf8(huge(&event(&body), &[("log_key", "log")])).unwrap();
        let kept = line.strip_suffix("[Truncated...]").unwrap();
        assert_eq!(kept.replace(unit, ""), "");
        assert!(line.len() + lost >= LIMIT - 1, "{} bytes", line.len());
    }
    // Not a string, so JSON: the cut keeps its quotes.
    let body = map(&[("log", Value::Binary(vec![b'x'; 2_000_000]))]);
    let line = String::from_utf8(huge(&event(&body), &[("log_key", "log")])).unwrap();
    let json = Json::Text("x".repeat(2_000_000));
    assert!(!cut::judge(&json, line.as_bytes()).unwrap().is_short);
}

/// An event whose body has one pair, both written as bytes.
fn raw_event(key: &[u8], value: &[u8]) -> Vec<u8> {
    [b"\x92\x00\x81", key, value].concat()
}

#[test]
fn depth_is_no_limit() {
    const DEPTH: usize = 200_000;
    let arrays = [vec![0x91; DEPTH], vec![0xc0]].concat();
    let text = format!("{}null{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let document = huge(&raw_event(b"\xa1d", &arrays), &[]);
    assert_eq!(document, format!("{{\"d\":{text}}}").into_bytes());
    // As a key.
    let document = huge(&raw_event(&arrays, b"\x07"), &[]);
    assert_eq!(document, format!("{{\"{text}\":7}}").into_bytes());
    // As the metadata of an event, and as no event at all: passed over.
    let event = [b"\x92\x92\x00", &arrays[..], b"\x81\xa1d\x07"].concat();
    assert_eq!(huge(&event, &[]), b"{\"d\":7}");
    let stranger = packed::format(&arrays, &crate::config(&[]).delivery.format);
    assert_eq!(
        (stranger.tally.not_events, stranger.documents.len()),
        (1, 0)
    );

    let maps = [b"\x81\xa3a.b".repeat(DEPTH / 2), vec![0x80]].concat();
    let document = huge(&raw_event(b"\xa1d", &maps), &[("replace_dots", "_")]);
    let text = format!(
        "{}{{}}{}",
        "{\"a_b\":".repeat(DEPTH / 2),
        "}".repeat(DEPTH / 2)
    );
    assert_eq!(document, format!("{{\"d\":{text}}}").into_bytes());
}

#[test]
fn depth_over_the_limit_is_closed() {
    let arrays = [vec![0x91; 900_000], vec![0xc0]].concat();
    let document = String::from_utf8(huge(&raw_event(b"\xa1d", &arrays), &[])).unwrap();
    let depth = document.matches('[').count();
    assert_eq!(
        document,
        format!("{{\"d\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
    );
    assert!(depth > 511_000, "{depth}");
}

/// Keys in keys must not double the escapes at each level.
#[test]
fn keys_within_keys_stay_small() {
    let maps = [vec![0x81; 100_000], vec![0xc0; 100_001]].concat();
    let document = huge(&raw_event(&maps, b"\x07"), &[]);
    serde_json::from_slice::<serde_json::Value>(&document).unwrap();
    assert!(document.len() < 2 * maps.len(), "{} bytes", document.len());
}

#[test]
fn hostile_text_costs_no_more_than_its_bytes() {
    const SIZE: usize = 400_000;
    let nested = |open: &str, close: &str| {
        let depth = SIZE / (open.len() + close.len());
        open.repeat(depth) + "0" + &close.repeat(depth)
    };
    let listed = |element: &str| format!("[{element}{}]", format!(",{element}").repeat(SIZE / 3));
    let pairs = (0..SIZE / 10).map(|number| format!("\"{number}\":{number}"));
    let texts = [
        nested("[", "]"),
        nested("[0,", "]"),
        nested("[", ",0]"),
        nested("{\"a\":", "}"),
        nested("{\"a\":0,\"b\":", "}"),
        listed("0"),
        listed("[]"),
        listed("[[[[0]]]]"),
        listed("\"\""),
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(",")),
        format!("[\"{}\"]", "\\\"".repeat(SIZE)),
    ];
    for text in texts {
        let limit = text.len() / 2;
        let out = truncate::json(text.as_bytes(), limit, None);
        assert!(out.len() <= limit && out.len() > limit - 20, "{:.20}", text);
        let valid: Result<IgnoredAny, _> = serde_json::from_slice(&out);
        assert!(valid.is_ok(), "{:.20}", text);
    }
}

/// Whatever the compression does to noise, the record must pass the service's limit.
#[test]
fn a_cut_document_fits_a_record_compressed_or_not() {
    let mut state = 1_u64;
    let noise: String = iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b' ' + (state >> 33) as u8 % 90)
    })
    .take(1_500_000)
    .collect();
    let bytes = event(&map(&[("log", noise.as_str().into())]));
    let names = Compression::ALL.map(Compression::name);
    for compression in iter::once("none").chain(names) {
        for aggregation in ["true", "false"] {
            let config = crate::config(&[
                ("compression", compression),
                ("simple_aggregation", aggregation),
            ]);
            let records =
                packed::pack(&bytes, &config.delivery.format, config.packing, None).records;
            let [record] = &records[..] else {
                panic!("{} records", records.len());
            };
            let length = record.data.len();
            assert!(length <= LIMIT, "{compression}: {length} bytes");
        }
    }
}
