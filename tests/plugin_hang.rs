//! A thread of the plugin that hangs. The one test of its process, as the thread hangs until the
//! process ends.

mod support;

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use firehose_host::{EventFormat, FLB_RETRY, HostVersion, LogLevel, Plugin, chunk, take_logs};
use support::child::poll;
use support::logs::http_logs;
use support::service::Service;
use support::{built, environment};

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_flush_and_an_exit_end_though_the_plugin_s_thread_hangs() {
    environment::prepare_process();
    let service = Service::plain();
    let plugin = Plugin::load(built::plugin(), HostVersion::V5_1).expect("the plugin registers");
    let mut options = service.options("logs");
    options.push(("flush_timeout", "1s".to_owned()));
    options.push(("alias", "hung".to_owned()));
    let instance = plugin.init(&options).expect("an instance starts");
    hang(thread_of_the_plugin());

    let (sender, end) = mpsc::channel();
    // Not joined: where it does not end, the test has failed and the process ends all the same.
    thread::spawn(move || {
        let tell = |answer| sender.send(answer).expect("the test waits");
        let chunk = chunk(EventFormat::V2, &http_logs(0..10));
        tell(Some(instance.flush(&chunk, "app.log")));
        instance.exit();
        plugin.unregister().expect("no instance is left");
        tell(None);
    });
    assert_eq!(end.recv_timeout(LONG), Ok(Some(FLB_RETRY)), "the flush");
    assert_eq!(end.recv_timeout(LONG), Ok(None), "the exit");
    let lines = take_logs(":hung]");
    let told = lines.iter().filter(|line| line.level == LogLevel::Error);
    let told: Vec<&str> = told.map(|line| &*line.text).collect();
    assert!(
        told.len() == 1 && told[0].contains("own thread does not answer"),
        "{lines:#?}"
    );
    assert_eq!(service.fake.stats().requests, 0);
}

/// The only one of its name, while it waits for something to do: in the midst of something it
/// might hold a lock of this process.
fn thread_of_the_plugin() -> libc::pid_t {
    let is_it_and_waits = |task: fs::DirEntry| {
        let read = |name| fs::read_to_string(task.path().join(name)).ok();
        let is_it = read("comm")?.trim_end() == "firehose";
        let stat = read("stat")?;
        let (_, state) = stat.rsplit_once(") ")?;
        let waits = state.starts_with('S');
        let id = task.file_name().to_str()?.parse().ok()?;
        (is_it && waits).then_some(id)
    };
    let find = || {
        let tasks = fs::read_dir("/proc/self/task").expect("a process sees its threads");
        tasks.flatten().find_map(is_it_and_waits)
    };
    poll(LONG, find).expect("the plugin has a thread that waits")
}

fn hang(thread: libc::pid_t) {
    extern "C" fn wait_for_ever(_: libc::c_int) {
        loop {
            // SAFETY: it takes nothing and may be called in a signal's handler.
            unsafe { libc::pause() };
        }
    }
    // SAFETY: the handler stays, and calls nothing that a handler may not.
    let before = unsafe {
        libc::signal(
            libc::SIGUSR1,
            wait_for_ever as extern "C" fn(libc::c_int) as libc::sighandler_t,
        )
    };
    assert_ne!(before, libc::SIG_ERR);
    // SAFETY: plain numbers: a signal of this process to a thread of it.
    let sent =
        unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, libc::SIGUSR1) };
    assert_eq!(sent, 0);
}
