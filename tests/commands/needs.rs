//! What a command needs of the machine beyond what the project's own files install.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::pages::root;

pub(crate) enum Need {
    Program(&'static str),
    /// Rust's standard library for this target.
    Target(&'static str),
    /// The one on PATH or Debian's.
    Prometheus,
    /// Not of the machine: of who waits.
    Minutes,
}

impl Need {
    /// Why what needs this is not run, if it is not.
    pub(crate) fn why_not(&self) -> Option<String> {
        match self {
            Self::Program(name) if !is_on_path(name) => Some(format!("no {name} on PATH")),
            Self::Target(name) if !is_target(name) => Some(format!("Rust has no {name} here")),
            Self::Prometheus if !is_prometheus() => Some("no prometheus to be had".into()),
            Self::Minutes => Some("minutes; make test-commands".into()),
            _ => None,
        }
    }
}

fn is_on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn is_target(name: &str) -> bool {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(["--print", "target-libdir", "--target", name]);
    let output = output.output().expect("there is a rustc");
    let folder = String::from_utf8_lossy(&output.stdout);
    Path::new(folder.trim()).is_dir()
}

fn is_prometheus() -> bool {
    let mut find = Command::new("deploy/prometheus/find.sh");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("cargo's folder for tests is in its target folder");
    let find = find.arg("prometheus").arg(target.join("prometheus"));
    let output = find.current_dir(root()).output();
    output.expect("the script is there").status.success()
}
