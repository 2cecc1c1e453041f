//! The columns that hold all that was seen, and what the operator should know of them.

use crate::schema::glue_type::GlueType;
use crate::schema::mapping::Mapping;
use crate::schema::names;
use crate::schema::seen::{Field, Fields, Kind, MAX_FIELDS, Sample, Seen};

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The key in lower case, where it is not the column's name.
    pub(crate) mapped_key: Option<String>,
    pub(crate) glue_type: GlueType,
}

/// The columns, of which `mapping` names some, and notes in sentences.
pub(crate) fn columns(sample: &Sample, mapping: &Mapping) -> (Vec<Column>, Vec<String>) {
    let mut notes = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for (key, field) in &sample.root {
        let path = field.key();
        note_spellings(path, field, &mut notes);
        let is_taken = |name: &str| {
            let is_other_key = name != key && sample.root.contains_key(name);
            is_other_key
                || mapping.has_column(name)
                || columns.iter().any(|column| column.name == name)
        };
        let mapped = mapping.column_of(key).map(str::to_owned);
        let Some(name) = mapped.or_else(|| names::column(key, is_taken)) else {
            notes.push(no_name(path, field));
            continue;
        };
        if name != *key {
            notes.push(format!(
                "`{path}` cannot name a column: it fills `{name}`, as ColumnToJsonKeyMappings says"
            ));
        }
        let glue_type = type_of(path, &field.seen, &mut notes);
        columns.push(Column {
            mapped_key: (name != *key).then(|| key.clone()),
            name,
            glue_type,
        });
    }
    notes.extend(sample.overflow.map(overflow));
    (columns, notes)
}

/// The type that takes all values that were seen there. What is less than sure goes to `notes`.
pub(crate) fn type_of(path: &str, seen: &Seen, notes: &mut Vec<String>) -> GlueType {
    let (kinds, lines): (Vec<Kind>, Vec<_>) = seen.kinds().unzip();
    let mut string = |reason: String| {
        notes.push(format!("`{path}` is string: {reason}"));
        GlueType::string()
    };
    match kinds.as_slice() {
        [] => match seen.first_line() {
            Some(line) => string(format!("it was only null (first in line {line})")),
            None => string("its arrays were empty".to_owned()),
        },
        [Kind::Boolean] => GlueType::Boolean,
        [Kind::Integer] => GlueType::Integer(64),
        [Kind::Fraction] | [Kind::Integer, Kind::Fraction] => GlueType::double(),
        [Kind::Timestamp] => GlueType::Timestamp,
        [Kind::Text] | [Kind::OtherTime, Kind::Text] => GlueType::string(),
        [Kind::OtherTime] => string(format!(
            "a time, but in a form that the conversion refuses as a timestamp (line {}); \
             write it in UTC and with Z, as 2026-01-15T10:20:30.123Z",
            lines[0]
        )),
        [Kind::Object] => structure(path, seen, notes).unwrap_or_else(|| {
            notes.push(format!(
                "`{path}` is string: no field of it can be kept (line {})",
                lines[0]
            ));
            GlueType::string()
        }),
        [Kind::Array] => {
            let path = format!("{path}[]");
            let items = seen.items.as_deref();
            let items = items.map(|items| type_of(&path, items, notes));
            GlueType::Array(Box::new(items.unwrap_or_else(GlueType::string)))
        }
        _ => {
            let seen: Vec<String> = seen
                .kinds()
                .map(|(kind, line)| format!("{} (line {line})", kind.name()))
                .collect();
            string(format!("it was {}", seen.join(", ")))
        }
    }
}

/// None without a field that a struct can have.
fn structure(path: &str, seen: &Seen, notes: &mut Vec<String>) -> Option<GlueType> {
    let mut fields = Vec::new();
    for (key, field) in &seen.fields {
        let path = format!("{path}.{}", field.key());
        note_spellings(&path, field, notes);
        if names::is_name(key) {
            fields.push((key.clone(), type_of(&path, &field.seen, notes)));
        } else {
            notes.push(no_name(&path, field));
        }
    }
    (!fields.is_empty()).then_some(GlueType::Struct(fields))
}

fn no_name(path: &str, field: &Field) -> String {
    let (key, line) = &field.spellings[0];
    match key.as_str() {
        "" => {
            format!("`{path}` (line {line}) is lost: no column has an empty name; rename the key")
        }
        _ => format!(
            "`{path}` (line {line}) is lost: a field of a struct has lower-case letters, digits and \
             _ in its name; rename the key, or set the plugin's replace_dots if it has dots"
        ),
    }
}

fn note_spellings(path: &str, field: &Field, notes: &mut Vec<String>) {
    if let Some(sentence) = collision(path, field) {
        notes.push(sentence);
    } else if let [_, _, ..] = field.spellings.as_slice() {
        notes.push(format!(
            "`{path}` has spellings that are one column: {}",
            spellings(field)
        ));
    }
}

/// A sentence, where one document has two spellings of a key.
fn collision(path: &str, field: &Field) -> Option<String> {
    field.collision.map(|line| {
        format!(
            "`{path}` (line {line}): one document has two spellings of it, of which the conversion \
             keeps one: {}",
            spellings(field)
        )
    })
}

fn spellings(field: &Field) -> String {
    let spellings: Vec<String> = field
        .spellings
        .iter()
        .map(|(key, line)| format!("`{key}` (line {line})"))
        .collect();
    spellings.join(", ")
}

/// The collisions of these fields and all below, in sentences.
pub(crate) fn collisions(prefix: &str, fields: &Fields, sentences: &mut Vec<String>) {
    for field in fields.values() {
        let mut path = format!("{prefix}{}", field.key());
        sentences.extend(collision(&path, field));
        let mut place = Some(&field.seen);
        while let Some(seen) = place {
            collisions(&format!("{path}."), &seen.fields, sentences);
            path += "[]";
            place = seen.items.as_deref();
        }
    }
}

pub(crate) fn overflow(line: u64) -> String {
    format!(
        "more than {MAX_FIELDS} different keys (line {line}): the rest was not looked at; keys that \
         are data, such as ids, belong into values"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::read::sample;

    fn shown(lines: &[&str]) -> (Vec<String>, Vec<String>) {
        let (columns, notes) = columns(&sample(lines), &Mapping::default());
        let column = |column: &Column| format!("{}: {}", column.name, column.glue_type);
        (columns.iter().map(column).collect(), notes)
    }

    #[test]
    fn one_column_takes_what_all_lines_have() {
        for (lines, expected) in [
            (&[r#"{"a":true}"#, r#"{"a":false}"#][..], "a: boolean"),
            (
                &[r#"{"a":1}"#, r#"{"a":-9223372036854775808}"#],
                "a: bigint",
            ),
            (&[r#"{"a":1}"#, r#"{"a":0.5}"#], "a: double"),
            (&[r#"{"a":1e3}"#], "a: double"),
            (&[r#"{"a":9223372036854775808}"#], "a: string"),
            (
                &[r#"{"a":-9223372036854775809}"#, r#"{"a":1}"#],
                "a: string",
            ),
            (
                &[r#"{"a":"x"}"#, r#"{"a":"2026-01-15T10:20:30Z"}"#],
                "a: string",
            ),
            (
                &[
                    r#"{"a":"2026-01-15T10:20:30Z"}"#,
                    r#"{"a":"2026-01-15 10:20:30"}"#,
                ],
                "a: timestamp",
            ),
            (
                &[r#"{"a":"2026-01-15T10:20:30Z"}"#, r#"{"a":1768472430}"#],
                "a: string",
            ),
            (&[r#"{"a":"1"}"#], "a: string"),
            (&[r#"{"a":null}"#], "a: string"),
            (&[r#"{"a":null}"#, r#"{"a":1}"#, "{}"], "a: bigint"),
            (&[r#"{"a":[]}"#], "a: array<string>"),
            (
                &[r#"{"a":[]}"#, r#"{"a":[1,null,2.5]}"#],
                "a: array<double>",
            ),
            (&[r#"{"a":[[true]]}"#], "a: array<array<boolean>>"),
            (&[r#"{"a":{}}"#], "a: string"),
            (&[r#"{"a":{}}"#, r#"{"a":{"b":1}}"#], "a: struct<b:bigint>"),
            (
                &[r#"{"a":{"b":1}}"#, r#"{"a":{"c":[{"D":"x"}]}}"#],
                "a: struct<b:bigint,c:array<struct<d:string>>>",
            ),
            (&[r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#], "a: string"),
            (&[r#"{"a":{"b":1}}"#, r#"{"a":"{}"}"#], "a: string"),
            (&[r#"{"a":[1]}"#, r#"{"a":1}"#], "a: string"),
            (&[r#"{"userId":1}"#, r#"{"userid":2}"#], "userid: bigint"),
        ] {
            assert_eq!(shown(lines).0, [expected], "{lines:?}");
        }
    }

    #[test]
    fn what_is_less_than_sure_is_noted_with_its_lines() {
        let keys: [(&[&str], &[&str]); 13] = [
            (&[r#"{"a":1}"#, r#"{"a":2.5}"#, r#"{"b":"x"}"#], &[]),
            (
                &["{}", r#"{"A":1}"#, r#"{"A":2}"#, r#"{"A":"x"}"#],
                &["`A` is string: it was integer (line 2), text (line 4)"],
            ),
            (
                &["{}", r#"{"a":null}"#],
                &["`a` is string: it was only null (first in line 2)"],
            ),
            (
                &[r#"{"a":[]}"#],
                &["`a[]` is string: its arrays were empty"],
            ),
            (
                &[r#"{"a":[null]}"#],
                &["`a[]` is string: it was only null (first in line 1)"],
            ),
            (
                &[r#"{"a":{}}"#],
                &["`a` is string: no field of it can be kept (line 1)"],
            ),
            (
                &[r#"{"a":{"b":[{"c":1},{"c":true}]}}"#],
                &["`a.b[].c` is string: it was boolean (line 1), integer (line 1)"],
            ),
            (
                &[r#"{"a":99999999999999999999}"#],
                &["`a` is string: it was integer beyond 64 bits (line 1)"],
            ),
            (
                &[r#"{"a":"2026-01-15T10:20:30+09:00"}"#],
                &[
                    "`a` is string: a time, but in a form that the conversion refuses as a timestamp \
                   (line 1); write it in UTC and with Z, as 2026-01-15T10:20:30.123Z",
                ],
            ),
            (
                &[r#"{"userId":1}"#, r#"{"userid":2}"#],
                &[
                    "`userId` has spellings that are one column: `userId` (line 1), `userid` (line 2)",
                ],
            ),
            (
                &[r#"{"id":1}"#, r#"{"id":1,"ID":2}"#],
                &[
                    "`id` (line 2): one document has two spellings of it, of which the conversion keeps \
                   one: `id` (line 1), `ID` (line 2)",
                ],
            ),
            (
                &[r#"{"ID":1}"#, r#"{"Id":1,"ID":2}"#],
                &[
                    "`ID` (line 2): one document has two spellings of it, of which the conversion keeps \
                   one: `ID` (line 1), `Id` (line 2)",
                ],
            ),
            (
                &[r#"{"":1,"a":{"b.c":1}}"#],
                &[
                    "`` (line 1) is lost: no column has an empty name; rename the key",
                    "`a.b.c` (line 1) is lost: a field of a struct has lower-case letters, digits and _ \
                     in its name; rename the key, or set the plugin's replace_dots if it has dots",
                    "`a` is string: no field of it can be kept (line 1)",
                ],
            ),
        ];
        for (lines, expected) in keys {
            assert_eq!(shown(lines).1, expected, "{lines:?}");
        }
    }

    #[test]
    fn a_key_that_no_column_can_have_is_mapped_to_one_of_its_own() {
        let lines = [r#"{"req.id":1,"req-id":2,"req_id":3,"caller":4,"User":5,"no":6}"#];
        let mut mapping = Mapping::default();
        mapping.add("caller", "User");
        let (columns, _) = columns(&sample(&lines), &mapping);
        let names: Vec<_> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.mapped_key.as_deref()))
            .collect();
        assert_eq!(
            names,
            [
                ("req_id_2", Some("req.id")),
                ("req_id_3", Some("req-id")),
                ("req_id", None),
                ("caller_2", Some("caller")),
                ("caller", Some("user")),
                ("no", None),
            ]
        );
    }

    #[test]
    fn keys_that_are_data_do_not_fill_the_memory() {
        let document = |from: usize| {
            let keys: Vec<String> = (from..from + 100).map(|n| format!("\"u{n}\":1")).collect();
            format!("{{\"byUser\":{{{}}}}}", keys.join(","))
        };
        let lines: Vec<String> = (0..200).map(|n| document(100 * n)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let sample = sample(&lines);
        assert_eq!(sample.root["byuser"].seen.fields.len(), MAX_FIELDS - 1);
        let (_, notes) = columns(&sample, &Mapping::default());
        let [note] = notes.as_slice() else {
            panic!("{notes:?}")
        };
        assert!(
            note.starts_with("more than 10000 different keys (line 100)"),
            "{note}"
        );
    }
}
