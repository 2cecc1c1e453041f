//! What a log record knows besides its body: Fluent Bit's own input takes it over OTLP.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::delivery::Input;
use crate::host::Host;
use crate::sidecar::{LONG, Sidecar, ended_well, options};
use crate::support::service::Service;

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";

/// Each document has its own ids, and the attributes of its own resource and scope.
pub(crate) fn records(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    sidecar.input = options(&[
        ("name", "opentelemetry"),
        ("listen", &address.ip().to_string()),
        ("port", &address.port().to_string()),
    ]);
    sidecar.output.extend(options(&[
        ("metadata_key", "metadata"),
        ("group_key", "origin"),
        ("replace_dots", "_"),
    ]));
    drop(listener);
    let mut process = sidecar.start(host);
    let url = format!("http://{address}/v1/logs");
    process.until(LONG, "the input to take records", |_| {
        post(&url, &request()).is_ok()
    })?;
    process.until(LONG, "three documents", |_| {
        service.fake.stats().documents >= 3
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    let documents = service.fake.documents();
    let lines = String::from_utf8_lossy(&documents);
    let told: Result<Vec<Value>, _> = lines.lines().map(told).collect();
    let expected = [
        json!([
            "first", 9, "INFO", TRACE, SPAN, "a@b", "checkout", "lib.one"
        ]),
        json!([
            "second", 17, "ERROR", null, null, null, "checkout", "lib.one"
        ]),
        json!(["third", null, null, null, null, null, "payment", "lib.two"]),
    ];
    match told {
        Ok(told) if told == expected => Ok(()),
        told => Err(process.failure(&format!("{told:?}\nof the documents\n{lines}"))),
    }
}

fn post(url: &str, body: &Value) -> Result<(), ureq::Error> {
    let request = ureq::post(url).config();
    let limited = request.timeout_global(Some(Duration::from_secs(5)));
    let request = limited.build().header("content-type", "application/json");
    request.send(body.to_string()).map(drop)
}

/// Two resources, the first with two records.
fn request() -> Value {
    let record =
        |text: &str| json!({"timeUnixNano": "1700000000000000000", "body": {"stringValue": text}});
    let attribute = |key: &str, value: &str| json!([{"key": key, "value": {"stringValue": value}}]);
    let mut first = record("first");
    first["severityNumber"] = 9.into();
    first["severityText"] = "INFO".into();
    first["traceId"] = TRACE.into();
    first["spanId"] = SPAN.into();
    first["attributes"] = attribute("user.id", "a@b");
    let mut second = record("second");
    second["severityNumber"] = 17.into();
    second["severityText"] = "ERROR".into();
    let resource = |name: &str, scope: &str, records: &[Value]| {
        json!({
            "resource": {"attributes": attribute("service.name", name)},
            "scopeLogs": [{"scope": {"name": scope}, "logRecords": records}],
        })
    };
    json!({"resourceLogs": [
        resource("checkout", "lib.one", &[first, second]),
        resource("payment", "lib.two", &[record("third")]),
    ]})
}

/// What is looked at of a document.
fn told(line: &str) -> serde_json::Result<Value> {
    let document: Value = serde_json::from_str(line)?;
    let places = [
        "/log",
        "/metadata/otlp/severity_number",
        "/metadata/otlp/severity_text",
        "/metadata/otlp/trace_id",
        "/metadata/otlp/span_id",
        "/metadata/otlp/attributes/user_id",
        "/origin/resource/attributes/service_name",
        "/origin/scope/name",
    ];
    let found = places.map(|place| document.pointer(place).cloned().unwrap_or_default());
    Ok(Value::from(found.to_vec()))
}
