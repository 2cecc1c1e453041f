//! An instance's properties, as a plugin may read them.

use std::ffi::{CStr, CString};

/// Properties in the order they were set. Keys are case-insensitive; the first of two equal keys
/// wins; an empty value reads as a key that isn't there. All as in Fluent Bit.
#[derive(Debug)]
pub(crate) struct Properties(Vec<(CString, CString)>);

/// Fluent Bit takes these for itself, so that a plugin never sees them.
const RESERVED: [&str; 13] = [
    "alias",
    "host",
    "ipv6",
    "log_level",
    "log_suppress_interval",
    "match",
    "match_regex",
    "name",
    "port",
    "retry_limit",
    "storage.total_limit_size",
    "tls",
    "workers",
];
const RESERVED_PREFIXES: [&str; 2] = ["net.", "tls."];

// === impl Properties ===

impl Properties {
    /// `Err` holds the key whose value can't be passed to C.
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Result<Self, String> {
        pairs
            .iter()
            .filter(|(key, value)| !value.is_empty() && !is_reserved(key))
            .map(
                |(key, value)| match (CString::new(*key), CString::new(*value)) {
                    (Ok(name), Ok(value)) => Ok((name, value)),
                    _ => Err(key.to_string()),
                },
            )
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value stays where it is as long as `self` lives, however `self` is moved.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&CStr> {
        self.0
            .iter()
            .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_c_str())
    }

    /// Name and value of each, at the addresses that stay.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CStr, &CStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_c_str(), value.as_c_str()))
    }
}

fn is_reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    RESERVED.contains(&key.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_ignores_case_but_not_length() {
        let properties =
            Properties::new(&[("Delivery_Stream", "logs"), ("region", "us-east-1")]).unwrap();
        assert_eq!(properties.get(b"delivery_STREAM"), Some(c"logs"));
        assert_eq!(properties.get(b"REGION"), Some(c"us-east-1"));
        assert_eq!(properties.get(b"regio"), None);
        assert_eq!(properties.get(b"regions"), None);
        assert_eq!(properties.get(b""), None);
    }

    #[test]
    fn first_of_two_equal_keys_wins() {
        let properties = Properties::new(&[("region", "a"), ("REGION", "b")]).unwrap();
        assert_eq!(properties.get(b"region"), Some(c"a"));
    }

    #[test]
    fn empty_values_and_the_hosts_own_keys_are_not_there() {
        let pairs = [
            ("log_key", ""),
            ("Workers", "2"),
            ("TLS.verify", "on"),
            ("net.keepalive", "off"),
            ("hostname", "kept"),
        ];
        let properties = Properties::new(&pairs).unwrap();
        assert_eq!(properties.get(b"log_key"), None);
        assert_eq!(properties.get(b"workers"), None);
        assert_eq!(properties.get(b"tls.verify"), None);
        assert_eq!(properties.get(b"net.keepalive"), None);
        assert_eq!(properties.get(b"hostname"), Some(c"kept"));
    }

    #[test]
    fn a_value_with_a_nul_is_refused_by_its_key() {
        assert_eq!(
            Properties::new(&[("region", "a\0b")]).unwrap_err(),
            "region"
        );
    }
}
