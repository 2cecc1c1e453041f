//! What is built: the plugin by `make build`, programs as the tests are.

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

/// A program of this workspace, which `cargo test --workspace` builds.
pub(crate) fn program(package: &str) -> PathBuf {
    let test = env::current_exe().expect("a process knows its program");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("a test is in cargo's `deps`");
    existing(
        folder.join(package),
        &format!("cargo build --package {package}"),
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
