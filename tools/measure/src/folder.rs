//! The files of a run, which go with it.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fake_firehose::{EXAMPLE_ACCESS_KEY, EXAMPLE_SECRET_KEY};
use tempfile::TempDir;

/// Log lines shown of a run that failed.
const SHOWN_LOG_LINES: usize = 20;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> io::Result<Folder> {
        TempDir::new().map(Folder)
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("fluent-bit.log")
    }

    /// A program that will run with the credentials that the service knows, and with nothing of
    /// the user's AWS settings or proxies. Its log goes on where the last run's ended.
    pub(crate) fn command(&self, program: &Path) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| name == "PATH" || name == "LD_LIBRARY_PATH"))
            .env("HOME", self.0.path())
            .env("AWS_ACCESS_KEY_ID", EXAMPLE_ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", EXAMPLE_SECRET_KEY)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// A sentence, and what the log ends with.
    pub(crate) fn with_log(&self, sentence: &str) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // Most of the log of a good run tells what was waited for at the end.
        let lines = text.lines().filter(|line| !line.contains("[ info]"));
        let lines: Vec<&str> = lines.collect();
        let last = lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..].join("\n");
        format!("{sentence}. The last lines of its log:\n{last}")
    }
}
