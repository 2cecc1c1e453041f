//! Compiles the test plugin, with the mistakes a test asks for.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A compiled plugin; its file goes when this is dropped.
pub(crate) struct TestPlugin {
    folder: TempDir,
}

impl TestPlugin {
    /// `mistakes` are macros of `plugins/probe.c`.
    pub(crate) fn compile(mistakes: &[&str]) -> Self {
        let plugin = Self {
            folder: TempDir::new().expect("a temporary folder can be made"),
        };
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let status = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-pthread"])
            .args(mistakes.iter().map(|mistake| format!("-D{mistake}")))
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/plugins/probe.c"
            ))
            .arg("-o")
            .arg(plugin.path())
            .arg("-ldl")
            .status()
            .expect("a C compiler is installed");
        assert!(status.success(), "the test plugin does not compile");
        plugin
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("probe.so")
    }
}

/// The hash that the plugin logs of the bytes it was given: FNV-1a.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}
