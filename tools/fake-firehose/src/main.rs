//! The stand-in as a program: prints one JSON line when it listens, and runs until it is told to
//! end.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fake_firehose::{
    Credentials, DEFAULT_STREAM, EXAMPLE_ACCESS_KEY, EXAMPLE_SECRET_KEY, FakeFirehose, Keep,
    Scenario, Settings,
};
use lexopt::prelude::*;
use serde_json::json;

struct Arguments {
    settings: Settings,
    ca_file: Option<PathBuf>,
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-firehose: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = Arguments::parse(lexopt::Parser::from_env())? else {
        print!("{}", help());
        return Ok(());
    };
    let fake = FakeFirehose::start(arguments.settings)?;
    if let (Some(path), Some(pem)) = (&arguments.ca_file, fake.ca_pem()) {
        std::fs::write(path, pem)
            .map_err(|error| format!("cannot write --ca-file {}: {error}", path.display()))?;
    }
    let ready = json!({"url": fake.url(), "ca_file": arguments.ca_file});
    writeln!(std::io::stdout(), "{ready}")?;
    if arguments.until_stdin_closes {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}

impl Arguments {
    /// None asks for the help text.
    fn parse(mut parser: lexopt::Parser) -> Result<Option<Arguments>, Box<dyn Error>> {
        let mut settings = Settings::default();
        let mut credentials = Credentials::default();
        let mut streams = Vec::new();
        let mut ca_file = None;
        let mut until_stdin_closes = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Long("tls") => settings.tls = true,
                Long("ca-file") => ca_file = Some(PathBuf::from(parser.value()?)),
                Long("scenario") => settings.scenario = read_scenario(parser.value()?.into())?,
                Long("keep") => settings.keep = parser.value()?.parse_with(keep)?,
                Long("stream") => streams.push(parser.value()?.string()?),
                Long("region") => settings.region = Some(parser.value()?.string()?),
                Long("access-key") => credentials.access_key = parser.value()?.string()?,
                Long("secret-key") => credentials.secret_key = parser.value()?.string()?,
                Long("latency-ms") => {
                    settings.latency = Duration::from_millis(parser.value()?.parse()?);
                }
                Long("until-stdin-closes") => until_stdin_closes = true,
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if ca_file.is_some() && !settings.tls {
            return Err("--ca-file needs --tls: there is no authority without it".into());
        }
        settings.credentials = vec![credentials];
        if !streams.is_empty() {
            settings.streams = streams;
        }
        Ok(Some(Arguments {
            settings,
            ca_file,
            until_stdin_closes,
        }))
    }
}

fn read_scenario(path: PathBuf) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read --scenario {}: {error}", path.display()))?;
    Scenario::parse(&text).map_err(|error| format!("--scenario {}: {error}", path.display()))
}

fn keep(text: &str) -> Result<Keep, &'static str> {
    match text {
        "records" => Ok(Keep::Records),
        "counts" => Ok(Keep::Counts),
        _ => Err("must be records or counts"),
    }
}

fn help() -> String {
    format!(
        "\
A stand-in for Amazon Data Firehose on 127.0.0.1.

Prints {{\"url\": ..., \"ca_file\": ...}} when it listens, and runs until it is killed.

  --tls                 speak TLS, with an authority made at start
  --ca-file PATH        write that authority's certificate there, as PEM
  --scenario FILE       misbehave as this TOML file says; default: never
  --keep WHAT           records (default) remembers every byte, counts only sums
  --stream NAME         a stream that exists, may be repeated; default {DEFAULT_STREAM}
  --region NAME         take signatures for this region only; default any
  --access-key KEY      default {EXAMPLE_ACCESS_KEY}
  --secret-key KEY      default {EXAMPLE_SECRET_KEY}
  --latency-ms N        answer no sooner than so long after a request is there; default 0
  --until-stdin-closes  end when standard input does, too

GET /_fake/stats, /_fake/requests and /_fake/documents show what it remembers.
"
    )
}
