//! Reads single options of an `[OUTPUT]` section, and says what is wrong with one.

use std::path::Path;
use std::time::Duration;

use super::table::{ALL, Kind, Row};
use super::{Error, value};

/// Most people who write `region eu-west-1 # prod` do not know this.
const NO_COMMENTS: &str = "Fluent Bit knows no comments behind a value";

/// The end of an option's range that no other option lowers.
const ALONE: (usize, &str) = (usize::MAX, "");

pub(super) struct Options<P> {
    pub(super) property: P,
}

impl<P: Fn(&str) -> Option<String>> Options<P> {
    /// An option without its surrounding blanks; an empty one counts as not set.
    pub(super) fn set(&self, key: &str) -> Option<String> {
        let value = (self.property)(key)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Refuses control characters. Nobody means to write one: it came with a variable, or is a
    /// file's newline.
    pub(super) fn check_characters(&self) -> Result<(), Error> {
        for row in ALL {
            let text = self.set(row.name).unwrap_or_default();
            if let Some(found) = text.chars().find(|c| c.is_control()) {
                let named = named(row, &text).replace(char::is_control, "?");
                let code = u32::from(found);
                return Err(Error(format!(
                    "{named} is not allowed: it has the control character U+{code:04X} in it; take it out"
                )));
            }
        }
        Ok(())
    }

    /// A sentence about each value that may be any text and has a part that was meant as a comment.
    pub(super) fn comments(&self) -> impl Iterator<Item = String> {
        ALL.iter().filter_map(|row| {
            let text = self.set(row.name).filter(|text| has_comment(text))?;
            let is_any = matches!(row.kind, Kind::Free(_) | Kind::List(_));
            let named = named(row, &text);
            is_any.then(|| format!("{named} is taken with its `#`: {NO_COMMENTS}"))
        })
    }

    /// The value of an option, else its default, if that is a value. A number is not above `most`,
    /// which comes from another option, as `why` says.
    fn read<T>(
        &self,
        key: &str,
        (most, why): (usize, &str),
        parse: impl Fn(&Kind, &str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let row = Row::of(key);
        let Some(text) = self.set(key) else {
            let default = row.default_value();
            return Ok(default.and_then(|text| parse(&row.kind, text)));
        };
        let value = parse(&row.kind, &text).ok_or_else(|| {
            let (named, takes) = (named(row, &text), row.kind.takes_up_to(most));
            let sentence = format!("{named} is not allowed: it takes {takes}{why}");
            refused(&text, sentence)
        })?;
        Ok(Some(value))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Error> {
        self.read(key, ALONE, Kind::text)
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Error> {
        let flag = self.read(key, ALONE, |_, text| value::boolean(text))?;
        Ok(flag == Some(true))
    }

    /// The items that `parse` takes; it is not asked about a list without any.
    pub(super) fn list<T>(
        &self,
        key: &str,
        parse: impl Fn(Vec<String>) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, Error> {
        let items = |text: &str| Some(value::list(text)).filter(|items| !items.is_empty());
        let list = self.read(key, ALONE, |_, text| parse(items(text)?))?;
        Ok(list.unwrap_or_default())
    }

    /// A number that may be missing.
    pub(super) fn limit(&self, key: &str) -> Result<Option<usize>, Error> {
        self.read(key, ALONE, |kind, text| kind.number(text, usize::MAX))
    }

    /// A number whose default is one, so that every section has it.
    pub(super) fn number(&self, key: &str) -> Result<usize, Error> {
        let number = self.limit(key)?;
        Ok(number.unwrap_or_else(|| panic!("the table of options has no number for {key}")))
    }

    /// A number; `most`, where it is not set and its default is none or above that.
    pub(super) fn number_up_to(&self, key: &str, most: usize, why: &str) -> Result<usize, Error> {
        let number = self.read(key, (most, why), |kind, text| kind.number(text, most))?;
        Ok(number.unwrap_or(most))
    }

    pub(super) fn time(&self, key: &str) -> Result<Duration, Error> {
        Ok(Duration::from_millis(self.number(key)? as u64))
    }

    pub(super) fn time_up_to(
        &self,
        key: &str,
        most: Duration,
        why: &str,
    ) -> Result<Duration, Error> {
        let most = usize::try_from(most.as_millis()).unwrap_or(usize::MAX);
        let time = self.number_up_to(key, most, why)?;
        Ok(Duration::from_millis(time as u64))
    }
}

/// The error about an option's file that can't be used, for the reason given.
pub fn wrong_file(key: &str, path: &Path, why: &str) -> Error {
    let takes = Row::of(key).kind.takes();
    let sentence = format!("{key} {why}: it takes {takes}");
    refused(&path.to_string_lossy(), sentence)
}

fn refused(text: &str, sentence: String) -> Error {
    match has_comment(text) {
        true => Error(format!("{sentence}; {NO_COMMENTS}")),
        false => Error(sentence),
    }
}

/// The option with its value, unless that may hold a secret.
fn named(row: &Row, text: &str) -> String {
    match row.kind {
        Kind::Secret(..) => {}
        // What stands before an @ may be a password, and what stands behind a ? a token.
        Kind::Url if text.contains(['@', '?']) => {}
        _ => return format!("{} `{text}`", row.name),
    }
    format!("{} (its value is not shown)", row.name)
}

/// Whether a `#` begins the text or a word of it.
fn has_comment(text: &str) -> bool {
    text.split(char::is_whitespace)
        .any(|word| word.starts_with('#'))
}
