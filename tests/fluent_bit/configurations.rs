//! The configurations of `fluent-bit/`: what they make of what their inputs are given.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rmpv::Value as Packed;
use rustix::process::Signal;
use serde_json::Value;

use crate::host::Host;
use crate::image::Image;
use crate::samples::Case;
use crate::samples::Given::{self, File, Forward, HealthCheck, Http};
use crate::sidecar::{LONG, ended_well, text};
use crate::support::built;
use crate::support::child::{Process, poll};
use crate::support::environment::{self, CREDENTIALS};
use crate::support::service::Service;

/// Starts the host with the form of the case's configuration, and gives it what the case says.
pub(crate) fn delivers(host: &Host, case: &Case, form: &str) -> Result<(), String> {
    let service = Service::plain();
    let mut image = prepared(host, &service);
    for (variable, value) in case.variables {
        let variable = (*variable).to_owned();
        image.variables.insert(variable, (*value).to_owned());
    }
    for given in case.given {
        if let File {
            variable,
            pattern,
            name,
            content,
        } = given
        {
            image.write(&format!("/logs/{name}"), content);
            let path = image.path(&format!("/logs/{pattern}"));
            let path = text(&path).to_owned();
            image.variables.insert((*variable).to_owned(), path);
        }
    }
    let file = match case.own {
        Some([classic, yaml]) => {
            let content = if form == ".yaml" { yaml } else { classic };
            let file = format!("own{form}");
            image.write(&format!("/fluent-bit/etc/{file}"), content);
            file
        }
        None => format!("{}{form}", case.configuration),
    };
    let mut process = start(host, &image, &file);
    for given in case.given {
        give(&mut process, &image, given)?;
    }
    arrives(&mut process, &service, documents(case.expected.as_bytes()))
}

/// Waits until so many documents are delivered, ends the host, and compares.
pub(crate) fn arrives(
    process: &mut Process,
    service: &Service,
    expected: Vec<Value>,
) -> Result<(), String> {
    process.until(LONG, "all documents", |_| {
        service.fake.stats().documents >= expected.len() as u64
    })?;
    process.signal(Signal::TERM);
    ended_well(process)?;
    arrived(process, service, expected)
}

/// Compares what is delivered when the host has ended.
pub(crate) fn arrived(
    process: &Process,
    service: &Service,
    expected: Vec<Value>,
) -> Result<(), String> {
    compare(process, expected, documents(&service.fake.documents()))?;
    if process.output().contains("[error]") {
        return Err(process.failure("an error was logged"));
    }
    Ok(())
}

/// A reload finds all files again from another working folder, and no line is lost.
pub(crate) fn reload(host: &Host) -> Result<(), String> {
    let service = Service::plain();
    let mut image = prepared(host, &service);
    let log = image.write("/logs/app.log", "");
    let mut set = |name: &str, value: &str| {
        image.variables.insert(name.to_owned(), value.to_owned());
    };
    set("SIDECAR_HOT_RELOAD", "on");
    set("SIDECAR_WORKERS", "0");
    set("APP_LOG_PATH", text(&log));
    let mut process = start(host, &image, "tail.conf");
    let append = |line: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(&log);
        let file = file.as_mut().expect("the file is there");
        writeln!(file, "{line}").expect("a temporary folder can be written to");
    };
    let arrived = |number: u64| {
        let fake = &service.fake;
        move |_: &str| fake.stats().documents >= number
    };
    append("{\"message\":\"before\"}");
    process.until(LONG, "the line before", arrived(1))?;
    process.signal(Signal::HUP);
    process.until(LONG, "the end of the old configuration", |output| {
        output.contains("] delivered 1 documents in ")
    })?;
    append("{\"message\":\"after\"}");
    process.until(LONG, "the line after", arrived(2))?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    let messages: Vec<Value> = documents(&service.fake.documents())
        .iter()
        .map(|document| document["message"].clone())
        .collect();
    if messages == ["before", "after"] {
        return Ok(());
    }
    Err(process.failure(&format!("{messages:?} arrived")))
}

/// What was read and not delivered outlives kill -9.
pub(crate) fn kill(host: &Host) -> Result<(), String> {
    let service = Service::plain();
    let mut image = prepared(host, &service);
    let lines: Vec<String> = (0..1000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let log = image.write("/logs/app.log", &lines.concat());
    let mut set = |name: &str, value: &str| {
        let former = image.variables.insert(name.to_owned(), value.to_owned());
        former.unwrap_or_default()
    };
    set("APP_LOG_PATH", text(&log));
    let nowhere = format!("http://{}", address(&listener()));
    let endpoint = set("AWS_ENDPOINT_URL_FIREHOSE", &nowhere);
    let mut process = start(host, &image, "tail.conf");
    process.until(LONG, "a flush in vain", |output| {
        output.contains("[ warn] [output:firehose:firehose.0]")
    })?;
    process.signal(Signal::KILL);
    process.wait(LONG)?;

    let variable = "AWS_ENDPOINT_URL_FIREHOSE".to_owned();
    image.variables.insert(variable, endpoint);
    let mut process = start(host, &image, "tail.conf");
    process.until(LONG, "all lines", |_| {
        service.fake.stats().documents >= lines.len() as u64
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    each_once(&process, &service.fake.documents())
}

/// The lines 0 to 999 arrived once each.
fn each_once(process: &Process, arrived: &[u8]) -> Result<(), String> {
    let arrived = documents(arrived);
    let mut numbers: Vec<Option<u64>> = arrived.iter().map(|line| line["n"].as_u64()).collect();
    numbers.sort();
    if numbers.into_iter().eq((0..1000).map(Some)) {
        return Ok(());
    }
    Err(process.failure(&format!(
        "{} documents arrived, not each once",
        arrived.len()
    )))
}

/// Of a chunk that was accepted in part when the process was killed, only the rest is sent.
pub(crate) fn kill_half_delivered(host: &Host) -> Result<(), String> {
    // The first call has but a part of the lines; no other one is answered.
    let scenario = "[[step]]\n[[step]]\nrepeat = 1000\nhang = true\n";
    let (hangs, service) = (Service::with_scenario(scenario), Service::plain());
    let mut image = prepared(host, &service);
    let lines: Vec<String> = (0..1000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let log = image.write("/logs/app.log", &lines.concat());
    let path = text(&log).to_owned();
    image.variables.insert("APP_LOG_PATH".to_owned(), path);
    let endpoint = "AWS_ENDPOINT_URL_FIREHOSE".to_owned();
    let url = image.variables.insert(endpoint.clone(), hangs.fake.url());
    let mut process = start(host, &image, "tail.conf");
    let state = PathBuf::from(format!("{}/firehose", image.variables["SIDECAR_STATE_DIR"]));
    process.until(LONG, "a call that hangs, and a journal", |_| {
        let requests = hangs.fake.requests();
        let files = fs::read_dir(&state).into_iter().flatten().flatten();
        let mut journals = files.filter(|file| file.path().extension() == Some("journal".as_ref()));
        let is_written = journals.any(|file| file.metadata().is_ok_and(|it| it.len() > 0));
        is_written && requests.iter().any(|request| request.outcome == "hung")
    })?;
    process.signal(Signal::KILL);
    process.wait(LONG)?;
    let before = hangs.fake.documents();
    let rest = lines.len() - documents(&before).len();

    image.variables.insert(endpoint, url.unwrap_or_default());
    let mut process = start(host, &image, "tail.conf");
    process.until(LONG, "the rest", |_| {
        service.fake.stats().documents >= rest as u64
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    each_once(&process, &[before, service.fake.documents()].concat())
}

/// The image's own command tells a host that is well from one that is not there.
pub(crate) fn health_check(host: &Host) -> Result<(), String> {
    let service = Service::plain();
    let image = prepared(host, &service);
    let check = || {
        let program = built::program("healthcheck");
        let status = Command::new(program)
            .env_clear()
            .env("SIDECAR_HTTP_PORT", &image.variables["SIDECAR_HTTP_PORT"])
            .stderr(Stdio::null())
            .status();
        status.expect("the health check can be run").success()
    };
    if check() {
        return Err("well before Fluent Bit was started".to_owned());
    }
    let mut process = start(host, &image, "fluent-bit.conf");
    process.until(LONG, "its health", |_| check())?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    if check() {
        return Err("well after Fluent Bit has ended".to_owned());
    }
    Ok(())
}

/// The metrics, the plugin's own included, come by remote write.
pub(crate) fn telemetry(host: &Host) -> Result<(), String> {
    let (service, prometheus) = (Service::plain(), listener());
    let mut image = prepared(host, &service);
    let port = address(&prometheus).port().to_string();
    image
        .variables
        .insert("SIDECAR_METRICS_PORT".to_owned(), port);
    prometheus
        .set_nonblocking(true)
        .expect("a listener can be made not to wait");
    let mut process = start(host, &image, "tail_telemetry.conf");
    let mut connection = poll(LONG, || prometheus.accept().ok())
        .ok_or_else(|| process.failure("nothing is written to the Prometheus"))?
        .0;
    let reads = connection
        .set_nonblocking(false)
        .and_then(|()| connection.set_read_timeout(Some(LONG)));
    reads.expect("a connection has a time-out");
    let (mut request, mut bytes) = (Vec::new(), [0; 4096]);
    // Snappy leaves text that comes for the first time as it is; "ambiguous" is in a name of the plugin.
    let wanted: [&[u8]; 3] = [b"POST /api/v1/write ", b"ambiguous", b"shop"];
    let has = |request: &[u8], part: &[u8]| request.windows(part.len()).any(|at| at == part);
    while let Some(missing) = wanted.iter().find(|part| !has(&request, part)) {
        let read = connection.read(&mut bytes).unwrap_or_default();
        if read == 0 {
            let missing = String::from_utf8_lossy(missing);
            return Err(process.failure(&format!("{missing} is not in what is written")));
        }
        request.extend_from_slice(&bytes[..read]);
    }
    connection
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .expect("the writer waits for an answer");
    process.signal(Signal::TERM);
    ended_well(&mut process)
}

/// The plugins that a case's configuration names and the host lacks.
pub(crate) fn missing(host: &Host, case: &Case) -> Vec<String> {
    let own = case.own.map(|[classic, _]| classic.to_owned());
    let mut contents = vec![own.unwrap_or_default(), part(case.configuration)];
    let mut missing = BTreeSet::new();
    while let Some(content) = contents.pop() {
        for line in content.lines() {
            if let Some(file) = line.strip_prefix("@INCLUDE ") {
                contents.push(part(file.trim_end_matches(".conf")));
            } else if let Some(name) = line.strip_prefix("    name ") {
                missing.insert(name.to_owned());
            }
        }
    }
    missing
        .into_iter()
        .filter(|name| name != "firehose" && !host.has_plugin(name))
        .collect()
}

/// A file of `fluent-bit/` in the classic form.
fn part(name: &str) -> String {
    let path = format!("{}/fluent-bit/{name}.conf", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The image, with this machine's ports and a service to deliver to.
pub(crate) fn prepared(host: &Host, service: &Service) -> Image {
    let mut image = Image::new();
    let mut set = |name: &str, value: String| {
        image.variables.insert(name.to_owned(), value);
    };
    set("AWS_ENDPOINT_URL_FIREHOSE", service.fake.url());
    set("FIREHOSE_DELIVERY_STREAM", "logs".to_owned());
    set("HOSTNAME", "machine".to_owned());
    set("SIDECAR_SERVICE", "shop".to_owned());
    set("SIDECAR_ENVIRONMENT", "test".to_owned());
    set("SIDECAR_TASK", "task-1".to_owned());
    set("SIDECAR_FLUSH", "0.2".to_owned());
    // The shorter the time-out, the shorter a flush waits for others to share a record with.
    set("SIDECAR_REQUEST_TIMEOUT", "2s".to_owned());
    set("SIDECAR_FLUSH_TIMEOUT", "2s".to_owned());
    let ports = [
        "SIDECAR_FORWARD_PORT",
        "SIDECAR_HTTP_INPUT_PORT",
        "SIDECAR_HTTP_PORT",
        "FIRELENS_HEALTH_PORT",
    ];
    // All are held until each has another one.
    let listeners = ports.map(|_| listener());
    for (name, listener) in ports.iter().zip(&listeners) {
        set(name, address(listener).port().to_string());
    }
    if !host.has_workers() {
        set("SIDECAR_WORKERS", "0".to_owned());
    }
    image
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port can be bound")
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound port has an address")
}

/// Runs from another folder than the configuration's, as the image does.
pub(crate) fn start(host: &Host, image: &Image, file: &str) -> Process {
    Process::start(command(host, image, file), &image.path("/output"))
}

pub(crate) fn command(host: &Host, image: &Image, file: &str) -> Command {
    let mut command = environment::command(&host.program, CREDENTIALS.as_ref());
    command
        .envs(&image.variables)
        .current_dir("/")
        .arg("-c")
        .arg(image.path(&format!("/fluent-bit/etc/{file}")));
    command
}

fn give(process: &mut Process, image: &Image, given: &Given) -> Result<(), String> {
    let (variable, bytes) = match given {
        File { .. } => return Ok(()),
        Forward(events) => ("SIDECAR_FORWARD_PORT", packed(events)),
        HealthCheck(line) => ("FIRELENS_HEALTH_PORT", line.as_bytes().to_vec()),
        Http(body) => (
            "SIDECAR_HTTP_INPUT_PORT",
            format!(
                "POST /app HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        ),
    };
    let port: u16 = image.variables[variable].parse().expect("a port");
    let mut stream = poll(LONG, || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
    })
    .ok_or_else(|| process.failure(&format!("nothing listens on {variable}")))?;
    stream
        .write_all(&bytes)
        .map_err(|error| process.failure(&format!("{variable}: {error}")))
}

/// In the forward protocol's message mode: tag, time, event.
fn packed(events: &str) -> Vec<u8> {
    /// 2024-02-29T23:59:50Z
    const TIME: u64 = 1_709_251_190;
    let mut bytes = Vec::new();
    for line in events.lines() {
        let event: serde_json::Map<String, Value> =
            serde_json::from_str(line).expect("a sample is JSON");
        let event = event.into_iter().map(|(key, value)| {
            let value = value
                .as_str()
                .expect("a sample's values are text")
                .to_owned();
            (Packed::from(key), Packed::from(value))
        });
        let event = Packed::Map(event.collect());
        let message = Packed::Array(vec!["app-firelens-1".into(), TIME.into(), event]);
        rmpv::encode::write_value(&mut bytes, &message).expect("a buffer can be written to");
    }
    bytes
}

/// Documents, one a line, with `read` in place of a time that is none of the samples'.
pub(crate) fn documents(lines: &[u8]) -> Vec<Value> {
    let lines = lines.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut document: Value =
                serde_json::from_slice(line).expect("a document is a line of JSON");
            let is_sample = |time: &str| time.starts_with("2024-");
            if !document["timestamp"].as_str().is_some_and(is_sample) {
                document["timestamp"] = "read".into();
            }
            document
        })
        .collect()
}

/// Whether the same documents arrived, in whatever order.
fn compare(process: &Process, expected: Vec<Value>, mut arrived: Vec<Value>) -> Result<(), String> {
    let mut missing = Vec::new();
    for document in expected {
        match arrived.iter().position(|other| *other == document) {
            Some(place) => drop(arrived.swap_remove(place)),
            None => missing.push(document.to_string()),
        }
    }
    if missing.is_empty() && arrived.is_empty() {
        return Ok(());
    }
    let others: Vec<String> = arrived.iter().map(Value::to_string).collect();
    Err(process.failure(&format!(
        "missing:\n{}\nin their place:\n{}\n",
        missing.join("\n"),
        others.join("\n")
    )))
}
