//! What a process holds at a moment, as Linux tells.

use std::fs;
use std::io;

use rustix::process::Pid;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) rss_bytes: u64,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

impl Sample {
    pub(crate) fn of(process: Pid) -> io::Result<Sample> {
        let folder = format!("/proc/{}", process.as_raw_nonzero());
        let status = fs::read_to_string(format!("{folder}/status"))?;
        Ok(Sample {
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count() as u64,
            ..Sample::parse(&status)
        })
    }

    /// All but the descriptors. A process that has just ended has no memory, and zeros here.
    fn parse(status: &str) -> Sample {
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
        };
        Sample {
            rss_bytes: number("VmRSS:") * 1024,
            peak_rss_bytes: number("VmHWM:") * 1024,
            threads: number("Threads:"),
            descriptors: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_keys() {
        let status = "Name:\tVmRSS: 9\nVmPeak:\t   7 kB\nVmHWM:\t    2000 kB\n\
                      VmRSS:\t    1000 kB\nThreads:\t12\n";
        let expected = Sample {
            rss_bytes: 1_024_000,
            peak_rss_bytes: 2_048_000,
            threads: 12,
            descriptors: 0,
        };
        assert_eq!(Sample::parse(status), expected);
        assert_eq!(Sample::parse("State:\tZ (zombie)\n"), Sample::default());
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let sample = Sample::of(rustix::process::getpid()).unwrap();
        assert!(sample.rss_bytes > 0 && sample.peak_rss_bytes >= sample.rss_bytes);
        assert!(sample.threads > 0 && sample.descriptors > 2, "{sample:?}");
    }
}
