//! The program `firehose-host` as a whole.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use common::{TestPlugin, hash};
use firehose_host::{ChunkBuilder, EventFormat};
use serde_json::Value;

const LINE: &str = r#"{"t":"2026-01-02T03:04:05.006Z","message":"hello"}"#;
const SIGSEGV: i32 = 11;

fn host(plugin: &TestPlugin, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firehose-host"));
    command
        .arg("--plugin")
        .arg(plugin.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(mistakes: &[&str], arguments: &[&str]) -> Output {
    let plugin = TestPlugin::compile(mistakes);
    host(&plugin, arguments).output().unwrap()
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("stdout is one line of JSON")
}

/// What the plugin logged of its flushes, from `tag=` on.
fn flushes(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter_map(|line| line.split_once("flush tag="))
        .map(|(_, flush)| flush.to_owned())
        .collect()
}

/// The chunk that the line becomes with `--time-key t`.
fn chunk(format: EventFormat) -> Vec<u8> {
    let mut builder = ChunkBuilder::new(format, usize::MAX, Some("t".to_owned()));
    let unused = "1970-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(builder.push_line(LINE.as_bytes(), unused), None);
    builder.finish().unwrap().data
}

#[test]
fn retries_are_replayed_with_the_same_bytes_and_tag() {
    let dummy = ["--dummy", LINE, "--time-key", "t", "--tag", "app.http"];
    let retry = ["-p", "answers=2221", "--retry-base-ms", "0"];
    let output = run(
        &[],
        &[&dummy[..], &retry, &["--retry-limit", "no_limits"]].concat(),
    );
    assert!(output.status.success());
    let data = chunk(EventFormat::V2);
    let flush = |answer: u8| {
        let (length, hash) = (data.len(), hash(&data));
        format!("app.http length={length} hash={hash} answer={answer} thread=flb-out-probe.0")
    };
    assert_eq!(flushes(&output), [flush(2), flush(2), flush(2), flush(1)]);
    let summary = summary(&output);
    assert_eq!(
        (&summary["ok"], &summary["retried"]),
        (&1.into(), &3.into())
    );
}

#[test]
fn a_chunk_is_dropped_after_one_retry_and_the_program_fails() {
    let output = run(
        &[],
        &["--dummy", LINE, "-p", "answers=2", "--retry-base-ms", "0"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(flushes(&output).len(), 2);
    assert_eq!(summary(&output)["dropped"], 1);
}

#[test]
fn an_error_answer_fails_the_program() {
    let output = run(&[], &["--dummy", LINE, "-p", "answers=0"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(summary(&output)["failed"], 1);
}

#[test]
fn all_lines_of_a_file_arrive_in_chunks_of_the_size() {
    let plugin = TestPlugin::compile(&[]);
    let input = plugin.path().with_file_name("input.log");
    fs::write(&input, format!("{LINE}\r\n\n{LINE}\nplain\n{LINE}")).unwrap();
    let length = chunk(EventFormat::Legacy).len();
    let output = host(&plugin, &["--event-format", "legacy", "--time-key", "t"])
        .arg("--input")
        .arg(&input)
        .args(["--chunk-size", &(2 * length).to_string()])
        .args(["--workers", "0"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let two = chunk(EventFormat::Legacy).repeat(2);
    let first = format!(
        "app.log length={} hash={} answer=1 thread=flb-pipeline",
        two.len(),
        hash(&two)
    );
    assert_eq!(flushes(&output)[0], first);
    let summary = summary(&output);
    assert_eq!(
        (&summary["chunks"], &summary["events"]),
        (&2.into(), &4.into())
    );
    assert!(summary["peak_rss_bytes"].as_u64().unwrap() > 100_000);
}

#[test]
fn a_configuration_gives_what_the_command_line_does_not() {
    let plugin = TestPlugin::compile(&[]);
    let config = plugin.path().with_file_name("fluent-bit.conf");
    let text = "[OUTPUT]
        Name probe
        Alias from-config
        Log_Level debug
        Workers 2
        Retry_Limit no_retries
        ask region,stream
        region ${REGION}
        stream logs
        meet 2
        answers 2
    ";
    fs::write(&config, text).unwrap();
    let output = host(&plugin, &["-p", "stream=orders", "--chunk-size", "1"])
        .args(["--dummy", LINE, "--count", "2", "--config"])
        .arg(&config)
        .env("REGION", "eu-west-1")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr.clone()).unwrap();
    for expected in [
        "] [ info] [from-config] region=eu-west-1\n",
        "] [ info] [from-config] stream=orders\n",
        "] [debug] [from-config] debug is on\n",
    ] {
        assert!(log.contains(expected), "{expected:?} is not in {log}");
    }
    assert_eq!(flushes(&output).len(), 2, "{log}");
    assert_eq!(summary(&output)["dropped"], 2);
}

#[test]
fn an_overflow_of_the_flush_stack_kills_the_process() {
    let stack = ["--dummy", LINE, "-p", "stack=40000"];
    let output = run(&[], &stack);
    assert_eq!(output.status.signal(), Some(SIGSEGV));
    let output = run(&[], &[&stack[..], &["--stack-size", "65536"]].concat());
    assert!(output.status.success());
}

#[test]
fn a_call_past_the_api_table_of_1_9_kills_the_process() {
    let mistake = ["CALL_SECOND_API_POINTER"];
    let output = run(&mistake, &["--dummy", LINE, "--host-version", "1.9"]);
    assert_eq!(output.status.signal(), Some(SIGSEGV));
    for version in ["3.2", "5.1"] {
        let output = run(&mistake, &["--dummy", LINE, "--host-version", version]);
        assert!(output.status.success());
    }
}

#[test]
fn a_1_9_host_writes_legacy_events() {
    let arguments = ["--dummy", LINE, "--time-key", "t", "--host-version", "1.9"];
    let output = run(&[], &arguments);
    assert!(output.status.success());
    let hash = hash(&chunk(EventFormat::Legacy));
    assert!(flushes(&output)[0].contains(&hash));
}

#[test]
fn a_signal_ends_an_input_that_is_still_open() {
    for signal in ["-TERM", "-INT"] {
        let plugin = TestPlugin::compile(&[]);
        let mut child = host(&plugin, &["--stdin", "--chunk-size", "1"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{LINE}").unwrap();
        let log = wait_for_flush(&mut child);
        let pid = child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
        let (log, output) = finish(child, log);
        assert!(output.status.success(), "{log}");
        assert!(log.ends_with("[probe.0] exit\n"), "{log}");
        assert_eq!(summary(&output)["ok"], 1);
        drop(stdin);
    }
}

#[test]
fn wrong_command_lines_are_told_apart_from_failures() {
    for arguments in [
        &[][..],
        &["--stdin", "--dummy", LINE],
        &["--stdin", "--host-version", "2.0"],
        &["--stdin", "-p", "region"],
        &["--stdin", "--retry-limit", "-1"],
    ] {
        let output = run(&[], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    let output = run(&[], &["--dummy", LINE, "-p", "init=0"]);
    assert_eq!(output.status.code(), Some(1));
    let output = run(&[], &["--input", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
}

fn wait_for_flush(child: &mut Child) -> BufReader<std::process::ChildStderr> {
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("flush tag=") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "no flush was logged");
    }
    log
}

fn finish(child: Child, mut log: impl Read) -> (String, Output) {
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    (text, child.wait_with_output().unwrap())
}
