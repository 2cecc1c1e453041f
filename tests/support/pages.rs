//! The project's pages, and the commands that a reader finds in them.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files at the top, and below `docs`.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    collect(root(), &mut pages);
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

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
