//! The documentation's links lead somewhere.

use std::fs;

use crate::pages;

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
