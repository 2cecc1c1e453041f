//! A lone sidecar with little to do: what it is billed, and how long a line is under way.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::run::{Files, FluentBit, Output, Process, REGION};

use crate::bench::endpoint::{Endpoint, Keep, Request};
use crate::bench::feed::{self, Feed};
use crate::bench::host::{Input, Job};
use crate::bench::setup::{Error, Setup};

const LINE_BYTES: usize = 400;
/// Between two lines.
const EVERY: Duration = Duration::from_millis(200);

/// The time between flushes is Fluent Bit's own default.
const FREQUENT: Pace = Pace {
    flush: 1,
    workers: 4,
};

/// For what is left when no more lines come, beside the time-out of a flush.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// What the sidecars of the project and of the peer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pace {
    /// Seconds between flushes.
    pub(crate) flush: u64,
    pub(crate) workers: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sidecar {
    pub(crate) pace: Pace,
    pub(crate) output: Output,
    pub(crate) billed_over_raw: Option<f64>,
    /// From a line's creation to its acceptance.
    pub(crate) longest_delay: Duration,
}

#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) sidecars: Vec<Sidecar>,
    pub(crate) flush_timeout: Duration,
}

/// The project's configuration of a sidecar that reads files.
struct Shipped {
    configuration: PathBuf,
    parsers: PathBuf,
    defaults: BTreeMap<String, String>,
}

/// A sidecar that runs.
pub(crate) struct Running {
    pub(crate) pace: Pace,
    pub(crate) output: Output,
    process: Process,
    files: Files,
    endpoint: Endpoint,
}

/// Sidecars that were fed the same lines at once, and have not been looked at yet.
pub(crate) struct Fed {
    pub(crate) sidecars: Vec<Running>,
    written: Vec<Instant>,
    /// Of this project's sidecar.
    pub(crate) flush_timeout: Duration,
}

/// Starts all sidecars and feeds them for so long.
pub(crate) fn feed(
    setup: &Setup<'_>,
    fluent_bit: &FluentBit,
    configuration: &Path,
    fed_for: Duration,
) -> Result<Fed, Error> {
    let shipped = Shipped::read(configuration)?;
    let flush_timeout = shipped.flush_timeout()?;
    let log = setup.workdir.join("sidecar.log");
    let feed = Feed::lasting(vec![log.clone()], LINE_BYTES, EVERY, fed_for);
    let mut opened = feed.create()?;
    let mut sidecars = Vec::new();
    for pace in [shipped.pace()?, FREQUENT] {
        for output in [Output::CoreAggregated, Output::FirehoseAggregated] {
            let directory = setup.directory(&format!("sidecar-{}", sidecars.len()))?;
            let endpoint = setup.endpoint(&directory, Duration::ZERO, Keep::Records)?;
            let files = Files::new(&directory);
            let process = match output.is_of_this_project() {
                true => {
                    let variables =
                        shipped.variables(pace, &directory, &log, setup.plugin, &endpoint)?;
                    fluent_bit.start_file(&files, &shipped.configuration, variables)?
                }
                false => {
                    let job = Job {
                        output,
                        target: Some(&endpoint.target),
                        workers: Some(pace.workers),
                        flush: pace.flush,
                        input: Input::Growing(&log),
                    };
                    setup.host.start(&files, setup.plugin, &job)?
                }
            };
            sidecars.push(Running {
                pace,
                output,
                process,
                files,
                endpoint,
            });
        }
    }
    // One that ends fails alone, when it is looked at.
    let written = feed.write(&mut opened, setup, || Ok(()))?;
    Ok(Fed {
        sidecars,
        written,
        flush_timeout,
    })
}

/// The time that the slowest line took. Each request holds the next documents, all accepted.
fn longest_delay(
    written: &[Instant],
    service_started: Instant,
    requests: &[Request],
    documents: &[u8],
) -> Result<Duration, String> {
    let mut rest = documents;
    let mut arrived = vec![false; written.len()];
    let mut longest = Duration::ZERO;
    for request in requests {
        if request.accepted != request.records {
            return Err("the service refused records, though nothing told it to".to_owned());
        }
        let (accepted, later) = rest
            .split_at_checked(request.raw_bytes as usize)
            .ok_or("the service has fewer bytes than its calls brought")?;
        rest = later;
        let at = service_started + Duration::from_millis(request.decided_ms);
        for document in accepted.split(|&byte| byte == b'\n') {
            if document.is_empty() {
                continue;
            }
            let shown = || String::from_utf8_lossy(document);
            let number = feed::number(document).filter(|&number| number < written.len());
            let number = number
                .ok_or_else(|| format!("a document arrived that no line made: {}", shown()))?;
            if arrived[number] {
                return Err(format!("a line arrived twice: {}", shown()));
            }
            arrived[number] = true;
            longest = longest.max(at.saturating_duration_since(written[number]));
        }
    }
    match arrived.iter().filter(|arrived| !**arrived).count() {
        0 => Ok(longest),
        missing => Err(format!("{missing} lines did not arrive")),
    }
}

/// One that nothing listens on, as far as can be known.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}

// === impl Fed ===

impl Fed {
    /// Waits until this sidecar has delivered all lines.
    pub(crate) fn finish(&self, setup: &Setup<'_>, mut sidecar: Running) -> Result<Sidecar, Error> {
        let Running {
            pace,
            output,
            process,
            files,
            endpoint,
        } = &mut sidecar;
        let count = self.written.len() as u64;
        let at_most = self.flush_timeout + DRAIN_LIMIT;
        setup.until_arrived(process, files, endpoint, count, at_most)?;
        let requests = endpoint.requests()?;
        let documents = endpoint.documents()?;
        Ok(Sidecar {
            pace: *pace,
            output: *output,
            billed_over_raw: endpoint.stats()?.sums.billed_over_raw(),
            longest_delay: longest_delay(&self.written, endpoint.started, &requests, &documents)?,
        })
    }
}

// === impl Pace ===

impl Pace {
    /// Of a sidecar at this pace.
    pub(crate) fn name(self) -> String {
        let Pace { flush, workers } = self;
        format!("sidecar, flush {flush} s, {workers} workers")
    }
}

// === impl Shipped ===

impl Shipped {
    fn read(directory: &Path) -> Result<Shipped, Error> {
        let path = directory.join("defaults.env");
        let failed = |error| format!("cannot read {}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(failed)?;
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

    fn pace(&self) -> Result<Pace, String> {
        Ok(Pace {
            flush: self.number("SIDECAR_FLUSH")?,
            workers: self.number("SIDECAR_WORKERS")? as usize,
        })
    }

    fn flush_timeout(&self) -> Result<Duration, String> {
        self.number("SIDECAR_FLUSH_TIMEOUT")
            .map(Duration::from_secs)
    }

    /// A whole one; seconds may say so.
    fn number(&self, name: &str) -> Result<u64, String> {
        let value = self.defaults.get(name);
        let value = value.ok_or_else(|| format!("defaults.env does not have {name}"))?;
        let digits = value.strip_suffix('s').unwrap_or(value);
        digits
            .parse()
            .map_err(|error| format!("{name} of defaults.env, {value}: {error}"))
    }

    /// The defaults, and what only a deployment knows.
    fn variables(
        &self,
        pace: Pace,
        directory: &Path,
        log: &Path,
        plugin: &Path,
        endpoint: &Endpoint,
    ) -> Result<BTreeMap<String, String>, Error> {
        let text = |path: &Path| path.display().to_string();
        let plugins = directory.join("plugin.conf");
        fs::write(&plugins, format!("[PLUGINS]\n    Path {}\n", text(plugin)))?;
        let mut variables = self.defaults.clone();
        variables.extend(
            [
                ("APP_LOG_PATH", text(log)),
                ("SIDECAR_HTTP_PORT", free_port()?.to_string()),
                ("SIDECAR_PLUGINS_FILE", text(&plugins)),
                ("SIDECAR_PARSERS_FILE", text(&self.parsers)),
                ("SIDECAR_STATE_DIR", text(directory)),
                ("SIDECAR_FLUSH", pace.flush.to_string()),
                ("SIDECAR_WORKERS", pace.workers.to_string()),
                (
                    "FIREHOSE_DELIVERY_STREAM",
                    endpoint.target.stream.to_owned(),
                ),
                ("AWS_REGION", REGION.to_owned()),
                ("AWS_ENDPOINT_URL_FIREHOSE", endpoint.url()),
                ("AWS_CA_BUNDLE", text(&endpoint.target.ca_file)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(decided_ms: u64, raw_bytes: usize) -> Request {
        Request {
            decided_ms,
            records: 1,
            accepted: 1,
            raw_bytes: raw_bytes as u64,
        }
    }

    fn documents(numbers: &[u64]) -> String {
        let line = |&number| feed::line(number, LINE_BYTES) + "\n";
        numbers.iter().map(line).collect()
    }

    /// Lines were written at these milliseconds of the service; all of them or not arrived so.
    fn delay(written: &[u64], requests: &[Request], documents: &str) -> Result<Duration, String> {
        let started = Instant::now();
        let at = |&ms| started + Duration::from_millis(ms);
        let written: Vec<Instant> = written.iter().map(at).collect();
        longest_delay(&written, started, requests, documents.as_bytes())
    }

    #[test]
    fn the_longest_delay_is_the_slowest_line_s() {
        // The second call brings the first line, and ends its aggregate in an empty one.
        let requests = [request(250, LINE_BYTES), request(900, 2 * LINE_BYTES + 1)];
        let documents = documents(&[1, 0, 2]) + "\n";
        let delay = delay(&[100, 200, 300], &requests, &documents);
        assert_eq!(delay, Ok(Duration::from_millis(800)));
    }

    #[test]
    fn what_is_not_each_line_once_has_no_delay() {
        let requests = [request(9, 2 * LINE_BYTES)];
        for (numbers, sentence) in [
            (&[0][..], "fewer bytes"),
            (&[0, 0], "arrived twice"),
            (&[0, 5], "that no line made"),
        ] {
            let error = delay(&[1, 2], &requests, &documents(numbers)).unwrap_err();
            assert!(error.contains(sentence), "{error}");
        }
        let error = delay(&[1, 2, 3], &requests, &documents(&[0, 1])).unwrap_err();
        assert_eq!(error, "1 lines did not arrive");
        let refused = Request {
            accepted: 0,
            ..requests[0]
        };
        let error = delay(&[1, 2], &[refused], "").unwrap_err();
        assert!(error.contains("refused"), "{error}");
    }

    #[test]
    fn the_project_s_own_sidecar_has_all_that_is_looked_for() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fluent-bit");
        let shipped = Shipped::read(&directory).unwrap();
        let pace = shipped.pace().unwrap();
        assert!(pace.flush > 0 && pace.workers > 0, "{pace:?}");
        assert!(shipped.flush_timeout().unwrap() > Duration::ZERO);
        let error = shipped.number("SIDECAR_STATE_DIR").unwrap_err();
        assert!(
            error.contains("SIDECAR_STATE_DIR of defaults.env"),
            "{error}"
        );
    }
}
