//! A child process that ends with its handle, and its output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Lines of its output that a failure shows.
const SHOWN: usize = 40;

/// A running program. Dropping it kills it and waits for its end.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts the program with its output, both streams, in a file.
    pub(crate) fn start(mut command: Command, output: &Path) -> Self {
        let file = File::create(output).expect("a temporary folder can be written to");
        let errors = file.try_clone().expect("a file's descriptor can be copied");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self {
            child,
            output: output.to_owned(),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.expect("a child has a process id");
        kill_process(id, signal).expect("a child that is not waited for can be signalled");
    }

    /// Waits for the program's own end.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<ExitStatus, String> {
        poll(at_most, || {
            let status = self.child.try_wait();
            status.expect("a child can be waited for")
        })
        .ok_or_else(|| self.failure(&format!("still runs after {at_most:?}")))
    }

    /// Waits until `condition` is met, or says that the program ended or time ran out before.
    pub(crate) fn until(
        &mut self,
        at_most: Duration,
        what: &str,
        mut condition: impl FnMut(&str) -> bool,
    ) -> Result<(), String> {
        let met = poll(at_most, || {
            let status = self.child.try_wait().expect("a child can be waited for");
            let is_met = condition(&self.output());
            (is_met || status.is_some()).then_some(is_met)
        });
        match met {
            Some(true) => Ok(()),
            Some(false) => Err(self.failure(&format!("ended before {what}"))),
            None => Err(self.failure(&format!("did not get to {what} within {at_most:?}"))),
        }
    }

    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(&self.output).expect("the output's file is there");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A sentence about the program, and the end of its output.
    pub(crate) fn failure(&self, what: &str) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let end = &lines[lines.len().saturating_sub(SHOWN)..];
        format!(
            "{what}; the end of the program's output:\n{}",
            end.join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer or time runs out.
pub(crate) fn poll<T>(at_most: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + at_most;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
