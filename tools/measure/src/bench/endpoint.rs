//! The fake Firehose, in a process of its own: neither its CPU time nor its memory counts.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use crate::run::{ACCESS_KEY, Process, REGION, SECRET_KEY, Target};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub(crate) const PROGRAM: &str = "fake-firehose";

const STREAM: &str = "logs";

/// A fresh service. Dropping it ends it.
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    /// What its milliseconds count from, or a little later.
    pub(crate) started: Instant,
    agent: ureq::Agent,
    _process: Process,
}

/// How much it remembers of what it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Sums only, so that it stays small.
    Counts,
    Records,
}

/// What the service accepted since it started. Sizes are bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Sums {
    /// PutRecordBatch calls, the failed ones included.
    pub(crate) requests: u64,
    /// The most of them at the same moment.
    pub(crate) max_concurrent_requests: u64,
    pub(crate) records: u64,
    /// Lines in the records.
    pub(crate) documents: u64,
    /// Data of the records before base64.
    pub(crate) raw_bytes: u64,
    /// The same with each record rounded up as it is billed.
    pub(crate) billed_bytes: u64,
}

#[derive(Deserialize)]
pub(crate) struct Stats {
    #[serde(flatten)]
    pub(crate) sums: Sums,
    streams: BTreeMap<String, StreamStats>,
}

#[derive(Deserialize)]
struct StreamStats {
    last_accepted_ms: Option<u64>,
}

/// One request for the API, in the order in which they were judged.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Request {
    /// Milliseconds from the service's start.
    pub(crate) decided_ms: u64,
    pub(crate) records: u64,
    /// Of those, the ones that were stored.
    pub(crate) accepted: u64,
    /// Bytes of its records.
    pub(crate) raw_bytes: u64,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
}

// === impl Endpoint ===

impl Endpoint {
    /// Its files are in this directory; each answer takes at least `latency`.
    pub(crate) fn start(
        program: &Path,
        directory: &Path,
        latency: Duration,
        keep: Keep,
    ) -> Result<Endpoint, String> {
        let ca_file = directory.join("ca.pem");
        let mut command = Command::new(program);
        command
            .args(["--tls", "--until-stdin-closes"])
            .args(["--keep", keep.word()])
            .args(["--latency-ms", &latency.as_millis().to_string()])
            .args(["--stream", STREAM, "--region", REGION])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg("--ca-file")
            .arg(&ca_file)
            // Closes when this program ends, in whatever way.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let failed = |error: &dyn fmt::Display| format!("{PROGRAM} did not start: {error}");
        let mut process = Process::spawn(&mut command).map_err(|error| failed(&error))?;
        let stdout = process.take_stdout().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|error| failed(&error))?;
        let started = Instant::now();
        let ready: Ready = serde_json::from_str(&line).map_err(|error| failed(&error))?;
        let port = ready.url.rsplit_once(':').map(|(_, port)| port.parse());
        let Some(Ok(port)) = port else {
            return Err(failed(&format!("no port in {}", ready.url)));
        };
        Ok(Endpoint {
            agent: agent(&ca_file).map_err(|error| failed(&error))?,
            target: Target {
                port,
                ca_file,
                stream: STREAM,
            },
            started,
            _process: process,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.target.port)
    }

    pub(crate) fn stats(&self) -> Result<Stats, String> {
        self.json("stats")
    }

    pub(crate) fn requests(&self) -> Result<Vec<Request>, String> {
        self.json("requests")
    }

    /// All that it accepted, end to end; nothing unless it keeps records.
    pub(crate) fn documents(&self) -> Result<Vec<u8>, String> {
        let mut reply = self.get("documents")?;
        reply.body_mut().read_to_vec().map_err(cannot_ask)
    }

    fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, String> {
        let mut reply = self.get(what)?;
        reply.body_mut().read_json().map_err(cannot_ask)
    }

    fn get(&self, what: &str) -> Result<ureq::http::Response<ureq::Body>, String> {
        let url = format!("{}/_fake/{what}", self.url());
        self.agent.get(url).call().map_err(cannot_ask)
    }
}

/// Trusts this authority and no other.
fn agent(ca_file: &Path) -> Result<ureq::Agent, Box<dyn std::error::Error>> {
    let authority = Certificate::from_pem(&fs::read(ca_file)?)?;
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[authority]))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = ureq::Agent::config_builder().tls_config(tls).proxy(None);
    Ok(config.build().new_agent())
}

fn cannot_ask(error: ureq::Error) -> String {
    format!("cannot ask {PROGRAM}: {error}")
}

// === impl Keep ===

impl Keep {
    fn word(self) -> &'static str {
        match self {
            Keep::Counts => "counts",
            Keep::Records => "records",
        }
    }
}

// === impl Stats ===

impl Stats {
    /// Since the service's start. None where nothing was accepted.
    pub(crate) fn last_accepted(&self) -> Option<Duration> {
        let last = self.streams.get(STREAM)?.last_accepted_ms?;
        Some(Duration::from_millis(last))
    }
}

// === impl Sums ===

impl Sums {
    /// None where nothing was accepted.
    pub(crate) fn billed_over_raw(&self) -> Option<f64> {
        (self.raw_bytes > 0).then(|| self.billed_bytes as f64 / self.raw_bytes as f64)
    }
}
