//! What the command makes of each answer.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

fn check(port: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healthcheck"))
        .env("SIDECAR_HTTP_PORT", port)
        .output()
        .expect("the command can be run")
}

/// Runs the command against a server that answers so, and gives the request it got.
fn check_against(answer: &'static str) -> (Output, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
    let port = listener.local_addr().expect("it has an address").port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the command connects");
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
            request.extend(byte);
        }
        stream
            .write_all(answer.as_bytes())
            .expect("the command reads");
        String::from_utf8(request).expect("a request is text")
    });
    let output = check(&port.to_string());
    (output, server.join().expect("the server ends"))
}

#[test]
fn well_is_status_200_with_or_without_a_reason() {
    for answer in ["HTTP/1.1 200 OK\r\n\r\nok\n", "HTTP/1.1 200\r\n\r\nok\n"] {
        let (output, request) = check_against(answer);
        assert!(output.status.success(), "{answer}: {output:?}");
        assert!(
            request.starts_with("GET /api/v1/health HTTP/1.1\r\n"),
            "{request}"
        );
    }
}

#[test]
fn all_else_is_not_well_and_says_so() {
    for answer in [
        "HTTP/1.1 500\r\n\r\nerror\n",
        "HTTP/1.1 2000 OK\r\n",
        "200",
        "",
    ] {
        let (output, _) = check_against(answer);
        assert_eq!(output.status.code(), Some(1), "{answer}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("is not well"), "{answer}: {error}");
    }
}

#[test]
fn a_port_that_is_none_or_on_which_nothing_listens_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a loopback port can be bound");
    let port = free
        .local_addr()
        .expect("it has an address")
        .port()
        .to_string();
    drop(free);
    for (port, sentence) in [
        (port.as_str(), "does not answer"),
        ("http", "set it to the port"),
    ] {
        let output = check(port);
        assert_eq!(output.status.code(), Some(1), "{port}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(sentence), "{port}: {error}");
    }
}
