//! What all runs have in common: Fluent Bit, the plugin, and whether to go on.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::Programs;
use crate::error::Error;

pub(crate) struct Setup {
    pub(crate) fluent_bit: PathBuf,
    /// As it names itself: `Fluent Bit v5.1.1`.
    pub(crate) version: String,
    /// An absolute path: Fluent Bit would take a relative one from its own directory.
    pub(crate) plugin: PathBuf,
    /// Whether SIGINT or SIGTERM has come.
    interrupted: Arc<AtomicBool>,
}

impl Setup {
    pub(crate) fn find(programs: &Programs) -> Result<Setup, Error> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        Ok(Setup {
            version: version(&programs.fluent_bit).map_err(Error::CannotStart)?,
            fluent_bit: programs.fluent_bit.clone(),
            plugin: plugin(&programs.plugin).map_err(Error::CannotStart)?,
            interrupted,
        })
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

/// Does the same for all of these at once, and gives back what came of each.
pub(crate) fn at_once<T: Sync, R: Send>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| run(item))).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .map(|result| result.expect("a trial does not panic"))
            .collect()
    })
}

/// One that nothing listens on, as far as can be known.
pub(crate) fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn version(program: &Path) -> Result<String, String> {
    let shown = program.display();
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!(
            "there is no `{shown}`: install Fluent Bit 2.2 or later \
             (https://docs.fluentbit.io/manual/installation/downloads), \
             or name it with --fluent-bit"
        ),
        _ => format!("cannot run `{shown}`: {error}"),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.lines().find(|line| line.starts_with("Fluent Bit v"));
    let version =
        version.ok_or_else(|| format!("`{shown} --version` names no version of Fluent Bit"))?;
    Ok(version.to_owned())
}

fn plugin(path: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(path).map_err(|error| {
        let path = path.display();
        format!("cannot open the plugin {path}: {error}; `make build` builds it, --plugin says where it is")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_fluent_bit_is_told() {
        let missing = version(Path::new("no-such-fluent-bit")).unwrap_err();
        assert!(missing.contains("there is no `no-such-fluent-bit`: install Fluent Bit"));
        let other = version(Path::new("true")).unwrap_err();
        assert_eq!(other, "`true --version` names no version of Fluent Bit");
    }
}
