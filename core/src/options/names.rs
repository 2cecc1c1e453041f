//! What is said of the names in a section: of one that is no option, and of the options in force.

use super::table::{ALL, Kind};

/// What Fluent Bit takes for itself. A version may still list such a name with a plugin's own,
/// because it is new, its value is empty, or that version was built without it.
#[rustfmt::skip]
const OF_THE_HOST: [&str; 12] = [
    "name", "match", "match_regex", "alias", "log_level", "log_suppress_interval", "host", "port",
    "ipv6", "retry_limit", "workers", "tls",
];
const OF_THE_HOST_BEGIN: [&str; 5] = ["_debug.", "net.", "oauth2", "storage.", "tls."];

/// The sentence about a name that is no option; none about an option's name, or Fluent Bit's own.
pub fn unknown(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let is_option = ALL.iter().any(|row| row.name == lower);
    let is_of_the_host = OF_THE_HOST.contains(&lower.as_str())
        || OF_THE_HOST_BEGIN
            .iter()
            .any(|start| lower.starts_with(start));
    if is_option || is_of_the_host {
        return None;
    }
    let advice = match nearest(&lower) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "take it out, or see docs/options.md for the names that are".to_owned(),
    };
    Some(format!(
        "`{name}` is not an option of this plugin: {advice}"
    ))
}

/// The option that was probably meant: at most a third of the letters differ.
fn nearest(name: &str) -> Option<&'static str> {
    let distances = ALL.iter().map(|row| (distance(name, row.name), row.name));
    let (distance, meant) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= name.chars().count() / 3).then_some(meant)
}

/// How many letters must be put in, taken out or changed to make one of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for letter in from.chars() {
        let mut diagonal = row[0];
        row[0] += 1;
        for (at, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

/// The options that are set, as `key value; key value`, for a line that says what an output was
/// started with. Only of options that were checked: a wrong value may hold a password.
pub fn in_force(property: impl Fn(&str) -> Option<String>) -> String {
    let set = ALL.iter().filter_map(|row| {
        let value = property(row.name)?;
        let shown = match row.kind {
            Kind::Secret(..) => "(not shown)",
            _ => value.trim(),
        };
        (!value.trim().is_empty()).then(|| format!("{} {shown}", row.name))
    });
    set.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn a_name_that_is_no_option_is_told_with_the_one_that_it_is_nearly() {
        let typed = "simple_agregation=simple_aggregation dleivery_stream=delivery_stream \
                     delivery_stream_name=delivery_stream Delivery-Stream=delivery_stream \
                     log_keys=log_key data_key=data_keys regoin=region role_arm=role_arn \
                     aggregationsize=aggregation_size buffer_type= x= = gz= 한국어= kinesis=";
        for (name, meant) in typed.split(' ').filter_map(|pair| pair.split_once('=')) {
            let advice = match meant {
                "" => "take it out, or see docs/options.md for the names that are".to_owned(),
                meant => format!("did you mean `{meant}`?"),
            };
            let expected = format!("`{name}` is not an option of this plugin: {advice}");
            assert_eq!(unknown(name), Some(expected));
        }
    }

    #[test]
    fn options_in_any_case_and_fluent_bit_s_own_names_are_known() {
        for row in ALL {
            assert_eq!(unknown(row.name), None);
            assert_eq!(unknown(&row.name.to_uppercase()), None);
        }
        let of_the_host = "Match alias Retry_Limit workers net.keepalive tls tls.verify \
                           storage.total_limit_size oauth2.enable _debug.http.request_headers";
        for name in of_the_host.split(' ') {
            assert_eq!(unknown(name), None);
        }
    }

    #[test]
    fn no_option_stands_in_the_table_twice() {
        let names: BTreeSet<&str> = ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn options_in_force_are_those_that_are_set_in_the_table_s_order() {
        let set = "time_key  at ;external_id tenant-7;region eu-west-1;profile   ;data_keys a, b;\
                   delivery_stream logs";
        let set = set.split(';').filter_map(|option| option.split_once(' '));
        let set: BTreeMap<&str, &str> = set.collect();
        let property = |name: &str| set.get(name).map(|value| (*value).to_owned());
        assert_eq!(
            in_force(property),
            "delivery_stream logs; region eu-west-1; external_id (not shown); data_keys a, b; \
             time_key at"
        );
        assert_eq!(in_force(|_| None), "");
    }
}
