//! Fluent Bit's record accessors, `$key['sub'][0]`: a place within an event's body.
//!
//! The text is what Fluent Bit's `src/record_accessor/ra.l` and `ra.y` take, with two differences:
//! there is a most of levels, and a key in quotes may have a blank or a comma in it.

use std::fmt;

use crate::format::msgpack::{Malformed, Reader, Token};

/// Each level is looked through once, so this bounds what a look-up can cost.
pub const MAX_LEVELS: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessor {
    /// The first one is a key.
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(u32),
}

impl Accessor {
    /// What an option names: a key as it is, or an accessor where the text begins with `$`.
    pub fn of_option(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Self::parse(text);
        }
        let steps = vec![Step::Key(text.to_owned())];
        Ok(Self { steps })
    }

    /// The whole text is to be an accessor; else a phrase says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Self::parse_start(text)? {
            (accessor, "") => Ok(accessor),
            (_, rest) => Err(format!("`{rest}` behind it belongs to no key")),
        }
    }

    /// The longest accessor at the start of a text, and the text behind it.
    pub fn parse_start(text: &str) -> Result<(Self, &str), String> {
        let name = text.strip_prefix('$').ok_or("it begins with no `$`")?;
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !name.starts_with(is_first) {
            return Err("a letter or `_` must follow `$`".to_owned());
        }
        let is_other = |c: char| !(c.is_ascii_alphanumeric() || "_-/".contains(c));
        let (name, mut rest) = name.split_at(name.find(is_other).unwrap_or(name.len()));
        let mut steps = vec![Step::Key(name.to_owned())];
        while let Some(inner) = rest.strip_prefix('[') {
            if steps.len() == MAX_LEVELS {
                return Err(format!("it has more than {MAX_LEVELS} levels"));
            }
            let (step, after) = parse_step(inner)?;
            steps.push(step);
            rest = after;
        }
        Ok((Self { steps }, rest))
    }

    /// Finds the value in the map that is next in `reader`: where a key stands several times, below
    /// the last one. The reader ends behind the map, or behind what is there in its place.
    pub fn find<'a>(&self, reader: &mut Reader<'a>) -> Result<Option<Token<'a>>, Malformed> {
        let place = self.place(reader, |key, name| key.as_bytes() == name)?;
        place.map(|mut value| value.read()).transpose()
    }

    /// The same, where `is` tells whether a key of this accessor is a key of the event.
    pub(super) fn place<'a>(
        &self,
        reader: &mut Reader<'a>,
        mut is: impl FnMut(&str, &[u8]) -> bool,
    ) -> Result<Option<Reader<'a>>, Malformed> {
        let mut found = Some(*reader);
        for (level, step) in self.steps.iter().enumerate() {
            let Some(mut inner) = found else {
                break;
            };
            found = step.take(&mut inner, &mut is)?;
            if level == 0 {
                *reader = inner;
            }
        }
        Ok(found)
    }

    /// The key among the event's own where it begins.
    pub(super) fn first_key(&self) -> &str {
        match &self.steps[..] {
            [Step::Key(key), ..] => key,
            _ => "",
        }
    }

    pub(super) fn is_nested(&self) -> bool {
        self.steps.len() > 1
    }

    /// Whether the other one finds its value in the value of this one, once the dots in this one's
    /// keys are replaced.
    pub(crate) fn leads_to(&self, other: &Self, replace_dots: Option<&str>) -> bool {
        let dot = replace_dots.unwrap_or(".");
        let is_same = |(step, other): (&Step, &Step)| match (step, other) {
            (Step::Key(key), Step::Key(other)) => key.replace('.', dot) == *other,
            _ => step == other,
        };
        self.steps.len() <= other.steps.len() && self.steps.iter().zip(&other.steps).all(is_same)
    }
}

/// As an option has it.
impl fmt::Display for Accessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nested() {
            f.write_str("$")?;
        }
        f.write_str(self.first_key())?;
        for step in self.steps.iter().skip(1) {
            match step {
                Step::Key(key) => write!(f, "['{}']", key.replace('\'', "''"))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Step {
    /// Passes over the value that is next in `reader`, and gives the place of what the step finds
    /// in it.
    fn take<'a>(
        &self,
        reader: &mut Reader<'a>,
        is: &mut impl FnMut(&str, &[u8]) -> bool,
    ) -> Result<Option<Reader<'a>>, Malformed> {
        let start = *reader;
        let mut found = None;
        match (self, reader.read()?) {
            (Self::Key(key), Token::Map(pairs)) => {
                for _ in 0..pairs {
                    if reader.read_name()?.is_some_and(|name| is(key, name)) {
                        found = Some(*reader);
                    }
                    reader.skip()?;
                }
            }
            (Self::Index(index), Token::Array(length)) => {
                for at in 0..length {
                    if at == *index {
                        found = Some(*reader);
                    }
                    reader.skip()?;
                }
            }
            _ => {
                *reader = start;
                reader.skip()?;
            }
        }
        Ok(found)
    }
}

/// What stands behind a `[`, up to its `]`.
fn parse_step(text: &str) -> Result<(Step, &str), String> {
    let (step, rest) = match text.strip_prefix('\'') {
        Some(quoted) => {
            let (key, rest) = parse_quoted(quoted)?;
            (Step::Key(key), rest)
        }
        None => parse_index(text)?,
    };
    match rest.strip_prefix(']') {
        Some(rest) => Ok((step, rest)),
        None => Err("a `[` has no `]` behind its key or number".to_owned()),
    }
}

/// A key up to the quote that ends it. Two quotes stand for one of the key.
fn parse_quoted(mut text: &str) -> Result<(String, &str), String> {
    let mut key = String::new();
    loop {
        let (part, rest) = text.split_once('\'').ok_or("a `'` is missing")?;
        key.push_str(part);
        match rest.strip_prefix('\'') {
            None => return Ok((key, rest)),
            Some(rest) => text = rest,
        }
        key.push('\'');
    }
}

fn parse_index(text: &str) -> Result<(Step, &str), String> {
    let is_other = |c: char| !c.is_ascii_digit();
    let (digits, rest) = text.split_at(text.find(is_other).unwrap_or(text.len()));
    let is_plain = digits == "0" || !digits.starts_with('0');
    let index = digits.parse().ok().filter(|_| is_plain);
    let index =
        index.ok_or("behind a `[` stands a key in single quotes, or an element's number")?;
    Ok((Step::Index(index), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use rmpv::Value;

    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    #[test]
    fn an_accessor_is_read_as_fluent_bit_reads_it() {
        let deep = format!("$a{}", "[0]".repeat(MAX_LEVELS - 1));
        let levels = [&[key("a")][..], &vec![Step::Index(0); MAX_LEVELS - 1]].concat();
        let labels = [
            key("kubernetes"),
            key("labels"),
            key("app.kubernetes.io/name"),
        ];
        let cases: &[(&str, &[Step], &str)] = &[
            ("$log", &[key("log")], ""),
            ("$_Log/1-a.b", &[key("_Log/1-a")], ".b"),
            ("$a['b']-logs", &[key("a"), key("b")], "-logs"),
            (
                "$a[0]['x']['']",
                &[key("a"), Step::Index(0), key("x"), key("")],
                "",
            ),
            ("$a['it''s']['''']", &[key("a"), key("it's"), key("'")], ""),
            ("$a['é b,[c]']", &[key("a"), key("é b,[c]")], ""),
            (
                "$a[4294967295] [0]",
                &[key("a"), Step::Index(u32::MAX)],
                " [0]",
            ),
            (
                "$kubernetes['labels']['app.kubernetes.io/name']",
                &labels,
                "",
            ),
            (&deep, &levels, ""),
        ];
        for (text, steps, rest) in cases {
            let steps = steps.to_vec();
            let accessor = Accessor { steps };
            assert_eq!(
                Accessor::parse_start(text),
                Ok((accessor.clone(), *rest)),
                "{text}"
            );
            let shown = format!("{accessor}{rest}");
            assert!(
                *text == shown || *text == format!("${shown}"),
                "{text}: {shown}"
            );
            let whole = Some(accessor).filter(|_| rest.is_empty());
            assert_eq!(Accessor::parse(text).ok(), whole, "{text}");
        }
    }

    #[test]
    fn a_wrong_accessor_is_told_by_its_fault() {
        let deep = format!("$a{}", "[0]".repeat(MAX_LEVELS));
        let no_step = "behind a `[` stands a key in single quotes, or an element's number";
        for (text, fault) in [
            ("", "it begins with no `$`"),
            ("log", "it begins with no `$`"),
            ("$", "a letter or `_` must follow `$`"),
            ("$0", "a letter or `_` must follow `$`"),
            ("$é", "a letter or `_` must follow `$`"),
            ("$a.b", "`.b` behind it belongs to no key"),
            ("$a]", "`]` behind it belongs to no key"),
            ("$a[", no_step),
            ("$a[b]", no_step),
            ("$a[\"b\"]", no_step),
            ("$a[-1]", no_step),
            ("$a[01]", no_step),
            ("$a[4294967296]", no_step),
            ("$a['b]", "a `'` is missing"),
            ("$a['b''", "a `'` is missing"),
            ("$a['b'", "a `[` has no `]` behind its key or number"),
            ("$a[1", "a `[` has no `]` behind its key or number"),
            (&deep, "it has more than 16 levels"),
        ] {
            assert_eq!(Accessor::parse(text), Err(fault.to_owned()), "{text}");
        }
    }

    /// The same of a tree.
    fn find_slowly(steps: &[Step], value: &Value) -> Option<Value> {
        let Some((step, rest)) = steps.split_first() else {
            return Some(value.clone());
        };
        let inner = match step {
            Step::Key(name) => {
                let is_it = |key: &Value| match key {
                    Value::String(text) => text.as_bytes() == name.as_bytes(),
                    Value::Binary(bytes) => bytes == name.as_bytes(),
                    _ => false,
                };
                let mut pairs = value.as_map()?.iter().rev();
                &pairs.find(|(key, _)| is_it(key))?.1
            }
            Step::Index(index) => value.as_array()?.get(*index as usize)?,
        };
        find_slowly(rest, inner)
    }

    /// Few names, so that keys come again and steps meet them.
    fn name() -> BoxedStrategy<String> {
        let long = "x".repeat(300);
        select(vec!["a".to_owned(), "b".to_owned(), String::new(), long]).boxed()
    }

    fn value() -> BoxedStrategy<Value> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Value::from),
            name().prop_map(Value::from)
        ];
        let tree = leaf.prop_recursive(4, 60, 5, |inner| {
            let key = prop_oneof![
                8 => name().prop_map(Value::from),
                1 => name().prop_map(|name| Value::Binary(name.into_bytes())),
                1 => inner.clone(),
            ];
            prop_oneof![
                2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                3 => prop::collection::vec((key, inner), 0..6).prop_map(Value::Map),
            ]
        });
        tree.boxed()
    }

    fn steps() -> BoxedStrategy<Vec<Step>> {
        let step = prop_oneof![
            3 => name().prop_map(Step::Key),
            2 => (0..4_u32).prop_map(Step::Index),
        ];
        let others = prop::collection::vec(step, 0..4);
        let all = |(name, others): (String, Vec<Step>)| [&[Step::Key(name)], &others[..]].concat();
        (name(), others).prop_map(all).boxed()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_value_is_found_where_a_tree_has_it(value in value(), steps in steps()) {
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &value).unwrap();
            let input = [&bytes[..], b"after"].concat();
            let accessor = Accessor { steps };
            let mut reader = Reader::new(&input);
            let found = accessor.find(&mut reader).unwrap();
            prop_assert_eq!(reader.rest(), b"after");
            let expected = find_slowly(&accessor.steps, &value).map(|value| {
                let mut bytes = Vec::new();
                rmpv::encode::write_value(&mut bytes, &value).unwrap();
                bytes
            });
            let expected = expected.as_ref().map(|bytes| Reader::new(bytes).read().unwrap());
            prop_assert_eq!(found, expected);
            for cut in 0..bytes.len() {
                let mut short = Reader::new(&bytes[..cut]);
                prop_assert_eq!(accessor.find(&mut short), Err(Malformed::Truncated));
            }
        }
    }
}
