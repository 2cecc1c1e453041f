//! One run: Fluent Bit reads the input to its end into one output, and is measured.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::endpoint::{self, Endpoint, Sums};
use crate::fluent_bit::FluentBit;
use crate::output::Output;
use crate::process::{End, Process, Usage};

/// The file of log lines, in the work directory.
pub(crate) const INPUT: &str = "input.log";

const LIMIT: Duration = Duration::from_secs(600);

/// Fluent Bit's log lines shown for a run that failed.
const SHOWN_LOG_LINES: usize = 20;

const PARSERS: &str = "\
[PARSER]
    name json
    format json
    time_key timestamp
    time_format %Y-%m-%dT%H:%M:%S.%L%z
    time_keep on
";

/// All that the runs have in common.
pub(crate) struct Bench<'a> {
    pub(crate) fluent_bit: &'a FluentBit,
    /// An absolute path: Fluent Bit would take a relative one from its own directory.
    pub(crate) plugin: &'a Path,
    pub(crate) fake_firehose: &'a Path,
    pub(crate) workdir: &'a Path,
    pub(crate) lines: u64,
    pub(crate) workers: usize,
    pub(crate) interrupted: &'a AtomicBool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    pub(crate) usage: Usage,
    /// All zero for `null`.
    pub(crate) sums: Sums,
}

pub(crate) enum Error {
    Interrupted,
    /// What went wrong, as sentences and log lines.
    Failed(String),
}

// === impl Bench ===

impl Bench<'_> {
    pub(crate) fn run(&self, output: Output) -> Result<Measurement, Error> {
        let endpoint = (output != Output::Null)
            .then(|| Endpoint::start(self.fake_firehose, self.workdir))
            .transpose()?;
        let log = self.workdir.join("fluent-bit.log");
        let process = self
            .start(output, endpoint.as_ref(), &log)
            .map_err(|error| Error::Failed(format!("cannot start Fluent Bit: {error}")))?;
        let end = process
            .wait(LIMIT, self.interrupted)
            .map_err(|error| Error::Failed(format!("cannot wait for Fluent Bit: {error}")))?;
        let (status, usage) = match end {
            End::Exited(status, usage) => (status, usage),
            End::Interrupted => return Err(Error::Interrupted),
            End::TimedOut => {
                let sentence = format!("Fluent Bit did not end within {LIMIT:?}");
                return Err(Error::Failed(with_log(&sentence, &log)));
            }
        };
        if !status.success() {
            let sentence = format!("Fluent Bit ended with {status}");
            return Err(Error::Failed(with_log(&sentence, &log)));
        }
        let sums = match &endpoint {
            None => Sums::default(),
            Some(endpoint) => endpoint.sums()?,
        };
        if endpoint.is_some() && sums.documents != self.lines {
            let sentence = format!(
                "{} lines were read, but {} documents in {} records arrived",
                self.lines, sums.documents, sums.records
            );
            return Err(Error::Failed(with_log(&sentence, &log)));
        }
        Ok(Measurement { usage, sums })
    }

    fn start(
        &self,
        output: Output,
        endpoint: Option<&Endpoint>,
        log: &Path,
    ) -> io::Result<Process> {
        fs::write(self.workdir.join("parsers.conf"), PARSERS)?;
        let config = self.workdir.join("fluent-bit.conf");
        fs::write(&config, self.configuration(output, endpoint))?;
        let log = File::create(log)?;
        let mut command = Command::new(&self.fluent_bit.program);
        command
            .arg("--config")
            .arg(&config)
            // Nothing of the user's AWS settings or proxies.
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| name == "PATH" || name == "LD_LIBRARY_PATH"))
            .env("HOME", self.workdir)
            .env("AWS_ACCESS_KEY_ID", endpoint::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", endpoint::SECRET_KEY)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if output.is_of_this_project() {
            command.arg("--plugin").arg(self.plugin);
        }
        Process::spawn(&mut command)
    }

    fn configuration(&self, output: Output, endpoint: Option<&Endpoint>) -> String {
        let input = self.workdir.join(INPUT);
        // The end of the file is the end of the run, so what is still held then must be
        // delivered within grace.
        format!(
            "\
[SERVICE]
    flush 1
    grace {}
    log_level info
    parsers_file parsers.conf
[INPUT]
    name tail
    path {}
    parser json
    read_from_head on
    exit_on_eof on
{}",
            LIMIT.as_secs(),
            input.display(),
            output.section(endpoint, self.workers)
        )
    }
}

fn with_log(sentence: &str, log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // Most of the log of a good run tells what was waited for at the end.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("[ info]"))
        .collect();
    let last = &lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..];
    format!(
        "{sentence}. The last lines of its log:\n{}",
        last.join("\n")
    )
}

// === impl Error ===

impl From<String> for Error {
    fn from(sentence: String) -> Error {
        Error::Failed(sentence)
    }
}
