//! One run of Fluent Bit: its folder, its configuration, its process.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::host::Host;
use crate::support::built;
use crate::support::child::Process;
use crate::support::environment::{self, CREDENTIALS};
use crate::support::service::Service;

/// Far longer than a run takes on a slow machine.
pub(crate) const LONG: Duration = Duration::from_secs(180);

/// Lines of JSON, of which `timed` takes the time from the key `at`.
const PARSERS: &str = "\
[PARSER]
    name json
    format json

[PARSER]
    name timed
    format json
    time_key at
    time_format %Y-%m-%dT%H:%M:%S.%LZ
    time_keep off
";

pub(crate) type Options = Vec<(&'static str, String)>;

/// A configuration with one input and one output.
pub(crate) struct Sidecar {
    folder: TempDir,
    pub(crate) service: Options,
    pub(crate) input: Options,
    pub(crate) output: Options,
}

impl Sidecar {
    /// Delivers to the stream `logs` of this service, on the smallest stack of all hosts.
    pub(crate) fn new(service: &Service) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let parsers = folder.path().join("parsers.conf");
        fs::write(&parsers, PARSERS).expect("a temporary folder can be written to");
        let mut output = options(&[
            ("name", "firehose"),
            ("match", "*"),
            ("retry_limit", "no_limits"),
        ]);
        output.extend(service.options("logs"));
        Self {
            service: options(&[
                ("flush", "1"),
                ("grace", "30"),
                ("coro_stack_size", "24576"),
                ("parsers_file", text(&parsers)),
            ]),
            input: Options::new(),
            output,
            folder,
        }
    }

    /// Reads a file by a parser, from its beginning; the run ends at its end.
    pub(crate) fn tail(&mut self, path: &Path, parser: &str) {
        self.input = options(&[
            ("name", "tail"),
            ("path", text(path)),
            ("parser", parser),
            ("read_from_head", "true"),
            ("exit_on_eof", "true"),
        ]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes lines to a file in this run's folder.
    pub(crate) fn write(&self, name: &str, lines: &[String]) -> PathBuf {
        let path = self.path(name);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).expect("a temporary folder can be written to");
        path
    }

    /// Starts the host with the plugin on its command line.
    pub(crate) fn start(&self, host: &Host) -> Process {
        self.start_with(host, &["-e".into(), built::plugin().into()])
    }

    pub(crate) fn start_with(&self, host: &Host, arguments: &[OsString]) -> Process {
        let sections = [
            ("SERVICE", &self.service),
            ("INPUT", &self.input),
            ("OUTPUT", &self.output),
        ];
        let mut configuration = String::new();
        for (name, options) in sections {
            configuration += &format!("[{name}]\n");
            for (key, value) in options {
                configuration += &format!("    {key} {value}\n");
            }
        }
        let path = self.path("fluent-bit.conf");
        fs::write(&path, configuration).expect("a temporary folder can be written to");
        let mut command = environment::command(&host.program, CREDENTIALS.as_ref());
        command.args(arguments).arg("-c").arg(path);
        Process::start(command, &self.path("output"))
    }

    /// Runs the host to the end of its input.
    pub(crate) fn run(&self, host: &Host) -> Result<Process, String> {
        let mut process = self.start(host);
        ended_well(&mut process)?;
        Ok(process)
    }
}

/// Waits for an end with exit code 0.
pub(crate) fn ended_well(process: &mut Process) -> Result<(), String> {
    let status = process.wait(LONG)?;
    if status.success() {
        Ok(())
    } else {
        Err(process.failure(&format!("ended with {status}")))
    }
}

pub(crate) fn options(options: &[(&'static str, &str)]) -> Options {
    let options = options.iter();
    options
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
