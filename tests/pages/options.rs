//! The page on options says what the table of options says.

use firehose_core::options::table;

use crate::read;

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
