//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::stories::STORIES;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// None: all of them.
    pub(crate) story: Option<String>,
    pub(crate) plugin: PathBuf,
    pub(crate) fluent_bit: PathBuf,
}

pub(crate) fn usage() -> String {
    let mut usage = "\
Tells reliability stories in the real Fluent Bit: what is lost, doubled and slowed down.

firehose-trials [OPTION...]

  --story NAME         only this one (default: all)
  --plugin FILE        this project's plugin (default dist/firehose.so)
  --fluent-bit PROGRAM name on PATH, or path (default fluent-bit)

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
    let mut args = Args {
        story: None,
        plugin: PathBuf::from("dist/firehose.so"),
        fluent_bit: PathBuf::from("fluent-bit"),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("story") => args.story = Some(parser.value()?.parse_with(story)?),
            Long("plugin") => args.plugin = PathBuf::from(parser.value()?),
            Long("fluent-bit") => args.fluent_bit = PathBuf::from(parser.value()?),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(args))
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
            story: Some("kill".to_owned()),
            plugin: "p".into(),
            fluent_bit: "f".into(),
        };
        assert_eq!(parse_words(&words).unwrap(), Some(expected));
        assert_eq!(parse_words(&["--help"]).unwrap(), None);
    }

    #[test]
    fn wrong_options_are_errors() {
        for words in [
            &["--story", "none"][..],
            &["--story"],
            &["--bogus"],
            &["stray"],
        ] {
            assert!(parse_words(words).is_err(), "{words:?}");
        }
        let error = parse_words(&["--story", "none"]).unwrap_err().to_string();
        assert!(
            error.contains("the stories are refusals, backlog"),
            "{error}"
        );
    }
}
