//! How often the plugin's threads wake up while there is nothing to do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use crate::run::{Files, Output};

use crate::bench::endpoint::Keep;
use crate::bench::feed;
use crate::bench::host::{Input, Job};
use crate::bench::setup::{Error, Setup};

/// What the names of the plugin's threads begin with.
const NAME: &str = "firehose";

/// For what follows a delivery, such as the end of a hand-shake.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);

/// Context switches since its start, by the thread's id.
type Switches = BTreeMap<u32, u64>;

/// Delivers one line, and then watches for so long: the most context switches a second of one thread.
pub(crate) fn run(setup: &Setup<'_>, watched_for: Duration) -> Result<f64, Error> {
    let directory = setup.directory("idle")?;
    let endpoint = setup.endpoint(&directory, Duration::ZERO, Keep::Counts)?;
    let files = Files::new(&directory);
    let log = directory.join("input.log");
    let job = Job {
        output: Output::FirehoseAggregated,
        target: Some(&endpoint.target),
        workers: Some(2),
        flush: 1,
        input: Input::Growing(&log),
    };
    let mut process = setup.host.start(&files, setup.plugin, &job)?;
    let _stdin = setup.host.feed(&mut process, &log, &feed::line(0, 400))?;
    setup.until_arrived(&mut process, &files, &endpoint, 1, DELIVERED_WITHIN)?;
    setup.pause(SETTLES_WITHIN)?;
    let id = process.id().as_raw_nonzero().get() as u32;
    let before = switches(id)?;
    setup.pause(watched_for)?;
    let after = switches(id)?;
    match most(&before, &after) {
        Some(most) => Ok(most as f64 / watched_for.as_secs_f64()),
        None => Err(Error::Failed(format!(
            "no thread of the process has a name that begins with {NAME}"
        ))),
    }
}

/// Of the plugin's threads. The small host's main thread has a like name.
fn switches(process: u32) -> io::Result<Switches> {
    let mut switches = Switches::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?;
        let id = task.file_name().to_str().and_then(|id| id.parse().ok());
        // A thread may end between the two reads.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else {
            continue;
        };
        if let (Some(id), Some(count)) = (id.filter(|&id| id != process), parse(&status)) {
            switches.insert(id, count);
        }
    }
    Ok(switches)
}

/// None for a thread that is not the plugin's.
fn parse(status: &str) -> Option<u64> {
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.map(str::trim)
    };
    if !value("Name:")?.starts_with(NAME) {
        return None;
    }
    let count = |key| value(key)?.parse::<u64>().ok();
    Some(count("voluntary_ctxt_switches:")? + count("nonvoluntary_ctxt_switches:")?)
}

/// None where there is no thread. A thread that began meanwhile counts with all it did.
fn most(before: &Switches, after: &Switches) -> Option<u64> {
    let meanwhile = |(id, count): (&u32, &u64)| count - before.get(id).copied().unwrap_or(0);
    after.iter().map(meanwhile).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plugin_s_threads_count_with_both_kinds_of_switches() {
        let status = |name: &str| {
            format!(
                "Name:\t{name}\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t12\n\
                 nonvoluntary_ctxt_switches:\t3\n"
            )
        };
        assert_eq!(parse(&status("firehose")), Some(15));
        assert_eq!(parse(&status("firehose-worker")), Some(15));
        assert_eq!(parse(&status("flb-out-firehose")), None);
        assert_eq!(parse("State:\tZ (zombie)\n"), None);
    }

    #[test]
    fn the_busiest_thread_counts_from_when_it_was_first_seen() {
        let before = Switches::from([(1, 100), (2, 10), (3, 7)]);
        let after = Switches::from([(1, 104), (2, 16), (4, 5)]);
        assert_eq!(most(&before, &after), Some(6));
        assert_eq!(most(&Switches::new(), &after), Some(104));
        assert_eq!(most(&before, &Switches::new()), None);
    }
}
