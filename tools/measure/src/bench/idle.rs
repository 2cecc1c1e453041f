//! How often the plugin's threads wake up while there is nothing to do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::process::{Process, field, number};
use crate::setup::Setup;
use crate::trial::{STREAM, Trial, WORKERS};

/// What the names of the plugin's threads begin with.
const NAME: &str = "firehose";

/// For what follows a delivery, such as the end of a hand-shake.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);

/// Context switches since its start, by the thread.
type Switches = BTreeMap<String, u64>;

/// Delivers one line, and then watches for so long: the most context switches a second of one thread.
pub(super) fn run(setup: &Setup, watched_for: Duration) -> Result<f64, Error> {
    let output = Output::FirehoseAggregated;
    let mut trial = Trial::counted(setup, output, Duration::ZERO, Lines::of(400))?;
    trial.write(1)?;
    let section = trial.section(STREAM, "a", Some(WORKERS));
    trial.start_as_it_is(&(trial.tail("input.log", "a") + &section))?;
    trial.until_stored(1, DELIVERED_WITHIN)?;
    trial.pause(SETTLES_WITHIN)?;
    let before = switches(trial.process())?;
    trial.pause(watched_for)?;
    let after = switches(trial.process())?;
    match most(&before, &after) {
        Some(most) => Ok(most as f64 / watched_for.as_secs_f64()),
        None => Err(Error::Failed(format!(
            "no thread of the process has a name that begins with {NAME}"
        ))),
    }
}

/// Of the plugin's threads.
fn switches(process: &Process) -> io::Result<Switches> {
    let mut switches = Switches::new();
    for task in fs::read_dir(process.folder() + "/task")? {
        let task = task?;
        // A thread may end between the two reads.
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        if field(&status, "Name").is_some_and(|name| name.starts_with(NAME)) {
            let count = number(&status, "voluntary_ctxt_switches")
                + number(&status, "nonvoluntary_ctxt_switches");
            switches.insert(task.file_name().to_string_lossy().into_owned(), count);
        }
    }
    Ok(switches)
}

/// None where there is no thread. A thread that began meanwhile counts with all it did.
fn most(before: &Switches, after: &Switches) -> Option<u64> {
    let meanwhile = |(id, count): (&String, &u64)| count - before.get(id).copied().unwrap_or(0);
    after.iter().map(meanwhile).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_thread_counts_from_when_it_was_first_seen() {
        let of = |counts: &[(&str, u64)]| -> Switches {
            let counts = counts.iter().map(|&(id, count)| (id.to_owned(), count));
            counts.collect()
        };
        let before = of(&[("1", 100), ("2", 10), ("3", 7)]);
        let after = of(&[("1", 104), ("2", 16), ("4", 5)]);
        assert_eq!(most(&before, &after), Some(6));
        assert_eq!(most(&Switches::new(), &after), Some(104));
        assert_eq!(most(&before, &Switches::new()), None);
    }
}
