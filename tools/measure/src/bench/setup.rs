//! What all runs have in common, and how they wait.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use crate::run::{Files, Process};

use crate::bench::endpoint::{Endpoint, Keep};
use crate::bench::host::Host;

/// How soon an interrupt is seen.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Setup<'a> {
    pub(crate) host: &'a Host,
    /// An absolute path: Fluent Bit would take a relative one from its own directory.
    pub(crate) plugin: &'a Path,
    pub(crate) fake_firehose: &'a Path,
    pub(crate) workdir: &'a Path,
    pub(crate) interrupted: &'a AtomicBool,
}

#[derive(Debug)]
pub(crate) enum Error {
    Interrupted,
    /// What went wrong, as sentences and log lines.
    Failed(String),
}

/// A program which is built into the same directory as this one.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let path = own.with_file_name(name);
    match path.exists() {
        true => Ok(path),
        false => Err(format!(
            "{} is missing: `make bench` builds it",
            path.display()
        )),
    }
}

/// An error unless it does, where nothing asked it to end.
pub(crate) fn still_runs(process: &mut Process, files: &Files) -> Result<(), Error> {
    match process.ended()? {
        None => Ok(()),
        Some(status) => {
            let sentence = format!("it ended by itself, with {status}");
            Err(Error::Failed(files.with_log(&sentence)))
        }
    }
}

// === impl Setup ===

impl Setup<'_> {
    /// An empty directory of this name.
    pub(crate) fn directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.workdir.join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&path)?;
        Ok(path)
    }

    pub(crate) fn endpoint(
        &self,
        directory: &Path,
        latency: Duration,
        keep: Keep,
    ) -> Result<Endpoint, Error> {
        Ok(Endpoint::start(
            self.fake_firehose,
            directory,
            latency,
            keep,
        )?)
    }

    /// Passes so much time.
    pub(crate) fn pause(&self, length: Duration) -> Result<(), Error> {
        self.pause_until(Instant::now() + length)
    }

    pub(crate) fn pause_until(&self, end: Instant) -> Result<(), Error> {
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }

    /// Waits until so many documents were accepted, each once.
    pub(crate) fn until_arrived(
        &self,
        process: &mut Process,
        files: &Files,
        endpoint: &Endpoint,
        count: u64,
        at_most: Duration,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + at_most;
        loop {
            let sums = endpoint.stats()?.sums;
            if sums.documents == count {
                return Ok(());
            }
            still_runs(process, files)?;
            if sums.documents > count || Instant::now() > deadline {
                let sentence = format!(
                    "{count} lines were written, but {} documents in {} records arrived",
                    sums.documents, sums.records
                );
                return Err(Error::Failed(files.with_log(&sentence)));
            }
            self.pause(LOOK_EVERY)?;
        }
    }
}

// === impl Error ===

impl From<String> for Error {
    fn from(sentence: String) -> Error {
        Error::Failed(sentence)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Failed(error.to_string())
    }
}
