//! What `make build` left behind.

use std::env;
use std::path::{Path, PathBuf};

/// The plugin, as it is shipped; or, to look for faults in memory, the one with debugging symbols
/// that FIREHOSE_PLUGIN names.
pub(crate) fn plugin() -> PathBuf {
    if let Some(path) = env::var_os("FIREHOSE_PLUGIN") {
        return path.into();
    }
    existing(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/firehose.so"),
        "make build",
    )
}

/// The small host as a program, for tests that need a process, or an environment, of their own.
pub(crate) fn host_program() -> PathBuf {
    program("firehose-host")
}

/// A program of this workspace.
pub(crate) fn program(package: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("cargo's folder for tests is in its target folder");
    existing(
        target.join("release").join(package),
        &format!("cargo build --release --package {package}"),
    )
}

fn existing(path: PathBuf, command: &str) -> PathBuf {
    assert!(
        path.exists(),
        "{} is missing: run `{command}` first",
        path.display()
    );
    path
}
