//! The Fluent Bit programs that are on PATH.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// The names under which they are looked for, and of those that are there the first is run; each of
/// them with `FLUENT_BITS=all`.
const NAMES: [&str; 6] = [
    "fluent-bit",
    "fluent-bit-5.0",
    "fluent-bit-4.2",
    "fluent-bit-4.0",
    "fluent-bit-3.2",
    "fluent-bit-1.9",
];

pub(crate) struct Host {
    pub(crate) program: PathBuf,
    /// Major, minor, patch.
    version: [u32; 3],
    /// The names of the plugins it was built with.
    plugins: BTreeSet<String>,
}

/// One program for each version.
pub(crate) fn find() -> Vec<Arc<Host>> {
    let most = match env::var_os("FLUENT_BITS") {
        Some(which) if which == "all" => NAMES.len(),
        _ => 1,
    };
    let mut hosts: Vec<Arc<Host>> = Vec::new();
    for program in NAMES.into_iter().filter_map(on_path).take(most) {
        let host = Host::ask(program);
        if hosts.iter().all(|known| known.version != host.version) {
            hosts.push(Arc::new(host));
        }
    }
    hosts
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut programs = env::split_paths(&path).map(|folder| folder.join(name));
    programs.find(|program| program.is_file())
}

impl Host {
    fn ask(program: PathBuf) -> Self {
        let answer = Command::new(&program).arg("--version").output();
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let text = String::from_utf8_lossy(&answer.stdout);
        let version = text
            .split_whitespace()
            .find_map(|word| parse(word.strip_prefix('v')?))
            .unwrap_or_else(|| panic!("{} tells no version: {text}", program.display()));
        let answer = Command::new(&program).arg("--help").output();
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let help = String::from_utf8_lossy(&answer.stdout);
        let indented = help.lines().filter(|line| line.starts_with("  "));
        let plugins = indented
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect();
        Self {
            program,
            version,
            plugins,
        }
    }

    pub(crate) fn name(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("fluent-bit {major}.{minor}.{patch}")
    }

    /// Whether a plugin of this kind can be run by workers.
    pub(crate) fn has_workers(&self) -> bool {
        self.version >= [2, 2, 0]
    }

    /// Whether it was built with an input, a filter or an output of this name.
    pub(crate) fn has_plugin(&self, name: &str) -> bool {
        self.plugins.contains(name)
    }

    /// Whether a configuration in YAML may hold lists. 1.9 knows only an early form.
    pub(crate) fn has_yaml(&self) -> bool {
        self.version >= [3, 2, 0]
    }

    /// Whether it keeps what OTLP says of a record, and groups records by their resource and scope.
    pub(crate) fn has_groups(&self) -> bool {
        self.version >= [3, 2, 0] && self.has_plugin("opentelemetry")
    }

    /// Whether a SIGHUP is answered with a new start in the same process.
    pub(crate) fn has_hot_reload(&self) -> bool {
        self.version >= [2, 1, 0]
    }

    /// Whether a plugin may add to its metrics.
    pub(crate) fn has_metrics(&self) -> bool {
        self.version >= [2, 0, 0]
    }

    /// Whether what is logged before a start that fails is always written. 1.9 ends without
    /// waiting for the thread that writes its log.
    pub(crate) fn writes_its_log_to_the_end(&self) -> bool {
        self.version >= [2, 0, 0]
    }

    /// Whether the position in tail's database is a line's beginning. In 3.2 it may lie within a
    /// line that was read in part, which is then cut.
    pub(crate) fn remembers_whole_lines(&self) -> bool {
        self.version >= [5, 1, 0]
    }
}

fn parse(version: &str) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> = version
        .split('.')
        .map(|number| number.parse().ok())
        .collect();
    numbers?.try_into().ok()
}
