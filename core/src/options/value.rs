//! The forms that options' values take, as Fluent Bit reads them.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use crate::limits::MAX_STREAM_NAME;
use crate::route::template::Template;

/// Several values with commas between them.
pub(super) fn list(text: &str) -> Vec<String> {
    let items = text.split(',').map(str::trim);
    let items = items.filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// What units count, the largest first.
type Units = [(usize, &'static str); 4];

/// Fluent Bit's K, M and G are powers of 1,000.
const SIZES: Units = [
    (1_000_000_000, "G"),
    (1_000_000, "M"),
    (1_000, "K"),
    (1, ""),
];

/// In milliseconds.
const TIMES: Units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];

fn number(text: &str, units: Units) -> Option<usize> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let named = text.strip_prefix(number)?;
    let (unit, _) = units.into_iter().find(|(_, name)| *name == named)?;
    number.parse::<usize>().ok()?.checked_mul(unit)
}

pub(super) fn size(text: &str) -> Option<usize> {
    let text = text.to_ascii_uppercase();
    number(text.strip_suffix('B').unwrap_or(&text), SIZES)
}

/// A time in milliseconds: seconds, or a number with `ms`, `s`, `m` or `h`.
pub(super) fn milliseconds(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    number(&text, TIMES).or_else(|| number(&(text + "s"), TIMES))
}

/// As `milliseconds` reads it, in the largest unit that takes it whole.
pub(super) fn time_text(time: usize) -> String {
    let is_whole = |(unit, _): &(usize, _)| time >= *unit && time.is_multiple_of(*unit);
    let (unit, name) = TIMES.into_iter().find(is_whole).unwrap_or((1_000, "s"));
    format!("{}{name}", time / unit)
}

/// As `size` reads it, rounded to the largest unit that is not larger.
pub(super) fn round_size(size: usize, divide: impl Fn(usize, usize) -> usize) -> String {
    let unit = SIZES.into_iter().find(|(unit, _)| *unit <= size);
    let (unit, letter) = unit.unwrap_or((1, ""));
    format!("{}{letter}", divide(size, unit))
}

pub fn is_stream_name(text: &str) -> bool {
    (1..=MAX_STREAM_NAME).contains(&text.len()) && has_only(text, "_.-")
}

/// What a template makes of an event is checked when it comes.
pub(super) fn is_stream_name_or_template(text: &str) -> bool {
    Template::is_one(text) || is_stream_name(text)
}

pub(super) fn is_stream_letter(text: &str) -> bool {
    text.len() == 1 && is_stream_name(text)
}

/// Words, the last of them a number: `eu-west-1`, `us-gov-east-1`, `us-isob-east-1`.
pub fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let [area, _, .., number] = words[..] else {
        return false;
    };
    let is_any = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(is_any);
    area.len() > 1
        && area.chars().all(|c| c.is_ascii_lowercase())
        && words.iter().all(is_word)
        && number.chars().all(|c| c.is_ascii_digit())
}

/// The SDK ignores profiles of other names.
/// Source: `validate_identifier` of <https://docs.rs/crate/aws-runtime/latest/source/src/env_config/normalize.rs>.
pub(super) fn is_profile(text: &str) -> bool {
    has_only(text, "_-/.%@:+")
}

/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>.
pub(super) fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    let Some(path) = resource.strip_prefix("role/") else {
        return false;
    };
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    !partition.is_empty()
        && has_only(partition, "-")
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && folders.chars().all(|c| c.is_ascii_graphic())
        && (1..=64).contains(&name.len())
        && has_only(name, "_+=,.@-")
}

/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
pub(super) fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len()) && has_only(text, "_+=,.@:/-")
}

/// Whether all is letters and digits of ASCII, or one of these.
fn has_only(text: &str, others: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    text.chars().all(is_allowed)
}

/// A URL; a host alone means https. The part behind a `#` would be ignored, as a port would that
/// is none.
pub(super) fn endpoint(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let url = format!("{}://{rest}", scheme.to_ascii_lowercase());
    let parsed: Uri = url.parse().ok()?;
    let is_http = matches!(parsed.scheme_str(), Some("http" | "https"));
    let authority = parsed.authority()?;
    let host = authority.host();
    let is_host = !host.is_empty() && (has_only(host, "-_.") || is_ipv6(host));
    // None, or one that is a number.
    let port = authority.as_str().strip_prefix(host)?;
    let has_port = port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    let has_more = text.contains(['@', '#']) || parsed.query().is_some();
    (is_http && is_host && has_port && !has_more).then_some(url)
}

fn is_ipv6(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

pub(super) fn is_loopback(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}
