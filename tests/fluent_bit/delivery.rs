//! What the host reads arrives: each line once, equal to what was written.

use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::host::Host;
use crate::sidecar::Sidecar;
use crate::support::child::Process;
use crate::support::logs::{Difference, http_logs};
use crate::support::service::Service;

/// The lines that all long runs read, and the file they are in; made by the first.
#[derive(Default)]
pub(crate) struct Input(OnceLock<Written>);

pub(crate) struct Written {
    pub(crate) lines: Vec<String>,
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Input {
    pub(crate) fn written(&self) -> &Written {
        self.0.get_or_init(|| {
            let folder = TempDir::new().expect("a temporary folder can be made");
            let path = folder.path().join("input.log");
            let lines = http_logs(0..100_000);
            std::fs::write(&path, lines.join("\n") + "\n")
                .expect("a temporary folder can be written to");
            Written {
                lines,
                path,
                _folder: folder,
            }
        })
    }
}

pub(crate) fn lines(
    host: &Host,
    input: &Input,
    workers: Option<u32>,
    aggregated: bool,
) -> Result<(), String> {
    let input = input.written();
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&input.path, "json");
    let aggregation = ("simple_aggregation", aggregated.to_string());
    sidecar.output.push(aggregation);
    if let Some(workers) = workers {
        sidecar.output.push(("workers", workers.to_string()));
    }
    let process = sidecar.run(host)?;
    exactly_once(&process, &input.lines, &service.fake.documents())?;
    let stats = service.fake.stats();
    if aggregated && stats.billed_bytes > stats.raw_bytes + stats.raw_bytes / 20 {
        return Err(process.failure(&format!("hardly aggregated: {stats:?}")));
    }
    Ok(())
}

pub(crate) fn compressed(host: &Host, _: &Input) -> Result<(), String> {
    let lines = http_logs(0..5000);
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&sidecar.write("input.log", &lines), "json");
    let compression = ("compression", "gzip".to_owned());
    let aggregation = ("simple_aggregation", "true".to_owned());
    sidecar.output.extend([compression, aggregation]);
    let process = sidecar.run(host)?;
    let mut documents = Vec::new();
    for record in service.fake.records() {
        let mut unpacked = MultiGzDecoder::new(record.data.as_ref());
        let size = unpacked.read_to_end(&mut documents);
        size.map_err(|error| process.failure(&format!("a record is no gzip: {error}")))?;
    }
    exactly_once(&process, &lines, &documents)
}

/// The parser takes the time away, the plugin puts it back: in between, it was the event's.
pub(crate) fn time(host: &Host, _: &Input) -> Result<(), String> {
    let lines: Vec<String> = http_logs(0..5000)
        .into_iter()
        .enumerate()
        .map(|(number, line)| {
            let mut line: Value = serde_json::from_str(&line).expect("a line is JSON");
            let (seconds, milliseconds) = (number / 1000, number % 1000);
            let at = format!("2024-02-29T23:59:{seconds:02}.{milliseconds:03}Z");
            line["at"] = at.into();
            line.to_string()
        })
        .collect();
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&sidecar.write("input.log", &lines), "timed");
    sidecar.output.push(("time_key", "at".to_owned()));
    let process = sidecar.run(host)?;
    exactly_once(&process, &lines, &service.fake.documents())
}

/// A flush that waits leaves its worker to others: the chunks of many tags share a record, though
/// there is one worker.
pub(crate) fn many_tags(host: &Host, _: &Input) -> Result<(), String> {
    const TAGS: u64 = 60;
    let lines = http_logs(0..TAGS);
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    let folder = sidecar.path("logs");
    std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
    for (number, line) in lines.iter().enumerate() {
        sidecar.write(&format!("logs/{number}.log"), std::slice::from_ref(line));
    }
    sidecar.tail(&folder.join("*.log"), "json");
    sidecar.input.push(("tag", "file.*".to_owned()));
    for (key, value) in [
        ("workers", "1"),
        ("simple_aggregation", "true"),
        ("linger", "2s"),
    ] {
        sidecar.output.push((key, value.to_owned()));
    }
    let process = sidecar.run(host)?;
    exactly_once(&process, &lines, &service.fake.documents())?;
    // One after the other, each tag would have a record of its own.
    let records = service.fake.stats().records;
    match records < TAGS / 4 {
        true => Ok(()),
        false => Err(process.failure(&format!("{records} records for {TAGS} tags"))),
    }
}

pub(crate) fn exactly_once(
    process: &Process,
    lines: &[String],
    documents: &[u8],
) -> Result<(), String> {
    let difference = Difference::between(lines, documents);
    if difference == Difference::default() {
        return Ok(());
    }
    Err(process.failure(&format!("of {} lines: {difference}", lines.len())))
}
