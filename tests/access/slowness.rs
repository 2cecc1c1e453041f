//! Credentials that take long: a helper that waits for somebody, a file on a mount that is gone.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{Sandbox, assert_says, service};
use crate::support::each_at_once;
use crate::variables::printed;

/// Whoever opens it to read waits until somebody writes to it.
struct Pipe(PathBuf);

impl Pipe {
    fn new(path: PathBuf) -> Self {
        let status = Command::new("mkfifo").arg(&path).status();
        assert!(status.expect("mkfifo can be run").success());
        Self(path)
    }

    /// Waits for a reader.
    fn write(&self, text: &str) {
        let mut pipe = OpenOptions::new().write(true).open(&self.0);
        let pipe = pipe.as_mut().expect("a pipe can be written to");
        pipe.write_all(text.as_bytes()).expect("somebody reads");
    }
}

/// A helper that notes its start, and prints what somebody writes to the pipe.
fn helper(sandbox: &Sandbox) -> (Pipe, PathBuf) {
    sandbox.file(
        ".aws/config",
        "[default]\ncredential_process = echo started >> starts; exec cat pipe\n",
    );
    let pipe = Pipe::new(sandbox.home().join("pipe"));
    (pipe, sandbox.home().join("starts"))
}

fn starts(path: &Path) -> usize {
    let lines = fs::read_to_string(path).expect("the helper was started");
    lines.lines().count()
}

/// A chunk for each event, and a flush that ends before the helper.
#[test]
fn a_helper_that_takes_longer_than_a_flush_is_started_once_for_all_calls() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("helper");
    let service = service(&key);
    let (pipe, started) = helper(&sandbox);
    sandbox
        .option("request_timeout", "100ms")
        .option("flush_timeout", "1s")
        .send_to(&service);
    let mut host = sandbox.start(&["--chunk-size", "1"]);
    host.logs("the look-up of credentials takes long");
    host.logs("not accepted within flush_timeout");
    pipe.write(&printed(&key));
    let log = host.delivers_to(&service);
    assert_says(&log, "documents ambiguous: 0");
    assert_eq!(starts(&started), 1, "{log}");
}

#[test]
fn a_helper_that_takes_longer_than_its_time_out_is_told_and_waited_for() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("helper");
    let service = service(&key);
    let (pipe, started) = helper(&sandbox);
    sandbox
        .option("credentials_timeout", "1s")
        .option("flush_timeout", "10s")
        .send_to(&service);
    let mut host = sandbox.start(&[]);
    host.logs("none found within credentials_timeout (1s)");
    host.logs("AWS credentials are missing");
    pipe.write(&printed(&key));
    let log = host.delivers_to(&service);
    assert_says(&log, "documents ambiguous: 0");
    assert_eq!(starts(&started), 1, "{log}");
}

/// The files that are read on the way to a call, on a mount that answers nothing.
#[test]
fn a_file_that_can_not_be_read_holds_no_flush() {
    let variables = [
        "AWS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ];
    each_at_once(variables, |variable| {
        let mut sandbox = Sandbox::new();
        let pipe = Pipe::new(sandbox.home().join("pipe"));
        let key = sandbox.session("reader");
        let service = service(&key);
        sandbox
            .set_credentials(&key)
            .set(variable, &pipe.0)
            .option("request_timeout", "200ms")
            .send_to(&service);
        if variable != "AWS_CONFIG_FILE" {
            sandbox.without("ca_file");
        }
        let log = sandbox.delivers_nothing_to(&service);
        assert_says(&log, "the look-up of credentials takes long");
        assert_says(&log, "asked to hand the chunk over again");
        assert_says(&log, "documents ambiguous: 0");
    });
}
