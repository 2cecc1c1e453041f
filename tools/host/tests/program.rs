//! The program `firehose-host` as a whole.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use common::{TestPlugin, hash};
use firehose_host::{EventFormat, encode_line};

const LINE: &str = r#"{"t":"2026-01-02T03:04:05.006Z","message":"hello"}"#;
const SIGSEGV: i32 = 11;

/// Feeds these lines, by a file.
fn run(lines: &str, arguments: &[&str]) -> Output {
    let plugin = TestPlugin::compile(&[]);
    let input = plugin.path().with_file_name("input.log");
    fs::write(&input, lines).unwrap();
    Command::new(env!("CARGO_BIN_EXE_firehose-host"))
        .arg(plugin.path())
        .args(["--time-key", "t", "--input"])
        .arg(&input)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What the plugin logged of its flushes, from `tag=` to the thread's name.
fn flushes(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter_map(|line| line.split_once("flush tag="))
        .map(|(_, flush)| flush.split(" thread=").next().unwrap().to_owned())
        .collect()
}

/// The flush of as many lines.
fn flush(lines: usize, answer: u8) -> String {
    let mut data = Vec::new();
    for _ in 0..lines {
        encode_line(&mut data, EventFormat::V2, Some("t"), LINE.as_bytes());
    }
    let (length, hash) = (data.len(), hash(&data));
    format!("app.log length={length} hash={hash} answer={answer}")
}

#[test]
fn retries_are_replayed_with_the_same_bytes_and_tag() {
    let output = run(LINE, &["answers=2221", "retry_limit=no_limits"]);
    assert!(output.status.success());
    let expected = [flush(1, 2), flush(1, 2), flush(1, 2), flush(1, 1)];
    assert_eq!(flushes(&output), expected);
}

#[test]
fn a_chunk_that_is_not_delivered_fails_the_program() {
    for (arguments, flushes_expected) in [
        (&["answers=0"][..], 1),
        (&["answers=2"], 2),
        (&["answers=2", "retry_limit=no_retries"], 1),
    ] {
        let output = run(LINE, arguments);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(flushes(&output).len(), flushes_expected);
    }
}

#[test]
fn all_lines_of_a_file_arrive_in_chunks_of_the_size() {
    let lines = format!("{LINE}\n\n{LINE}\n{LINE}");
    let output = run(&lines, &["--chunk-size", "100"]);
    assert!(output.status.success());
    assert_eq!(flushes(&output), [flush(2, 1), flush(1, 1)]);
}

#[test]
fn as_many_flushes_run_at_once_as_the_section_says() {
    let lines = format!("{LINE}\n{LINE}");
    let output = run(&lines, &["workers=2", "meet=2", "--chunk-size", "1"]);
    assert!(output.status.success());
}

#[test]
fn an_overflow_of_the_flush_stack_kills_the_process() {
    let output = run(LINE, &["stack=40000"]);
    assert_eq!(output.status.signal(), Some(SIGSEGV));
}

#[test]
fn wrong_command_lines_are_told_apart_from_failures() {
    for arguments in [&["region"][..], &["--host-version", "3.2"]] {
        assert_eq!(run(LINE, arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(run(LINE, &["init=0"]).status.code(), Some(1));
    let output = run(LINE, &["--input", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
}
