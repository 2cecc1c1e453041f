//! What an instance leaves behind: nothing. The one test of its process, as it counts the
//! process's threads and descriptors.

mod support;

use std::fs;
use std::time::Duration;

use firehose_host::{EventFormat, FLB_OK, HostVersion, Plugin, chunk};
use support::child::poll;
use support::logs::{assert_exactly_once, http_logs};
use support::service::Service;
use support::{built, environment};
use tempfile::tempdir;

const ROUNDS: u64 = 50;
const LONG: Duration = Duration::from_secs(30);

#[test]
fn fifty_rounds_of_init_and_exit_leave_no_thread_and_no_descriptor() {
    environment::prepare_process();
    let service = Service::tls();
    // Once before counting: what the process keeps for its life is made here.
    round(&service, 0);
    let before = Held::when(|held| held.plugin_threads == 0);
    for number in 1..=ROUNDS {
        round(&service, number);
    }
    let after = Held::when(|held| held.is_within(&before));
    assert!(after.is_within(&before), "{before:?} became {after:?}");
    assert_exactly_once(&http_logs(0..(ROUNDS + 1) * 2), &service.fake.documents());
}

/// Two instances that live one after the other within one load of the plugin.
fn round(service: &Service, number: u64) {
    let plugin = Plugin::load(built::plugin(), HostVersion::V5_1).expect("the plugin registers");
    let folder = tempdir().expect("a temporary folder can be made");
    let rejected = folder.path().join("rejected.jsonl").display().to_string();
    for line in http_logs(number * 2..(number + 1) * 2) {
        let mut options = service.options("logs");
        options.push(("rejected_path", rejected.clone()));
        let instance = plugin.init(&options);
        let instance = instance.expect("an instance starts");
        let chunk = chunk(EventFormat::V2, &[line]);
        assert_eq!(instance.flush(&chunk, "t"), FLB_OK);
        instance.exit();
    }
    plugin.unregister().expect("no instance is left");
}

/// What this process holds at a moment.
#[derive(Debug)]
struct Held {
    plugin_threads: usize,
    threads: usize,
    descriptors: usize,
}

impl Held {
    fn now() -> Self {
        let tasks = || fs::read_dir("/proc/self/task").expect("a process sees its threads");
        let names = tasks().filter_map(|task| {
            // A thread may end between being listed and being asked for its name.
            fs::read_to_string(task.ok()?.path().join("comm")).ok()
        });
        let descriptors = fs::read_dir("/proc/self/fd").expect("a process sees its descriptors");
        Self {
            plugin_threads: names.filter(|name| name.starts_with("firehose")).count(),
            threads: tasks().count(),
            descriptors: descriptors.count(),
        }
    }

    /// What is held once it is as it should be, or when that does not come to be: the other end
    /// of a connection is this process's too, and takes a moment to close.
    fn when(is_right: impl Fn(&Self) -> bool) -> Self {
        poll(LONG, || Some(Self::now()).filter(&is_right)).unwrap_or_else(Self::now)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.plugin_threads == 0
            && self.threads <= other.threads
            && self.descriptors <= other.descriptors
    }
}
