//! The host and its program with a plugin that keeps or breaks the contract: what breaks it is
//! noticed.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use firehose_host::{EventFormat, FLB_OK, HostVersion, Plugin, encode_line};
use firehose_host::{drain_violations, take_logs};
use tempfile::TempDir;

const LINE: &str = r#"{"t":"2026-01-02T03:04:05.006Z","message":"hello"}"#;
const SIGSEGV: i32 = 11;

/// `probe.c`, compiled. It goes when this is dropped.
struct Probe(TempDir);

impl Probe {
    /// `mistake` is a macro of `probe.c`, which knows none of the name NONE.
    fn compile(mistake: &str) -> Self {
        let probe = Self(TempDir::new().unwrap());
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probe.c");
        let status = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-pthread"])
            .arg(format!("-D{mistake}"))
            .arg(source)
            .arg("-o")
            .arg(probe.path())
            .arg("-ldl")
            .status()
            .expect("a C compiler is installed");
        assert!(status.success(), "the test plugin does not compile");
        probe
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("probe.so")
    }

    /// Has the program feed these lines to it, from a file.
    fn feed(&self, lines: &str, arguments: &[&str]) -> Output {
        let input = self.path().with_file_name("input.log");
        fs::write(&input, lines).unwrap();
        Command::new(env!("CARGO_BIN_EXE_firehose-host"))
            .arg(self.path())
            .args(["--time-key", "t", "--input"])
            .arg(&input)
            .args(arguments)
            .output()
            .unwrap()
    }
}

fn feed(arguments: &[&str]) -> Output {
    Probe::compile("NONE").feed(LINE, arguments)
}

// === the program ===

/// What the plugin logged of its flushes.
fn flushes(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter_map(|line| line.split_once("flush "))
        .map(|(_, flush)| flush.to_owned())
        .collect()
}

/// The flush of as many lines, with their hash: FNV-1a.
fn flush(lines: usize, answer: u8) -> String {
    let mut data = Vec::new();
    for _ in 0..lines {
        encode_line(&mut data, EventFormat::V2, Some("t"), LINE.as_bytes());
    }
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("tag=app.log hash={hash:016x} answer={answer}")
}

#[test]
fn retries_are_replayed_with_the_same_bytes_and_tag() {
    let output = feed(&["answers=2221", "retry_limit=no_limits"]);
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
        let output = feed(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(flushes(&output).len(), flushes_expected);
    }
}

#[test]
fn all_lines_of_a_file_arrive_in_chunks_of_the_size() {
    let lines = format!("{LINE}\n\n{LINE}\n{LINE}");
    let output = Probe::compile("NONE").feed(&lines, &["--chunk-size", "100"]);
    assert!(output.status.success());
    assert_eq!(flushes(&output), [flush(2, 1), flush(1, 1)]);
}

#[test]
fn as_many_flushes_run_at_once_as_the_section_says() {
    let lines = format!("{LINE}\n{LINE}");
    let arguments = ["workers=2", "meet=2", "--chunk-size", "1"];
    let output = Probe::compile("NONE").feed(&lines, &arguments);
    assert!(output.status.success());
}

#[test]
fn wrong_command_lines_are_told_apart_from_failures() {
    for arguments in [&["region"][..], &["--host-version", "3.2"]] {
        assert_eq!(feed(arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(feed(&["init=0"]).status.code(), Some(1));
    assert_eq!(feed(&["--input", "/nonexistent"]).status.code(), Some(1));
}

#[test]
fn what_lies_beyond_the_flush_stack_or_the_api_table_kills_the_process() {
    assert!(feed(&["stack=12288"]).status.success());
    assert_eq!(feed(&["stack=40000"]).status.signal(), Some(SIGSEGV));
    let output = Probe::compile("CALL_SECOND_API_POINTER").feed(LINE, &[]);
    assert_eq!(output.status.signal(), Some(SIGSEGV));
}

// === what a plugin does wrong ===

#[test]
fn what_a_plugin_writes_wrong_is_refused() {
    for (mistake, told) in [
        ("EVENT_TYPE", "wrote past the five fields"),
        ("FLAGS_UNSET", "definition is wrong: flags"),
        ("DESCRIPTION_UNSET", "definition is wrong: description"),
        ("WRITE_PAST_CONTEXT", "wrote past context->remote_context"),
        ("NO_EXIT", "FLBPluginExitCtx is not exported"),
    ] {
        let plugin = Plugin::load(Probe::compile(mistake).path(), HostVersion::V5_1);
        let started = plugin.and_then(|plugin| plugin.init(&[("alias", "wrong")]));
        let error = started.map(drop).unwrap_err().to_string();
        assert!(error.contains(told), "{mistake}: {error}");
    }
}

#[test]
fn the_struct_given_to_init_is_gone_afterwards() {
    let probe = Probe::compile("USE_PLUGIN_STRUCT_LATER");
    let plugin = Plugin::load(probe.path(), HostVersion::V5_1).unwrap();
    let instance = plugin.init(&[("alias", "later")]).unwrap();
    assert_eq!(instance.flush(b"", "t"), FLB_OK);
    let lines = take_logs("[later]");
    assert_eq!(lines[1].text, "[later] o_ins is now 0xdeaddeaddeaddead");
}

#[test]
fn a_text_used_as_format_is_a_violation() {
    let probe = Probe::compile("TEXT_AS_FORMAT");
    let plugin = Plugin::load(probe.path(), HostVersion::V5_1).unwrap();
    let instance = plugin.init(&[("alias", "careless")]).unwrap();
    instance.flush(b"", "t");
    let violations = drain_violations();
    let is_told = |sentence: &String| sentence.contains("with the format \"[careless] flush");
    assert!(violations.iter().any(is_told), "{violations:?}");
}

#[test]
fn a_plugin_with_a_running_instance_is_not_unregistered() {
    let plugin = Plugin::load(Probe::compile("NONE").path(), HostVersion::V5_1).unwrap();
    let instance = plugin.init(&[("alias", "running")]).unwrap();
    assert!(plugin.unregister().is_err());
    assert_eq!(instance.flush(b"", "t"), FLB_OK);
}

#[test]
fn a_process_plays_one_kind_of_host() {
    let path = Probe::compile("NONE");
    drop(Plugin::load(path.path(), HostVersion::V5_1).unwrap());
    assert!(Plugin::load(path.path(), HostVersion::V1_9).is_err());
}
