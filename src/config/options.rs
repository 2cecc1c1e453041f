//! Reads single options of an `[OUTPUT]` section, and says what is wrong with one.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Error, value};

/// Reads and checks single options.
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

    pub(super) fn list(&self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        let items = text.split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
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
        let value = parse(&text)
            .ok_or_else(|| Error(format!("{key} `{text}` is not allowed: it takes {allowed}")))?;
        Ok(Some(value))
    }

    pub(super) fn boolean(&self, key: &str, default: bool) -> Result<bool, Error> {
        let value = self.parsed(key, "true or false (on, off, yes, no)", value::boolean)?;
        Ok(value.unwrap_or(default))
    }

    pub(super) fn size(
        &self,
        key: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Error> {
        let allowed = format!(
            "{} to {} bytes, such as 500K or 1M",
            range.start(),
            range.end()
        );
        let parse = |text: &str| value::size(text).filter(|size| range.contains(size));
        self.parsed(key, &allowed, parse)
    }

    pub(super) fn count(
        &self,
        key: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Error> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let parse = |text: &str| text.parse().ok().filter(|count| range.contains(count));
        self.parsed(key, &allowed, parse)
    }

    pub(super) fn duration(
        &self,
        key: &str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, Error> {
        let least = match range.start().is_zero() {
            true => "0s".to_owned(),
            false => format!("{:?}", range.start()),
        };
        let allowed = format!("{least} to {:?}, such as 500ms, 30s or 2m", range.end());
        let parse = |text: &str| value::duration(text).filter(|time| range.contains(time));
        Ok(self.parsed(key, &allowed, parse)?.unwrap_or(default))
    }
}
