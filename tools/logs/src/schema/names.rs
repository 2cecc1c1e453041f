//! Which keys can be names of columns, and what to call the columns of those that cannot.

use firehose_core::schema::glue_type::{MAX_NAME_BYTES, is_name};

/// The name of the column for a key in lower case; None for a key that can have none. Where it
/// is not the key itself, the deserializer has to be told.
pub(crate) fn column(key: &str, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    if key.is_empty() {
        return None;
    }
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let allowed = |c: char| if is_allowed(c) { c } else { '_' };
    // Room for a number.
    let mut name: String = key.chars().map(allowed).take(MAX_NAME_BYTES - 8).collect();
    if is_name(key) {
        name = key.to_owned();
    }
    if RESERVED.split(' ').any(|word| word == key) {
        name.push('_');
    }
    if !is_taken(&name) {
        return Some(name);
    }
    (2..)
        .map(|number| format!("{name}_{number}"))
        .find(|name| !is_taken(name))
}

/// The keywords of Hive that Athena reserves, which AWS asks to map to columns of other names.
/// Sources: <https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html> and
/// <https://docs.aws.amazon.com/firehose/latest/APIReference/API_OpenXJsonSerDe.html>.
const RESERVED: &str = "\
    all alter and array as authorization between bigint binary boolean both by case cast char \
    column commit conf constraint create cross cube current current_date current_timestamp cursor \
    database date dayofweek decimal delete describe distinct div double drop else end exchange \
    exists extended external extract false fetch float floor following for foreign from full \
    function grant group grouping having if import in inner insert int integer intersect interval \
    into is join lateral left less like local macro map more none not null numeric of on only or \
    order out outer over partialscan partition percent preceding precision preserve primary \
    procedure range reads reduce references regexp revoke right rlike rollback rollup row rows \
    select set smallint start table tablesample then time timestamp to transform trigger true \
    truncate unbounded union uniquejoin update user using utc_timestamp values varchar views when \
    where window with";
