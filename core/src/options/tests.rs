use std::collections::BTreeSet;

use super::table::{Kind, Row};
use super::*;

fn parse(options: &[(&str, &str)]) -> Result<Config, Error> {
    Config::parse(|key| {
        let found = options.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// These and a stream, where they name none.
pub(super) fn with(options: &[(&str, &str)]) -> Result<Config, Error> {
    parse(&[options, &[("delivery_stream", "logs")]].concat())
}

/// Options with semicolons between, as pairs.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let options = text.split("; ");
    options
        .filter_map(|option| option.split_once(' '))
        .collect()
}

pub(super) fn section(text: &str) -> Result<Config, Error> {
    with(&pairs(text))
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
    let values = "false true 2s 6 6000 20000 xx eu-west-2 %s";
    for row in table::ALL {
        let around = match row.name {
            // A log line as it is has no place for more.
            "log_key" => "; state_path /state",
            name if name.contains("delivery_stream") && name != "delivery_stream" => {
                "; delivery_stream $TAG; delivery_stream_default other"
            }
            _ => {
                "; region eu-west-1; simple_aggregation true; time_key at; state_path /state; \
                  rejected_path file; schema_file table"
            }
        };
        let asked = |value: &str| {
            let set = match value {
                "" => around.to_owned(),
                value => format!("{} {value}{around}", row.name),
            };
            let config = section(&set).ok()?;
            // What is said of the section is not what it asks for.
            let warnings = Vec::new();
            Some(Config { warnings, ..config })
        };
        if let Kind::Choice(words) = row.kind {
            let told: Vec<_> = words.iter().map(|word| asked(word)).collect();
            let same = |one| told.iter().filter(|other| *other == one).count();
            assert!(told.iter().all(|one| same(one) == 1), "{}", row.name);
        } else {
            let takes = format!("it takes {}", row.kind.takes());
            let values = values.split(' ').chain(examples(&takes));
            let mut told = values.filter_map(asked);
            assert!(told.any(|config| Some(config) != asked("")), "{}", row.name);
        }
    }
}

#[test]
fn defaults_need_no_more_than_a_stream() {
    let config = with(&[]).unwrap();
    let (delivery, seconds) = (&config.delivery, Duration::from_secs);
    assert_eq!(config.delivery_stream, "logs");
    assert_eq!(config.packing.aggregation, None);
    assert_eq!(config.packing.compression, None);
    assert_eq!(delivery.format.max_bytes, 1_024_000);
    assert_eq!(delivery.batch_size, 1_048_576);
    assert_eq!(delivery.flush_timeout, seconds(30));
    assert_eq!(delivery.stop_timeout, seconds(5));
    assert_eq!(delivery.request_timeout, seconds(10));
    assert!(delivery.auto_retry_requests);
    assert_eq!(config.access, Access::default());
    assert_eq!(config.rejected, None);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn options_of_both_plugins_are_taken() {
    let config = section(
        "region eu-west-1; data_keys log, level,,; time_key time; time_key_format %FT%T.%9NZ; \
         replace_dots _; simple_aggregation On; aggregation_max_documents 500; compression GZIP; \
         role_arn arn:aws:iam::000000000000:role/logs; external_id id; profile logs; \
         endpoint vpce-1.firehose.eu-west-1.vpce.amazonaws.com; \
         sts_endpoint https://sts.eu-west-1.amazonaws.com; auto_retry_requests false; \
         batch_size 2M; flush_timeout 2m; request_timeout 500ms; max_in_flight 8",
    )
    .unwrap();
    let (delivery, packing) = (&config.delivery, config.packing);
    let data_keys = delivery.format.data_keys.iter().map(ToString::to_string);
    assert_eq!(data_keys.collect::<Vec<_>>(), ["log", "level"]);
    assert_eq!(delivery.format.max_bytes, 1_024_000 - 1024);
    let (max_bytes, max_documents) = (261_120, 500);
    let aggregation = Aggregation {
        max_bytes,
        max_documents,
    };
    assert_eq!(packing.aggregation, Some(aggregation));
    assert_eq!(packing.compression, Some(Compression::Gzip));
    let endpoint = "https://vpce-1.firehose.eu-west-1.vpce.amazonaws.com";
    assert_eq!(config.access.endpoint.as_deref(), Some(endpoint));
    assert_eq!(delivery.batch_size, 2_000_000);
    assert_eq!(delivery.flush_timeout, Duration::from_secs(120));
    assert_eq!(delivery.request_timeout, Duration::from_millis(500));
    assert!(!delivery.auto_retry_requests);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn a_sentence_names_what_is_allowed_and_what_is_missing() {
    let sentences = "\
batch_size `5M` is not allowed: it takes `1024000` to `4194304` bytes, such as `2M` or `4M`
max_bytes_per_second `999` is not allowed: it takes `1000` to `1000000000` bytes, such as `1K` or \
`1G`
max_in_flight `65` is not allowed: it takes a number from `1` to `64`
simple_aggregation `1` is not allowed: it takes `true` or `false` (or `on`, `off`, `yes`, `no`)
request_timeout `31s` is not allowed: it takes a whole number of ms, s, m or h, from `100ms` to \
`30s`, which is flush_timeout
linger `7501ms` is not allowed: it takes a whole number of ms, s, m or h, from `0s` to `7500ms`, \
a quarter of flush_timeout
delivery_stream_allow `app-*, a/*` is not allowed: it takes names with commas between
schema_file `/tables/$TAG[1].json` is not allowed: a `$` in it stands for a value of delivery_stream, \
which is no template; it takes a file with a table
delivery_stream_allow `a b` is not allowed: it takes names with commas between
time_key_format `%Q` is not allowed: `%Q` is no conversion; it takes those of strftime";
    for sentence in sentences.lines() {
        let mut parts = sentence.split('`');
        let (key, value) = (parts.next().unwrap().trim(), parts.next().unwrap());
        let told = with(&[(key, value)]).unwrap_err().to_string();
        assert!(told.starts_with(sentence), "{told}");
    }
    let missing = parse(&[]).unwrap_err().to_string();
    assert!(missing.starts_with("delivery_stream is missing: it takes the stream's name: 1 to 64"));
    for (key, value) in [
        ("time_key", "time"),
        ("data_keys", "level, log.text"),
        ("schema_file", "table.json"),
    ] {
        let both = with(&[("log_key", "log"), (key, value)]);
        let both = both.unwrap_err().to_string();
        let expected = format!("log_key `log` and {key} `{value}` can not be used together: ");
        assert!(both.starts_with(&expected), "{both}");
    }
    assert!(section("log_key log_text; data_keys level, log.text; replace_dots _").is_ok());
}

#[test]
fn keys_that_are_added_are_different_ones_and_go_with_no_log_line() {
    for (options, told) in [
        (
            "metadata_key m; log_key log",
            "log_key `log` and metadata_key `m`",
        ),
        (
            "group_key g; log_key log",
            "log_key `log` and group_key `g`",
        ),
        (
            "metadata_key m; group_key m",
            "metadata_key `m` and group_key `m`",
        ),
        (
            "replace_dots _; group_key a.b; time_key a_b",
            "group_key `a.b` and time_key `a_b`",
        ),
    ] {
        let sentence = section(options).unwrap_err().to_string();
        let expected = format!("{told} can not be used together: ");
        assert!(sentence.starts_with(&expected), "{sentence}");
    }
    assert!(section("metadata_key m; group_key g; time_key t; data_keys m").is_ok());
}

#[test]
fn a_key_may_be_a_record_accessor() {
    for fits in [
        "log_key $log['a_b']; data_keys level, $log['a.b']; replace_dots _",
        "log_key $log['a'][0]; data_keys $log",
        "log_key log; data_keys $log",
    ] {
        assert!(section(fits).is_ok(), "{fits}");
    }
    for (options, told) in [
        (
            "log_key $log['a",
            "log_key `$log['a` is not allowed: a `'` is missing; it takes a key, or a record \
             accessor such as `$log['message']`",
        ),
        (
            "data_keys level, $log[a]",
            "data_keys `$log[a]` is not allowed: behind a `[` stands a key in single quotes, or \
             an element's number; it takes keys or record accessors with commas between, such as \
             `level, $log['message']`",
        ),
        (
            "log_key $log['a']; data_keys $log['b'], level",
            "log_key `$log['a']` and data_keys `$log['b'], level` can not be used together: every \
             event would be dropped, as data_keys does not keep the key `$log['a']`",
        ),
        (
            "log_key log; data_keys $log['b']",
            "log_key `log` and data_keys `$log['b']` can not be used together: every event would \
             be dropped, as data_keys does not keep the key `log`",
        ),
    ] {
        assert_eq!(section(options).unwrap_err().to_string(), told);
    }
}

/// Values of which each is wrong for most options.
const WRONG: &str =
    ", | ! | 0 | 0.5 | 1M | 5K | 10s | 99999999999999999999 | eu-west-1 # prod | %Q";

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
            let around = [("region", "eu-west-1"), ("flush_timeout", flush_timeout)];
            with(&[&[(key, value)], around.as_slice()].concat())
        };
        for row in table::ALL {
            for value in WRONG.split(" | ") {
                let Err(error) = taken(row.name, value) else {
                    continue;
                };
                let sentence = error.to_string();
                let named = match row.kind {
                    Kind::Secret(..) => format!("{} (its value is not shown)", row.name),
                    _ => format!("{} `{value}`", row.name),
                };
                assert!(sentence.starts_with(&named), "{sentence}");
                assert!(sentence.contains("it takes "), "{sentence}");
                for example in examples(&sentence) {
                    with_examples.insert(row.name);
                    let result = taken(row.name, example);
                    assert!(result.is_ok(), "{sentence}: {example} is not: {result:?}");
                }
            }
        }
    }
    // Any text is right for a key, and what is secret has no example.
    let has_none = |row: &&Row| matches!(row.kind, Kind::Free(_) | Kind::Secret(..));
    let others = table::ALL.iter().filter(|row| !has_none(row));
    let mut expected: BTreeSet<&str> = others.map(|row| row.name).collect();
    expected.insert("time_key_format");
    assert_eq!(with_examples, expected);
    let missing = parse(&[]).unwrap_err().to_string();
    let [example] = examples(&missing)[..] else {
        panic!("{missing}");
    };
    assert!(with(&[("delivery_stream", example)]).is_ok());
}

/// An option, values that are right, and values that are wrong.
const FORMS: &str = "\
delivery_stream: a.b_C-1|64X: my stream|64Xx|서울
delivery_stream_default: a.b_C-1|64X: my stream|64Xx|$TAG
delivery_stream_replace: -|x: --|/
delivery_stream_allow: a|a-*, b: ,
max_delivery_streams: 1|1000: 0|1001
compression: gzip|Zstd: brotli
simple_aggregation: On|no: maybe
aggregation_size: 6K|1M: 2M|1K|1.5M
aggregation_max_documents: 1: 0
batch_size: 4194304|2M: 4194305|99999999999999999999
max_in_flight: 64: 65
flush_timeout: 1s|10m: 0|30x
stop_timeout: 1h: 2h
destination: plain|lambda, Parquet: orc|plain, parquet|parquet lambda|,
endpoint: host|HTTP://host: ftp://host|https://
region: eu-west-1|ap-southeast-12|us-gov-west-1|us-isob-east-1|eusc-de-east-1|cn-northwest-1: \
us-east-1 # prod|us_east_1|us-east|us-1|US-EAST-1|us-east-1a|us--east-1|\"eu-west-1\"|\
eu-west-1.amazonaws.com|서울-1
profile: default|team/logs@prod|a.b_c:d+e%f: logs # prod|two words|\"logs\"|서울|[logs]
role_arn: ROLE/logs|arn:aws-us-gov:iam::123456789012:role/path/of/logs+=,.@-_|ROLE/64X|\
arn:aws-iso-b:iam::123456789012:role/aws-reserved/~/logs: \
logs|ROLE/|ROLE/logs/|ROLE/logs # prod|ROLE/64Xx|arn:aws:iam::123456789012:user/logs|\
arn:aws:iam::12345678901:role/logs|arn:aws:iam:eu-west-1:123456789012:role/logs|\
arn:aws:sts::123456789012:assumed-role/logs/session|arn::iam::123456789012:role/logs|\
arn:aws:iam::123456789012:role:logs
external_id: id|tenant:1/logs|a_b+c=d,e.f@g-h|1224: Q|tenant # prod|two words|서울|1224x
sts_endpoint: sts.eu-west-1.amazonaws.com|http://[::1]:8080/path|https://a_b.internal:443: \
https://host # prod|https://host#prod|https://host/?a=b|https://host:0|https://host:65536|\
https://host:port|https://host:|https:/host|https://[host]|https://user@host|two words";

#[test]
fn a_value_has_its_form() {
    let forms = FORMS.replace("ROLE", "arn:aws:iam::123456789012:role");
    let forms = forms.replace("64X", &"x".repeat(64));
    let forms = forms.replace("1224", &"x".repeat(1224));
    for form in forms.lines() {
        let [key, right, wrong] = form.splitn(3, ": ").collect::<Vec<_>>()[..] else {
            panic!("{form}");
        };
        for value in right.split('|') {
            let result = with(&[(key, value)]);
            assert!(result.is_ok(), "{key} {value}: {result:?}");
        }
        for value in wrong.split('|') {
            let sentence = with(&[(key, value)]).unwrap_err().to_string();
            let is_shown = key != "external_id" && !value.contains(['@', '?']);
            let named = match is_shown {
                true => format!("{key} `{value}`"),
                false => format!("{key} (its value is not shown)"),
            };
            let takes = Row::of(key).kind.takes();
            let start = format!("{named} is not allowed: it takes {takes}");
            assert!(sentence.starts_with(&start), "{sentence}");
            assert_eq!(sentence.contains(value), is_shown, "{sentence}");
            let is_comment = value.contains(" #");
            assert_eq!(sentence.contains("no comments"), is_comment, "{sentence}");
        }
    }
}

#[test]
fn a_comment_behind_any_value_is_told() {
    let wrong = wrong_file("ca_file", "/ca.pem # note".as_ref(), "can not be read");
    assert!(wrong.to_string().contains("Fluent Bit knows no comments"));
    for row in table::ALL {
        let told = match with(&[(row.name, "x # note")]) {
            Err(error) => error.to_string(),
            Ok(config) => config.warnings.join("; "),
        };
        assert!(told.starts_with(row.name), "{}: {told}", row.name);
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
    let values = ["a\nb", "a\u{7f}", "a\u{0}b"];
    for row in table::ALL {
        for (value, code) in values.into_iter().zip(["U+000A", "U+007F", "U+0000"]) {
            let sentence = with(&[(row.name, value)]).unwrap_err().to_string();
            assert!(sentence.starts_with(row.name), "{sentence}");
            assert!(sentence.contains(code), "{sentence}");
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
        }
    }
    // Such as a file's last newline.
    assert!(with(&[("log_key", " log\r\n")]).is_ok());
}

#[test]
fn what_does_nothing_is_warned_of() {
    let warnings = |text: &str| section(text).unwrap().warnings;
    assert_eq!(
        warnings("simple_aggregation false; aggregation_size 1M"),
        ["aggregation_size does nothing without simple_aggregation"]
    );
    assert_eq!(warnings("time_key_format %s; external_id id").len(), 2);
    assert_eq!(
        warnings("max_delivery_streams 2; delivery_stream_allow a").len(),
        1
    );
    assert_eq!(warnings("state_sync true; state_max_bytes 1M").len(), 2);
    assert_eq!(warnings("schema_check_every 10").len(), 1);
    let told = warnings("time_key at; time_key_format %FT%T");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("conversion to Parquet"), "{told:?}");
    let plain = |endpoint: &str| warnings(&format!("endpoint {endpoint}")).len();
    assert_eq!(plain("http://firehose.internal:8080"), 1);
    assert_eq!(plain("HTTP://firehose.internal"), 1);
    assert_eq!(plain("http://127.0.0.1:4566"), 0);
    assert_eq!(plain("http://[::1]:4566"), 0);
    assert_eq!(plain("http://localhost"), 0);
}

#[test]
fn only_what_is_aggregated_lingers_by_default_and_never_for_long() {
    let linger = |text: &str| section(text).unwrap().delivery.linger.time.as_secs();
    assert_eq!(linger(""), 0);
    assert_eq!(linger("linger 2s"), 2);
    assert_eq!(linger("simple_aggregation true"), 5);
    assert_eq!(linger("simple_aggregation true; linger 0s"), 0);
    assert_eq!(linger("simple_aggregation true; flush_timeout 8s"), 2);
}

#[test]
fn a_template_needs_a_default_stream() {
    let parse = |text: &str| parse(&pairs(text));
    let config = parse("delivery_stream app-$TAG[1]; delivery_stream_default other").unwrap();
    assert_eq!(config.delivery_stream, "other");
    assert_eq!(config.route.map(|route| route.max_streams), Some(64));
    assert_eq!(config.warnings, [""; 0]);
    for (text, start) in [
        (
            "delivery_stream $TAG",
            "delivery_stream_default is missing, and delivery_stream is a template: it takes",
        ),
        (
            "delivery_stream $TAG[; delivery_stream_default a",
            "delivery_stream `$TAG[` is not allowed: behind `$TAG[` stands",
        ),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }
}
