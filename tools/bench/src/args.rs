//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
Compares outputs for Amazon Data Firehose inside the real Fluent Bit.

firehose-bench [OPTION...]

  --lines N            JSON log lines, about 400 bytes each (default 500000)
  --rounds N           how often each output runs, in turn (default 5)
  --workers N          worker threads of each output (default 2)
  --plugin FILE        this project's plugin (default dist/firehose.so)
  --fluent-bit PROGRAM name on PATH, or path (default fluent-bit)
  --svg FILE           draw the CPU seconds over null there, too

Fluent Bit tails the same file into null, its own kinesis_firehose and this project's firehose, the
latter two with and without simple_aggregation, over TLS to a fake Firehose on loopback, which must
lie beside this program. CPU, memory and time are those of Fluent Bit's process alone. A run that
does not deliver every line once has failed, and is left out of the table.
Exit code: 0 when all runs were good, 1 when not, 2 when something needed is missing, 130 when
interrupted.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) lines: u64,
    pub(crate) rounds: usize,
    pub(crate) workers: usize,
    pub(crate) plugin: PathBuf,
    pub(crate) fluent_bit: PathBuf,
    pub(crate) svg: Option<PathBuf>,
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut args = Args {
        lines: 500_000,
        rounds: 5,
        workers: 2,
        plugin: PathBuf::from("dist/firehose.so"),
        fluent_bit: PathBuf::from("fluent-bit"),
        svg: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("lines") => args.lines = parser.value()?.parse()?,
            Long("rounds") => args.rounds = parser.value()?.parse()?,
            Long("workers") => args.workers = parser.value()?.parse()?,
            Long("plugin") => args.plugin = PathBuf::from(parser.value()?),
            Long("fluent-bit") => args.fluent_bit = PathBuf::from(parser.value()?),
            Long("svg") => args.svg = Some(PathBuf::from(parser.value()?)),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    if args.lines == 0 || args.rounds == 0 {
        return Err("--lines and --rounds must be at least 1".into());
    }
    Ok(Some(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Option<Args>, lexopt::Error> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn every_option_reaches_its_field() {
        let words = "--lines 1 --rounds 2 --workers 0 --plugin p --fluent-bit f --svg s";
        let words: Vec<&str> = words.split(' ').collect();
        let expected = Args {
            lines: 1,
            rounds: 2,
            workers: 0,
            plugin: "p".into(),
            fluent_bit: "f".into(),
            svg: Some("s".into()),
        };
        assert_eq!(parse_words(&words).unwrap(), Some(expected));
    }

    #[test]
    fn wrong_options_are_errors() {
        for words in [
            &["--lines", "0"][..],
            &["--rounds", "0"],
            &["--lines", "x"],
            &["--svg"],
            &["--bogus"],
            &["stray"],
        ] {
            assert!(parse_words(words).is_err(), "{words:?}");
        }
    }
}
