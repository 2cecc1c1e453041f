//! The image's files and variables, laid out in a folder as `fluent-bit/Dockerfile` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::sidecar::text;
use crate::support::built;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) struct Image {
    folder: TempDir,
    /// Its environment, with this folder in place of the root.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Image {
    /// Follows the COPY and ENV lines of the Dockerfile's last stage.
    pub(crate) fn new() -> Self {
        let mut image = Self {
            folder: TempDir::new().expect("a temporary folder can be made"),
            variables: BTreeMap::new(),
        };
        for instruction in last_stage() {
            let (name, rest) = instruction.split_once(' ').unwrap_or((&instruction, ""));
            match name {
                "COPY" => image.copy(rest),
                "ENV" => image.set(rest),
                _ => {}
            }
        }
        image
    }

    /// Where a path of the image is here.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file of the image, or another file beside it.
    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path(path);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a temporary folder can be written to");
        fs::write(&path, content).expect("a temporary folder can be written to");
        path
    }

    /// The names of its configurations of this form, without those that are parts of others.
    pub(crate) fn configurations(&self, form: &str) -> Vec<String> {
        let mut names = self.files(form);
        names.retain(|name| !PARTS.iter().any(|part| name.starts_with(part)));
        names
    }

    /// The names of all files of /fluent-bit/etc that end so.
    pub(crate) fn files(&self, end: &str) -> Vec<String> {
        let files = fs::read_dir(self.path("/fluent-bit/etc")).expect("the folder is there");
        let mut names: Vec<String> = files
            .map(|file| file.expect("a folder can be read").file_name())
            .filter_map(|name| name.into_string().ok())
            .filter(|name| name.ends_with(end))
            .collect();
        names.sort();
        names
    }

    fn copy(&mut self, arguments: &str) {
        let paths: Vec<&str> = arguments
            .split(' ')
            .filter(|word| !word.is_empty() && !word.starts_with("--"))
            .collect();
        let (target, sources) = paths.split_last().expect("COPY has a target");
        for source in sources {
            for file in files_of(source) {
                let mut target = self.path(target);
                if paths[paths.len() - 1].ends_with('/') {
                    target.push(file.file_name().expect("a file has a name"));
                }
                self.place(&file, &target);
            }
        }
    }

    fn place(&self, file: &Path, target: &Path) {
        let folder = target.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a temporary folder can be written to");
        if file.is_dir() {
            fs::create_dir_all(target).expect("a temporary folder can be written to");
        } else if file.file_name().is_some_and(|name| name == "plugin.conf") {
            let content = fs::read_to_string(file).expect("plugin.conf is text");
            fs::write(target, self.rooted(&content)).expect("a temporary folder can be written to");
        } else {
            fs::copy(file, target).expect("a temporary folder can be written to");
        }
    }

    fn set(&mut self, arguments: &str) {
        for assignment in arguments.split_whitespace() {
            let (name, value) = assignment.split_once('=').expect("ENV has NAME=value");
            let value = self.rooted(value);
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// With this folder in place of the root, where a text names the image's own folders.
    pub(crate) fn rooted(&self, content: &str) -> String {
        let root = text(self.folder.path());
        [
            "/fluent-bit/etc/",
            "/fluent-bit/plugins/",
            "/var/lib/",
            "/var/log/",
        ]
        .iter()
        .fold(content.to_owned(), |content, folder| {
            content.replace(folder, &format!("{root}{folder}"))
        })
    }
}

/// What is only included, or not a configuration of Fluent Bit's pipeline.
const PARTS: [&str; 6] = [
    "common.",
    "docker.",
    "stack_traces.",
    "telemetry.",
    "parsers.",
    "plugin.",
];

/// The variables of `fluent-bit/defaults.env`.
pub(crate) fn defaults() -> BTreeMap<String, String> {
    let path = Path::new(PROJECT).join("fluent-bit/defaults.env");
    let content = fs::read_to_string(path).expect("the project has a defaults.env");
    content
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').expect("a line is NAME=value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The variables that the Dockerfile sets.
pub(crate) fn environment() -> BTreeMap<String, String> {
    last_stage()
        .iter()
        .filter_map(|instruction| instruction.strip_prefix("ENV "))
        .flat_map(str::split_whitespace)
        .map(|assignment| assignment.split_once('=').expect("ENV has NAME=value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The instructions of the Dockerfile's last stage, one a line.
fn last_stage() -> Vec<String> {
    let path = Path::new(PROJECT).join("fluent-bit/Dockerfile");
    let content = fs::read_to_string(path).expect("the project has a Dockerfile");
    let lines = content.lines().filter(|line| !line.starts_with('#'));
    let instructions = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let stage: Vec<String> = instructions
        .lines()
        .rev()
        .take_while(|line| !line.starts_with("FROM "))
        .map(|line| line.trim().to_owned())
        .collect();
    stage.into_iter().rev().collect()
}

/// What a source of COPY is on this machine: of a package's programs what `make` has made here. What another stage or a
/// package's licences are is left out.
fn files_of(source: &str) -> Vec<PathBuf> {
    match source {
        "$TARGETARCH/plugins/firehose.so" => vec![built::plugin()],
        "$TARGETARCH/bin/healthcheck" => vec![built::program("healthcheck")],
        "$TARGETARCH/etc/" => settings(),
        // An empty folder.
        "state" => vec![PathBuf::from(env!("CARGO_TARGET_TMPDIR"))],
        _ => Vec::new(),
    }
}

/// What a package has in `etc`.
fn settings() -> Vec<PathBuf> {
    let folder = fs::read_dir(Path::new(PROJECT).join("fluent-bit"));
    let files = folder.expect("the project has the image's files");
    let files = files.map(|file| file.expect("a folder can be read").path());
    let is_setting =
        |file: &PathBuf| text(file).ends_with(".conf") || text(file).ends_with(".yaml");
    let mut settings: Vec<PathBuf> = files.filter(is_setting).collect();
    settings.push(Path::new(PROJECT).join("plugin.conf"));
    settings
}
