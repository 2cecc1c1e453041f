//! The documentation says what the code does, and its links lead somewhere.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use firehose::failure::Cause;

#[path = "fuzz/targets/options.rs"]
mod options;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first code of each row of a page's tables.
fn rows(page: &str) -> BTreeSet<String> {
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(row).collect()
}

#[test]
fn every_option_is_documented_and_no_other() {
    let known: BTreeSet<String> = options::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(rows(&read("docs/options.md")), known);
}

#[test]
fn every_cause_of_a_failed_call_is_explained() {
    let rows = rows(&read("docs/troubleshooting.md"));
    for cause in Cause::ALL {
        let advice = cause.advice();
        assert!(rows.contains(advice), "no row begins with `{advice}`");
    }
}

#[test]
fn links_lead_to_files() {
    let mut pages = Vec::new();
    collect(root(), &mut pages);
    assert!(pages.len() > 5, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1);
        let targets = links.filter_map(|link| Some(link.split_once(')')?.0));
        for target in targets {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let path = page.parent().unwrap().join(file);
            assert!(path.exists(), "{}: {target}", page.display());
        }
    }
}

/// What `make` is told in a page must be there to be made. Commands in blocks are run as well: those
/// of `docs/deploy`, `docs/configuration.md` and `docs/metrics.md` by tests of their own.
#[test]
fn make_knows_every_target_of_the_pages() {
    let mut pages = Vec::new();
    collect(root(), &mut pages);
    let mut commands = BTreeSet::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let lines = blocks(&text).flat_map(str::lines);
        let inline = text.split('`').skip(1).step_by(2);
        let is_make = |command: &&str| command.starts_with("make ");
        commands.extend(lines.chain(inline).filter(is_make).map(str::to_owned));
    }
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let output = run(&command.replacen("make ", "make --dry-run ", 1));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
    }
}

/// With the demo's lines for the reader's.
#[test]
fn the_commands_on_sample_logs_print_what_their_pages_say() {
    let folder = tempfile::tempdir().unwrap();
    let sample = folder.path().join("sample.jsonl");
    let made = run("python3 -B demo/sample.py");
    assert!(made.status.success() && !made.stdout.is_empty(), "{made:?}");
    fs::write(&sample, made.stdout).unwrap();
    let sample = format!("LOGS={}", sample.display());
    for (page, printed) in [
        ("docs/bill.md", ["CloudWatch Logs", "simple_aggregation"]),
        (
            "docs/schema.md",
            ["CREATE EXTERNAL TABLE", "`http` loses nothing"],
        ),
    ] {
        let text = read(page);
        let commands: Vec<&str> = blocks(&text).flat_map(str::lines).collect();
        assert_eq!(commands.len(), printed.len(), "{page}: {commands:?}");
        for (command, printed) in commands.into_iter().zip(printed) {
            assert!(command.contains("LOGS=sample.jsonl"), "{page}: {command}");
            let output = run(&command.replace("LOGS=sample.jsonl", &sample));
            let text = String::from_utf8_lossy(&output.stdout);
            let is_right = output.status.success() && text.contains(printed);
            assert!(is_right, "{page}: {command}: {output:?}");
        }
    }
}

/// The blocks of shell commands of a page.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```sh\n").skip(1);
    blocks.filter_map(|block| Some(block.split_once("```")?.0))
}

/// Runs a command in the project's folder, with nothing of what Cargo sets for tests: a build that
/// sees it begins anew.
fn run(command: &str) -> Output {
    let set = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO") && name != "CARGO_HOME"
    };
    let mut shell = Command::new("/bin/sh");
    for name in env::vars_os().map(|(name, _)| name).filter(set) {
        shell.env_remove(name);
    }
    let command = shell.args(["-ec", command]).current_dir(root());
    command.output().expect("the shell runs")
}

/// The Markdown files at the top, and below `docs`.
fn collect(directory: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "md") {
            pages.push(path);
        } else if path.is_dir() && path.starts_with(root().join("docs")) {
            collect(&path, pages);
        }
    }
}
