//! One run: Fluent Bit reads the input to its end into one output, and is measured.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fluent_bit_run::{End, Files, FluentBit, Output, Process, Usage};

use crate::endpoint::{Endpoint, Sums};

/// The file of log lines, in the work directory.
pub(crate) const INPUT: &str = "input.log";

const LIMIT: Duration = Duration::from_secs(600);

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
        let files = Files::new(self.workdir);
        let process = self
            .start(output, endpoint.as_ref(), &files)
            .map_err(|error| Error::Failed(format!("cannot start Fluent Bit: {error}")))?;
        let end = process
            .wait(LIMIT, self.interrupted)
            .map_err(|error| Error::Failed(format!("cannot wait for Fluent Bit: {error}")))?;
        let (status, usage) = match end {
            End::Exited(status, usage) => (status, usage),
            End::Interrupted => return Err(Error::Interrupted),
            End::TimedOut => {
                let sentence = format!("Fluent Bit did not end within {LIMIT:?}");
                return Err(Error::Failed(files.with_log(&sentence)));
            }
        };
        if !status.success() {
            let sentence = format!("Fluent Bit ended with {status}");
            return Err(Error::Failed(files.with_log(&sentence)));
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
            return Err(Error::Failed(files.with_log(&sentence)));
        }
        Ok(Measurement { usage, sums })
    }

    fn start(
        &self,
        output: Output,
        endpoint: Option<&Endpoint>,
        files: &Files,
    ) -> io::Result<Process> {
        // What a failed run shows is its own.
        match std::fs::remove_file(files.log()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let plugin = output.is_of_this_project().then_some(self.plugin);
        let configuration = self.configuration(output, endpoint);
        self.fluent_bit.start(files, &configuration, plugin)
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
{}    match *
",
            LIMIT.as_secs(),
            input.display(),
            output.section(endpoint.map(|endpoint| &endpoint.target), self.workers)
        )
    }
}

// === impl Error ===

impl From<String> for Error {
    fn from(sentence: String) -> Error {
        Error::Failed(sentence)
    }
}
