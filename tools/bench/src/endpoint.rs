//! The fake Firehose, in a process of its own: neither its CPU time nor its memory counts.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{env, fs};

use fluent_bit_run::{ACCESS_KEY, Process, REGION, SECRET_KEY, Target};
use serde::Deserialize;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const PROGRAM: &str = "fake-firehose";

const STREAM: &str = "logs";

/// A fresh service. Dropping it ends it.
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    _process: Process,
}

/// What the service accepted since it started. Sizes are bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Sums {
    /// PutRecordBatch calls, the failed ones included.
    pub(crate) requests: u64,
    pub(crate) records: u64,
    /// Newlines in the records.
    pub(crate) documents: u64,
    /// Data of the records before base64.
    pub(crate) raw_bytes: u64,
    /// The same with each record rounded up as it is billed.
    pub(crate) billed_bytes: u64,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
}

/// The program, which is built into the same directory as this one.
pub(crate) fn program() -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let path = own.with_file_name(PROGRAM);
    if !path.exists() {
        return Err(format!(
            "{} is missing: `cargo build --release --package {PROGRAM}` builds it",
            path.display()
        ));
    }
    Ok(path)
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn start(program: &Path, workdir: &Path) -> Result<Endpoint, String> {
        let ca_file = workdir.join("ca.pem");
        let mut command = Command::new(program);
        command
            .args(["--tls", "--keep", "counts", "--until-stdin-closes"])
            .args(["--stream", STREAM, "--region", REGION])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg("--ca-file")
            .arg(&ca_file)
            // Closes when this program ends, in whatever way.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let failed = |error: &dyn std::fmt::Display| format!("{PROGRAM} did not start: {error}");
        let mut process = Process::spawn(&mut command).map_err(|error| failed(&error))?;
        let stdout = process.take_stdout().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|error| failed(&error))?;
        let ready: Ready = serde_json::from_str(&line).map_err(|error| failed(&error))?;
        let port = ready.url.rsplit_once(':').map(|(_, port)| port.parse());
        let Some(Ok(port)) = port else {
            return Err(failed(&format!("no port in {}", ready.url)));
        };
        Ok(Endpoint {
            target: Target {
                port,
                ca_file,
                stream: STREAM,
            },
            _process: process,
        })
    }

    pub(crate) fn sums(&self) -> Result<Sums, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot ask {PROGRAM}: {error}");
        let pem = fs::read(&self.target.ca_file).map_err(|error| failed(&error))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| failed(&error))?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .build()
            .new_agent();
        agent
            .get(format!(
                "https://localhost:{}/_fake/stats",
                self.target.port
            ))
            .call()
            .and_then(|mut reply| reply.body_mut().read_json())
            .map_err(|error| failed(&error))
    }
}
