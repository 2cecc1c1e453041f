//! An `[OUTPUT]` section: lines of an option's name, a blank, and its value, in which `\n` is a
//! newline.

use std::time::Duration;

use firehose_core::options::{Config, table};

use super::packed;

/// An event of a host, and one with the first time there is.
const CHUNK: &[u8] = b"\x92\xd7\x00\x65\x53\xf1\x00\x07\x5b\xcd\x15\x81\xa3a.b\xa1x\
    \x92\xd3\x80\x00\x00\x00\x00\x00\x00\x00\x81\xa3log\x01";

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let option = |key: &str| {
        let mut pairs = text.split('\n').filter_map(|line| line.split_once(' '));
        let (_, value) = pairs.find(|(name, _)| *name == key)?;
        // A path of this machine is no input.
        (key != "ca_file").then(|| value.replace("\\n", "\n"))
    };
    match Config::parse(option) {
        Err(error) => {
            let sentence = error.to_string();
            assert!(
                table::ALL.iter().any(|row| sentence.starts_with(row.name)),
                "{sentence:?} names no option"
            );
        }
        Ok(config) => check(&config),
    }
}

fn check(config: &Config) {
    let stream = &config.delivery_stream;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    assert!((1..=64).contains(&stream.len()) && stream.chars().all(is_allowed));
    let delivery = &config.delivery;
    assert!((1_024_000..=4_194_304).contains(&delivery.batch_size));
    assert!((1..=64).contains(&delivery.limits.max_in_flight));
    assert!(Duration::from_millis(100) <= delivery.request_timeout);
    assert!(delivery.request_timeout <= delivery.flush_timeout);
    assert!(delivery.flush_timeout <= Duration::from_secs(600));
    let credentials_timeout = Duration::from_secs(1)..=Duration::from_secs(600);
    assert!(credentials_timeout.contains(&config.credentials_timeout));
    if let Some(aggregation) = config.packing.aggregation {
        assert!((5120..=1_024_000).contains(&aggregation.max_bytes));
        assert!(aggregation.max_documents > 0);
    }
    let access = &config.access;
    for url in [&access.endpoint, &access.sts_endpoint]
        .into_iter()
        .flatten()
    {
        assert!(url.starts_with("http://") || url.starts_with("https://"));
        assert!(!url.contains('@'), "{url} may hold a password");
    }
    let linger = delivery.linger.time;
    assert!(linger <= delivery.flush_timeout / 4);
    let packed = packed::pack(CHUNK, &delivery.format, config.packing, None);
    assert_eq!((packed.tally.not_events, packed.tally.corrupt), (0, None));
    let documents: u64 = packed.records.iter().map(|record| record.documents).sum();
    assert!(documents + packed.tally.without_log_key + packed.tally.without_field == 2);
}
