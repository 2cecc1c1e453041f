//! The documentation says what the code does, and its links lead somewhere.

use std::collections::BTreeSet;
use std::fs;

use firehose_core::deliver::failure::Cause;
use firehose_core::options::names;

use crate::pages::root;

#[path = "support/pages.rs"]
mod pages;

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
    let known: BTreeSet<String> = names::ALL.iter().map(|it| it.name.to_owned()).collect();
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
    for page in pages::pages() {
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
