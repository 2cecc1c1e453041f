//! The types of Glue's columns, which are Hive's.

use std::fmt;

/// Deeper ones are refused: a document is not nested deeper either.
const MAX_DEPTH: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GlueType {
    /// In lower case and with what stands behind it, such as `decimal(10,2)`.
    Plain(String),
    Array(Box<GlueType>),
    Map(Box<GlueType>, Box<GlueType>),
    Struct(Vec<(String, GlueType)>),
}

impl GlueType {
    pub(crate) fn plain(name: &str) -> Self {
        Self::Plain(name.to_lowercase())
    }

    /// Reads a type as Glue writes it. An error is a sentence that names it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        read(text, 0).ok_or_else(|| format!("`{text}` is not a type that Glue knows"))
    }

    /// With such quotes around the names of fields.
    pub(crate) fn text(&self, quote: &str) -> String {
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
