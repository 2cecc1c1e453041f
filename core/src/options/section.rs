//! All that an `[OUTPUT]` section says to the plugin, known or not.

use super::names;
use super::table::{ALL, Row};

/// Names and values, in the section's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section(pub Vec<(String, String)>);

impl Section {
    /// The value of an option; of one that may stand several times, all of them.
    pub fn get(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        let first = values.next()?.to_owned();
        let is_list = ALL.iter().any(|row| row.name == name && row.is_list());
        let more = values.filter(|_| is_list);
        Some(more.fold(first, |list, value| format!("{list},{value}")))
    }

    /// A sentence about each name that is no option, and each option that stands twice.
    pub fn mistakes(&self) -> Vec<String> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let unknown = names.filter_map(names::unknown);
        let single = ALL.iter().filter(|row| !row.is_list());
        let twice = single.filter(|row| self.values(row.name).count() > 1);
        let twice = twice.map(|Row { name, .. }| {
            format!("{name} is set more than once in this section: leave one")
        });
        unknown.chain(twice).collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = move |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.0
            .iter()
            .filter(of_name)
            .map(|(_, value)| value.as_str())
    }
}
