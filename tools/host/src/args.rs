//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
Loads a Fluent Bit output plugin and feeds it JSON lines.

firehose-host [OPTION...] PLUGIN [KEY=VALUE...]

PLUGIN is its .so. The pairs are what the output's section says; of Fluent Bit's own settings
alias, log_level, workers and retry_limit have an effect.

  --input FILE        read the lines from a file (default: standard input)
  --time-key KEY      read an event's time from this key, in RFC 3339 (default: now)
  --chunk-size BYTES  flush a chunk once it is this large (default 2048000)

A line that is no JSON object becomes {\"log\": line}. Empty lines are skipped. The plugin's log goes
to stderr. Exit code: 0 when every chunk was delivered, 1 when not, 2 for a wrong command line.
";

/// Fluent Bit's own limit for a chunk, in bytes.
const DEFAULT_CHUNK_SIZE: usize = 2_048_000;

#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) plugin: PathBuf,
    pub(crate) section: Vec<(String, String)>,
    /// None is standard input.
    pub(crate) input: Option<PathBuf>,
    pub(crate) time_key: Option<String>,
    pub(crate) chunk_size: usize,
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut plugin = None;
    let mut section = Vec::new();
    let mut input = None;
    let mut time_key = None;
    let mut chunk_size = DEFAULT_CHUNK_SIZE;
    while let Some(argument) = parser.next()? {
        match argument {
            Value(path) if plugin.is_none() => plugin = Some(PathBuf::from(path)),
            Value(pair) => section.push(pair.parse_with(pair_of)?),
            Long("input") => input = Some(PathBuf::from(parser.value()?)),
            Long("time-key") => time_key = Some(parser.value()?.string()?),
            Long("chunk-size") => chunk_size = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(Args {
        plugin: plugin.ok_or("PLUGIN is missing: the plugin's .so")?,
        section,
        input,
        time_key,
        chunk_size,
    }))
}

fn pair_of(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
