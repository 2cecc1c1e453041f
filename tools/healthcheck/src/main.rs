//! Asks Fluent Bit's health endpoint, for images that have neither a shell nor curl. Ends with 0
//! if Fluent Bit answers that it is well, else with 1 and a sentence.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// For connecting, sending and receiving each.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let port = env::var("SIDECAR_HTTP_PORT").unwrap_or_else(|_| "2020".to_owned());
    let Ok(port) = port.parse() else {
        eprintln!("SIDECAR_HTTP_PORT is `{port}`: set it to the port of Fluent Bit's HTTP server");
        return ExitCode::FAILURE;
    };
    match ask(port) {
        Ok(status) if status.split(' ').nth(1) == Some("200") => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("Fluent Bit is not well: it answers {status:?}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("Fluent Bit does not answer on 127.0.0.1:{port}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The first line of the answer.
fn ask(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = [0; 64];
    let mut length = 0;
    while length < answer.len() && !answer[..length].contains(&b'\n') {
        match stream.read(&mut answer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    let answer = String::from_utf8_lossy(&answer[..length]);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
