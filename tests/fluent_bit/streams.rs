//! One output that sends to many delivery streams: each event arrives at its own, once, whatever the
//! other streams do.

use std::collections::BTreeMap;
use std::fs;

use fake_firehose::{Scenario, Settings};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::configurations::{prepared, start};
use crate::delivery::{Input, exactly_once};
use crate::host::Host;
use crate::sidecar::{LONG, Sidecar, ended_well, options, text};
use crate::support::child::Process;
use crate::support::logs::http_logs;
use crate::support::service::Service;

const STREAMS: usize = 40;
/// The first stream is missing; this one takes few bytes, and that one refuses much.
const SICK: &str = r#"
[quota.ns01]
bytes_per_second = 20000
[[step]]
stream = "ns02"
repeat = "forever"
refuse_share = 0.3
"#;
const MISSING: &str = "ns00";

/// Of each stream.
type Lines = BTreeMap<String, Vec<String>>;

fn name(number: usize) -> String {
    format!("ns{number:02}")
}

/// Lines that name their streams in turn.
fn lines(count: u64) -> Lines {
    let mut all = Lines::new();
    for (number, line) in http_logs(0..count).into_iter().enumerate() {
        let stream = name(number % STREAMS);
        let mut line: Value = serde_json::from_str(&line).expect("a line is JSON");
        line["kubernetes"] = json!({ "namespace_name": stream });
        all.entry(stream).or_default().push(line.to_string());
    }
    all
}

fn service(streams: Vec<String>, scenario: &str) -> Service {
    Service::start(Settings {
        tls: true,
        streams,
        scenario: Scenario::parse(scenario).expect("the scenario is well-formed"),
        ..Settings::default()
    })
}

/// What the service has, by stream.
fn arrived(service: &Service) -> BTreeMap<String, Vec<u8>> {
    let mut arrived: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for record in service.fake.records() {
        let documents = arrived.entry(record.stream).or_default();
        documents.extend_from_slice(&record.data);
    }
    arrived
}

/// A sidecar whose output has this template. It flushes again soon what was handed back.
fn sidecar(service: &Service, template: &str) -> Sidecar {
    let mut sidecar = Sidecar::new(service);
    sidecar.output.retain(|(key, _)| *key != "delivery_stream");
    sidecar.output.extend(options(&[
        ("delivery_stream", template),
        ("delivery_stream_default", "other"),
        ("flush_timeout", "3s"),
        ("stop_timeout", "1s"),
    ]));
    // What waits for the missing stream keeps the host for as long as it may.
    sidecar.service.retain(|(key, _)| *key != "grace");
    sidecar.service.extend(options(&[
        ("grace", "2"),
        ("scheduler.base", "1"),
        ("scheduler.cap", "2"),
    ]));
    sidecar
}

/// Runs until so many documents are there, and ends the host.
fn run(sidecar: &Sidecar, host: &Host, service: &Service, count: usize) -> Result<Process, String> {
    let mut process = sidecar.start(host);
    let what = format!("{count} documents");
    process.until(LONG, &what, |_| {
        let stats = service.fake.stats();
        let missing = stats.streams.get(MISSING).map_or(3, |of| of.requests);
        // Its chunks came again: what others have of them did not go out twice.
        stats.documents as usize >= count && missing >= 3
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    Ok(process)
}

fn each_once(process: &Process, service: &Service, lines: &Lines) -> Result<(), String> {
    let arrived = arrived(service);
    for (stream, lines) in lines {
        let documents = arrived.get(stream).map_or(&[][..], Vec::as_slice);
        let lines = if stream == MISSING { &[][..] } else { lines };
        exactly_once(process, lines, documents).map_err(|fault| format!("{stream}: {fault}"))?;
    }
    match arrived.len() + 1 == lines.len() {
        true => Ok(()),
        false => Err(process.failure(&format!("other streams: {:?}", arrived.keys()))),
    }
}

/// One chunk has events of all streams, so that the missing one keeps it.
pub(crate) fn by_record(host: &Host, _: &Input) -> Result<(), String> {
    let lines = lines(8_000);
    let service = service((1..STREAMS).map(name).collect(), SICK);
    let mut sidecar = sidecar(&service, "$kubernetes['namespace_name']");
    let count = lines.values().map(Vec::len).max().unwrap_or_default();
    let in_turn = (0..count).flat_map(|at| lines.values().filter_map(move |of| of.get(at)));
    let in_turn: Vec<String> = in_turn.cloned().collect();
    sidecar.tail(&sidecar.write("input.log", &in_turn), "json");
    sidecar.input.retain(|(key, _)| *key != "exit_on_eof");
    let process = run(&sidecar, host, &service, 7_800)?;
    each_once(&process, &service, &lines)
}

/// Each tag has its stream, so that the chunks of those that are ill take up workers.
pub(crate) fn by_tag(host: &Host, _: &Input) -> Result<(), String> {
    let lines = lines(8_000);
    let service = service((1..STREAMS).map(name).collect(), SICK);
    let mut sidecar = sidecar(&service, "$TAG[-1]");
    let folder = sidecar.path("logs");
    fs::create_dir(&folder).map_err(|error| error.to_string())?;
    for (stream, lines) in &lines {
        sidecar.write(&format!("logs/{stream}.log"), lines);
    }
    sidecar.tail(&folder.join("*.log"), "json");
    sidecar.input.retain(|(key, _)| *key != "exit_on_eof");
    sidecar.input.extend(options(&[
        ("tag", "app.<stream>"),
        ("tag_regex", r"(?<stream>[a-z0-9]+)\.log$"),
    ]));
    sidecar
        .output
        .push(("simple_aggregation", "true".to_owned()));
    let process = run(&sidecar, host, &service, 7_800)?;
    each_once(&process, &service, &lines)?;
    // The quota alone takes longer than all of the others.
    let stats = service.fake.stats();
    let last = |stream: &String| stats.streams[stream].last_accepted_ms;
    let slow = last(&name(1));
    let waited = (3..STREAMS).map(name).find(|stream| last(stream) >= slow);
    waited.map_or(Ok(()), |stream| {
        Err(process.failure(&format!(
            "{stream} waited for the stream that is over its quota"
        )))
    })
}

/// Values that a stream's name can't have, or may not, go to the default stream.
pub(crate) fn hostile(host: &Host, _: &Input) -> Result<(), String> {
    let long = "x".repeat(10_000);
    let hostile = [
        "../../etc",
        "",
        "a b",
        "\u{0}\u{1b}[31m",
        "\u{202e}",
        &long,
        "app",
    ];
    let mut lines: Vec<String> = Vec::new();
    for n in 0..11_000 {
        let ns = match n {
            0..10_000 => json!(format!("free-{n}")),
            _ if n % 8 == 7 => json!({ "a": 1 }),
            _ => json!(hostile[n % 8]),
        };
        lines.push(json!({ "n": n, "ns": ns }).to_string());
    }
    let service = service(vec!["other".to_owned(), "app-good".to_owned()], "");
    let mut sidecar = sidecar(&service, "$ns");
    sidecar
        .output
        .push(("delivery_stream_allow", "app-*".to_owned()));
    sidecar.tail(&sidecar.write("input.log", &lines), "json");
    let process = sidecar.run(host)?;
    exactly_once(&process, &lines, &service.fake.documents())?;
    let told = process
        .output()
        .matches("go to delivery_stream_default")
        .count();
    if told == 0 || told > 1_000 {
        return Err(process.failure(&format!("{told} lines tell of the default stream")));
    }
    Ok(())
}

/// Streams beyond the most share the default one, and those that are idle make room.
pub(crate) fn many(host: &Host, _: &Input) -> Result<(), String> {
    let lines = lines(4_000);
    let mut streams: Vec<String> = (0..STREAMS).map(name).collect();
    streams.push("other".to_owned());
    let service = service(streams, "");
    let mut sidecar = sidecar(&service, "$kubernetes['namespace_name']");
    sidecar
        .output
        .push(("max_delivery_streams", "8".to_owned()));
    let all: Vec<String> = lines.values().flatten().cloned().collect();
    sidecar.tail(&sidecar.write("input.log", &all), "json");
    let process = sidecar.run(host)?;
    exactly_once(&process, &all, &service.fake.documents())?;
    let arrived = arrived(&service);
    // The first chunk alone has events of more streams than may be.
    match arrived.contains_key("other") && arrived.len() > 8 {
        true => Ok(()),
        false => Err(process.failure(&format!("only {:?} have documents", arrived.keys()))),
    }
}

/// The DaemonSet's configuration: each namespace that is allowed has its stream, whatever a line
/// says of its namespace.
pub(crate) fn namespaces(host: &Host, form: &str) -> Result<(), String> {
    let streams = ["shop-prod-logs", "search-logs", "app-http-logs"];
    let service = Service::start(Settings {
        streams: streams.map(str::to_owned).to_vec(),
        ..Settings::default()
    });
    let mut image = prepared(host, &service);
    let files = image.path("/logs/*.log");
    for (variable, value) in [
        ("FIREHOSE_DELIVERY_STREAM", "$TAG[1]-logs"),
        ("FIREHOSE_DELIVERY_STREAM_DEFAULT", "app-http-logs"),
        (
            "FIREHOSE_DELIVERY_STREAM_ALLOW",
            "shop-prod-logs,search-logs",
        ),
        ("KUBERNETES_LOG_PATH", text(&files)),
    ] {
        image
            .variables
            .insert(variable.to_owned(), value.to_owned());
    }
    let id = "0123456789abcdef".repeat(4);
    for (file, stream) in [
        (format!("web.1-x_shop-prod_web-{id}"), "shop-prod-logs"),
        (format!("web-2_search_web-{id}"), "search-logs"),
        (format!("web-3_new_web-{id}"), "app-http-logs"),
        ("another".to_owned(), "app-http-logs"),
    ] {
        let event = json!({ "namespace": "search", "kube_namespace": "search", "due": stream });
        let line = format!("2024-02-29T23:59:59.123456789Z stdout F {event}\n");
        image.write(&format!("/logs/{file}.log"), &line);
    }
    let mut process = start(host, &image, &format!("kubernetes{form}"));
    process.until(LONG, "the line of each container", |_| {
        service.fake.stats().documents >= 4
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    for (stream, documents) in arrived(&service) {
        let documents = String::from_utf8_lossy(&documents);
        let due = format!("\"due\":\"{stream}\"");
        if let Some(stray) = documents.lines().find(|document| !document.contains(&due)) {
            return Err(process.failure(&format!("{stream} has {stray}")));
        }
    }
    Ok(())
}
