//! The Fluent Bit under which the outputs run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct FluentBit {
    pub(crate) program: PathBuf,
    /// As it names itself: `Fluent Bit v5.1.1`.
    pub(crate) version: String,
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
}
