//! The documentation says what the code does, and its links lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// What `make` is told in a page must be there to be made. The pages of `docs/deploy` and
/// `docs/configuration.md` have tests of their own, which run their commands.
#[test]
fn make_knows_every_target_of_the_pages() {
    let mut pages = Vec::new();
    collect(root(), &mut pages);
    let mut commands = BTreeSet::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text.split("```sh\n").skip(1);
        let blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned()));
        let lines: Vec<String> = blocks
            .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        commands.extend(lines.into_iter().filter(|line| line.starts_with("make ")));
    }
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        let words = command.split_whitespace().skip(1);
        let output = Command::new("make")
            .arg("--dry-run")
            .args(words)
            .current_dir(root())
            .output()
            .expect("make runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
    }
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
