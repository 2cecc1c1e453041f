//! What the outputs run in: Fluent Bit, or this project's small host where that is missing.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::{env, fs};

use crate::run::{Files, FluentBit, Output, Process, Target};

use crate::bench::setup;

const FLUENT_BIT: &str = "fluent-bit";
const SMALL_HOST: &str = "firehose-host";

/// Seconds in which what is held at the end must be delivered.
const GRACE: u64 = 600;

pub(crate) enum Host {
    FluentBit(FluentBit),
    /// The program.
    Small(PathBuf),
}

/// One output, and what is fed to it.
pub(crate) struct Job<'a> {
    pub(crate) output: Output,
    /// None for `null` alone.
    pub(crate) target: Option<&'a Target>,
    /// None leaves it to the output.
    pub(crate) workers: Option<usize>,
    /// Seconds between flushes, in Fluent Bit.
    pub(crate) flush: u64,
    /// JSON lines.
    pub(crate) input: Input<'a>,
}

pub(crate) enum Input<'a> {
    /// The end of this file is the run's end.
    File(&'a Path),
    /// All files of this glob, which grow. Each has a tag of its own.
    Growing(&'a Path),
}

// === impl Host ===

impl Host {
    /// The one that is asked for; else the one on PATH; else the small host.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Host, String> {
        match asked {
            Some(program) => FluentBit::find(program).map(Host::FluentBit),
            None if is_on_path(FLUENT_BIT) => {
                FluentBit::find(Path::new(FLUENT_BIT)).map(Host::FluentBit)
            }
            None => setup::program(SMALL_HOST).map(Host::Small),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Host::FluentBit(fluent_bit) => &fluent_bit.version,
            Host::Small(_) => SMALL_HOST,
        }
    }

    /// The outputs that it has.
    pub(crate) fn outputs(&self) -> &'static [Output] {
        match self {
            Host::FluentBit(_) => &Output::ALL,
            Host::Small(_) => &[Output::Firehose, Output::FirehoseAggregated],
        }
    }

    /// Starts it; Fluent Bit gets the plugin only for this project's outputs.
    pub(crate) fn start(&self, files: &Files, plugin: &Path, job: &Job<'_>) -> io::Result<Process> {
        match self {
            Host::FluentBit(fluent_bit) => {
                let plugin = job.output.is_of_this_project().then_some(plugin);
                fluent_bit.start(files, &job.configuration(), plugin)
            }
            Host::Small(program) => {
                let path = files.path("output.conf");
                fs::write(&path, job.section())?;
                let mut command = files.command(program)?;
                command
                    .arg("--plugin")
                    .arg(plugin)
                    .arg("--config")
                    .arg(&path);
                match job.input {
                    Input::File(input) => command.arg("--input").arg(input),
                    // A chunk for each line, since no timer flushes.
                    Input::Growing(_) => command
                        .args(["--stdin", "--chunk-size", "1"])
                        .stdin(Stdio::piped()),
                };
                Process::spawn(&mut command)
            }
        }
    }

    /// Gives a line to an input that is [`Input::Growing`]. The small host ends when what is
    /// returned is dropped.
    pub(crate) fn feed(
        &self,
        process: &mut Process,
        path: &Path,
        line: &str,
    ) -> io::Result<Option<ChildStdin>> {
        match self {
            Host::FluentBit(_) => {
                fs::write(path, format!("{line}\n"))?;
                Ok(None)
            }
            Host::Small(_) => {
                let mut stdin = process.take_stdin().expect("it is piped for such an input");
                writeln!(stdin, "{line}")?;
                Ok(Some(stdin))
            }
        }
    }
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

// === impl Job ===

impl Job<'_> {
    fn configuration(&self) -> String {
        let service = format!(
            "[SERVICE]\n    flush {}\n    grace {GRACE}\n    log_level info\n    \
             parsers_file parsers.conf\n",
            self.flush
        );
        let (path, more) = match self.input {
            Input::File(path) => (path, "    exit_on_eof on\n"),
            Input::Growing(path) => (path, "    tag file.*\n    refresh_interval 1\n"),
        };
        let input = format!(
            "[INPUT]\n    name tail\n    path {}\n    parser json\n    read_from_head on\n{more}",
            path.display()
        );
        service + &input + &self.section()
    }

    fn section(&self) -> String {
        let section = self.output.section(self.target, self.workers);
        section + "    match *\n"
    }
}
