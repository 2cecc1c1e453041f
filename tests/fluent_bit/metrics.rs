//! What the host's Prometheus endpoint says of the plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use firehose_core::tell::metrics::{BOUNDS, Values};
use rustix::process::Signal;

use crate::delivery::Input;
use crate::host::Host;
use crate::registered::{PREFIX, full_name, kind, registered};
use crate::sidecar::{LONG, Sidecar, ended_well, text};
use crate::support::child::Process;
use crate::support::logs::http_logs;
use crate::support::service::Service;

/// The series of a metric and their values, by all that stands before the value.
type Series = BTreeMap<String, f64>;

/// Where a host serves its metrics.
struct Endpoint(SocketAddr);

impl Endpoint {
    /// Has a run serve its metrics on a port that is free.
    fn of(sidecar: &mut Sidecar) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        sidecar.service.extend([
            ("http_server", "on".to_owned()),
            ("http_listen", address.ip().to_string()),
            ("http_port", address.port().to_string()),
        ]);
        Self(address)
    }

    /// The plugin's lines; none as long as the host does not answer.
    fn scrape(&self) -> String {
        let text = self.get("/api/v2/metrics/prometheus").unwrap_or_default();
        let is_ours = |line: &&str| line.contains(PREFIX);
        text.lines()
            .filter(is_ours)
            .map(|line| format!("{line}\n"))
            .collect()
    }

    fn get(&self, path: &str) -> Result<String, ureq::Error> {
        let request = ureq::get(format!("http://{}{path}", self.0)).config();
        let limited = request.timeout_global(Some(Duration::from_secs(5)));
        limited.build().call()?.into_body().read_to_string()
    }
}

fn series(scrape: &str) -> Series {
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    samples.filter_map(parse).collect()
}

/// Waits until a scrape says this of the only output.
fn until(
    process: &mut Process,
    endpoint: &Endpoint,
    metric: &str,
    value: f64,
) -> Result<String, String> {
    let name = format!("{PREFIX}{metric}{{name=\"firehose.0\",stream=\"logs\"}}");
    let mut last = String::new();
    let reached = process.until(LONG, &format!("{metric} {value}"), |_| {
        last = endpoint.scrape();
        series(&last).get(&name) == Some(&value)
    });
    reached.map_err(|error| format!("{error}\nthe last scrape:\n{last}"))?;
    Ok(last)
}

/// A run whose input stays open.
fn running(service: &Service, lines: &[String]) -> (Sidecar, Endpoint) {
    let mut sidecar = Sidecar::new(service);
    sidecar.tail(&sidecar.write("input.log", lines), "json");
    sidecar.input.retain(|(key, _)| *key != "exit_on_eof");
    let endpoint = Endpoint::of(&mut sidecar);
    (sidecar, endpoint)
}

/// Each series is there, by its type and with its help, and says what the service counted.
pub(crate) fn values(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::with_scenario("[[step]]\nrefuse = [0, 1]");
    let lines = http_logs(0..3000);
    let (sidecar, endpoint) = running(&service, &lines);
    let mut process = sidecar.start(host);
    let mut last = String::new();
    let mut wrong = Vec::new();
    // The host may take over what a flush is about to bring up to date.
    let right = process.until(LONG, "right metrics", |_| {
        last = endpoint.scrape();
        wrong = faults(&last, &service);
        wrong.is_empty()
    });
    right.map_err(|error| format!("{error}\n{}\nthe last scrape:\n{last}", wrong.join("\n")))?;
    process.signal(Signal::TERM);
    ended_well(&mut process)
}

/// How a scrape of an output that delivered 3,000 documents differs from what the service saw.
fn faults(scrape: &str, service: &Service) -> Vec<String> {
    let all = series(scrape);
    let mut wrong = Vec::new();
    for metric in registered() {
        let name = full_name(&metric);
        for line in [
            format!("# HELP {name} {}", metric.help),
            format!("# TYPE {name} {}", kind(&metric)),
        ] {
            if scrape.lines().filter(|other| *other == line).count() != 1 {
                wrong.push(format!("not one line {line:?}"));
            }
        }
    }
    let found: BTreeSet<&String> = all.keys().collect();
    let expected = expected_series();
    let expected: BTreeSet<&String> = expected.iter().collect();
    wrong.extend(expected.symmetric_difference(&found).map(|name| {
        format!(
            "{name} is {} there",
            if found.contains(name) { "also" } else { "not" }
        )
    }));

    let stats = service.fake.stats();
    let value = |name: &str| {
        let labels = "name=\"firehose.0\",stream=\"logs\"";
        let name = match name.split_once('{') {
            None => format!("{PREFIX}{name}{{{labels}}}"),
            Some((name, own)) => format!("{PREFIX}{name}{{{labels},{own}"),
        };
        all.get(&name).copied().unwrap_or(f64::NAN)
    };
    for (name, expected) in [
        ("documents_total", 3000.0),
        ("records_total", 3000.0),
        ("bytes_total", stats.raw_bytes as f64),
        ("billed_bytes_total", stats.billed_bytes as f64),
        ("refused_records_total", 2.0),
        ("calls_total{answer=\"partial\"}", 1.0),
        (
            "calls_total{answer=\"accepted\"}",
            stats.requests as f64 - 1.0,
        ),
        ("call_duration_seconds_count", stats.requests as f64),
        (
            "chunks_total{answer=\"ok\"}",
            value("flush_duration_seconds_count"),
        ),
        ("chunks_total{answer=\"retry\"}", 0.0),
        ("calls_in_flight", 0.0),
    ] {
        if value(name) != expected {
            wrong.push(format!("{name} is {} and not {expected}", value(name)));
        }
    }
    let age = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(f64::NAN, |now| now.as_secs_f64())
        - value("credentials_timestamp_seconds");
    if !(0.0..LONG.as_secs_f64()).contains(&age) {
        wrong.push(format!("the credentials are {age} s old"));
    }
    wrong
}

/// All that an output with this name and stream has, as a scrape names it.
fn expected_series() -> BTreeSet<String> {
    let labels = "name=\"firehose.0\",stream=\"logs\"";
    let mut names = BTreeSet::new();
    for metric in registered() {
        let name = full_name(&metric);
        match &metric.values {
            Values::Counter(_) | Values::Gauge(_) => {
                names.insert(format!("{name}{{{labels}}}"));
            }
            Values::Counters { label, values } => {
                let series = values.iter();
                names.extend(
                    series.map(|(value, _)| format!("{name}{{{labels},{label}=\"{value}\"}}")),
                );
            }
            Values::Histogram(_) => {
                let bounds = BOUNDS.iter().map(|bound| match bound.fract() {
                    0.0 => format!("{bound:.1}"),
                    _ => bound.to_string(),
                });
                names.extend(
                    bounds
                        .chain(["+Inf".to_owned()])
                        .map(|bound| format!("{name}_bucket{{le=\"{bound}\",{labels}}}")),
                );
                names.extend(["_sum", "_count"].map(|end| format!("{name}{end}{{{labels}}}")));
            }
        }
    }
    names
}

/// Four workers count at once, and nothing is lost or counted twice.
pub(crate) fn workers(host: &Host, input: &Input) -> Result<(), String> {
    let input = input.written();
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&input.path, "json");
    sidecar.input.retain(|(key, _)| *key != "exit_on_eof");
    sidecar.output.push(("workers", "4".to_owned()));
    let endpoint = Endpoint::of(&mut sidecar);
    let mut process = sidecar.start(host);
    let lines = input.lines.len() as f64;
    until(&mut process, &endpoint, "documents_total", lines)?;
    let refused = "attempting to reset";
    if process.output().contains(refused) {
        return Err(process.failure("a counter was set back"));
    }
    process.signal(Signal::TERM);
    ended_well(&mut process)
}

/// After a hot reload the new configuration counts from the start.
pub(crate) fn reload(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::tls();
    let lines = http_logs(0..500);
    let (mut sidecar, endpoint) = running(&service, &lines);
    sidecar.service.push(("hot_reload", "on".to_owned()));
    let mut process = sidecar.start(host);
    until(&mut process, &endpoint, "documents_total", 500.0)?;
    process.signal(Signal::HUP);
    // Without a database of positions the new configuration reads the file again.
    process.until(LONG, "all lines again", |_| {
        service.fake.stats().documents == 1000
    })?;
    let mut file = OpenOptions::new()
        .append(true)
        .open(sidecar.path("input.log"))
        .expect("the input is there");
    writeln!(file, "{}", http_logs(500..507).join("\n")).expect("the input can be written to");
    until(&mut process, &endpoint, "documents_total", 507.0)?;
    process.signal(Signal::TERM);
    ended_well(&mut process)
}

/// A key without a column is told in the log, and counted.
pub(crate) fn schema(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::tls();
    let lines = [r#"{"id":1}"#, r#"{"ID":2,"user":{"Plan":"x"}}"#].map(str::to_owned);
    let (mut sidecar, endpoint) = running(&service, &lines);
    let table = r#"{"Columns": [{"Name": "id", "Type": "int"}]}"#.to_owned();
    let folder = sidecar.path("tables");
    fs::create_dir(&folder).expect("a temporary folder can be written to");
    sidecar.write("tables/logs.json", &[table]);
    sidecar
        .output
        .push(("schema_file", text(&folder).to_owned()));
    let mut process = sidecar.start(host);
    let scrape = until(&mut process, &endpoint, "documents_total", 2.0)?;
    let told = "schema_file has no column for the key `user` of tag tail.0, and the conversion drops \
                it: add it with the type struct<plan:string>";
    process.until(LONG, told, |output| output.contains(told))?;
    let labels = "name=\"firehose.0\",stream=\"logs\"";
    let name = format!("{PREFIX}schema_findings_total{{{labels},kind=\"no_column\"}}");
    let counted = process.until(LONG, "1 finding", |_| {
        series(&endpoint.scrape()).get(&name) == Some(&1.0)
    });
    counted.map_err(|error| format!("{error}\nthe first scrape:\n{scrape}"))?;
    process.signal(Signal::TERM);
    ended_well(&mut process)
}

/// A host that has no place for a plugin's metrics is no worse for it.
pub(crate) fn none(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::tls();
    let (sidecar, endpoint) = running(&service, &http_logs(0..500));
    let mut process = sidecar.start(host);
    let mut served = String::new();
    process.until(LONG, "the host's own metrics of all lines", |_| {
        served = endpoint
            .get("/api/v1/metrics/prometheus")
            .unwrap_or_default();
        served.contains("fluentbit_output_proc_records_total{name=\"firehose.0\"} 500 ")
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    let log = process.output();
    let is_told = log
        .lines()
        .any(|line| line.contains("firehose") && line.contains("metric"));
    match served.contains(PREFIX) || is_told {
        true => Err(process.failure(&format!("served:\n{served}"))),
        false => Ok(()),
    }
}

/// The command of the page on metrics, at the port of this host.
pub(crate) fn documented(host: &Host) -> Result<(), String> {
    let page = include_str!("../../docs/metrics.md");
    let block = page.split("```sh\n").nth(1);
    let command = block.and_then(|block| block.split("```").next());
    let command = command.ok_or("the page has no command any more")?;
    let service = Service::tls();
    let (sidecar, endpoint) = running(&service, &http_logs(0..10));
    let mut process = sidecar.start(host);
    let scrape = until(&mut process, &endpoint, "documents_total", 10.0)?;
    let command = command.replace("127.0.0.1:2020", &endpoint.0.to_string());
    let output = Command::new("/bin/sh").args(["-euc", &command]).output();
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match series(&printed).keys().eq(series(&scrape).keys()) {
        true => Ok(()),
        false => Err(format!(
            "{command}: {output:?}\nnot the series of:\n{scrape}"
        )),
    }
}
