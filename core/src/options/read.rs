//! Reads single options of an `[OUTPUT]` section, and says what is wrong with one.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Error, names, value};

/// What most who write `region eu-west-1 # prod` do not know.
const NO_COMMENTS: &str = "Fluent Bit knows no comments behind a value";

pub(super) struct Options<P> {
    pub(super) property: P,
}

impl<P: Fn(&str) -> Option<String>> Options<P> {
    /// An option without its surrounding blanks; an empty one counts as not set.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let value = (self.property)(key)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// No value means to have a control character: it came with a variable, or a file's newline.
    pub(super) fn check_characters(&self) -> Result<(), Error> {
        for known in names::ALL {
            let text = self.text(known.name).unwrap_or_default();
            if let Some(found) = text.chars().find(|c| c.is_control()) {
                let named = named(known.name, &text).replace(char::is_control, "?");
                let code = u32::from(found);
                return Err(Error(format!(
                    "{named} is not allowed: it has the control character U+{code:04X} in it; take it out"
                )));
            }
        }
        Ok(())
    }

    /// Of a value that may be any text, whether a part of it was meant as a comment.
    pub(super) fn comment(&self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let named = named(key, &text);
        has_comment(&text).then(|| format!("{named} is taken with its `#`: {NO_COMMENTS}"))
    }

    pub(super) fn parsed<T>(
        &self,
        key: &str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let value = parse(&text).ok_or_else(|| {
            let named = named(key, &text);
            refused(&text, format!("{named} is not allowed: it takes {allowed}"))
        })?;
        Ok(Some(value))
    }

    pub(super) fn boolean(&self, key: &str, default: bool) -> Result<bool, Error> {
        let allowed = "`true` or `false` (or `on`, `off`, `yes`, `no`)";
        let value = self.parsed(key, allowed, value::boolean)?;
        Ok(value.unwrap_or(default))
    }

    pub(super) fn size(
        &self,
        key: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Error> {
        let (least, most) = (*range.start(), *range.end());
        let allowed = format!(
            "`{least}` to `{most}` bytes, such as `{}` or `{}`",
            value::round_size(least, usize::div_ceil),
            value::round_size(most, |size, unit| size / unit),
        );
        let parse = |text: &str| value::size(text).filter(|size| range.contains(size));
        self.parsed(key, &allowed, parse)
    }

    /// `most` says where the range's end comes from, if that is another option.
    pub(super) fn count(
        &self,
        key: &str,
        range: RangeInclusive<usize>,
        most: &str,
    ) -> Result<Option<usize>, Error> {
        let (first, last) = (range.start(), range.end());
        let allowed = format!("a number from `{first}` to `{last}`{most}");
        let parse = |text: &str| text.parse().ok().filter(|count| range.contains(count));
        self.parsed(key, &allowed, parse)
    }

    /// `most` says where the range's end comes from, if that is another option.
    pub(super) fn duration(
        &self,
        key: &str,
        default: Duration,
        range: RangeInclusive<Duration>,
        most: &str,
    ) -> Result<Duration, Error> {
        let allowed = format!(
            "a whole number of ms, s, m or h, from `{}` to `{}`{most}",
            value::duration_text(*range.start()),
            value::duration_text(*range.end()),
        );
        let parse = |text: &str| value::duration(text).filter(|time| range.contains(time));
        Ok(self.parsed(key, &allowed, parse)?.unwrap_or(default))
    }
}

/// The error about a value, with the advice that it may need.
pub(super) fn refused(text: &str, sentence: String) -> Error {
    match has_comment(text) {
        true => Error(format!("{sentence}; {NO_COMMENTS}")),
        false => Error(sentence),
    }
}

/// The option with its value, unless that may hold a secret.
fn named(key: &str, text: &str) -> String {
    let is_secret = |known: &names::Known| known.name == key && known.is_secret;
    // What stands before an @ may be a password, and what stands behind a ? a token.
    let may_hold_secret = key.ends_with("endpoint") && text.contains(['@', '?']);
    if names::ALL.iter().any(is_secret) || may_hold_secret {
        return format!("{key} (its value is not shown)");
    }
    format!("{key} `{text}`")
}

fn has_comment(text: &str) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        let begins = c == '#' && before.is_whitespace();
        before = c;
        begins
    })
}
