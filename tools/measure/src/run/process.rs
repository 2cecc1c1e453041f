//! A child process in a group of its own, which never outlives its handle.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use wait4::Wait4 as _;

/// How long a signal may stay unseen: it can arrive just before the wait begins.
const LOOK_UP_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

pub(crate) struct Process {
    /// None once it was waited for.
    child: Option<Child>,
    started: Instant,
}

/// What a process used from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    pub(crate) peak_rss_bytes: u64,
}

pub(crate) enum End {
    Exited(ExitStatus, Usage),
    Interrupted,
    TimedOut,
}

// === impl Process ===

impl Process {
    /// A group of its own keeps the terminal's Ctrl-C from the child: this program stops it.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Process> {
        let started = Instant::now();
        let child = command.process_group(0).spawn()?;
        Ok(Process {
            child: Some(child),
            started,
        })
    }

    /// The child's standard input, the first time it is asked for, if it was piped.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.as_mut()?.stdin.take()
    }

    /// The child's standard output, the first time it is asked for, if it was piped.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.as_mut()?.stdout.take()
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect(NOT_WAITED_FOR))
    }

    /// Signals the process alone, not what it started.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.id(), signal)?)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.as_mut().expect(NOT_WAITED_FOR).try_wait()
    }

    /// Unless it ends with `Exited`, the process is killed.
    pub(crate) fn wait(mut self, limit: Duration, interrupted: &AtomicBool) -> io::Result<End> {
        let child = self.child.as_mut().expect(NOT_WAITED_FOR);
        let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
        while !is_readable(&ended)? {
            if interrupted.load(Ordering::Relaxed) {
                return Ok(End::Interrupted);
            }
            if self.started.elapsed() > limit {
                return Ok(End::TimedOut);
            }
        }
        let result = child.wait4()?;
        // Its process id may belong to another one from here on.
        self.child = None;
        let usage = Usage {
            cpu: result.rusage.utime + result.rusage.stime,
            peak_rss_bytes: result.rusage.maxrss,
        };
        Ok(End::Exited(result.status, usage))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Fails only where it has ended already, which is what is wanted.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

const NOT_WAITED_FOR: &str = "only `wait` takes the child, and the handle with it";

/// Waits a little for it to become so.
fn is_readable(descriptor: &impl AsFd) -> io::Result<bool> {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::IN)];
    match poll(&mut descriptors, Some(&LOOK_UP_EVERY)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn shell(script: &str) -> Process {
        Process::spawn(Command::new("sh").args(["-c", script])).unwrap()
    }

    fn exists(pid: Pid) -> bool {
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn the_usage_is_that_of_the_child() {
        let process = shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3");
        let End::Exited(status, usage) = process.wait(LONG, &AtomicBool::new(false)).unwrap()
        else {
            panic!("nothing stopped it");
        };
        assert_eq!(status.code(), Some(3));
        assert!(usage.cpu > Duration::from_millis(5), "{usage:?}");
        assert!(usage.peak_rss_bytes > 500_000, "{usage:?}");
    }

    #[test]
    fn an_interrupt_or_the_limit_ends_the_wait_and_the_child() {
        for (limit, interrupted) in [(LONG, true), (Duration::ZERO, false)] {
            let process = shell("exec cat /dev/zero > /dev/null");
            let pid = Pid::from_child(process.child.as_ref().unwrap());
            assert!(exists(pid));
            let end = process.wait(limit, &AtomicBool::new(interrupted)).unwrap();
            match end {
                End::Interrupted => assert!(interrupted),
                End::TimedOut => assert!(!interrupted),
                End::Exited(status, _) => panic!("{status}"),
            }
            assert!(!exists(pid));
        }
    }
}
