//! Which delivery stream a document goes to, where `delivery_stream` is a template.

pub mod files;
mod split;
pub mod template;

pub use split::{Part, events, split};

use template::Template;

use crate::options::value::is_stream_name;

/// How the name of an event's delivery stream is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub template: Template,
    /// Takes the place of each character that a stream's name can't have.
    pub replace: Option<char>,
    pub is_lower_case: bool,
    /// The names that may be used, each with `*` for any characters. None: all.
    pub allow: Vec<String>,
    /// So many streams at a time, the default stream not counted.
    pub max_streams: usize,
}

/// Where an event goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Stream(String),
    /// To the default stream.
    Default(Why),
}

/// Why an event goes to the default stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// It lacks a value that the template names, or the value is no text or number.
    NoValue,
    /// What the template makes of it is no name of a stream.
    BadName(String),
    NotAllowed(String),
    /// There are `max_delivery_streams` already, and none of them is idle.
    TooMany(String),
}

/// So many letters of a value are shown in a log line.
const MOST_SHOWN: usize = 100;

impl Route {
    /// The target of an event for which the template makes this text; none if a value is missing.
    fn target(&self, text: Option<String>) -> Target {
        let Some(mut name) = text else {
            return Target::Default(Why::NoValue);
        };
        if self.is_lower_case {
            name.make_ascii_lowercase();
        }
        if let Some(replace) = self.replace {
            let is_bad = |c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c));
            name = name.replace(is_bad, replace.encode_utf8(&mut [0; 4]));
        }
        if !is_stream_name(&name) {
            let shown = name.chars().take(MOST_SHOWN).collect();
            return Target::Default(Why::BadName(shown));
        }
        let is_allowed = |pattern: &String| matches(pattern, &name);
        match self.allow.is_empty() || self.allow.iter().any(is_allowed) {
            true => Target::Stream(name),
            false => Target::Default(Why::NotAllowed(name)),
        }
    }
}

impl Why {
    pub const NAMES: [&str; 4] = ["no_value", "bad_name", "not_allowed", "too_many"];

    /// The place of its name.
    pub fn place(&self) -> usize {
        match self {
            Self::NoValue => 0,
            Self::BadName(_) => 1,
            Self::NotAllowed(_) => 2,
            Self::TooMany(_) => 3,
        }
    }

    /// What the log says of it, of an event of this tag.
    pub fn sentence(&self, tag: &str) -> String {
        let why = match self {
            Self::NoValue => {
                "an event lacks a value that delivery_stream names, or has no text or number there"
                    .to_owned()
            }
            Self::BadName(name) => format!(
                "`{name}` is no name of a delivery stream: it takes 1 to 64 of the characters a-z \
                 A-Z 0-9 _ . -; delivery_stream_replace can replace others"
            ),
            Self::NotAllowed(name) => format!("delivery_stream_allow does not allow `{name}`"),
            Self::TooMany(name) => format!(
                "there is no room for the delivery stream `{name}`: max_delivery_streams are in \
                 use; it stays so until Fluent Bit starts anew or is reloaded"
            ),
        };
        format!("events of tag {tag} go to delivery_stream_default: {why}")
    }
}

/// Whether a name is one of a pattern, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The first place of each is the best one: it leaves the most behind it.
    for part in middle.split('*') {
        match name.find(part) {
            Some(place) => name = &name[place + part.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(template: &str) -> Route {
        Route {
            template: Template::parse(template).unwrap(),
            replace: None,
            is_lower_case: false,
            allow: Vec::new(),
            max_streams: 64,
        }
    }

    #[test]
    fn a_text_becomes_a_name_or_goes_to_the_default_stream() {
        let plain = route("$a");
        let replaced = Route {
            replace: Some('_'),
            is_lower_case: true,
            allow: vec!["team-*".to_owned(), "b_".to_owned()],
            ..route("$a")
        };
        let long = "x".repeat(65);
        let bad = |name: &str| Target::Default(Why::BadName(name.to_owned()));
        let stream = |name: &str| Target::Stream(name.to_owned());
        for (route, text, expected) in [
            (&plain, "A.b-c_9", stream("A.b-c_9")),
            (&plain, "", bad("")),
            (&plain, "../etc", bad("../etc")),
            (&plain, "a\u{0}", bad("a\u{0}")),
            (&plain, "gr\u{fc}n", bad("gr\u{fc}n")),
            (&plain, &long, bad(&long)),
            (&plain, &long[..64], stream(&long[..64])),
            (&replaced, "Team-\u{1F600}/", stream("team-__")),
            (&replaced, "b/", stream("b_")),
            (
                &replaced,
                "team",
                Target::Default(Why::NotAllowed("team".to_owned())),
            ),
        ] {
            assert_eq!(route.target(Some(text.to_owned())), expected, "{text}");
        }
        assert_eq!(plain.target(None), Target::Default(Why::NoValue));
        let Target::Default(Why::BadName(shown)) = plain.target(Some("y".repeat(10_000))) else {
            panic!("it is too long");
        };
        assert_eq!(shown.len(), MOST_SHOWN);
    }

    proptest! {
        /// Against a slow search.
        #[test]
        fn a_pattern_matches_as_a_slow_search_says(pattern in "[ab*]{0,8}", name in "[ab]{0,8}") {
            fn slow(pattern: &[u8], name: &[u8]) -> bool {
                match pattern {
                    [] => name.is_empty(),
                    [b'*', rest @ ..] => (0..=name.len()).any(|at| slow(rest, &name[at..])),
                    [first, rest @ ..] => name.first() == Some(first) && slow(rest, &name[1..]),
                }
            }
            let expected = slow(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(&pattern, &name), expected);
        }
    }
}
