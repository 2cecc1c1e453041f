use rmpv::Value;

use super::*;

const TIME: Time = Time {
    seconds: 1_700_000_000,
    nanoseconds: 123_000_000,
};

fn format() -> Format {
    Format {
        max_bytes: 1_024_000,
        ..Format::default()
    }
}

fn time_key(key: &str) -> Option<TimeKey> {
    Some(TimeKey {
        key: key.to_owned(),
        format: TimeFormat::parse("%s").unwrap(),
    })
}

fn write<'w>(formatter: &'w mut Formatter<'_>, body: &Value) -> (Written<'w>, Vec<u8>) {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, body).unwrap();
    let mut reader = Reader::new(&bytes);
    let mut out = Vec::new();
    let written = formatter.write(TIME, &mut reader, &mut out);
    assert!(reader.is_empty(), "the body was not read to its end");
    (written.unwrap(), out)
}

fn document(format: &Format, body: &Value) -> String {
    let (_, document) = write(&mut Formatter::new(format), body);
    String::from_utf8(document).unwrap()
}

fn body(pairs: &[(&str, Value)]) -> Value {
    let pair = |(key, value): &(&str, Value)| (Value::from(*key), value.clone());
    Value::Map(pairs.iter().map(pair).collect())
}

#[test]
fn options_apply_in_their_order() {
    let event = body(&[
        ("b.x", 1.into()),
        ("time", "old".into()),
        ("a", body(&[("c.d", 2.into())])),
        ("time", "older".into()),
    ]);
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let cases = [
        (format(), r#"{"b.x":1,"a":{"c.d":2},"time":"older"}"#),
        (
            Format {
                time_key: time_key("time"),
                ..format()
            },
            r#"{"b.x":1,"time":"1700000000","a":{"c.d":2}}"#,
        ),
        (
            Format {
                time_key: time_key("t.s"),
                ..format()
            },
            r#"{"b.x":1,"a":{"c.d":2},"time":"older","t.s":"1700000000"}"#,
        ),
        (
            Format {
                data_keys: keys(&["a", "none"]),
                time_key: time_key("time"),
                ..format()
            },
            r#"{"a":{"c.d":2},"time":"1700000000"}"#,
        ),
        (
            Format {
                data_keys: keys(&["time", "a"]),
                time_key: time_key("time"),
                ..format()
            },
            r#"{"time":"1700000000","a":{"c.d":2}}"#,
        ),
        (
            Format {
                time_key: time_key("t.s"),
                replace_dots: Some("_".to_owned()),
                data_keys: keys(&["b.x"]),
                ..format()
            },
            r#"{"b_x":1,"t_s":"1700000000"}"#,
        ),
        (
            Format {
                log_key: Some("b_x".to_owned()),
                replace_dots: Some("_".to_owned()),
                ..format()
            },
            "1",
        ),
        (
            Format {
                log_key: Some("a".to_owned()),
                ..format()
            },
            r#"{"c.d":2}"#,
        ),
    ];
    for (format, expected) in cases {
        assert_eq!(
            document(&format, &event),
            format!("{expected}\n"),
            "{format:?}"
        );
    }
}

/// What is remembered of one event's keys must not leak into another place of the next event.
#[test]
fn options_mean_outermost_keys_however_often_they_came_elsewhere() {
    let format = Format {
        data_keys: vec!["time".to_owned(), "kept".to_owned()],
        time_key: time_key("time"),
        ..format()
    };
    let within = body(&[("time", 1.into()), ("left out", 2.into())]);
    let event = body(&[
        ("kept", within),
        ("left out", 3.into()),
        ("time", "old".into()),
    ]);
    let mut bytes = Vec::new();
    for _ in 0..3 {
        rmpv::encode::write_value(&mut bytes, &event).unwrap();
    }
    let (mut reader, mut out) = (Reader::new(&bytes), Vec::new());
    let mut formatter = Formatter::new(&format);
    while !reader.is_empty() {
        formatter.write(TIME, &mut reader, &mut out).unwrap();
    }
    let line = r#"{"kept":{"time":1,"left out":2},"time":"1700000000"}"#;
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("{line}\n").repeat(3)
    );
}

#[test]
fn a_log_key_s_text_goes_out_as_it_is() {
    let format = Format {
        log_key: Some("log".to_owned()),
        ..format()
    };
    for (value, expected) in [
        (Value::from("say \"hi\" \\ é"), "say \"hi\" \\ é\n"),
        (Value::from("line\n"), "line\n"),
        (Value::from("a\nb\n\n"), "a\nb\n"),
        (Value::from(""), "\n"),
        (Value::from(-17), "-17\n"),
        (Value::Nil, "null\n"),
        (Value::Binary(b"bin".to_vec()), "\"bin\"\n"),
    ] {
        let event = body(&[("logger", 1.into()), ("lo", 2.into()), ("log", value)]);
        assert_eq!(document(&format, &event), expected);
    }
    let twice = body(&[("log", "first".into()), ("a", 1.into()), ("log", 2.into())]);
    assert_eq!(document(&format, &twice), "2\n");
    let without = body(&[("logs", 1.into()), ("Log", 2.into())]);
    let mut formatter = Formatter::new(&format);
    assert_eq!(
        write(&mut formatter, &without),
        (Written::NoLogKey, Vec::new())
    );
}

#[test]
fn an_event_without_a_field_of_its_own_is_no_document() {
    let of = |data_keys: &[&str], time: Option<&str>| Format {
        data_keys: data_keys.iter().map(|key| (*key).to_owned()).collect(),
        time_key: time.and_then(time_key),
        replace_dots: Some("_".to_owned()),
        ..format()
    };
    let time = || ("t.s", Value::from("old"));
    let cases = [
        (of(&[], None), body(&[])),
        (of(&[], Some("t_s")), body(&[])),
        (of(&[], Some("t_s")), body(&[time(), time()])),
        (of(&["b"], None), body(&[("a", 1.into())])),
        (of(&["b"], Some("a")), body(&[("a", 1.into())])),
        (of(&["t.s"], Some("t_s")), body(&[("a", 1.into()), time()])),
    ];
    for (format, event) in cases {
        let mut formatter = Formatter::new(&format);
        let written = write(&mut formatter, &event);
        assert_eq!(
            written,
            (Written::NoField, Vec::new()),
            "{event} {format:?}"
        );
    }
    let event = body(&[time(), ("a", Value::Nil)]);
    assert_eq!(document(&of(&["a"], None), &event), "{\"a\":null}\n");
    assert_eq!(document(&of(&["t.s"], None), &event), "{\"t_s\":\"old\"}\n");
}

#[test]
fn a_body_that_is_no_map_is_passed_over() {
    let array = Value::Array(vec![1.into(), body(&[("a", 1.into())])]);
    let format = format();
    let mut formatter = Formatter::new(&format);
    assert_eq!(
        write(&mut formatter, &array),
        (Written::NotAMap, Vec::new())
    );
}

#[test]
fn the_limit_counts_the_newline() {
    let exact = Format {
        max_bytes: 40,
        ..format()
    };
    let event = |length| body(&[("key", "v".repeat(length).into())]);
    let overhead = "{\"key\":\"\"}\n".len();
    let cut = |size| {
        Written::Document(Changes {
            cut_from: Some(size),
            doubled: None,
        })
    };
    let mut formatter = Formatter::new(&exact);
    let (written, out) = write(&mut formatter, &event(40 - overhead));
    let whole = Written::Document(Changes::default());
    assert_eq!((written, out.len()), (whole, 40));
    let (written, out) = write(&mut formatter, &event(41 - overhead));
    assert_eq!((written, out.len()), (cut(41), 40));
    assert!(out.ends_with(b"[Truncated...]\"}\n"));

    let log = Format {
        log_key: Some("key".to_owned()),
        ..exact
    };
    let mut formatter = Formatter::new(&log);
    let (written, out) = write(&mut formatter, &event(40));
    assert_eq!((written, out.len()), (cut(41), 40));
    assert!(out.ends_with(b"v[Truncated...]\n"));
}
