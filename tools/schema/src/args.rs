//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::mapping::Mapping;
use crate::names;

pub(crate) const USAGE: &str = "\
Tells the Glue columns that sample logs need, or what an existing table would lose of them.

firehose-schema [OPTION...] LOGS

  LOGS                 JSON lines, as they are or gzip; - is standard input
  --table FILE         compare with this table: a CloudFormation template, or the JSON that
                       `aws glue get-table` prints
  --name NAME          which table of the template, by its name or its resource's; without --table
                       the table's name in the DDL (default logs)
  --map COLUMN=KEY     this column takes this key's value, as ColumnToJsonKeyMappings says; a
                       template's own mappings are known without

Without --table, the columns go to standard output as CloudFormation YAML and as Athena DDL, and
notes on them to standard error. With --table, the drift goes to standard output.
Exit code: 0 when all is well, 1 when the table loses data, 2 when something needed is missing or
no line was a JSON object with a key.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) logs: PathBuf,
    pub(crate) table: Option<PathBuf>,
    pub(crate) name: Option<String>,
    /// Columns and their keys.
    pub(crate) mappings: Vec<(String, String)>,
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut logs = None;
    let mut table = None;
    let mut name = None;
    let mut mappings = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("table") => table = Some(PathBuf::from(parser.value()?)),
            Long("name") => name = Some(parser.value()?.string()?),
            Long("map") => mappings.push(parser.value()?.parse_with(mapping)?),
            Value(path) if logs.is_none() => logs = Some(PathBuf::from(path)),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    if table.is_none() && name.as_deref().is_some_and(|name| !names::is_name(name)) {
        return Err("--name takes lower-case letters, digits and underscores".into());
    }
    Ok(Some(Args {
        logs: logs.ok_or("the sample logs are missing: name a file, or - for standard input")?,
        table,
        name,
        mappings,
    }))
}

fn mapping(text: &str) -> Result<(String, String), String> {
    let pair = text
        .split_once('=')
        .filter(|(column, _)| names::is_name(column));
    let (column, key) = pair.ok_or("it takes COLUMN=KEY, such as ts=timestamp")?;
    Ok((column.to_owned(), key.to_owned()))
}

// === impl Args ===

impl Args {
    /// Adds the command line's mappings.
    pub(crate) fn extend(&self, mut mapping: Mapping) -> Mapping {
        for (column, key) in &self.mappings {
            mapping.add(column, key);
        }
        mapping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Option<Args>, lexopt::Error> {
        parse(lexopt::Parser::from_args(words.split_whitespace()))
    }

    #[test]
    fn every_option_reaches_its_field() {
        let expected = Args {
            logs: "-".into(),
            table: Some("t".into()),
            name: Some("Http".to_owned()),
            mappings: vec![
                ("ts".to_owned(), "timestamp".to_owned()),
                ("a".to_owned(), "b=c".to_owned()),
            ],
        };
        let words = "--table t --name Http --map ts=timestamp --map a=b=c -";
        assert_eq!(parse_words(words).unwrap(), Some(expected));
    }

    #[test]
    fn wrong_options_are_errors() {
        for words in [
            "",
            "a b",
            "a --map ts",
            "a --map Ts=timestamp",
            "a --map =timestamp",
            "a --name My-Table",
            "a --bogus",
            "a --table",
        ] {
            assert!(parse_words(words).is_err(), "{words:?}");
        }
    }
}
