//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::bill::{Sidecars, Volume};

pub(crate) const USAGE: &str = "\
Tells what a month of such logs costs on CloudWatch Logs and on Firehose.

firehose-bill [OPTION...] LOGS

  LOGS                  log lines, as they are or gzip; - is standard input
  --region REGION       whose prices (default ap-northeast-2)
  --gb N                GB of lines a month, over all sidecars (default 100), or
  --lines-per-second N  lines a second, over all sidecars
  --sidecars N          how many sidecars share the lines (default 1)
  --tags N              how many tags share the lines of a sidecar (default 1)
  --flush SECONDS       Fluent Bit's flush (default 5)
  --workers N           the output's workers (default 2)
  --linger SECONDS      the output's linger (default 5)
  --prices FILE         prices instead of the project's, in the form of deploy/prices.json
  --svg FILE            draw the bill there, too

Firehose bills each record as a multiple of 5 KB, for ingestion and for conversion to Parquet. With
simple_aggregation a record is as full as what a sidecar's output has together: the lines of one
flush, and of those that come while the first waits for company.
Exit code: 0, or 2 when something needed is missing.
";

#[derive(Debug, PartialEq)]
pub(crate) struct Args {
    pub(crate) logs: PathBuf,
    pub(crate) region: String,
    pub(crate) volume: Volume,
    pub(crate) sidecars: Sidecars,
    pub(crate) prices: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut logs = None;
    let mut volume = None;
    let mut args = Args {
        logs: PathBuf::new(),
        region: "ap-northeast-2".to_owned(),
        volume: Volume::GbAMonth(100.0),
        sidecars: Sidecars {
            count: 1.0,
            tags: 1.0,
            flush_seconds: 5.0,
            workers: 2.0,
            linger_seconds: 5.0,
        },
        prices: None,
        svg: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("gb") => {
                let gb = parser.value()?.parse_with(amount)?;
                set_once(&mut volume, Volume::GbAMonth(gb))?;
            }
            Long("lines-per-second") => {
                let lines = parser.value()?.parse_with(amount)?;
                set_once(&mut volume, Volume::LinesPerSecond(lines))?;
            }
            Long("region") => args.region = parser.value()?.string()?,
            Long("sidecars") => args.sidecars.count = parser.value()?.parse_with(count)?,
            Long("tags") => args.sidecars.tags = parser.value()?.parse_with(count)?,
            Long("flush") => args.sidecars.flush_seconds = parser.value()?.parse_with(amount)?,
            Long("workers") => args.sidecars.workers = parser.value()?.parse_with(count)?,
            Long("linger") => args.sidecars.linger_seconds = parser.value()?.parse_with(seconds)?,
            Long("prices") => args.prices = Some(PathBuf::from(parser.value()?)),
            Long("svg") => args.svg = Some(PathBuf::from(parser.value()?)),
            Value(path) if logs.is_none() => logs = Some(PathBuf::from(path)),
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    args.volume = volume.unwrap_or(args.volume);
    args.logs = logs.ok_or("the sample logs are missing: name a file, or - for standard input")?;
    Ok(Some(args))
}

fn set_once(volume: &mut Option<Volume>, given: Volume) -> Result<(), lexopt::Error> {
    match volume.replace(given) {
        None => Ok(()),
        Some(_) => Err("either --gb or --lines-per-second is taken, once".into()),
    }
}

fn amount(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let number = number.filter(|number| (0.000_001..=1e12).contains(number));
    number.ok_or_else(|| "it takes a number above 0, up to 10^12".to_owned())
}

fn count(text: &str) -> Result<f64, String> {
    let number: Option<u32> = text.parse().ok();
    let number = number.filter(|number| *number > 0).map(f64::from);
    number.ok_or_else(|| "it takes a whole number, at least 1".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let number = number.filter(|number| (0.0..=600.0).contains(number));
    number.ok_or_else(|| "it takes a number from 0 to 600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Option<Args>, lexopt::Error> {
        parse(lexopt::Parser::from_args(words.split_whitespace()))
    }

    #[test]
    fn every_option_reaches_its_field() {
        let words = "--region r --lines-per-second 0.5 --sidecars 3 --tags 4 --flush 30 --workers 6 \
                     --linger 0 --prices p --svg s -";
        let expected = Args {
            logs: "-".into(),
            region: "r".to_owned(),
            volume: Volume::LinesPerSecond(0.5),
            sidecars: Sidecars {
                count: 3.0,
                tags: 4.0,
                flush_seconds: 30.0,
                workers: 6.0,
                linger_seconds: 0.0,
            },
            prices: Some("p".into()),
            svg: Some("s".into()),
        };
        assert_eq!(parse_words(words).unwrap(), Some(expected));
        let by_gb = parse_words("--gb 7 logs").unwrap().unwrap();
        assert_eq!(by_gb.volume, Volume::GbAMonth(7.0));
        let default = parse_words("logs").unwrap().unwrap();
        assert_eq!(default.volume, Volume::GbAMonth(100.0));
    }

    #[test]
    fn wrong_options_are_errors() {
        for words in [
            "",
            "a b",
            "a --gb 0",
            "a --gb -1",
            "a --gb NaN",
            "a --gb inf",
            "a --gb 1 --lines-per-second 1",
            "a --gb 1 --gb 2",
            "a --sidecars 0",
            "a --sidecars 1.5",
            "a --flush x",
            "a --flush 0",
            "a --linger -1",
            "a --workers 0",
            "a --tags 0",
            "a --bogus",
        ] {
            assert!(parse_words(words).is_err(), "{words:?}");
        }
    }
}
