//! Several instances in one process, and several flushes of one at the same moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fake_firehose::Settings;
use firehose_host::{FLB_OK, HostVersion, Instance};
use serde_json::Value;

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::{assert_exactly_once, http_logs};
use crate::support::service::Service;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn two_instances_keep_their_own_streams_and_options() {
    let service = Service::start(Settings {
        streams: vec!["whole".to_owned(), "urls".to_owned()],
        ..Settings::default()
    });
    let host = Host::start(HostVersion::V5_1);
    let whole = host.init("whole", &service.options("whole"));
    // Of calls side by side any may be the first.
    let extra = [
        ("max_in_flight", "1"),
        ("log_key", "originalUrl"),
        ("simple_aggregation", "true"),
        ("compression", "none"),
    ];
    let urls = host.init("urls", &with(&extra, service.options("urls")));
    let lines = http_logs(0..300);
    let (first, second) = lines.split_at(150);
    assert_eq!(flush(&whole, &chunk(first)), FLB_OK);
    assert_eq!(flush(&urls, &chunk(&lines)), FLB_OK);
    assert_eq!(flush(&whole, &chunk(second)), FLB_OK);

    let records = service.fake.records();
    let of = |stream: &str| -> Vec<u8> {
        let records = records.iter().filter(|record| record.stream == stream);
        records.flat_map(|record| record.data.to_vec()).collect()
    };
    assert_exactly_once(&lines, &of("whole"));
    let expected: String = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
        .map(|line| format!("{}\n", line["originalUrl"].as_str().expect("a URL is text")))
        .collect();
    assert_eq!(String::from_utf8_lossy(&of("urls")), expected);
}

#[test]
fn eight_threads_flush_one_instance() {
    let service = Service::tls();
    let host = Host::start(HostVersion::V5_1);
    let extra = [("simple_aggregation", "true")];
    let instance = host.init("eight", &with(&extra, service.options("logs")));
    let lines = http_logs(0..8000);
    thread::scope(|scope| {
        for (number, lines) in lines.chunks(1000).enumerate() {
            let instance = &instance;
            let work = move || {
                for lines in lines.chunks(50) {
                    let chunk = chunk(lines);
                    let answer = instance.flush(&chunk, "t");
                    assert_eq!(answer, FLB_OK);
                }
            };
            let thread = thread::Builder::new().name(format!("flb-out-eight.{number}"));
            thread
                .spawn_scoped(scope, work)
                .expect("a thread can be started");
        }
    });
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn an_instance_goes_on_while_others_come_and_go() {
    let steady = Service::plain();
    let brief = Service::tls();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("steady", &steady.options("logs"));
    let lines = http_logs(0..20_000);
    let done = AtomicBool::new(false);
    let flushed = thread::scope(|scope| {
        let work = || {
            let mut flushed = 0;
            for lines in lines.chunks(20) {
                assert_eq!(flush(&instance, &chunk(lines)), FLB_OK);
                flushed += lines.len();
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
            flushed
        };
        let worker = scope.spawn(work);
        for round in 0..20 {
            let name = format!("brief-{round}");
            let instance = host.init(&name, &brief.options("logs"));
            let lines = http_logs(round * 10..(round + 1) * 10);
            assert_eq!(flush(&instance, &chunk(&lines)), FLB_OK);
            instance.exit();
        }
        done.store(true, Ordering::Relaxed);
        worker.join().expect("the flushes are answered with FLB_OK")
    });
    assert_exactly_once(&lines[..flushed], &steady.fake.documents());
    assert_exactly_once(&http_logs(0..200), &brief.fake.documents());
}

#[test]
fn a_flush_under_way_outlives_the_exit_of_another_instance() {
    let slow = Service::with_scenario("[[step]]\ndelay_ms = 500");
    let quick = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let waiting = host.init("waiting", &slow.options("logs"));
    let leaving = host.init("leaving", &quick.options("logs"));
    let lines = http_logs(0..10);
    thread::scope(|scope| {
        let flush = scope.spawn(|| flush(&waiting, &chunk(&lines)));
        assert!(
            slow.fake.wait_for_requests(1, LONG),
            "the flush sends nothing"
        );
        leaving.exit();
        assert_eq!(flush.join().expect("the flush is answered"), FLB_OK);
    });
    assert_exactly_once(&lines, &slow.fake.documents());
}

/// A hot reload registers the plugin for the new configuration before the old one exits.
#[test]
fn a_reload_takes_over_from_the_old_configuration() {
    let service = Service::tls();
    let lines = http_logs(0..40);
    let mut sent = lines.chunks(10);
    let mut flush_next = |instance: &Instance| {
        let lines = sent.next().expect("there are lines for each flush");
        assert_eq!(flush(instance, &chunk(lines)), FLB_OK);
    };

    let old = Host::start(HostVersion::V5_1);
    let instance = old.init("reload-old", &service.options("logs"));
    flush_next(&instance);
    let new = Host::start(HostVersion::V5_1);
    flush_next(&instance);
    instance.exit();
    drop(old);
    let instance = new.init("reload-new", &service.options("logs"));
    flush_next(&instance);
    instance.exit();
    drop(new);

    // And once nothing of it was loaded any more.
    let again = Host::start(HostVersion::V3_2);
    let instance = again.init("reload-again", &service.options("logs"));
    flush_next(&instance);
    instance.exit();
    assert_exactly_once(&lines, &service.fake.documents());
}
