//! The service from a socket: what it refuses, and what of a fault only the socket shows. What else
//! it does wrong, the tests of the plugin and of the benchmark notice.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use fake_firehose::{Credentials, FakeFirehose, Scenario, Settings};
use hyper::Request;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

/// The longest that a test waits for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(20);
const RIGHT_BODY: &str = r#"{"DeliveryStreamName":"logs","Records":[{"Data":"YQo="}]}"#;

/// What a request is signed with.
struct Signer {
    credentials: Credentials,
    region: &'static str,
    service: &'static str,
    at: SystemTime,
}

impl Signer {
    /// That which a service of [`settings`] takes.
    fn right() -> Signer {
        Signer {
            credentials: settings().credentials.remove(0),
            region: "eu-west-1",
            service: "firehose",
            at: SystemTime::now(),
        }
    }

    /// A PutRecordBatch with this body.
    fn sign(&self, body: &str) -> Request<String> {
        let mut request = Request::post("http://localhost/")
            .header("host", "localhost")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Firehose_20150804.PutRecordBatch")
            .body(body.to_owned())
            .unwrap();
        let credentials = self.credentials.clone();
        let identity = aws_credential_types::Credentials::new(
            credentials.access_key,
            credentials.secret_key,
            credentials.session_token,
            None,
            "test",
        )
        .into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let body = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", "http://localhost/", headers, body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        request
    }
}

/// A service for one region, and one key with a session token.
fn settings() -> Settings {
    Settings {
        credentials: vec![Credentials {
            session_token: Some("token".to_owned()),
            ..Credentials::default()
        }],
        region: Some("eu-west-1".to_owned()),
        ..Settings::default()
    }
}

fn start(steps: &str) -> FakeFirehose {
    let scenario = Scenario::parse(steps).unwrap();
    FakeFirehose::start(Settings {
        scenario,
        ..settings()
    })
    .unwrap()
}

fn send_head(address: SocketAddr, request: &Request<String>) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head += &format!("content-length: {}\r\n\r\n", request.body().len());
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn send(address: SocketAddr, request: &Request<String>) -> TcpStream {
    let mut stream = send_head(address, request);
    stream.write_all(request.body().as_bytes()).unwrap();
    stream
}

/// All that comes until the connection's end.
fn read(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The answer's status and body.
fn call(address: SocketAddr, mut request: Request<String>) -> (u16, Value) {
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert("connection", close);
    let answer = read(send(address, &request));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head["HTTP/1.1 ".len()..][..3].parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[test]
fn only_a_right_request_is_taken() {
    let fake = start("");
    let signed = |change: fn(&mut Signer)| {
        let mut signer = Signer::right();
        change(&mut signer);
        signer.sign(RIGHT_BODY)
    };
    let changed = |change: fn(&mut Request<String>)| {
        let mut request = Signer::right().sign(RIGHT_BODY);
        change(&mut request);
        request
    };
    fn set(request: &mut Request<String>, name: &'static str, value: &'static str) {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    fn edit(request: &mut Request<String>, old: &str, new: &str) {
        let value = request.headers()["authorization"].to_str().unwrap();
        let value = value.replacen(old, new, 1).try_into().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let invalid = "InvalidSignatureException";
    let incomplete = "IncompleteSignatureException";
    let unknown_key = "UnrecognizedClientException";
    let unknown_operation = "UnknownOperationException";
    for (request, kind) in [
        (signed(|it| it.credentials.secret_key.push('x')), invalid),
        (
            signed(|it| it.credentials.access_key.push('X')),
            unknown_key,
        ),
        (
            signed(|it| it.credentials.session_token = None),
            unknown_key,
        ),
        (signed(|it| it.region = "us-east-1"), invalid),
        (signed(|it| it.service = "kinesis"), invalid),
        (signed(|it| it.at -= Duration::from_secs(330)), invalid),
        (signed(|it| it.at += Duration::from_secs(330)), invalid),
        (changed(|it| it.body_mut().push(' ')), invalid),
        (changed(|it| set(it, "host", "other")), invalid),
        (changed(|it| set(it, "x-amz-more", "unsigned")), invalid),
        (changed(|it| set(it, "x-amz-date", "yesterday")), incomplete),
        (changed(|it| edit(it, "Signature=", "Signature=0")), invalid),
        (changed(|it| edit(it, "host;", "")), invalid),
        (changed(|it| edit(it, "Credential", "Cred")), incomplete),
        (
            changed(|it| drop(it.headers_mut().remove("authorization"))),
            "MissingAuthenticationTokenException",
        ),
        (
            changed(|it| set(it, "content-type", "application/json")),
            unknown_operation,
        ),
        (
            changed(|it| set(it, "x-amz-target", "Firehose_20150804.PutRecord")),
            unknown_operation,
        ),
        (Signer::right().sign("{"), "SerializationException"),
        (
            Signer::right().sign(&RIGHT_BODY.replace("logs", "logs2")),
            "ResourceNotFoundException",
        ),
    ] {
        let (status, answer) = call(fake.address(), request);
        assert_eq!(status, 400);
        assert_eq!(answer["__type"], kind, "{answer}");
    }
    assert_eq!(fake.stats().records, 0);
    let (status, answer) = call(fake.address(), signed(|_| {}));
    assert_eq!((status, &answer["FailedPutCount"]), (200, &json!(0)));
    assert_eq!(fake.documents(), b"a\n");
}

#[test]
fn a_refused_request_uses_up_its_step_and_a_reset_begins_anew() {
    let fake = start("[[step]]\naccept = true\n[[step]]\nrefuse = \"all\"");
    for _ in 0..2 {
        let right = || Signer::right().sign(RIGHT_BODY);
        assert_eq!(call(fake.address(), Signer::right().sign("{")).0, 400);
        assert_eq!(call(fake.address(), right()).1["FailedPutCount"], 1);
        assert_eq!(call(fake.address(), right()).1["FailedPutCount"], 0);
        assert_eq!(fake.documents(), b"a\n");
        fake.reset();
        assert_eq!(fake.stats().requests, 0);
    }
}

#[test]
fn a_reset_is_one_of_tcp_before_the_body_or_once_the_records_are_stored() {
    let fake = start("[[step]]\nreset = \"before\"\n[[step]]\nreset = \"after\"");
    let request = Signer::right().sign(RIGHT_BODY);
    for (send, stored) in [(send_head as fn(_, &_) -> _, 0), (send, 1)] {
        let error = send(fake.address(), &request).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(fake.stats().records, stored);
    }
}

#[test]
fn a_closed_connection_was_not_announced() {
    let fake = start("[[step]]\nclose = true\n[[step]]\nclose = true\ndrip_ms = 1");
    for _ in 0..2 {
        let answer = read(send(fake.address(), &Signer::right().sign(RIGHT_BODY)));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("}]}"), "{answer}");
        assert!(!answer.contains("\r\nconnection:"), "{answer}");
    }
}

#[test]
fn latency_passes_before_an_answer() {
    let latency = Duration::from_millis(200);
    let fake = FakeFirehose::start(Settings {
        latency,
        ..settings()
    })
    .unwrap();
    let sent = Instant::now();
    assert_eq!(
        call(fake.address(), Signer::right().sign(RIGHT_BODY)).0,
        200
    );
    assert!(sent.elapsed() >= latency);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_is_noted() {
    let fake = start("");
    drop(send_head(fake.address(), &Signer::right().sign(RIGHT_BODY)));
    assert!(fake.wait_for_requests(1, PATIENCE));
    assert_eq!(fake.stats().calls["disconnected"], 1);
}

#[test]
fn the_program_tells_its_address_shows_what_it_holds_and_ends_with_its_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fake-firehose"))
        .args(["--keep=records", "--stream=logs", "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let address = ready["url"].as_str().unwrap().replace("http://", "");
    let address = address.parse().unwrap();
    let signer = Signer {
        credentials: Credentials::default(),
        ..Signer::right()
    };
    assert_eq!(call(address, signer.sign(RIGHT_BODY)).0, 200);
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        write!(stream, "GET /_fake/{path} {head}").unwrap();
        read(stream)
    };
    assert!(get("documents").ends_with("\r\n\r\na\n"));
    assert!(get("stats").contains("\"billed_bytes\":5120"));
    assert!(get("requests").contains("\"outcome\":\"accepted\""));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_program_says_what_is_wrong_with_its_arguments() {
    for (arguments, words) in [
        (&["--bogus"][..], "--bogus"),
        (&["--keep", "some"], "records or counts"),
        (&["--ca-file", "ca.pem"], "--tls"),
        (&["--scenario", "absent.toml"], "absent.toml"),
        (&["--stream", "a b"], "'a b'"),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_fake-firehose"));
        let output = program.args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(told.contains(words), "{told}");
    }
}
