//! What can't be delivered is kept in the file that `rejected_path` names, once, and can be sent
//! again.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use firehose_host::{FLB_ERROR, FLB_OK, FLB_RETRY, HostVersion, LogLevel, take_logs};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::host::{Host, chunk, flush, with};
use crate::support::child::poll;
use crate::support::each_at_once;
use crate::support::logs::http_logs;
use crate::support::service::Service;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Calls of more bytes are refused, and so is a document that is longer.
const SMALL: &str = "[[step]]\nrepeat = \"forever\"\nmax_bytes = 1000";

/// In the same first call as what is refused, so that something is accepted after that.
const GOOD_LINE: &str = "{\"n\":1}";

/// A file that is not there yet.
struct Kept(TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempdir().expect("a temporary folder can be made"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("rejected.jsonl")
    }

    fn text(&self) -> String {
        self.path()
            .to_str()
            .expect("temporary paths are UTF-8")
            .to_owned()
    }

    /// Its lines, once there are so many.
    fn lines(&self, number: usize) -> Vec<String> {
        let lines = || {
            let text = fs::read_to_string(self.path()).unwrap_or_default();
            let whole = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            whole.map(|line| line.trim_end().to_owned()).collect()
        };
        poll(LONG, || {
            Some(lines()).filter(|lines: &Vec<_>| lines.len() >= number)
        })
        .unwrap_or_else(|| panic!("{number} lines for {:?}", lines()))
    }

    /// The same as values, without their times, which are ones.
    fn values(&self, number: usize) -> Vec<Value> {
        let mut values = Vec::new();
        for line in self.lines(number) {
            let mut value: Value = serde_json::from_str(&line).expect("a line is JSON");
            let time = value.as_object_mut().and_then(|line| line.remove("time"));
            let time = time.unwrap_or_default();
            let time = time.as_str().expect("a line has a time");
            assert!(
                time.len() == 24 && time.starts_with("20") && time.ends_with('Z'),
                "{time}"
            );
            values.push(value);
        }
        values
    }
}

fn kept(reason: &str, document: &str) -> Value {
    json!({"tag": "app.log", "stream": "logs", "reason": reason, "document": document})
}

// === each reason ===

#[test]
fn what_is_dropped_or_cut_while_it_is_packed_is_kept_whole() {
    const GOOD: &[u8] = b"\x92\x01\x81\xa1a\x01";
    let long = "x".repeat(1_100_000);
    let too_long = [b"\x92\x01\x81\xa1a\xdb\x00\x10\xc8\xe0", long.as_bytes()].concat();
    let whole = format!("{{\"a\":\"{long}\"}}");
    let log_key = &[("log_key", "a")][..];
    let data_keys = &[("data_keys", "a"), ("time_key", "at")][..];
    let corrupt = json!({
        "tag": "app.log", "stream": "logs", "reason": "corrupt", "document_base64": "kgHB",
    });
    let binary = json!({
        "tag": "app.log", "stream": "logs", "reason": "truncated",
        "document_base64": "/".repeat(1_466_668),
    });
    let too_binary = [
        &b"\x92\x01\x81\xa1a\xdb\x00\x10\xc8\xe1"[..],
        &[0xff; 1_100_001],
    ]
    .concat();
    let cases: [(&str, &[_], &[u8], Value); 8] = [
        (
            "no-log-key",
            log_key,
            b"\x92\x01\x81\xa1b\x02",
            kept("no_log_key", "{\"b\":2}"),
        ),
        (
            "no-field",
            data_keys,
            b"\x92\x01\x81\xa1b\x02",
            kept("no_field", "{\"b\":2,\"at\":\"1970-01-01T00:00:01.000Z\"}"),
        ),
        ("empty", &[], b"\x92\x01\x80", kept("no_field", "{}")),
        (
            "no-event",
            &[],
            b"\x92\x01\xa1b",
            kept("no_event", "[1,\"b\"]"),
        ),
        ("corrupt", &[], b"\x92\x01\xc1", corrupt),
        ("truncated", &[], &too_long, kept("truncated", &whole)),
        ("binary", log_key, &too_binary, binary),
        (
            "doubled",
            &[],
            b"\x92\x01\x82\xa1a\x01\xa1a\x02",
            kept("doubled_keys", "{\"a\":1,\"a\":2}"),
        ),
    ];
    let host = Host::start(HostVersion::V5_1);
    each_at_once(cases, |(name, options, event, expected)| {
        let (service, file) = (Service::plain(), Kept::new());
        let options = with(options, service.options("logs"));
        let options = with(&[("rejected_path", &file.text())], options);
        let instance = host.init(&format!("kept-{name}"), &options);
        assert_eq!(flush(&instance, &[GOOD, event].concat()), FLB_OK, "{name}");
        let found = file.values(1);
        assert!(found == [expected], "{name}: {:.300}", format!("{found:?}"));
        instance.exit();
        assert_eq!(file.lines(1).len(), 1, "{name}");
    });
}

#[test]
fn a_document_that_the_service_refuses_is_kept_as_it_was_sent() {
    let host = Host::start(HostVersion::V5_1);
    let packings = ["none", "gzip", "zstd", "snappy"];
    each_at_once(packings, |compression| {
        let (service, file) = (Service::with_scenario(SMALL), Kept::new());
        let path = file.text();
        let extra = [
            ("rejected_path", path.as_str()),
            ("compression", compression),
        ];
        let options = with(&extra, service.options("logs"));
        let instance = host.init(&format!("refused-{compression}"), &options);
        let lines = [GOOD_LINE.to_owned(), noise(3000)];
        assert_eq!(flush(&instance, &chunk(&lines)), FLB_OK);
        let mut found = file.values(1).remove(0);
        let error = found.as_object_mut().and_then(|line| line.remove("error"));
        let error = error.unwrap_or_default().to_string();
        assert!(error.contains("4 MB"), "{compression}: {error}");
        assert_eq!(found, kept("rejected", &lines[1]), "{compression}");
    });
}

/// A document that does not compress to much less than half of these bytes.
fn noise(bytes: usize) -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let letters: String = (0..bytes).map(|_| random.alphanumeric()).collect();
    format!("{{\"a\":\"{letters}\"}}")
}

/// The last of three calls, of 1.5 s each, is answered when the host has its chunk back.
#[test]
fn a_refusal_after_its_flush_s_end_is_kept_as_well() {
    let service = Service::with_scenario(&format!("{SMALL}\ndelay_ms = 1500"));
    let (host, file) = (Host::start(HostVersion::V5_1), Kept::new());
    let path = file.text();
    let extra = [
        ("rejected_path", path.as_str()),
        ("max_in_flight", "1"),
        ("flush_timeout", "4s"),
    ];
    let instance = host.init("refused-late", &with(&extra, service.options("logs")));
    let lines = [GOOD_LINE.to_owned(), noise(3000)];
    let chunk = chunk(&lines);
    assert_eq!(flush(&instance, &chunk), FLB_RETRY);
    assert_eq!(file.values(1)[0]["document"], lines[1]);
    assert_eq!(flush(&instance, &chunk), FLB_OK);
    instance.exit();
    assert_eq!(file.lines(1).len(), 1);
}

// === once ===

#[test]
fn what_is_packed_again_is_kept_once() {
    let steps = "[[step]]\nrepeat = 2\nhang = true";
    let (service, file) = (Service::with_scenario(steps), Kept::new());
    let host = Host::start(HostVersion::V5_1);
    let path = file.text();
    let extra = [
        ("rejected_path", path.as_str()),
        ("flush_timeout", "1s"),
        ("request_timeout", "1s"),
    ];
    let instance = host.init("once", &with(&extra, service.options("logs")));
    let doubled: Vec<u8> = (0..100_u8)
        .flat_map(|number| [&b"\x92\x01\x82\xa1a\x01\xa1a"[..], &[number]].concat())
        .collect();
    let mut answers = Vec::new();
    while answers.last() != Some(&FLB_OK) {
        assert!(answers.len() < 30, "{answers:?}");
        answers.push(flush(&instance, &doubled));
    }
    assert!(answers.len() > 1, "{answers:?}");
    instance.exit();
    let document = |number| kept("doubled_keys", &format!("{{\"a\":1,\"a\":{number}}}"));
    let expected: Vec<Value> = (0..100).map(document).collect();
    assert_eq!(file.values(100), expected);
}

// === several outputs, and none that can write ===

#[test]
fn outputs_side_by_side_and_one_after_the_other_share_a_file() {
    let (service, file) = (Service::plain(), Kept::new());
    let host = Host::start(HostVersion::V5_1);
    let options = with(&[("rejected_path", &file.text())], service.options("logs"));
    let values = |mark: &str| [b"\xa1", mark.as_bytes()].concat().repeat(500);
    for round in 0..2 {
        // The second round begins while the first one's outputs may still write.
        let names = ["a", "b"].map(|mark| format!("shared-{round}-{mark}"));
        let instances = names.map(|name| host.init(&name, &options));
        each_at_once(instances.into_iter().zip(["a", "b"]), |(instance, mark)| {
            assert_eq!(flush(&instance, &values(mark)), FLB_OK);
            instance.exit();
        });
    }
    let found = file.values(2000);
    for mark in ["a", "b"] {
        let expected = kept("no_event", &format!("\"{mark}\""));
        assert_eq!(found.iter().filter(|line| **line == expected).count(), 1000);
    }
}

#[test]
fn a_file_that_takes_nothing_is_told_and_costs_nothing_else() {
    let (service, host) = (Service::plain(), Host::start(HostVersion::V5_1));
    let options = with(&[("rejected_path", "/dev/full")], service.options("logs"));
    let instance = host.init("full", &options);
    let chunk = [&chunk(&http_logs(0..10))[..], b"\xa1b\xa1b"].concat();
    assert_eq!(flush(&instance, &chunk), FLB_OK);
    assert_eq!(flush(&instance, b"\xc1"), FLB_ERROR);
    instance.exit();
    assert_eq!(service.fake.stats().documents, 10);
    let lines = take_logs(":full]").into_iter();
    let told = lines.filter(|line| line.text.contains("rejected_path `/dev/full`"));
    let told: Vec<_> = told.filter(|line| line.level == LogLevel::Error).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].text.contains("No space left on device"), "{told:?}");
}

// === and back ===

#[test]
fn what_was_refused_is_sent_again_to_the_byte() {
    let (refusing, file) = (Service::with_scenario(SMALL), Kept::new());
    let host = Host::start(HostVersion::V5_1);
    let options = with(&[("rejected_path", &file.text())], refusing.options("logs"));
    let instance = host.init("before", &options);
    let bad: Vec<String> = (11..14).map(|hundreds| noise(hundreds * 100)).collect();
    let lines = [vec![GOOD_LINE.to_owned()], bad.clone()].concat();
    assert_eq!(flush(&instance, &chunk(&lines)), FLB_OK);
    let kept = file.lines(bad.len());
    let mended = Service::plain();
    let options = with(&[("log_key", "document")], mended.options("logs"));
    let instance = host.init("again", &options);
    assert_eq!(flush(&instance, &chunk(&kept)), FLB_OK);
    let documents = mended.fake.documents();
    let mut arrived: Vec<&str> = str::from_utf8(&documents).unwrap().lines().collect();
    arrived.sort_unstable_by_key(|document| document.len());
    assert_eq!(arrived, bad);
}
