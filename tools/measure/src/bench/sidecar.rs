//! A lone sidecar with little to do: what it is billed, and how long a line is under way.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http_lines::timestamp;
use super::summary::billed_over_raw;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::{Output, REGION};
use crate::setup::{Setup, at_once, free_port};
use crate::trial::{STREAM, Trial};

/// Between two lines, of 400 bytes each with their time.
const EVERY: Duration = Duration::from_millis(200);
const UNTIMED: Lines = Lines::of(400 - 39);

/// The time between flushes is Fluent Bit's own default.
const FREQUENT: Pace = Pace {
    flush: 1,
    workers: 4,
};

/// Of this project's sidecar, in the project's folder.
const CONFIGURATION: &str = "fluent-bit";

/// For what is left when no more lines come, beside the time-out of a flush.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// What the sidecars of the project and of the peer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pace {
    /// Seconds between flushes.
    pub(super) flush: u64,
    pub(super) workers: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sidecar {
    pub(super) pace: Pace,
    pub(super) output: Output,
    pub(super) billed_over_raw: Option<f64>,
    /// From a line's creation to its acceptance.
    pub(super) longest_delay: Duration,
    /// Of this project's sidecar.
    pub(super) flush_timeout: Duration,
}

/// The project's configuration of a sidecar that reads files.
struct Shipped {
    configuration: PathBuf,
    parsers: PathBuf,
    defaults: BTreeMap<String, String>,
}

/// The name of a sidecar, and what came of it.
pub(super) type Ended = (String, Result<Sidecar, Error>);

/// All are fed for so long at the same time.
pub(super) fn run(setup: &Setup, fed_for: Duration) -> Result<Vec<Ended>, Error> {
    let shipped = Shipped::read(Path::new(CONFIGURATION))?;
    let mut all = Vec::new();
    for pace in [shipped.pace()?, FREQUENT] {
        all.push((pace, Output::CoreAggregated));
        all.push((pace, Output::FirehoseAggregated));
    }
    Ok(at_once(&all, |&(pace, output)| {
        let name = format!("{}: {}", pace.name(), output.name());
        (name, shipped.run(setup, pace, output, fed_for))
    }))
}

fn line(number: u64) -> String {
    let rest = UNTIMED.line(number);
    format!("{{\"timestamp\":\"{}\",{}", timestamp(number), &rest[1..])
}

/// Which line a document was made of.
fn number(document: &[u8]) -> Option<usize> {
    let document: Value = serde_json::from_slice(document).ok()?;
    Some(document["n"].as_u64()? as usize)
}

/// The time that the slowest line took. As many documents as lines arrived, in calls at these times.
fn longest_delay<'a>(
    written: &[Instant],
    calls: impl IntoIterator<Item = (Instant, &'a [u8])>,
) -> Result<Duration, String> {
    let mut arrived = vec![false; written.len()];
    let mut longest = Duration::ZERO;
    for (at, documents) in calls {
        let documents = documents.split(|&byte| byte == b'\n');
        for document in documents.filter(|document| !document.is_empty()) {
            let number = number(document).filter(|&number| number < written.len());
            let number = number.ok_or_else(|| {
                let shown = String::from_utf8_lossy(document);
                format!("a document arrived that no line made: {shown}")
            })?;
            arrived[number] = true;
            longest = longest.max(at.saturating_duration_since(written[number]));
        }
    }
    match arrived.iter().filter(|arrived| !**arrived).count() {
        0 => Ok(longest),
        missing => Err(format!("{missing} lines did not arrive")),
    }
}

impl Pace {
    /// Of a sidecar at this pace.
    pub(super) fn name(self) -> String {
        let Pace { flush, workers } = self;
        format!("sidecar, flush {flush} s, {workers} workers")
    }
}

impl Shipped {
    fn read(directory: &Path) -> Result<Shipped, Error> {
        let path = directory.join("defaults.env");
        let text = fs::read_to_string(&path)
            .map_err(|error| Error::Failed(format!("cannot read {}: {error}", path.display())))?;
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        let settings = settings.filter_map(|line| line.split_once('='));
        Ok(Shipped {
            configuration: fs::canonicalize(directory.join("tail.conf"))?,
            parsers: fs::canonicalize(directory.join("parsers.conf"))?,
            defaults: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    fn pace(&self) -> Result<Pace, Error> {
        Ok(Pace {
            flush: self.number("SIDECAR_FLUSH")?,
            workers: self.number("SIDECAR_WORKERS")? as usize,
        })
    }

    /// A whole one; seconds may say so.
    fn number(&self, name: &str) -> Result<u64, Error> {
        let value = self.defaults.get(name).map_or("", String::as_str);
        let number = value.strip_suffix('s').unwrap_or(value).parse();
        number
            .map_err(|error| Error::Failed(format!("{name} of defaults.env is `{value}`: {error}")))
    }

    fn run(
        &self,
        setup: &Setup,
        pace: Pace,
        output: Output,
        fed_for: Duration,
    ) -> Result<Sidecar, Error> {
        let mut trial = Trial::new(setup, output, "", UNTIMED)?;
        let mut input = [File::create(trial.path("input.log"))?];
        match output.is_of_this_project() {
            true => {
                let variables = self.variables(&trial, setup, pace)?;
                trial.start_file(&self.configuration, variables)?;
            }
            false => {
                let section = trial.section(STREAM, "a", Some(pace.workers));
                let tail = trial.tail("input.log", "a");
                trial.start_as_it_is(&format!("    flush {}\n{tail}{section}", pace.flush))?;
            }
        }
        let written = trial.feed(&mut input, line, EVERY, fed_for)?;
        let flush_timeout = Duration::from_secs(self.number("SIDECAR_FLUSH_TIMEOUT")?);
        trial.until_stored(written.len() as u64, flush_timeout + DRAIN_LIMIT)?;
        let requests = trial.service.requests();
        let stored = requests.iter().filter(|request| request.accepted > 0);
        let at = |ms| trial.service_started + Duration::from_millis(ms);
        let calls = trial.service.accepted_calls(0);
        let calls = stored
            .zip(&calls)
            .map(|(request, call)| (at(request.decided_ms), &*call.data));
        Ok(Sidecar {
            pace,
            output,
            billed_over_raw: billed_over_raw(&trial.service.stats()),
            longest_delay: longest_delay(&written, calls).map_err(Error::Failed)?,
            flush_timeout,
        })
    }

    /// The defaults, and what only a deployment knows.
    fn variables(
        &self,
        trial: &Trial<'_>,
        setup: &Setup,
        pace: Pace,
    ) -> Result<BTreeMap<String, String>, Error> {
        let text = |path: &Path| path.display().to_string();
        let plugins = trial.path("plugin.conf");
        fs::write(
            &plugins,
            format!("[PLUGINS]\n    Path {}\n", setup.plugin.display()),
        )?;
        let mut variables = self.defaults.clone();
        variables.extend(
            [
                ("APP_LOG_PATH", text(&trial.path("input.log"))),
                ("SIDECAR_HTTP_PORT", free_port()?.to_string()),
                ("SIDECAR_PLUGINS_FILE", text(&plugins)),
                ("SIDECAR_PARSERS_FILE", text(&self.parsers)),
                ("SIDECAR_STATE_DIR", text(&trial.path(""))),
                ("SIDECAR_FLUSH", pace.flush.to_string()),
                ("SIDECAR_WORKERS", pace.workers.to_string()),
                ("FIREHOSE_DELIVERY_STREAM", STREAM.to_owned()),
                ("AWS_REGION", REGION.to_owned()),
                ("AWS_ENDPOINT_URL_FIREHOSE", trial.service.url()),
                ("AWS_CA_BUNDLE", text(&trial.path("ca.pem"))),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines were written at these milliseconds, and came in calls with these lines.
    fn delay(written: &[u64], calls: &[(u64, &[u64])]) -> Result<u128, String> {
        let started = Instant::now();
        let at = |ms| started + Duration::from_millis(ms);
        let written: Vec<Instant> = written.iter().copied().map(at).collect();
        let text = |numbers: &[u64]| -> String {
            let lines = numbers.iter().map(|&number| line(number) + "\n");
            lines.collect()
        };
        let calls: Vec<_> = calls
            .iter()
            .map(|&(ms, numbers)| (at(ms), text(numbers) + "\n"))
            .collect();
        let calls = calls.iter().map(|(at, text)| (*at, text.as_bytes()));
        longest_delay(&written, calls).map(|delay| delay.as_millis())
    }

    #[test]
    fn the_longest_delay_is_the_slowest_line_s() {
        assert_eq!(line(7).len() + 1, 400);
        let calls: [(u64, &[u64]); 2] = [(250, &[1]), (900, &[0, 2])];
        assert_eq!(delay(&[100, 200, 300], &calls), Ok(800));
    }

    #[test]
    fn what_is_not_each_line_once_has_no_delay() {
        for (numbers, sentence) in [
            (&[0][..], "1 lines did not arrive"),
            (&[0, 0], "1 lines did not arrive"),
            (&[0, 5], "that no line made"),
        ] {
            let error = delay(&[1, 2], &[(9, numbers)]).unwrap_err();
            assert!(error.contains(sentence), "{error}");
        }
    }

    #[test]
    fn the_project_s_own_sidecar_has_all_that_is_looked_for() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(CONFIGURATION);
        let shipped = Shipped::read(&directory).unwrap();
        let pace = shipped.pace().unwrap();
        assert!(pace.flush > 0 && pace.workers > 0, "{pace:?}");
        assert!(shipped.number("SIDECAR_FLUSH_TIMEOUT").unwrap() > 0);
        let error = shipped.number("SIDECAR_STATE_DIR").unwrap_err().to_string();
        assert!(error.contains("SIDECAR_STATE_DIR of defaults.env"));
    }
}
