//! The types of Glue's columns, which are Hive's.

use std::fmt;
use std::ops::RangeInclusive;

use crate::schema::kind::Kind;

/// Deeper ones are refused: a document is not nested deeper either.
const MAX_DEPTH: usize = 128;

pub const MAX_NAME_BYTES: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GlueType {
    /// In lower case and with what stands behind it, such as `decimal(10,2)`.
    Plain(String),
    Array(Box<GlueType>),
    Map(Box<GlueType>, Box<GlueType>),
    Struct(Vec<(String, GlueType)>),
}

impl GlueType {
    pub fn plain(name: &str) -> Self {
        Self::Plain(name.to_lowercase())
    }

    /// Reads a type as Glue writes it. An error is a sentence that names it.
    pub fn parse(text: &str) -> Result<Self, String> {
        read(text, 0).ok_or_else(|| format!("`{text}` is not a type that Glue knows"))
    }

    /// Whether a column of this type takes such a value; see [`plain_takes`].
    pub fn takes(&self, kind: Kind) -> Option<bool> {
        match self {
            Self::Array(_) => Some(kind == Kind::Array),
            Self::Map(..) | Self::Struct(_) => Some(kind == Kind::Object),
            Self::Plain(name) => plain_takes(name, kind),
        }
    }

    /// With such quotes around the names of fields.
    pub fn text(&self, quote: &str) -> String {
        match self {
            Self::Plain(name) => name.clone(),
            Self::Array(items) => format!("array<{}>", items.text(quote)),
            Self::Map(keys, values) => format!("map<{},{}>", keys.text(quote), values.text(quote)),
            Self::Struct(fields) => {
                let fields = fields.iter().map(|(name, glue_type)| {
                    format!("{quote}{name}{quote}:{}", glue_type.text(quote))
                });
                format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// Whether Glue and Athena take it as the name of a column or a field as it is: lower-case letters,
/// digits and underscores.
///
/// Sources: <https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html>, and
/// for the length <https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-tables.html>.
pub fn is_name(name: &str) -> bool {
    let is_allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Whether a column of this plain type takes such a value, as each takes null. None, whatever the
/// value, if nothing is known of the type, such as date or binary.
pub(super) fn plain_takes(name: &str, kind: Kind) -> Option<bool> {
    use Kind::{Boolean, Fraction, HugeInteger, Integer, Timestamp};
    Some(match base(name) {
        "boolean" => kind == Boolean,
        "tinyint" | "smallint" | "int" | "integer" | "bigint" => kind == Integer,
        "float" | "double" | "decimal" => matches!(kind, Integer | HugeInteger | Fraction),
        // Numbers are seconds or milliseconds since 1970.
        "timestamp" => matches!(kind, Timestamp | Integer | Fraction),
        // Objects and arrays as JSON.
        "string" | "varchar" | "char" => true,
        _ => return None,
    })
}

/// The integers that a plain type takes.
pub fn range(name: &str) -> RangeInclusive<i64> {
    match base(name) {
        "tinyint" => i8::MIN.into()..=i8::MAX.into(),
        "smallint" => i16::MIN.into()..=i16::MAX.into(),
        "int" | "integer" => i32::MIN.into()..=i32::MAX.into(),
        _ => i64::MIN..=i64::MAX,
    }
}

/// Without what stands in brackets behind it.
fn base(name: &str) -> &str {
    name.split('(').next().unwrap_or_default().trim_end()
}

fn read(text: &str, depth: usize) -> Option<GlueType> {
    let text = text.trim();
    let Some((kind, inner)) = text.split_once('<') else {
        let is_name = !text.is_empty() && !text.contains(['>', ':']) && parts(text).len() == 1;
        return is_name.then(|| GlueType::plain(text));
    };
    if depth == MAX_DEPTH {
        return None;
    }
    let inside = |part: &str| read(part, depth + 1);
    let parts = parts(inner.strip_suffix('>')?);
    match (kind.trim().to_lowercase().as_str(), parts.as_slice()) {
        ("array", [items]) => Some(GlueType::Array(Box::new(inside(items)?))),
        ("map", [keys, values]) => {
            let (keys, values) = (inside(keys)?, inside(values)?);
            Some(GlueType::Map(Box::new(keys), Box::new(values)))
        }
        ("struct", fields) => {
            let field = |field: &&str| {
                let (name, glue_type) = field.split_once(':')?;
                let name = name.trim().trim_matches('`').to_lowercase();
                Some((name, inside(glue_type)?))
            };
            let fields: Option<Vec<_>> = fields.iter().map(field).collect();
            fields.map(GlueType::Struct)
        }
        _ => None,
    }
}

/// What stands between the commas that are in no brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_comma = |c: char| {
        depth += match c {
            '<' | '(' => 1,
            '>' | ')' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    };
    text.split(is_comma).collect()
}

/// As Glue writes it.
impl fmt::Display for GlueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = "array<".repeat(1000) + "int" + &">".repeat(1000);
        let texts = "|array<|array<>|array<int|array<int>>|array<int,int>|map<string>|struct<>|\
                     struct<a>|struct<a:int,>|list<int>|int,int|a:int|";
        for text in texts.split('|').chain([deep.as_str()]) {
            let error = GlueType::parse(text).unwrap_err();
            assert_eq!(error, format!("`{text}` is not a type that Glue knows"));
        }
    }
}
