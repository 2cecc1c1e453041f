//! What the plugin makes of the host's own settings, and of all that its section says.

use firehose_host::{Error, FLB_OK, HostVersion, LogLevel, LogLine, Settings, take_logs};

use crate::host::{Host, flush, with};
use crate::support::service::Service;

use HostVersion::{V3_2, V5_1};

const NO_LIMITS: i32 = -1;

/// What a section says, what is in force then (workers and retry_limit), and what of it the plugin
/// tells to have set.
type Case = (
    HostVersion,
    &'static [(&'static str, &'static str)],
    (i32, i32),
    &'static [&'static str],
);

const WORKERS: &str = "`workers 4`";
const LIMIT: &str = "`retry_limit no_limits`";

const CASES: [Case; 11] = [
    (V5_1, &[], (4, NO_LIMITS), &[WORKERS, LIMIT]),
    (V3_2, &[], (4, NO_LIMITS), &[WORKERS, LIMIT]),
    (V5_1, &[("workers", "3")], (3, NO_LIMITS), &[LIMIT]),
    (V3_2, &[("Workers", "1")], (1, NO_LIMITS), &[LIMIT]),
    // Which the host can't tell from a section without it.
    (V5_1, &[("workers", "0")], (4, NO_LIMITS), &[WORKERS, LIMIT]),
    (V5_1, &[("retry_limit", "5")], (4, 5), &[WORKERS]),
    (V3_2, &[("Retry_Limit", "5"), ("workers", "9")], (9, 5), &[]),
    (V5_1, &[("retry_limit", "no_retries")], (4, 0), &[WORKERS]),
    (
        V3_2,
        &[("retry_limit", "false")],
        (4, NO_LIMITS),
        &[WORKERS],
    ),
    // Only later hosts tell it from their default.
    (V5_1, &[("retry_limit", "1")], (4, 1), &[WORKERS]),
    (
        V3_2,
        &[("retry_limit", "1")],
        (4, NO_LIMITS),
        &[WORKERS, LIMIT],
    ),
];

#[test]
fn a_section_s_own_settings_are_kept_and_the_others_are_set() {
    let service = Service::plain();
    for (number, (version, section, (workers, retry_limit), ours)) in CASES.into_iter().enumerate()
    {
        let host = Host::start(version);
        let name = format!("settings-{number}");
        let instance = host.init(&name, &with(section, service.options("logs")));
        let expected = Settings {
            workers,
            pools: 1,
            retry_limit,
        };
        assert_eq!(instance.settings(), expected, "{section:?} on {version:?}");
        let lines = lines_of(&name);
        let is_notice = |line: &&LogLine| {
            line.level == LogLevel::Info && line.text.contains("the plugin set `")
        };
        let notice = lines.iter().find(is_notice);
        let told: Vec<&str> = [WORKERS, LIMIT]
            .into_iter()
            .filter(|words| notice.is_some_and(|line| line.text.contains(words)))
            .collect();
        assert_eq!(told, ours, "{section:?} on {version:?}: {lines:?}");
    }
}

fn lines_of(name: &str) -> Vec<LogLine> {
    take_logs(&format!("[output:firehose:{name}]"))
}

#[test]
fn a_name_that_is_no_option_or_stands_twice_stops_the_start() {
    let service = Service::plain();
    let host = Host::start(V3_2);
    let cases: [(&[(&str, &str)], &str); 3] = [
        (
            &[("simple_agregation", "true")],
            "`simple_agregation` is not an option of this plugin: did you mean \
             `simple_aggregation`?",
        ),
        (
            &[("time_key", "at"), ("Time_Key", "time")],
            "time_key is set more than once",
        ),
        // All of them are told, not only the first.
        (
            &[("batch_size", "1K"), ("regoin", "eu-west-1")],
            "`regoin` is not an option",
        ),
    ];
    for (section, told) in cases {
        let options = service.options("logs").into_iter();
        let section = section
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()));
        let options: Vec<(&str, String)> = options.chain(section).collect();
        let started = host.try_init("mistaken", &options, LogLevel::Info);
        assert!(matches!(started, Err(Error::InitFailed { .. })), "{told}");
        let lines = lines_of("mistaken");
        let is_told = |line: &LogLine| line.level == LogLevel::Error && line.text.contains(told);
        assert!(lines.iter().any(is_told), "{lines:?}");
    }
}

/// As YAML's `data_keys: [a, c]` comes: the host answers with the first only.
#[test]
fn each_item_of_a_list_counts() {
    let service = Service::plain();
    let host = Host::start(V5_1);
    let options = service.options("logs").into_iter();
    let keys = ["a", "c"].map(|key| ("data_keys", key.to_owned()));
    let instance = host.init("list", &options.chain(keys).collect::<Vec<_>>());
    let event = b"\x92\x01\x83\xa1a\x01\xa1b\x02\xa1c\x03";
    assert_eq!(flush(&instance, event), FLB_OK);
    let documents = service.fake.documents();
    assert_eq!(String::from_utf8_lossy(&documents), "{\"a\":1,\"c\":3}\n");
}

#[test]
fn the_options_in_force_are_told_without_what_is_secret() {
    let service = Service::plain();
    let host = Host::start(V5_1);
    let role = [
        ("role_arn", "arn:aws:iam::000000000000:role/logs"),
        ("external_id", "tenant-7"),
    ];
    host.init("in-force", &with(&role, service.options("logs")));
    let lines = lines_of("in-force");
    let told = lines
        .iter()
        .find(|line| line.text.contains("options in force: "));
    let told = &told.expect("the options are told").text;
    assert!(told.contains("delivery_stream logs"), "{told}");
    assert!(told.contains("role/logs"), "{told}");
    assert!(!told.contains("tenant-7"), "{told}");
}
