//! The environment variables that the plugin reads: the same on every machine, and none that
//! leads away from loopback.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::sync::Once;

/// Profiles: the default one is what the fake service knows, `rejected` is not.
pub(crate) const CREDENTIALS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/credentials");

/// Sets this process's environment, once. To be called before a plugin is loaded.
pub(crate) fn prepare_process() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        for (name, _) in env::vars_os().filter(|(name, _)| is_read_by_plugin(name)) {
            // SAFETY: no plugin is loaded yet, so all that reads the environment in this process
            // is Rust's own library, which locks it.
            unsafe { env::remove_var(name) };
        }
        for (name, value) in variables(Path::new(CREDENTIALS)) {
            // SAFETY: as above.
            unsafe { env::set_var(name, value) };
        }
    });
}

/// A program that will run with these variables and no others.
pub(crate) fn command(program: &Path, credentials: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(variables(credentials));
    command
}

fn variables(credentials: &Path) -> [(&'static str, OsString); 4] {
    [
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.into()),
        ("AWS_CONFIG_FILE", "/dev/null".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
    ]
}

fn is_read_by_plugin(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    let others = ["EKS_POD_EXECUTION_ROLE", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    name.starts_with("AWS_") || name.ends_with("_PROXY") || others.contains(&name.as_str())
}
