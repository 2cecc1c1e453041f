//! Recorded chunks under options: the records that go to Firehose.

use std::fs;

use firehose_core::options::Config;

use crate::packed::{self, Formatted, Record};

struct Case {
    chunk: &'static str,
    options: &'static [(&'static str, &'static str)],
    records: &'static [&'static str],
}

const CASES: &[Case] = &[
    // A group's start and end are no events; the structured event has no such key.
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[("log_key", "log")],
        records: &[
            "order placed ✓\n",
            "no time\n",
            "[-1,false]\n",
            "second resource, nothing about it\n",
        ],
    },
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[("simple_aggregation", "true")],
        records: &[r#"{"log":"order placed ✓"}
{"code":500,"nested":{"a":1.5}}
{"log":"no time"}
{"log":[-1,false]}
{"log":"second resource, nothing about it"}
"#],
    },
    // The host gave the event without a time, the third, the one at which it came.
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[
            ("simple_aggregation", "on"),
            ("aggregation_max_documents", "2"),
            ("time_key", "time"),
            ("time_key_format", "%Y-%m-%dT%H:%M:%S.%6NZ"),
            ("data_keys", "code, log"),
        ],
        records: &[
            r#"{"log":"order placed ✓","time":"2023-11-14T22:13:20.123456Z"}
{"code":500,"time":"2023-11-14T22:13:22.000000Z"}
"#,
            r#"{"log":"no time","time":"2026-11-23T02:16:00.966402Z"}
{"log":[-1,false],"time":"2023-11-14T22:13:23.000000Z"}
"#,
            r#"{"log":"second resource, nothing about it","time":"2023-11-14T22:13:24.000000Z"}
"#,
        ],
    },
    // A document of the time alone would say nothing.
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[("time_key", "time"), ("data_keys", "code, nested")],
        records: &[concat!(
            r#"{"code":500,"nested":{"a":1.5},"time":"2023-11-14T22:13:22.000Z"}"#,
            "\n"
        )],
    },
    // Nor would one of an event that has a key of the time's name and no other.
    Case {
        chunk: "5.1.1/packed-times",
        options: &[("time_key", "time")],
        records: &[],
    },
    Case {
        chunk: "5.1.1/packed-times",
        options: &[("time_key", "at"), ("simple_aggregation", "true")],
        records: &[r#"{"time":0,"at":"1970-01-01T00:00:00.000Z"}
{"time":-5,"at":"1969-12-31T23:59:55.000Z"}
{"time":"2^32","at":"2106-02-07T06:28:16.000Z"}
{"time":"u64 max","at":"9999-12-31T23:59:59.000Z"}
{"time":"nsec >= 1e9","at":"2023-11-14T22:13:20.999Z"}
"#],
    },
    Case {
        chunk: "5.1.1/packed-v2",
        options: &[("time_key", "at"), ("time_key_format", "%s.%9N")],
        records: &[
            "{\"i\":0,\"at\":\"1700000000.000000007\"}\n",
            "{\"i\":1,\"at\":\"1700000000.000000000\"}\n",
        ],
    },
    Case {
        chunk: "1.9.10/forward",
        options: &[
            ("data_keys", "i"),
            ("time_key", "t"),
            ("time_key_format", "%H:%M:%S.%L"),
        ],
        records: &[
            "{\"i\":0,\"t\":\"22:13:20.000\"}\n",
            "{\"i\":1,\"t\":\"22:13:20.500\"}\n",
            "{\"i\":2,\"t\":\"22:13:21.000\"}\n",
        ],
    },
    // A filter wrote the key twice: the time takes the first one's place, and the other goes.
    Case {
        chunk: "5.1.1/filters",
        options: &[
            ("data_keys", "neg,cluster,n_a"),
            ("time_key", "cluster"),
            ("simple_aggregation", "true"),
        ],
        records: &[
            r#"{"neg":-42,"cluster":"2023-11-14T22:13:20.123Z","n_a":{"b":[1,2.5,"x",null,true,{"c":{}}]}}
{"neg":-42,"cluster":"2023-11-14T22:13:20.123Z","n_a":{"b":[1,2.5,"x",null,true,{"c":{}}]}}
{"neg":-42,"cluster":"2023-11-14T22:13:20.123Z","n_a":{"b":[1,2.5,"x",null,true,{"c":{}}]}}
"#,
        ],
    },
    // Ids are bytes to the host. Dots go from keys of metadata and groups too.
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[
            ("simple_aggregation", "true"),
            ("metadata_key", "metadata"),
            ("group_key", "group.of"),
            ("replace_dots", "_"),
        ],
        records: &[
            r#"{"log":"order placed ✓","metadata":{"otlp":{"observed_timestamp":1700000001000000000,"severity_number":9,"severity_text":"INFO","attributes":{"order":9007199254740993,"user":"zoë"},"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174"}},"group_of":{"resource":{"attributes":{"service_name":"checkout","host_cpus":4,"ratio":0.25,"up":true,"list":["a",2],"kv":{"in":"ner"}}},"scope":{"name":"lib.one","version":"1.2.3","attributes":{"scope_attr":"sa"}}}}
{"code":500,"nested":{"a":1.5},"metadata":{"otlp":{"severity_number":17,"severity_text":"ERROR"}},"group_of":{"resource":{"attributes":{"service_name":"checkout","host_cpus":4,"ratio":0.25,"up":true,"list":["a",2],"kv":{"in":"ner"}}},"scope":{"name":"lib.one","version":"1.2.3","attributes":{"scope_attr":"sa"}}}}
{"log":"no time","metadata":{"otlp":{}},"group_of":{"resource":{"attributes":{"service_name":"checkout","host_cpus":4,"ratio":0.25,"up":true,"list":["a",2],"kv":{"in":"ner"}}},"scope":{"name":"lib.two"}}}
{"log":[-1,false],"metadata":{"otlp":{}},"group_of":{"resource":{"attributes":{"service_name":"checkout","host_cpus":4,"ratio":0.25,"up":true,"list":["a",2],"kv":{"in":"ner"}}},"scope":{"name":"lib.two"}}}
{"log":"second resource, nothing about it","metadata":{"otlp":{}},"group_of":{"resource":{}}}
"#,
        ],
    },
    // Ids that are text by chance are ids all the same. A group about which nothing is said, and
    // metadata that has a map about which nothing is said, are some.
    Case {
        chunk: "5.1.1/otel-ids",
        options: &[
            ("simple_aggregation", "true"),
            ("metadata_key", "metadata"),
            ("group_key", "origin"),
            ("data_keys", "log, $order['id']"),
        ],
        records: &[
            r#"{"order":{"id":9007199254740993},"metadata":{"otlp":{"observed_timestamp":1700000001000000000,"severity_number":9,"severity_text":"INFO","attributes":{"http.request.method":"POST","tags":["a",true]},"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","event_name":"order.placed"}},"origin":{"resource":{"attributes":{"service.name":"checkout","k8s.pod.name":"checkout-7d9"},"schema_url":"https://opentelemetry.io/schemas/1.26.0"},"scope":{"name":"http","version":"2"}}}
{"log":"ids that are text by chance","metadata":{"otlp":{"severity_number":17,"trace_id":"6162636465666768696a6b6c6d6e6f70","span_id":"4142434445464748"}},"origin":{"resource":{"attributes":{"service.name":"checkout","k8s.pod.name":"checkout-7d9"},"schema_url":"https://opentelemetry.io/schemas/1.26.0"},"scope":{"name":"http","version":"2"}}}
{"log":"no ids","metadata":{"otlp":{}},"origin":{"resource":{"attributes":{"service.name":"checkout","k8s.pod.name":"checkout-7d9"},"schema_url":"https://opentelemetry.io/schemas/1.26.0"},"scope":{"name":"http","version":"2"}}}
{"log":1.5,"metadata":{"otlp":{"severity_text":"weird"}},"origin":{"resource":{"attributes":{"service.name":"checkout","k8s.pod.name":"checkout-7d9"},"schema_url":"https://opentelemetry.io/schemas/1.26.0"},"scope":{}}}
{"log":"no resource and no scope","metadata":{"otlp":{}},"origin":{"resource":{}}}
"#,
        ],
    },
    // A group for each event. The time stays last.
    Case {
        chunk: "5.1.1/otel-envelope",
        options: &[
            ("simple_aggregation", "true"),
            ("group_key", "of"),
            ("time_key", "time"),
        ],
        records: &[
            r#"{"message":"with metadata","n":{"a":1},"of":{"resource":{"attributes":{"service.name":"enveloped"}},"scope":{}},"time":"2023-11-14T22:13:20.123Z"}
{"message":"with metadata","n":{"a":1},"of":{"resource":{"attributes":{"service.name":"enveloped"}},"scope":{}},"time":"2023-11-14T22:13:20.123Z"}
{"message":"with metadata","n":{"a":1},"of":{"resource":{"attributes":{"service.name":"enveloped"}},"scope":{}},"time":"2023-11-14T22:13:20.123Z"}
"#,
        ],
    },
    // Metadata takes the place of a field of its name.
    Case {
        chunk: "3.2.10/metadata",
        options: &[("simple_aggregation", "true"), ("metadata_key", "message")],
        records: &[
            r#"{"message":{"level":"info","nested":{"k":[1,2]},"pod":"p-1","added_by":"processor"},"n":{"a":1}}
{"message":{"level":"info","nested":{"k":[1,2]},"pod":"p-1","added_by":"processor"},"n":{"a":1}}
{"message":{"level":"info","nested":{"k":[1,2]},"pod":"p-1","added_by":"processor"},"n":{"a":1}}
"#,
        ],
    },
    // A number as a key is none that an option can name.
    Case {
        chunk: "3.2.10/forward-odd-values",
        options: &[
            ("data_keys", "u64max,bin,7,ext_neg1"),
            ("simple_aggregation", "true"),
        ],
        records: &[r#"{"bin":"AAH+/w==","ext_neg1":"ZVPxAA=="}
{"u64max":18446744073709551615}
"#],
    },
    Case {
        chunk: "5.1.1/packed-raw",
        options: &[("data_keys", "dup,s"), ("log_key", "dup")],
        records: &["2\n"],
    },
    // Dots go from keys at every depth and stay in values.
    Case {
        chunk: "5.1.1/tail-json",
        options: &[
            ("data_keys", "a.b,ts"),
            ("replace_dots", "_"),
            ("simple_aggregation", "true"),
        ],
        records: &[r#"{"ts":"not a time"}
{"a_b":{"c_d":1}}
{"ts":1709251200.25}
"#],
    },
    // A nested value stays in the containers around it, and they go where it is not there.
    Case {
        chunk: "5.1.1/filters",
        options: &[
            (
                "data_keys",
                "$n_a['b'][2], $n_a['b'][5]['c'], $n_a['b'][5], neg, $neg['a']",
            ),
            ("simple_aggregation", "true"),
        ],
        records: &[r#"{"neg":-42,"n_a":{"b":["x",{"c":{}}]}}
{"neg":-42,"n_a":{"b":["x",{"c":{}}]}}
{"neg":-42,"n_a":{"b":["x",{"c":{}}]}}
"#],
    },
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[
            ("data_keys", "$nested['a'], $log[1]"),
            ("simple_aggregation", "true"),
        ],
        records: &["{\"nested\":{\"a\":1.5}}\n{\"log\":[false]}\n"],
    },
    Case {
        chunk: "5.1.1/otel-logs",
        options: &[("log_key", "$nested['a']"), ("data_keys", "log, nested")],
        records: &["1.5\n"],
    },
    // The log key is looked for after dots are replaced.
    Case {
        chunk: "5.1.1/tail-json",
        options: &[("replace_dots", "_"), ("log_key", "a_b")],
        records: &["{\"c_d\":1}\n"],
    },
];

fn chunk(name: &str) -> Vec<u8> {
    fs::read(crate::chunks().join(format!("{name}.msgpack"))).unwrap()
}

fn format(name: &str, config: &Config) -> Formatted {
    packed::format(&chunk(name), &config.delivery.format)
}

#[test]
fn options_do_to_recorded_chunks_what_they_say() {
    for case in CASES {
        let config = crate::config(case.options);
        let packed = packed::pack(
            &chunk(case.chunk),
            &config.delivery.format,
            config.packing,
            None,
        );
        let text = |record: Record| String::from_utf8(record.data).unwrap();
        let records: Vec<String> = packed.records.into_iter().map(text).collect();
        assert_eq!(
            records, case.records,
            "{} with {:?}",
            case.chunk, case.options
        );
    }
}

#[test]
fn a_log_line_goes_out_as_the_host_read_it() {
    let config = crate::config(&[("log_key", "log")]);
    for host in ["1.9.10", "3.2.10", "5.1.1"] {
        let documents = format(&format!("{host}/tail-raw"), &config).documents;
        let long = ["x".repeat(300).as_bytes(), b"\n"].concat();
        let expected: [&[u8]; 11] = [
            b"first plain line\n",
            b"\n",
            b"  leading and trailing blanks  \n",
            b"tab\tand \\ backslash and \"quotes\"\n",
            "ünïcödé ✓ 日本語 😀\n".as_bytes(),
            b"invalid: \xff\xfe \xc3( \xe2\x82 \xf0\x9f\x98 overlong \xc0\xaf surrogate \xed\xa0\x80 end\n",
            b"ctl \x01\x02\x1b[31mred\x1b[0m \x7f\n",
            b"nul \x00 inside\n",
            b"crlf line\n",
            &long,
            b"truncated utf8 at the end \xe6\x97\n",
        ];
        assert_eq!(documents, expected, "{host}");
    }
}

#[test]
fn an_event_without_the_log_key_is_counted() {
    let formatted = format("5.1.1/otel-logs", &crate::config(&[("log_key", "log")]));
    assert_eq!(
        (formatted.tally.without_log_key, formatted.tally.not_events),
        (1, 0)
    );
}

/// Docker's log lines bring a newline of their own.
#[test]
fn a_log_line_ends_in_one_newline() {
    let format = crate::config(&[("log_key", "log")]).delivery.format;
    for (log, expected) in [
        ("line", "line\n"),
        ("line\n", "line\n"),
        ("two\nlines\n\n", "two\nlines\n"),
        ("line\r\n", "line\r\n"),
        ("\n\n", "\n"),
        ("", "\n"),
    ] {
        let length = log.len() as u8;
        let event = [b"\x92\x00\x81\xa3log\xd9", &[length][..], log.as_bytes()].concat();
        let documents = packed::format(&event, &format).documents;
        assert_eq!(String::from_utf8_lossy(&documents.concat()), expected);
    }
}

/// A key of bytes that are no text goes out as their base64, which has no dots to replace.
#[test]
fn dots_among_bytes_are_none() {
    let event = b"\x92\x00\x82\xc4\x02\x2e\x80\x01\xc4\x03a.b\x02";
    let format = crate::config(&[("replace_dots", "_")]).delivery.format;
    let documents = packed::format(event, &format).documents;
    let expected = "{\"LoA=\":1,\"a_b\":2}\n";
    assert_eq!(String::from_utf8_lossy(&documents.concat()), expected);
}
