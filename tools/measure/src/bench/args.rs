//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
Compares outputs for Amazon Data Firehose inside the real Fluent Bit, and with their targets.

firehose-measure bench [OPTION...]

  --part NAME          only this part, repeatable (default: all); the parts are below
  --lines N            JSON log lines of throughput and drain, about 400 bytes each (default 500000)
  --rounds N           how often each output runs in throughput, in turn (default 9)
  --workers N          worker threads of each output in throughput and drain (default 2)
  --seconds N          how long the sidecars are fed, the 100 tags half as long, and the idle plugin
                       is watched a sixth as long (default 60)
  --plugin FILE        this project's plugin (default dist/firehose.so)
  --sidecar DIRECTORY  its sidecar's configuration (default fluent-bit)
  --fluent-bit PROGRAM name on PATH, or path (default fluent-bit)
  --svg DIRECTORY      draw bench.svg and targets.svg there, if all parts ran in Fluent Bit

  throughput  Fluent Bit tails a file into null, its own kinesis_firehose and this project's
              firehose, the latter two with and without simple_aggregation
  drain       the same but for null, where each answer takes 50 ms
  tags        100 tags of 1 KB a second each, 16 workers, 20 ms an answer, simple_aggregation
  sidecar     5 lines a second, in the project's sidecar, and as much with kinesis_firehose
  plugin      the plugin's size, its Init, and its threads while there is nothing to do

All deliver over TLS to a fake Firehose on loopback, which must lie beside this program, as must
firehose-host. CPU, memory and time are those of Fluent Bit's process alone. A run
that does not deliver every line once has failed, and is left out.
Where there is no fluent-bit on PATH, firehose-host takes its place, without null, kinesis_firehose
and the parts that need the flush timer (tags, sidecar).
Exit code: 0 when all runs were good, whether the targets are met or not, 1 when not, 2 when
something needed is missing, 130 when interrupted.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// At least one, each once, in their order.
    pub(crate) parts: Vec<Part>,
    pub(crate) lines: u64,
    pub(crate) rounds: usize,
    pub(crate) workers: usize,
    pub(crate) seconds: Duration,
    pub(crate) plugin: PathBuf,
    pub(crate) sidecar: PathBuf,
    /// None: the one on PATH, if there is one.
    pub(crate) fluent_bit: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

/// In the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Throughput,
    Drain,
    Tags,
    Sidecar,
    Plugin,
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut args = Args {
        parts: Vec::new(),
        lines: 500_000,
        rounds: 9,
        workers: 2,
        seconds: Duration::from_secs(60),
        plugin: PathBuf::from("dist/firehose.so"),
        sidecar: PathBuf::from("fluent-bit"),
        fluent_bit: None,
        svg: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("part") => args.parts.push(parser.value()?.parse_with(part)?),
            Long("lines") => args.lines = parser.value()?.parse()?,
            Long("rounds") => args.rounds = parser.value()?.parse()?,
            Long("workers") => args.workers = parser.value()?.parse()?,
            Long("seconds") => args.seconds = Duration::from_secs(parser.value()?.parse()?),
            Long("plugin") => args.plugin = PathBuf::from(parser.value()?),
            Long("sidecar") => args.sidecar = PathBuf::from(parser.value()?),
            Long("fluent-bit") => args.fluent_bit = Some(PathBuf::from(parser.value()?)),
            Long("svg") => args.svg = Some(PathBuf::from(parser.value()?)),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    if args.lines == 0 || args.rounds == 0 || args.seconds.is_zero() {
        return Err("--lines, --rounds and --seconds must be at least 1".into());
    }
    if args.parts.is_empty() {
        args.parts.extend(Part::ALL);
    }
    args.parts.sort();
    args.parts.dedup();
    Ok(Some(args))
}

fn part(name: &str) -> Result<Part, String> {
    let found = Part::ALL.into_iter().find(|part| part.name() == name);
    found.ok_or_else(|| format!("the parts are {}", Part::ALL.map(Part::name).join(", ")))
}

// === impl Args ===

impl Args {
    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

// === impl Part ===

impl Part {
    pub(crate) const ALL: [Part; 5] = [
        Part::Throughput,
        Part::Drain,
        Part::Tags,
        Part::Sidecar,
        Part::Plugin,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Throughput => "throughput",
            Part::Drain => "drain",
            Part::Tags => "tags",
            Part::Sidecar => "sidecar",
            Part::Plugin => "plugin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Option<Args>, lexopt::Error> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn every_option_reaches_its_field() {
        let words = "--part plugin --part tags --part plugin --lines 1 --rounds 2 --workers 0 --seconds 3 \
                     --plugin p --sidecar c --fluent-bit f --svg s";
        let words: Vec<&str> = words.split_whitespace().collect();
        let expected = Args {
            parts: vec![Part::Tags, Part::Plugin],
            lines: 1,
            rounds: 2,
            workers: 0,
            seconds: Duration::from_secs(3),
            plugin: "p".into(),
            sidecar: "c".into(),
            fluent_bit: Some("f".into()),
            svg: Some("s".into()),
        };
        assert_eq!(parse_words(&words).unwrap(), Some(expected));
    }

    #[test]
    fn all_parts_run_unless_some_are_named_and_the_help_has_each() {
        let args = parse_words(&[]).unwrap().unwrap();
        for part in Part::ALL {
            assert!(args.has(part));
            assert!(USAGE.contains(&format!("\n  {} ", part.name())));
        }
        let args = parse_words(&["--part", "drain"]).unwrap().unwrap();
        assert!(args.has(Part::Drain) && !args.has(Part::Throughput));
    }

    #[test]
    fn wrong_options_are_errors() {
        for words in [
            &["--lines", "0"][..],
            &["--rounds", "0"],
            &["--seconds", "0"],
            &["--lines", "x"],
            &["--part", "none"],
            &["--svg"],
            &["--bogus"],
            &["stray"],
        ] {
            assert!(parse_words(words).is_err(), "{words:?}");
        }
    }
}
