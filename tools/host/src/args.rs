//! The command line.

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use firehose_host::{
    DEFAULT_CHUNK_SIZE, DEFAULT_STACK_SIZE, EngineOptions, EventFormat, HostVersion,
    InstanceOptions, LogLevel, RetryLimit,
};
use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
Loads a Fluent Bit output plugin and feeds it JSON lines.

firehose-host --plugin FILE SOURCE [OPTION...]

SOURCE, exactly one:
  --input FILE            JSON lines from a file, to its end
  --stdin                 JSON lines from standard input
  --dummy JSON            one line, --count times
A line that is no JSON object becomes {\"log\": line}. Empty lines are skipped.

Plugin:
  --plugin FILE           the plugin's .so
  -p KEY=VALUE            a property, repeatable; comes before the --config file
  --config FILE           a Fluent Bit configuration in the classic format; the properties of the
                          first [OUTPUT] whose Name is the plugin's are used
  --host-version V        5.1 (default), 3.2 or 1.9: the generation of Fluent Bit to play

Input:
  --count N               events of --dummy (default 1)
  --tag TAG               the events' tag (default app.log)
  --time-key KEY          read the event's time from this key, in RFC 3339 (default: now)
  --event-format F        v2 or legacy (default: what the host version writes)
  --chunk-size BYTES      a chunk is flushed when it is this large (default 2048000)

Engine:
  --workers N             threads that flush (default: as many as the property or the plugin sets,
                          else 1); 0 flushes on the engine's own thread
  --stack-size BYTES      the stack of a flush (default 24576)
  --retry-limit N         retries before a chunk is dropped, or no_limits (default: what the
                          property or the plugin sets, else 1)
  --retry-base-ms MS      the shortest wait before a retry (default 5000)

The plugin's log goes to stderr. The last line on stdout is a JSON summary. SIGINT and SIGTERM end
the input; every chunk that is held gets one more flush.
Exit code: 0 when every chunk was delivered, 1 when not, 2 for a wrong command line.
";

#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) plugin: PathBuf,
    pub(crate) source: Source,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) host_version: HostVersion,
    pub(crate) tag: String,
    pub(crate) time_key: Option<String>,
    pub(crate) event_format: EventFormat,
    pub(crate) chunk_size: usize,
    pub(crate) workers: Option<usize>,
    pub(crate) stack_size: usize,
    pub(crate) retry_limit: Option<RetryLimit>,
    pub(crate) retry_base: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Stdin,
    Dummy { line: String, count: usize },
}

/// What the host does for one output instance.
pub(crate) struct Settings {
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) instance: InstanceOptions,
}

/// `None` asks for the usage.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
    let mut plugin = None;
    let mut file = None;
    let mut stdin = false;
    let mut dummy = None;
    let mut count = 1;
    let mut properties = Vec::new();
    let mut config = None;
    let mut host_version = HostVersion::V5_1;
    let mut tag = "app.log".to_owned();
    let mut time_key = None;
    let mut event_format = None;
    let mut chunk_size = DEFAULT_CHUNK_SIZE;
    let mut workers = None;
    let mut stack_size = DEFAULT_STACK_SIZE;
    let mut retry_limit = None;
    let mut retry_base = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("plugin") => plugin = Some(PathBuf::from(parser.value()?)),
            Long("input") => file = Some(PathBuf::from(parser.value()?)),
            Long("stdin") => stdin = true,
            Long("dummy") => dummy = Some(parser.value()?.string()?),
            Long("count") => count = parser.value()?.parse()?,
            Short('p') => properties.push(parser.value()?.parse_with(property)?),
            Long("config") => config = Some(PathBuf::from(parser.value()?)),
            Long("host-version") => {
                host_version = parser.value()?.parse_with(HostVersion::from_str)?
            }
            Long("tag") => tag = parser.value()?.string()?,
            Long("time-key") => time_key = Some(parser.value()?.string()?),
            Long("event-format") => {
                event_format = Some(parser.value()?.parse_with(EventFormat::from_str)?);
            }
            Long("chunk-size") => chunk_size = parser.value()?.parse()?,
            Long("workers") => workers = Some(parser.value()?.parse()?),
            Long("stack-size") => stack_size = parser.value()?.parse()?,
            Long("retry-limit") => {
                retry_limit = Some(parser.value()?.parse_with(RetryLimit::from_str)?);
            }
            Long("retry-base-ms") => {
                retry_base = Some(Duration::from_millis(parser.value()?.parse()?));
            }
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    let source = match (file, stdin, dummy) {
        (Some(path), false, None) => Source::File(path),
        (None, true, None) => Source::Stdin,
        (None, false, Some(line)) => Source::Dummy { line, count },
        _ => return Err("exactly one of --input, --stdin and --dummy is needed".into()),
    };
    Ok(Some(Args {
        plugin: plugin.ok_or("--plugin is needed: the plugin's .so")?,
        source,
        properties,
        config,
        host_version,
        tag,
        time_key,
        event_format: event_format.unwrap_or(match host_version {
            HostVersion::V1_9 => EventFormat::Legacy,
            HostVersion::V3_2 | HostVersion::V5_1 => EventFormat::V2,
        }),
        chunk_size,
        workers,
        stack_size,
        retry_limit,
        retry_base,
    }))
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

// === impl Args ===

impl Args {
    /// Joins the command line with the configuration file: the command line comes first.
    pub(crate) fn settings(&self, plugin: &str) -> Result<Settings, String> {
        let mut properties = self.properties.clone();
        if let Some(path) = &self.config {
            let fail = |reason: String| format!("--config {}: {reason}", path.display());
            let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
            let environment = |name: &str| std::env::var(name).ok();
            let section = firehose_host::output_section(&text, plugin, environment);
            properties.extend(section.map_err(fail)?);
        }
        let get = |key: &str| {
            let pair = properties
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key));
            pair.map(|(_, value)| value.as_str())
        };
        let log_level = get("log_level").map(str::parse).transpose()?;
        Ok(Settings {
            instance: InstanceOptions {
                name: get("alias").map(str::to_owned),
                log_level: log_level.unwrap_or(LogLevel::Info),
            },
            properties,
        })
    }

    /// How many threads flush; 0 is the engine's own.
    pub(crate) fn workers(&self, output: firehose_host::Settings) -> usize {
        let set = usize::try_from(output.workers).unwrap_or_default();
        self.workers.unwrap_or(set.max(1))
    }

    pub(crate) fn engine(&self, output: firehose_host::Settings) -> EngineOptions {
        let defaults = EngineOptions::default();
        let set = match u32::try_from(output.retry_limit) {
            Ok(times) => RetryLimit::Times(times),
            Err(_) => RetryLimit::NoLimits,
        };
        EngineOptions {
            retry_limit: self.retry_limit.unwrap_or(set),
            retry_base: self.retry_base.unwrap_or(defaults.retry_base),
            max_chunks: defaults.max_chunks.max(2 * self.workers(output)),
            ..defaults
        }
    }
}
