use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;

fn parse(options: &[(&str, &str)]) -> Result<Config, Error> {
    Config::parse(|key| {
        let found = options.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn with(options: &[(&str, &str)]) -> Result<Config, Error> {
    parse(&[&[("delivery_stream", "logs")], options].concat())
}

#[test]
fn every_option_of_the_table_is_read_and_no_other() {
    let read = RefCell::new(BTreeSet::new());
    let config = Config::parse(|key| {
        read.borrow_mut().insert(key.to_owned());
        (key == "delivery_stream").then(|| "logs".to_owned())
    });
    config.unwrap();
    let table: BTreeSet<String> = names::ALL.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(read.into_inner(), table);
}

#[test]
fn defaults_need_no_more_than_a_stream() {
    let config = with(&[]).unwrap();
    assert_eq!(config.delivery_stream, "logs");
    assert_eq!(config.format.max_bytes, 1_024_000);
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
    assert_eq!(config.format.data_keys, ["log", "level"]);
    assert_eq!(config.format.max_bytes, 1_024_000 - 1024);
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
        ("compression", "brotli", "none, gzip, zstd or snappy"),
        ("simple_aggregation", "maybe", "true or false"),
        ("aggregation_size", "2M", "5120 to 1024000 bytes"),
        ("aggregation_size", "1K", "5120 to 1024000 bytes"),
        ("aggregation_size", "1.5M", "5120 to 1024000 bytes"),
        (
            "aggregation_max_documents",
            "0",
            "a number from 1 to 1000000",
        ),
        ("batch_size", "4194305", "1024000 to 4194304 bytes"),
        (
            "batch_size",
            "99999999999999999999",
            "1024000 to 4194304 bytes",
        ),
        ("max_in_flight", "65", "a number from 1 to 64"),
        ("flush_timeout", "0", "1s to 600s"),
        ("stop_timeout", "2h", "0s to 3600s"),
        ("flush_timeout", "30x", "1s to 600s"),
        ("request_timeout", "31s", "100ms to 30s"),
        ("linger", "7501ms", "0s to 7.5s"),
        ("time_key_format", "%Q", "strftime"),
        ("endpoint", "ftp://host", "http or https"),
        ("endpoint", "https://", "http or https"),
        ("role_arn", "logs", "a role's ARN"),
        ("ca_file", "/no/such/file", "PEM certificates"),
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
    let both = with(&[("log_key", "log"), ("time_key", "time")]).unwrap_err();
    assert!(both.to_string().contains("can not be used together"));
}

#[test]
fn what_does_nothing_is_warned_of() {
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
