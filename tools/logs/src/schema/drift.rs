//! What an existing table does to the documents of a sample.

use crate::schema::columns;
use crate::schema::glue_type::GlueType;
use crate::schema::mapping::Mapping;
use crate::schema::seen::{Field, Fields, Kind, LineNumber, Sample, Seen};
use crate::schema::table::Table;

/// Sentences, each about one place of the documents.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    /// What loses data.
    pub(crate) losses: Vec<String>,
    /// What does not.
    pub(crate) remarks: Vec<String>,
}

pub(crate) fn drift(sample: &Sample, table: &Table) -> Drift {
    let mut drift = Drift::default();
    let mapping = &table.mapping;
    drift.fields(
        "",
        &sample.root,
        &table.columns,
        "column",
        |key| match mapping.column_of(key) {
            Some(column) => column.to_owned(),
            None => mapping.converted(key),
        },
        mapping,
    );
    columns::collisions("", &sample.root, &mut drift.losses);
    drift.losses.extend(sample.overflow.map(columns::overflow));
    drift
}

impl Drift {
    /// Compares the fields of an object with a table's columns or a struct's fields, of which
    /// `name_of` finds the one for a key.
    fn fields(
        &mut self,
        prefix: &str,
        fields: &Fields,
        known: &[(String, GlueType)],
        what: &str,
        name_of: impl Fn(&str) -> String,
        mapping: &Mapping,
    ) {
        let names: Vec<String> = fields.keys().map(|key| name_of(key)).collect();
        for (name, field) in names.iter().zip(fields.values()) {
            let path = format!("{prefix}{}", field.key());
            match known.iter().find(|(known, _)| known == name) {
                Some((_, glue_type)) => self.value(&path, &field.seen, glue_type, mapping),
                None => self.unknown(&path, field, what),
            }
        }
        for (name, glue_type) in known {
            if !names.contains(name) {
                self.remarks.push(format!(
                    "`{prefix}{name}`: a {what} of type {glue_type} that no document fills"
                ));
            }
        }
    }

    fn unknown(&mut self, path: &str, field: &Field, what: &str) {
        let (_, line) = field.spellings[0];
        if field.seen.kinds().next().is_none() {
            self.remarks.push(format!(
                "`{path}` (line {line}): no {what}, and only null so far"
            ));
            return;
        }
        let glue_type = columns::type_of(path, &field.seen, &mut Vec::new());
        self.losses.push(format!(
            "`{path}` (line {line}): no {what}, so the conversion drops it without a word; its type is \
             {glue_type}"
        ));
    }

    fn value(&mut self, path: &str, seen: &Seen, glue_type: &GlueType, mapping: &Mapping) {
        for (kind, line) in seen.kinds() {
            if !takes(glue_type, kind) {
                self.fails(path, kind.name(), line, glue_type);
            }
        }
        match glue_type {
            GlueType::Integer(bits) => self.range(path, seen, *bits),
            GlueType::Array(items) => {
                if let Some(seen) = &seen.items {
                    self.value(&format!("{path}[]"), seen, items, mapping);
                }
            }
            GlueType::Map(_, values) => {
                for field in seen.fields.values() {
                    self.value(
                        &format!("{path}.{}", field.key()),
                        &field.seen,
                        values,
                        mapping,
                    );
                }
            }
            GlueType::Struct(fields) if !seen.fields.is_empty() => self.fields(
                &format!("{path}."),
                &seen.fields,
                fields,
                "field",
                |key| mapping.converted(key),
                mapping,
            ),
            GlueType::Other(name) => self.remarks.push(format!(
                "`{path}`: nothing is known here of what {name} takes"
            )),
            GlueType::Struct(_)
            | GlueType::Boolean
            | GlueType::Number(_)
            | GlueType::Timestamp
            | GlueType::Text(_) => {}
        }
    }

    fn range(&mut self, path: &str, seen: &Seen, bits: u32) {
        let highest = i64::MAX >> (64 - bits);
        let below = seen.least.filter(|(value, _)| *value < -highest - 1);
        let above = seen.most.filter(|(value, _)| *value > highest);
        for (value, line) in below.into_iter().chain(above) {
            let what = format!("the integer {value}");
            self.fails(path, &what, line, &GlueType::Integer(bits));
        }
    }

    fn fails(&mut self, path: &str, what: &str, line: LineNumber, glue_type: &GlueType) {
        self.losses.push(format!(
            "`{path}` (line {line}): {what} where the table has {glue_type}, which fails the \
             conversion of the record"
        ));
    }
}

/// Whether a column of this type takes such a value, as each takes null. Text takes all, objects
/// and arrays as JSON.
fn takes(glue_type: &GlueType, kind: Kind) -> bool {
    use Kind::{Array, Boolean, Fraction, HugeInteger, Integer, Object, Timestamp};
    match glue_type {
        GlueType::Text(_) | GlueType::Other(_) => true,
        GlueType::Boolean => kind == Boolean,
        GlueType::Integer(_) => kind == Integer,
        GlueType::Number(_) => matches!(kind, Integer | HugeInteger | Fraction),
        // Numbers are seconds or milliseconds since 1970.
        GlueType::Timestamp => matches!(kind, Timestamp | Integer | Fraction),
        GlueType::Array(_) => kind == Array,
        GlueType::Map(..) | GlueType::Struct(_) => kind == Object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::read::sample;

    fn table(columns: &[(&str, &str)]) -> Table {
        let column = |(name, glue_type): &(&str, &str)| {
            ((*name).to_owned(), GlueType::parse(glue_type).unwrap())
        };
        Table {
            name: "logs".to_owned(),
            columns: columns.iter().map(column).collect(),
            mapping: Mapping::default(),
        }
    }

    /// The losses that a table with the one column `a` of this type has of a value.
    fn losses(glue_type: &str, value: &str) -> Vec<String> {
        let line = format!("{{\"a\":{value}}}");
        let drift = drift(&sample(&[&line]), &table(&[("a", glue_type)]));
        assert!(drift.remarks.is_empty(), "{glue_type} {value}: {drift:?}");
        drift.losses
    }

    #[test]
    fn what_a_type_takes_and_what_fails_the_conversion() {
        for (glue_type, taken, refused) in [
            (
                "boolean",
                &["true", "null"][..],
                &["1", "\"true\"", "[]", "{\"b\":1}"][..],
            ),
            ("tinyint", &["-128", "127"], &["-129", "128", "0.5"]),
            ("smallint", &["-32768", "32767"], &["-32769", "32768"]),
            (
                "int",
                &["-2147483648", "2147483647"],
                &["-2147483649", "2147483648", "1e3"],
            ),
            (
                "bigint",
                &["-9223372036854775808", "9223372036854775807"],
                &["9223372036854775808", "\"1\"", "1.0", "true"],
            ),
            (
                "double",
                &["1", "0.5", "99999999999999999999"],
                &["\"0.5\"", "false"],
            ),
            ("decimal(10,2)", &["1", "0.5"], &["\"x\""]),
            (
                "timestamp",
                &[
                    "\"2026-01-15T10:20:30.123Z\"",
                    "\"2026-01-15 10:20:30\"",
                    "1768472430",
                    "1768472430.5",
                ],
                &[
                    "\"2026-01-15T10:20:30+09:00\"",
                    "\"2026-01-15T10:20:30\"",
                    "\"now\"",
                    "true",
                    "[1]",
                ],
            ),
            ("string", &["1", "true", "\"x\"", "[1]", "{\"b\":1}"], &[]),
            (
                "array<int>",
                &["[1,null]", "[]"],
                &["1", "[2.5]", "{\"b\":1}", "[[1]]"],
            ),
            (
                "map<string,int>",
                &["{\"b\":1,\"c-d\":2}", "{}"],
                &["[1]", "{\"b\":1,\"c\":true}"],
            ),
            (
                "struct<b:int>",
                &["{\"B\":1}"],
                &["[1]", "1", "{\"b\":\"x\"}", "{\"b\":1,\"c\":2}"],
            ),
        ] {
            for value in taken {
                assert_eq!(losses(glue_type, value), [""; 0], "{glue_type} {value}");
            }
            for value in refused {
                assert_eq!(losses(glue_type, value).len(), 1, "{glue_type} {value}");
            }
        }
    }

    #[test]
    fn losses_name_the_place_and_the_line() {
        let lines = [
            r#"{"known":1,"items":[{"sku":"a","quantity":1}]}"#,
            r#"{"Known":3000000000,"items":[{"sku":"a","discount":0.1}],"Extra":{"x":1}}"#,
            r#"{"late":null,"req.id":"a","id":1,"ID":2}"#,
        ];
        let table = table(&[
            ("known", "int"),
            (
                "items",
                "array<struct<sku:string,quantity:int,unit:string>>",
            ),
            ("unused", "date"),
            ("id", "bigint"),
        ]);
        let drift = drift(&sample(&lines), &table);
        assert_eq!(
            drift.losses,
            [
                "`known` (line 2): the integer 3000000000 where the table has int, which fails the \
                 conversion of the record",
                "`items[].discount` (line 2): no field, so the conversion drops it without a word; its \
                 type is double",
                "`Extra` (line 2): no column, so the conversion drops it without a word; its type is \
                 struct<x:bigint>",
                "`req.id` (line 3): no column, so the conversion drops it without a word; its type is \
                 string",
                "`id` (line 3): one document has two spellings of it, of which the conversion keeps one: \
                 `id` (line 3), `ID` (line 3)",
            ]
        );
        assert_eq!(
            drift.remarks,
            [
                "`items[].unit`: a field of type string that no document fills",
                "`late` (line 3): no column, and only null so far",
                "`unused`: a column of type date that no document fills",
            ]
        );
    }

    #[test]
    fn the_deserializer_may_rename_keys() {
        let mut table = table(&[
            ("ts", "timestamp"),
            ("req_id", "string"),
            ("http", "struct<user_agent:string>"),
        ]);
        let lines =
            [r#"{"Timestamp":"2026-01-15T10:20:30Z","req.id":"a","http":{"user.agent":"b"}}"#];
        assert_eq!(drift(&sample(&lines), &table).losses.len(), 3);
        table.mapping.add("ts", "timestamp");
        assert_eq!(drift(&sample(&lines), &table).losses.len(), 2);
        table.mapping.converts_dots = true;
        assert_eq!(drift(&sample(&lines), &table).losses, [""; 0]);
    }

    #[test]
    fn the_least_and_the_most_integer_count_wherever_they_are() {
        let lines = [-1, 127, 300, -1, 200, -400, -300, 5].map(|n| format!("{{\"a\":{n}}}"));
        let lines = lines.each_ref().map(String::as_str);
        let losses = drift(&sample(&lines), &table(&[("a", "tinyint")])).losses;
        let starts = [
            "`a` (line 6): the integer -400 ",
            "`a` (line 3): the integer 300 ",
        ];
        assert_eq!(losses.len(), starts.len(), "{losses:?}");
        for (loss, start) in losses.iter().zip(starts) {
            assert!(loss.starts_with(start), "{loss}");
        }
    }

    #[test]
    fn collisions_are_found_at_every_depth() {
        let lines = [r#"{"a":{"b":[[{"c":1,"C":2}]]}}"#];
        let table = table(&[("a", "struct<b:array<array<struct<c:int>>>>")]);
        let losses = drift(&sample(&lines), &table).losses;
        let [loss] = losses.as_slice() else {
            panic!("{losses:?}")
        };
        assert!(
            loss.starts_with("`a.b[][].c` (line 1): one document"),
            "{loss}"
        );
    }
}
