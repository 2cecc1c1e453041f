//! The program: what it prints, and what ends it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::client::{Client, PATIENCE, Request};

/// A running program, killed should a test fail before it has ended.
struct Program {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    ready: Value,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-firehose"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn temporary_file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

impl Program {
    fn start(arguments: &[&str]) -> Program {
        let mut child = command(arguments).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Program {
            child,
            stdout: Some(stdout),
            ready: serde_json::from_str(&line).unwrap(),
        }
    }

    /// Waits for the end, which closes standard output, but not for ever.
    fn end(&mut self) -> ExitStatus {
        let mut stdout = self.stdout.take().unwrap();
        let (closed, is_closed) = mpsc::channel();
        std::thread::spawn(move || closed.send(stdout.read_line(&mut String::new())));
        let more = is_closed.recv_timeout(PATIENCE).expect("it ends");
        assert_eq!(more.unwrap(), 0, "one line is all it prints");
        self.child.wait().unwrap()
    }

    fn address(&self) -> std::net::SocketAddr {
        let url = self.ready["url"].as_str().unwrap();
        let port = url.rsplit_once(':').unwrap().1.parse().unwrap();
        ([127, 0, 0, 1], port).into()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails only where it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn it_serves_over_tls_as_its_arguments_say_until_stdin_closes() {
    let ca_file = temporary_file("program-ca.pem", "");
    let scenario = temporary_file("program-scenario.toml", "[[step]]\nrefuse = \"all\"");
    let mut program = Program::start(&[
        "--tls",
        "--ca-file",
        ca_file.to_str().unwrap(),
        "--scenario",
        scenario.to_str().unwrap(),
        "--keep=counts",
        "--stream=one",
        "--stream",
        "two",
        "--latency-ms=1",
        "--until-stdin-closes",
    ]);
    assert_eq!(program.ready["ca_file"], ca_file.to_str().unwrap());
    let ca_pem = std::fs::read_to_string(&ca_file).unwrap();
    let mut client = Client::connect_tls(program.address(), "localhost", &ca_pem);
    for (stream, refused) in [("one", 1), ("two", 0)] {
        let reply = client.call(&Request::put_to(stream, &["x\n"])).unwrap();
        assert_eq!(reply.json()["FailedPutCount"], refused);
    }
    let stats = client.control("GET", "/_fake/stats").unwrap().json();
    assert_eq!(stats["documents"], 1);
    let documents = client.control("GET", "/_fake/documents").unwrap();
    assert_eq!(documents.body, b"");

    drop(program.child.stdin.take());
    assert!(program.end().success());
}

#[test]
fn it_ends_orderly_on_signals() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&[]);
        assert_eq!(program.ready["ca_file"], Value::Null);
        let mut client = Client::connect(program.address());
        assert_eq!(client.call(&Request::put(&["x"])).unwrap().status, 200);
        let sent = Command::new("kill")
            .args(["-s", signal, &program.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        assert!(program.end().success(), "{signal}");
    }
}

#[test]
fn it_does_not_start_on_wrong_arguments_and_says_why() {
    let wrong = temporary_file("program-wrong.toml", "[[step]]\nrefuse = 5");
    let wrong = wrong.to_str().unwrap();
    for (arguments, words) in [
        (&["--bogus"][..], "--bogus"),
        (&["--port", "seventy"], "seventy"),
        (&["--keep", "some"], "records or counts"),
        (&["--ca-file", "ca.pem"], "--tls"),
        (&["--scenario", "absent.toml"], "absent.toml"),
        (&["--scenario", wrong], "step 1: `refuse`"),
        (&["--stream", "a b"], "'a b'"),
    ] {
        let Output { status, stderr, .. } = command(arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[test]
fn help_names_every_flag() {
    let output = command(&["--help"]).output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in [
        "--port",
        "--tls",
        "--ca-file",
        "--scenario",
        "--keep",
        "--stream",
        "--region",
        "--access-key",
        "--secret-key",
        "--session-token",
        "--latency-ms",
        "--clock-offset-s",
        "--until-stdin-closes",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
}
