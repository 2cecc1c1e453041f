//! The delivery stream of a section, or the template that names one for each event.

use super::Error;
use super::read::Options;
use super::table::Row;
use super::value::is_stream_name;
use crate::route::Route;
use crate::route::template::Template;

impl<P: Fn(&str) -> Option<String>> Options<P> {
    /// The delivery stream, and how others are named: then it is the default one.
    pub(super) fn streams(&self) -> Result<(String, Option<Route>), Error> {
        const KEY: &str = "delivery_stream";
        const DEFAULT: &str = "delivery_stream_default";
        let missing = |key: &str, why: &str| {
            let takes = Row::of(key).kind.takes();
            Error(format!("{key} is missing{why}: it takes {takes}"))
        };
        let name = self.text(KEY)?.ok_or_else(|| missing(KEY, ""))?;
        let replace = self.text("delivery_stream_replace")?;
        let is_lower_case = self.flag("delivery_stream_lower_case")?;
        let is_pattern = |item: &String| {
            let letters = item.replace('*', "");
            letters.is_empty() || is_stream_name(&letters)
        };
        let patterns = |items: Vec<String>| items.iter().all(is_pattern).then_some(items);
        let allow = self.list("delivery_stream_allow", patterns)?;
        let max_streams = self.number("max_delivery_streams")?;
        let default = self.text(DEFAULT)?;
        if !Template::is_one(&name) {
            return Ok((name, None));
        }
        let wrong = |why| Error(format!("{KEY} `{name}` is not allowed: {why}"));
        let template = Template::parse(&name).map_err(wrong)?;
        let why = ", and delivery_stream is a template";
        let default = default.ok_or_else(|| missing(DEFAULT, why))?;
        let route = Route {
            template,
            replace: replace.and_then(|text| text.chars().next()),
            is_lower_case,
            allow,
            max_streams,
        };
        Ok((default, Some(route)))
    }
}
