//! A child process in a group of its own, which never outlives its handle, and what it uses.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use wait4::Wait4 as _;

pub(crate) struct Process {
    id: Pid,
    /// None once it was waited for: its id may belong to another one from then on.
    child: Option<Child>,
    end: Option<End>,
    /// The most that it has held, as far as was looked.
    pub(crate) peak_rss_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
}

/// What a process holds at a moment. One that has just ended has no memory, and zeros here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) rss_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

/// What a `status` of /proc says first under a key.
pub(crate) fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.split_whitespace().next()
}

pub(crate) fn number(status: &str, key: &str) -> u64 {
    let number = field(status, key).and_then(|word| word.parse().ok());
    number.unwrap_or(0)
}

impl Process {
    /// A group of its own keeps the terminal's Ctrl-C from the child: this program stops it.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Process> {
        let child = command.process_group(0).spawn()?;
        Ok(Process {
            id: Pid::from_child(&child),
            child: Some(child),
            end: None,
            peak_rss_bytes: 0,
        })
    }

    /// Its folder in /proc.
    pub(crate) fn folder(&self) -> String {
        format!("/proc/{}", self.id.as_raw_nonzero())
    }

    pub(crate) fn sample(&self) -> io::Result<Sample> {
        let folder = self.folder();
        let status = fs::read_to_string(format!("{folder}/status"))?;
        Ok(Sample {
            rss_bytes: number(&status, "VmRSS") * 1024,
            threads: number(&status, "Threads"),
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count() as u64,
        })
    }

    /// Signals the process alone, not what it started.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.child {
            Some(_) => Ok(kill_process(self.id, signal)?),
            None => Ok(()),
        }
    }

    /// How it ended, if it has. The kernel's own peak would begin with the memory of this program.
    pub(crate) fn look(&mut self) -> io::Result<Option<End>> {
        let Some(child) = &mut self.child else {
            return Ok(self.end);
        };
        let status = fs::read_to_string(format!("/proc/{}/status", self.id.as_raw_nonzero()))?;
        self.peak_rss_bytes = self.peak_rss_bytes.max(number(&status, "VmHWM") * 1024);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(self.id), options)?.is_some() {
            let result = child.wait4()?;
            self.child = None;
            self.end = Some(End {
                status: result.status,
                cpu: result.rusage.utime + result.rusage.stime,
            });
        }
        Ok(self.end)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Fails only where it has ended already, which is what is wanted.
            let _ = kill_process_group(self.id, Signal::KILL);
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn shell(script: &str) -> Process {
        Process::spawn(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn its_end_and_its_time_are_the_child_s() {
        let mut process = shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3");
        let end = loop {
            if let Some(end) = process.look().unwrap() {
                break end;
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(end.status.code(), Some(3));
        assert!(end.cpu > Duration::from_millis(5), "{end:?}");
        assert_eq!(process.look().unwrap().unwrap().status.code(), Some(3));
    }

    #[test]
    fn it_does_not_outlive_its_handle() {
        let mut process = shell("exec cat /dev/zero > /dev/null");
        assert!(process.look().unwrap().is_none());
        let sample = process.sample().unwrap();
        assert!(sample.rss_bytes > 0 && process.peak_rss_bytes > 0);
        assert!(sample.threads == 1 && sample.descriptors > 2, "{sample:?}");
        let folder = process.folder();
        drop(process);
        assert!(!fs::exists(folder).unwrap());
    }

    #[test]
    fn figures_are_found_by_their_keys() {
        let status = "Name:\tVmRSS: 9\nVmPeak:\t   7 kB\nVmHWM:\t    2000 kB\n";
        assert_eq!(field(status, "Name"), Some("VmRSS:"));
        assert_eq!(number(status, "VmHWM"), 2000);
        assert_eq!(number(status, "VmRSS"), 0);
    }
}
