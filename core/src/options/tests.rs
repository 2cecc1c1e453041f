use std::collections::BTreeSet;

use super::*;

fn parse(options: &[(&str, &str)]) -> Result<Config, Error> {
    Config::parse(|key| {
        let found = options.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    })
}

pub(super) fn with(options: &[(&str, &str)]) -> Result<Config, Error> {
    parse(&[&[("delivery_stream", "logs")], options].concat())
}

#[test]
fn every_default_in_backquotes_is_a_value_of_its_kind() {
    for row in table::ALL {
        match row.default_value() {
            Some(value) => assert!(with(&[(row.name, value)]).is_ok(), "{}", row.name),
            None => assert!(!row.default.starts_with('`'), "{}", row.name),
        }
    }
}

/// An option that is named in no other place than the table would change nothing.
#[test]
fn every_option_of_the_table_changes_what_is_asked_for() {
    let around = [
        ("delivery_stream", "logs"),
        ("region", "eu-west-1"),
        ("simple_aggregation", "true"),
        ("time_key", "at"),
    ];
    let asked = |set: &[(&str, &str)]| {
        let config = parse(&[set, around.as_slice()].concat());
        config.map(|config| Config {
            warnings: Vec::new(),
            ..config
        })
    };
    let values = "false lambda regional gzip 2s 6 6000 2M none xx eu-west-2 %s \
                  arn:aws:iam::000000000000:role/logs";
    for row in table::ALL {
        // A log key needs that there is no time.
        let mut values = values.split(' ').map(|value| match row.name {
            "log_key" => asked(&[("log_key", value), ("time_key", "")]),
            name => asked(&[(name, value)]),
        });
        let before = asked(&[("time_key", "")][..usize::from(row.name == "log_key")]).unwrap();
        let is_read = values.any(|config| config.is_ok_and(|config| config != before));
        assert!(is_read, "nobody reads {}", row.name);
    }
}

#[test]
fn defaults_need_no_more_than_a_stream() {
    let config = with(&[]).unwrap();
    assert_eq!(config.delivery_stream, "logs");
    assert_eq!(config.delivery.format.max_bytes, 1_024_000);
    assert_eq!(
        config.packing,
        Packing {
            aggregation: None,
            compression: None
        }
    );
    assert_eq!(config.delivery.batch_size, 1_048_576);
    assert_eq!(config.delivery.flush_timeout, Duration::from_secs(30));
    assert_eq!(config.delivery.stop_timeout, Duration::from_secs(5));
    assert_eq!(config.delivery.request_timeout, Duration::from_secs(10));
    assert!(config.delivery.auto_retry_requests);
    assert_eq!(config.access, Access::default());
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn options_of_both_plugins_are_taken() {
    let config = with(&[
        ("region", "eu-west-1"),
        ("data_keys", "log, level,,"),
        ("time_key", "time"),
        ("time_key_format", "%Y-%m-%dT%H:%M:%S.%9NZ"),
        ("replace_dots", "_"),
        ("simple_aggregation", "On"),
        ("aggregation_max_documents", "500"),
        ("compression", "GZIP"),
        ("role_arn", "arn:aws:iam::000000000000:role/logs"),
        ("external_id", "id"),
        ("profile", "logs"),
        ("endpoint", "vpce-1.firehose.eu-west-1.vpce.amazonaws.com"),
        ("sts_endpoint", "https://sts.eu-west-1.amazonaws.com"),
        ("auto_retry_requests", "false"),
        ("batch_size", "2M"),
        ("flush_timeout", "2m"),
        ("request_timeout", "500ms"),
        ("max_in_flight", "8"),
    ])
    .unwrap();
    assert_eq!(config.delivery.format.data_keys, ["log", "level"]);
    assert_eq!(config.delivery.format.max_bytes, 1_024_000 - 1024);
    let aggregation = config.packing.aggregation.unwrap();
    assert_eq!(
        (aggregation.max_bytes, aggregation.max_documents),
        (261_120, 500)
    );
    assert_eq!(config.packing.compression, Some(Compression::Gzip));
    assert_eq!(
        config.access.endpoint.as_deref(),
        Some("https://vpce-1.firehose.eu-west-1.vpce.amazonaws.com")
    );
    assert_eq!(config.delivery.batch_size, 2_000_000);
    assert_eq!(config.delivery.flush_timeout, Duration::from_secs(120));
    assert_eq!(config.delivery.request_timeout, Duration::from_millis(500));
    assert!(!config.delivery.auto_retry_requests);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn a_wrong_value_is_named_with_its_key_and_what_is_allowed() {
    let long_name = "x".repeat(65);
    let cases: &[(&str, &str, &str)] = &[
        ("delivery_stream", "my stream", "1 to 64 of the characters"),
        ("delivery_stream", &long_name, "1 to 64 of the characters"),
        (
            "compression",
            "brotli",
            "`none`, `gzip`, `zstd` or `snappy`",
        ),
        ("simple_aggregation", "maybe", "`true` or `false`"),
        ("aggregation_size", "2M", "`5120` to `1024000` bytes"),
        ("aggregation_size", "1K", "`5120` to `1024000` bytes"),
        ("aggregation_size", "1.5M", "`5120` to `1024000` bytes"),
        (
            "aggregation_max_documents",
            "0",
            "a number from `1` to `1000000`",
        ),
        ("batch_size", "4194305", "`1024000` to `4194304` bytes"),
        (
            "batch_size",
            "99999999999999999999",
            "`1024000` to `4194304` bytes",
        ),
        ("max_in_flight", "65", "a number from `1` to `64`"),
        ("flush_timeout", "0", "`1s` to `10m`"),
        ("flush_timeout", "30x", "`1s` to `10m`"),
        (
            "request_timeout",
            "31s",
            "`100ms` to `30s`, which is flush_timeout",
        ),
        (
            "linger",
            "7501ms",
            "`0s` to `7500ms`, a quarter of flush_timeout",
        ),
        ("stop_timeout", "2h", "`0s` to `1h`"),
        ("time_key_format", "%Q", "strftime"),
        ("endpoint", "ftp://host", "an http or https URL"),
        ("endpoint", "https://", "an http or https URL"),
        ("role_arn", "logs", "a role's whole ARN"),
    ];
    for (key, value, allowed) in cases {
        let error = parse(&[(*key, *value), ("delivery_stream", "logs")]).unwrap_err();
        let sentence = error.to_string();
        assert!(
            sentence.contains(*key) && sentence.contains(allowed),
            "{sentence}"
        );
        assert!(sentence.contains(*value), "{sentence}");
    }
    assert!(
        parse(&[])
            .unwrap_err()
            .to_string()
            .contains("delivery_stream is missing")
    );
    for other in [("time_key", "time"), ("data_keys", "level, log.text")] {
        let both = with(&[("log_key", "log"), other]).unwrap_err().to_string();
        assert!(both.starts_with("log_key `log` and "), "{both}");
        assert!(
            both.contains(&format!("{} `{}`", other.0, other.1)),
            "{both}"
        );
        assert!(both.contains("can not be used together"), "{both}");
    }
    let dots = [("data_keys", "level, log.text"), ("replace_dots", "_")];
    assert!(with(&[("log_key", "log_text"), dots[0], dots[1]]).is_ok());
}

/// Values of which each is wrong for most options.
const WRONG: [&str; 10] = [
    ",",
    "!",
    "0",
    "0.5",
    "1M",
    "5K",
    "10s",
    "99999999999999999999",
    "eu-west-1 # prod",
    "%Q",
];

/// What a sentence gives as examples: all in backquotes behind what it takes.
fn examples(sentence: &str) -> Vec<&str> {
    let (_, allowed) = sentence.split_once("it takes ").unwrap_or_default();
    allowed.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_example_of_a_sentence_is_taken() {
    let mut with_examples = BTreeSet::new();
    for flush_timeout in ["1s", "1001ms", "8s", "30s", "10m"] {
        let taken = |key: &str, value: &str| {
            let around = [
                ("delivery_stream", "logs"),
                ("region", "eu-west-1"),
                ("flush_timeout", flush_timeout),
            ];
            parse(&[&[(key, value)], around.as_slice()].concat())
        };
        for known in table::ALL {
            for value in WRONG {
                let Err(error) = taken(known.name, value) else {
                    continue;
                };
                let sentence = error.to_string();
                assert!(sentence.starts_with(known.name), "{sentence}");
                for example in examples(&sentence) {
                    with_examples.insert(known.name);
                    let result = taken(known.name, example);
                    assert!(result.is_ok(), "{sentence}: {example} is not: {result:?}");
                }
            }
        }
    }
    // Any text is right for a key, and for these two there is no example.
    let without = [
        "time_key",
        "replace_dots",
        "log_key",
        "ca_file",
        "external_id",
    ];
    let mut expected: BTreeSet<&str> = table::ALL.iter().map(|known| known.name).collect();
    expected.retain(|name| !without.contains(name));
    assert_eq!(with_examples, expected);
    let missing = parse(&[]).unwrap_err().to_string();
    let [example] = examples(&missing)[..] else {
        panic!("{missing}");
    };
    assert!(parse(&[("delivery_stream", example)]).is_ok());
}

#[test]
fn a_value_has_its_form() {
    let longest = "x".repeat(1224);
    let too_long = "x".repeat(1225);
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let (long_role, longer_role) = (role(&"x".repeat(64)), role(&"x".repeat(65)));
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "region",
            &[
                "eu-west-1",
                "ap-southeast-12",
                "us-gov-west-1",
                "us-isob-east-1",
                "eusc-de-east-1",
                "cn-northwest-1",
            ],
            &[
                "us-east-1 # prod",
                "us_east_1",
                "us-east",
                "us-1",
                "US-EAST-1",
                "us-east-1a",
                "us--east-1",
                "eu-west-1.amazonaws.com",
                "\"eu-west-1\"",
                "서울-1",
            ],
        ),
        (
            "profile",
            &["default", "team/logs@prod", "a.b_c:d+e%f"],
            &["logs # prod", "two words", "\"logs\"", "서울", "[logs]"],
        ),
        (
            "role_arn",
            &[
                "arn:aws:iam::123456789012:role/logs",
                "arn:aws-us-gov:iam::123456789012:role/path/of/logs+=,.@-_",
                "arn:aws-iso-b:iam::123456789012:role/aws-reserved/~/logs",
                &long_role,
            ],
            &[
                "logs",
                "arn:aws:iam::123456789012:role/",
                "arn:aws:iam::123456789012:role/logs/",
                "arn:aws:iam::123456789012:user/logs",
                "arn:aws:iam::12345678901:role/logs",
                "arn:aws:iam::123456789012:role/logs # prod",
                "arn:aws:iam:eu-west-1:123456789012:role/logs",
                "arn:aws:sts::123456789012:assumed-role/logs/session",
                "arn::iam::123456789012:role/logs",
                "arn:aws:iam::123456789012:role:logs",
                &longer_role,
            ],
        ),
        (
            "external_id",
            &["id", "tenant:1/logs", "a_b+c=d,e.f@g-h", &longest],
            &["Q", "tenant # prod", "two words", "서울", &too_long],
        ),
        (
            "sts_endpoint",
            &[
                "sts.eu-west-1.amazonaws.com",
                "http://[::1]:8080/path",
                "https://a_b.internal:443",
            ],
            &[
                "https://host # prod",
                "https://host#prod",
                "https://host/?a=b",
                "https://host:0",
                "https://host:65536",
                "https://host:port",
                "https://host:",
                "https:/host",
                "https://[host]",
                "https://user@host",
                "two words",
            ],
        ),
    ];
    for (key, right, wrong) in cases {
        for value in *right {
            let result = with(&[(key, value)]);
            assert!(result.is_ok(), "{key} {value}: {result:?}");
        }
        for value in *wrong {
            let sentence = with(&[(key, value)]).unwrap_err().to_string();
            assert!(sentence.starts_with(key), "{sentence}");
            assert!(sentence.contains("is not allowed: it takes"), "{sentence}");
            let is_shown = *key != "external_id" && !value.contains(['@', '?']);
            assert_eq!(sentence.contains(value), is_shown, "{sentence}");
            let is_comment = value.contains(" #");
            assert_eq!(sentence.contains("no comments"), is_comment, "{sentence}");
        }
    }
}

#[test]
fn a_comment_behind_any_value_is_told() {
    let wrong = wrong_ca_file("/ca.pem # note".as_ref(), "can not be read");
    assert!(wrong.to_string().contains("Fluent Bit knows no comments"));
    // Whether a file is there is looked up later.
    for known in table::ALL.iter().filter(|known| known.name != "ca_file") {
        let config = with(&[(known.name, "x # note")]);
        let config = match known.name {
            // The stream's own value comes first.
            "delivery_stream" => parse(&[(known.name, "x # note")]),
            _ => config,
        };
        let told = match config {
            Err(error) => error.to_string(),
            Ok(config) => config.warnings.join("; "),
        };
        assert!(told.starts_with(known.name), "{}: {told}", known.name);
        assert!(told.contains("Fluent Bit knows no comments"), "{told}");
    }
    for key in ["data_keys", "log_key"] {
        for value in ["a#b", "a#", "##", "C#, F#"] {
            let warnings = with(&[(key, value)]).unwrap().warnings;
            let is_at_start = value.starts_with('#');
            assert_eq!(warnings.len(), usize::from(is_at_start), "{warnings:?}");
        }
    }
}

#[test]
fn a_control_character_in_any_value_is_refused_by_name() {
    for known in table::ALL {
        for (value, code) in [
            ("a\nb", "U+000A"),
            ("a\u{7f}", "U+007F"),
            ("a\u{0}b", "U+0000"),
        ] {
            let sentence = parse(&[(known.name, value), ("delivery_stream", "logs")]);
            let sentence = sentence.unwrap_err().to_string();
            assert!(sentence.starts_with(known.name), "{sentence}");
            assert!(sentence.contains(code), "{sentence}");
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
        }
    }
    // Such as a file's last newline.
    assert!(with(&[("log_key", " log\r\n")]).is_ok());
}

#[test]
fn what_does_nothing_is_warned_of() {
    let off = [("simple_aggregation", "false"), ("aggregation_size", "1M")];
    assert_eq!(
        with(&off).unwrap().warnings,
        ["aggregation_size does nothing without simple_aggregation"]
    );
    let config = with(&[("time_key_format", "%s"), ("external_id", "id")]).unwrap();
    assert_eq!(config.warnings.len(), 2);
    let time = [("time_key", "at"), ("time_key_format", "%FT%T")];
    let warnings = with(&time).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("conversion to Parquet"),
        "{warnings:?}"
    );
    let plain = |endpoint| with(&[("endpoint", endpoint)]).unwrap().warnings.len();
    assert_eq!(plain("http://firehose.internal:8080"), 1);
    assert_eq!(plain("HTTP://firehose.internal"), 1);
    assert_eq!(plain("http://127.0.0.1:4566"), 0);
    assert_eq!(plain("http://[::1]:4566"), 0);
    assert_eq!(plain("http://localhost"), 0);
}

#[test]
fn only_what_is_aggregated_lingers_by_default_and_never_for_long() {
    let linger = |options: &[(&str, &str)]| with(options).unwrap().delivery.linger.time;
    assert_eq!(linger(&[]), Duration::ZERO);
    assert_eq!(linger(&[("linger", "2s")]), Duration::from_secs(2));
    let aggregated = ("simple_aggregation", "true");
    assert_eq!(linger(&[aggregated]), Duration::from_secs(5));
    assert_eq!(linger(&[aggregated, ("linger", "0s")]), Duration::ZERO);
    let short = ("flush_timeout", "8s");
    assert_eq!(linger(&[aggregated, short]), Duration::from_secs(2));
}
