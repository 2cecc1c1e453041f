//! The Fluent Bit under which the outputs run, and the files of a run.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::output::{ACCESS_KEY, SECRET_KEY};
use super::process::Process;

/// Log lines shown of a run that failed.
const SHOWN_LOG_LINES: usize = 20;

const PARSERS: &str = "\
[PARSER]
    name json
    format json
    time_key timestamp
    time_format %Y-%m-%dT%H:%M:%S.%L%z
    time_keep on
";

pub(crate) struct FluentBit {
    pub(crate) program: PathBuf,
    /// As it names itself: `Fluent Bit v5.1.1`.
    pub(crate) version: String,
}

/// The files of a run, all in one directory.
pub(crate) struct Files {
    directory: PathBuf,
}

/// The plugin's path made absolute: Fluent Bit would take a relative one from its own directory.
pub(crate) fn find_plugin(path: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(path).map_err(|error| {
        let path = path.display();
        format!("cannot open the plugin {path}: {error}; `make build` builds it, --plugin says where it is")
    })
}

// === impl FluentBit ===

impl FluentBit {
    pub(crate) fn find(program: &Path) -> Result<FluentBit, String> {
        let shown = program.display();
        let output =
            Command::new(program)
                .arg("--version")
                .output()
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => format!(
                        "there is no `{shown}`: install Fluent Bit 2.2 or later \
                     (https://docs.fluentbit.io/manual/installation/downloads), \
                     or name it with --fluent-bit"
                    ),
                    _ => format!("cannot run `{shown}`: {error}"),
                })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.lines().find(|line| line.starts_with("Fluent Bit v"));
        Ok(FluentBit {
            program: program.to_owned(),
            version: version
                .ok_or_else(|| format!("`{shown} --version` names no version of Fluent Bit"))?
                .to_owned(),
        })
    }

    /// Starts it with this configuration, which may name the parser `json`, and with the plugin
    /// unless that is None.
    pub(crate) fn start(
        &self,
        files: &Files,
        configuration: &str,
        plugin: Option<&Path>,
    ) -> io::Result<Process> {
        fs::write(files.directory.join("parsers.conf"), PARSERS)?;
        let path = files.directory.join("fluent-bit.conf");
        fs::write(&path, configuration)?;
        let mut command = files.command(&self.program)?;
        command.arg("--config").arg(&path);
        if let Some(plugin) = plugin {
            command.arg("--plugin").arg(plugin);
        }
        Process::spawn(&mut command)
    }

    /// Starts it with a configuration where that lies, and with the variables that it names.
    pub(crate) fn start_file(
        &self,
        files: &Files,
        configuration: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> io::Result<Process> {
        let mut command = files.command(&self.program)?;
        command.arg("--config").arg(configuration).envs(variables);
        Process::spawn(&mut command)
    }
}

// === impl Files ===

impl Files {
    pub(crate) fn new(directory: &Path) -> Files {
        Files {
            directory: directory.to_owned(),
        }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("fluent-bit.log")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A program that will run with the credentials that the service knows, and with nothing of
    /// the user's AWS settings or proxies. Its log goes on where the last run's ended.
    pub(crate) fn command(&self, program: &Path) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| name == "PATH" || name == "LD_LIBRARY_PATH"))
            .env("HOME", &self.directory)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
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
}
