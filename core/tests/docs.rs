//! The documentation says what the code does.

use std::collections::BTreeSet;
use std::fs;

use firehose_core::deliver::failure::Cause;
use firehose_core::options::table;

fn read(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first code of each row of a page's tables.
fn rows(page: &str) -> BTreeSet<String> {
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(row).collect()
}

/// A row of the page is `| name | default | allowed | meaning |`; only the meaning is the page's own.
#[test]
fn every_option_is_documented_as_it_is_in_the_table() {
    let page = read("docs/options.md");
    let options = page
        .split("\n| option | default | allowed | meaning |\n|---|---|---|---|\n")
        .skip(1)
        .flat_map(|section| section.lines().take_while(|line| line.starts_with('|')));
    let mut rows = table::ALL.iter();
    for line in options {
        let row = rows.next().expect("the page has an option more");
        let (name, default, allowed) = (row.name, row.default, row.kind.takes());
        let expected = format!("| `{name}` | {default} | {allowed} | ");
        let meaning = line.strip_prefix(&expected);
        let meaning = meaning.unwrap_or_else(|| panic!("{line}\ndoes not begin with\n{expected}"));
        let meaning = meaning.strip_suffix(" |").unwrap_or_default();
        assert!(!meaning.is_empty() && !meaning.contains('|'), "{line}");
    }
    assert_eq!(rows.next().map(|row| row.name), None);
}

#[test]
fn every_cause_of_a_failed_call_is_explained() {
    let rows = rows(&read("docs/troubleshooting.md"));
    for cause in Cause::ALL {
        let advice = cause.advice();
        assert!(rows.contains(advice), "no row begins with `{advice}`");
    }
}
