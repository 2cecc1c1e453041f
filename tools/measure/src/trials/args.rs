//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::trials::stories::STORIES;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) task: Task,
    pub(crate) plugin: PathBuf,
    pub(crate) fluent_bit: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The story of this name; None: all of them.
    Tell(Option<String>),
    Soak(Soak),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Soak {
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) svg: PathBuf,
}

pub(crate) fn usage() -> String {
    let mut usage = "\
Tells reliability stories in the real Fluent Bit: what is lost, doubled and slowed down.

firehose-measure trials [OPTION...]
firehose-measure soak [OPTION...]

  --plugin FILE        this project's plugin (default dist/firehose.so)
  --fluent-bit PROGRAM name on PATH, or path (default fluent-bit)
  --story NAME         only this one (default: all)
  --seconds N          how long a soak lasts (default 600)
  --seed N             what a soak's faults, kills, reloads and outages are chosen by (default: any)
  --svg FILE           where a soak is drawn (default target/soak.svg)

A soak is of this project's output alone. It ends with exit code 1 when a line is lost.

Each story is told to Fluent Bit's own kinesis_firehose and to this project's firehose, with the
same lines, faults and options, over TLS to a fake Firehose on loopback. The stories:

"
    .to_owned();
    for story in &STORIES {
        usage += &format!("  {:10} {}\n", story.name, story.tells);
    }
    usage
        + "
Exit code: 0 when this project's output lost nothing and doubled nothing that it could help, 1 when
it did or a trial failed, 2 when something needed is missing, 130 when interrupted.
"
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut is_soak = false;
    let mut told = None;
    let mut soak = Soak {
        seconds: 600,
        seed: fastrand::u32(..).into(),
        svg: PathBuf::from("target/soak.svg"),
    };
    let mut plugin = PathBuf::from("dist/firehose.so");
    let mut fluent_bit = PathBuf::from("fluent-bit");
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if word == "soak" => is_soak = true,
            Long("story") if !is_soak => told = Some(parser.value()?.parse_with(story)?),
            Long("seconds") if is_soak => soak.seconds = parser.value()?.parse()?,
            Long("seed") if is_soak => soak.seed = parser.value()?.parse()?,
            Long("svg") if is_soak => soak.svg = PathBuf::from(parser.value()?),
            Long("plugin") => plugin = PathBuf::from(parser.value()?),
            Long("fluent-bit") => fluent_bit = PathBuf::from(parser.value()?),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(Args {
        task: match is_soak {
            true => Task::Soak(soak),
            false => Task::Tell(told),
        },
        plugin,
        fluent_bit,
    }))
}

fn story(name: &str) -> Result<String, String> {
    let names = STORIES.each_ref().map(|story| story.name);
    match names.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("the stories are {}", names.join(", "))),
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
        let words = ["--story", "kill", "--plugin", "p", "--fluent-bit", "f"];
        let expected = Args {
            task: Task::Tell(Some("kill".to_owned())),
            plugin: "p".into(),
            fluent_bit: "f".into(),
        };
        assert_eq!(parse_words(&words).unwrap(), Some(expected));
        let words = ["soak", "--seconds", "1", "--seed", "2", "--svg", "s"];
        let expected = Task::Soak(Soak {
            seconds: 1,
            seed: 2,
            svg: "s".into(),
        });
        assert_eq!(parse_words(&words).unwrap().unwrap().task, expected);
        assert_eq!(parse_words(&["--help"]).unwrap(), None);
    }

    #[test]
    fn wrong_options_are_errors() {
        for words in [
            &["--story", "none"][..],
            &["--story"],
            &["--bogus"],
            &["stray"],
            &["--seed", "1"],
            &["soak", "--story", "kill"],
        ] {
            assert!(parse_words(words).is_err(), "{words:?}");
        }
        let error = parse_words(&["--story", "none"]).unwrap_err().to_string();
        assert!(
            error.contains("the stories are shortest, refusals"),
            "{error}"
        );
    }
}
