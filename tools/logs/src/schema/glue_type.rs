//! The types of Glue's columns, which are Hive's.

use std::fmt;

/// Deeper ones are refused: a document is not nested deeper either.
const MAX_DEPTH: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GlueType {
    Boolean,
    /// tinyint, smallint, int or bigint, by their bits.
    Integer(u32),
    /// float, double or decimal, as written.
    Number(String),
    Timestamp,
    /// string, varchar or char, as written.
    Text(String),
    /// One that nothing is known of here, such as date or binary.
    Other(String),
    Array(Box<GlueType>),
    Map(Box<GlueType>, Box<GlueType>),
    Struct(Vec<(String, GlueType)>),
}

const INTEGERS: [(&str, u32); 4] = [
    ("tinyint", 8),
    ("smallint", 16),
    ("int", 32),
    ("bigint", 64),
];

impl GlueType {
    pub(crate) fn string() -> GlueType {
        GlueType::Text("string".to_owned())
    }

    pub(crate) fn double() -> GlueType {
        GlueType::Number("double".to_owned())
    }

    /// Reads a type as Glue writes it. An error is a sentence that names it.
    pub(crate) fn parse(text: &str) -> Result<GlueType, String> {
        let mut parser = Parser { rest: text };
        let parsed = parser.glue_type(0).filter(|_| parser.rest.is_empty());
        parsed.ok_or_else(|| format!("`{text}` is not a type that Glue knows"))
    }

    fn of_name(name: &str) -> GlueType {
        let name = name.trim().to_lowercase();
        let kind = name.split('(').next().unwrap_or_default().trim_end();
        let bits = INTEGERS.iter().find(|(integer, _)| *integer == kind);
        match (kind, bits) {
            (_, Some((_, bits))) => GlueType::Integer(*bits),
            ("integer", _) => GlueType::Integer(32),
            ("boolean", _) => GlueType::Boolean,
            ("float" | "double" | "decimal", _) => GlueType::Number(name),
            ("string" | "varchar" | "char", _) => GlueType::Text(name),
            ("timestamp", _) => GlueType::Timestamp,
            _ => GlueType::Other(name),
        }
    }
}

impl fmt::Display for GlueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GlueType::Boolean => f.write_str("boolean"),
            GlueType::Integer(bits) => {
                let integer = INTEGERS.iter().find(|(_, known)| known == bits);
                f.write_str(integer.map_or("bigint", |(name, _)| name))
            }
            GlueType::Timestamp => f.write_str("timestamp"),
            GlueType::Number(name) | GlueType::Text(name) | GlueType::Other(name) => {
                f.write_str(name)
            }
            GlueType::Array(items) => write!(f, "array<{items}>"),
            GlueType::Map(keys, values) => write!(f, "map<{keys},{values}>"),
            GlueType::Struct(fields) => {
                f.write_str("struct<")?;
                for (number, (name, glue_type)) in fields.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma}{name}:{glue_type}")?;
                }
                f.write_str(">")
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn glue_type(&mut self, depth: usize) -> Option<GlueType> {
        if depth > MAX_DEPTH {
            return None;
        }
        let name = self.until(|c| "<>,:".contains(c)).trim().to_lowercase();
        if !self.take('<') {
            return (!name.is_empty()).then(|| GlueType::of_name(&name));
        }
        let glue_type = match name.as_str() {
            "array" => GlueType::Array(Box::new(self.glue_type(depth + 1)?)),
            "map" => {
                let keys = Box::new(self.glue_type(depth + 1)?);
                self.take(',').then_some(())?;
                GlueType::Map(keys, Box::new(self.glue_type(depth + 1)?))
            }
            "struct" => GlueType::Struct(self.fields(depth)?),
            _ => return None,
        };
        self.take('>').then_some(())?;
        self.rest = self.rest.trim_start();
        Some(glue_type)
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<(String, GlueType)>> {
        let mut fields = Vec::new();
        loop {
            let name = self.until(|c| c == ':').trim().trim_matches('`');
            self.take(':').then_some(())?;
            fields.push((name.to_lowercase(), self.glue_type(depth + 1)?));
            if !self.take(',') {
                return Some(fields);
            }
        }
    }

    /// Takes what is before such a character. The commas of `decimal(10,2)` are part of its name.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let mut depth = 0;
        let end = self.rest.find(|c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0 && ends(c)
        });
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn take(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_as_it_was_read() {
        for text in [
            "boolean",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "decimal(38,10)",
            "timestamp",
            "string",
            "varchar(20)",
            "char(1)",
            "date",
            "binary",
            "array<string>",
            "map<string,array<int>>",
            "struct<a:int>",
            "struct<a-b:array<struct<c:decimal(10,2),d:string>>,e:map<string,double>>",
        ] {
            assert_eq!(GlueType::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn case_spaces_and_backticks_do_not_matter() {
        for (text, expected) in [
            ("INTEGER", "int"),
            ("STRUCT< `A` : INT , b : String >", "struct<a:int,b:string>"),
            (" map<string, bigint> ", "map<string,bigint>"),
            ("decimal (10, 2)", "decimal (10, 2)"),
        ] {
            assert_eq!(
                GlueType::parse(text).unwrap().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = "array<".repeat(1000);
        for text in [
            "",
            "array<",
            "array<>",
            "array<int",
            "array<int>>",
            "array<int,int>",
            "map<string>",
            "struct<>",
            "struct<a>",
            "struct<a:int,>",
            "list<int>",
            "int,int",
            "a:int",
            &deep,
        ] {
            let error = GlueType::parse(text).unwrap_err();
            assert!(
                error.contains("is not a type that Glue knows"),
                "{text}: {error}"
            );
        }
    }
}
