//! What `make build` left behind.

use std::path::{Path, PathBuf};

/// The plugin, as it is shipped.
pub(crate) fn plugin() -> PathBuf {
    existing(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/firehose.so"),
        "make build",
    )
}

/// The small host as a program, for tests that need a process, or an environment, of their own.
pub(crate) fn host_program() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("cargo's folder for tests is in its target folder");
    existing(
        target.join("release/firehose-host"),
        "cargo build --release --package firehose-host",
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
