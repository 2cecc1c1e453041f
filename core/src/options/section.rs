//! All that an `[OUTPUT]` section says to the plugin, known or not.

use super::names;
use super::table::ALL;

/// Names and values, in the section's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section(pub Vec<(String, String)>);

impl Section {
    /// The value of an option; of one that may stand several times, all of them.
    pub fn get(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        let first = values.next()?.to_owned();
        let is_list = ALL.iter().any(|row| row.name == name && row.is_list());
        Some(match is_list {
            true => values.fold(first, |list, value| format!("{list},{value}")),
            false => first,
        })
    }

    /// A sentence about each name that is no option, and each option that stands twice.
    pub fn mistakes(&self) -> Vec<String> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let unknown = names.filter_map(names::unknown);
        let single = ALL.iter().filter(|row| !row.is_list());
        let names = single.map(|row| row.name);
        let twice = names.filter(|name| self.values(name).count() > 1);
        let twice =
            twice.map(|name| format!("{name} is set more than once in this section: leave one"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn section(properties: &[(&str, &str)]) -> Section {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Section(properties.iter().map(own).collect())
    }

    #[test]
    fn a_list_is_all_its_values_and_any_other_option_the_first() {
        let section = section(&[
            ("Data_Keys", "a"),
            ("region", "eu-west-1"),
            ("data_keys", "b,c"),
            ("REGION", "us-east-1"),
        ]);
        assert_eq!(section.get("data_keys").as_deref(), Some("a,b,c"));
        assert_eq!(section.get("region").as_deref(), Some("eu-west-1"));
        assert_eq!(section.get("log_key"), None);
    }

    #[test]
    fn what_is_no_option_or_stands_twice_is_a_mistake() {
        let right = [
            ("delivery_stream", "logs"),
            ("data_keys", "a"),
            ("data_keys", "b"),
            ("net.keepalive", "on"),
        ];
        assert_eq!(section(&right).mistakes(), Vec::<String>::new());
        let wrong = [
            ("simple_agregation", "true"),
            ("region", "eu-west-1"),
            ("Region", "us-east-1"),
        ];
        assert_eq!(
            section(&wrong).mistakes(),
            [
                "`simple_agregation` is not an option of this plugin: did you mean \
                 `simple_aggregation`?",
                "region is set more than once in this section: leave one",
            ]
        );
    }
}
