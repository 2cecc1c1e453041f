//! What the project's pages, its dashboard, its alerts and its Makefile say is so.

use std::fs;

mod causes;
mod links;
mod makefile;
mod metrics;
mod options;
#[path = "../support/pages.rs"]
mod pages;
#[path = "../support/metrics.rs"]
mod registered;

fn read(path: &str) -> String {
    let text = fs::read_to_string(pages::root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}
