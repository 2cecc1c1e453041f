//! The program as a user meets it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_firehose-schema"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Small enough for the pipe, or read before anything is written. An early end closes it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The log lines of the demo.
fn demo_lines() -> Vec<u8> {
    let script = repository().join("demo/sample.py");
    let output = Command::new("python3").arg("-B").arg(script).output();
    let output = output.expect("python3 is needed");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn columns_go_to_standard_output_and_notes_to_standard_error() {
    let input =
        b"{\"Level\":\"info\",\"@timestamp\":\"2026-01-15T10:20:30Z\",\"a\":{\"to\":1}}\nno\n";
    let run = run(&["--name", "http", "-"], input);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let expected = r#"# CloudFormation: of the table's StorageDescriptor
Columns:
  - Name: "level"
    Type: string
  - Name: "_timestamp"
    Type: timestamp
  - Name: "a"
    Type: struct<to:bigint>
# Of the stream's OpenXJsonSerDe:
ColumnToJsonKeyMappings:
  "_timestamp": "@timestamp"

-- Athena
CREATE EXTERNAL TABLE `http` (
  `level` string,
  `_timestamp` timestamp,
  `a` struct<`to`:bigint>
)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/';
"#;
    assert_eq!(run.stdout, expected);
    let notes: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(
        notes,
        [
            "note: line 2 was passed over: not JSON: expected ident at column 2",
            "note: `@timestamp` cannot name a column: it fills `_timestamp`, as \
             ColumnToJsonKeyMappings says",
        ]
    );
}

#[test]
fn the_table_of_the_template_has_all_that_the_demo_logs() {
    let template = repository().join("deploy/cloudformation.yaml");
    let lines = demo_lines();
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("service.log");
    fs::write(&logs, &lines).unwrap();
    let logs = logs.to_str().unwrap();

    let whole = run(&["--table", template.to_str().unwrap(), logs], b"");
    assert_eq!(whole.code, Some(0), "{}{}", whole.stdout, whole.stderr);

    // One that forgot a column, and one that has a type too narrow, are told from it.
    let text = fs::read_to_string(&template).unwrap();
    for (good, bad, expected) in [
        (
            "- Name: traceid\n",
            "- Name: spanid\n",
            "LOST: `traceId` (line 1): no column",
        ),
        (
            "- Name: userid\n              Type: bigint",
            "- Name: userid\n              Type: int",
            "LOST: `userId` (line ",
        ),
        (
            "                  ts: timestamp\n",
            "                  ts: time\n",
            "LOST: `timestamp`",
        ),
    ] {
        assert!(text.contains(good), "{good}");
        let drifted = directory.path().join("drifted.yaml");
        fs::write(&drifted, text.replace(good, bad)).unwrap();
        let run = run(&["--table", drifted.to_str().unwrap(), logs], b"");
        assert_eq!(run.code, Some(1), "{bad}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(expected), "{bad}: {}", run.stdout);
    }
}

#[test]
fn what_get_table_prints_needs_the_mappings_on_the_command_line() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/get-table.json");
    let table = table.to_str().unwrap();
    let line = b"{\"timestamp\":\"2026-01-15T10:20:30Z\"}\n";
    let without = run(&["--table", table, "-"], line);
    assert_eq!(without.code, Some(1), "{}", without.stdout);
    let with = run(&["--table", table, "--map", "ts=timestamp", "-"], line);
    assert_eq!(with.code, Some(0), "{}", with.stdout);
    assert!(
        with.stdout
            .ends_with("`http` loses nothing of 1 documents.\n")
    );
}

#[test]
fn where_something_is_missing_it_says_what() {
    for (arguments, input, expected) in [
        (
            &["-"][..],
            &b"[]\nx\n"[..],
            "no line of standard input is a JSON object with a key\nline 1 was",
        ),
        (&["-"], b"", "no line of standard input is a JSON object"),
        (&["no-such-file"], b"", "cannot read no-such-file: "),
        (
            &["--table", "no-such-file", "-"],
            b"{\"a\":1}",
            "--table no-such-file: ",
        ),
        (
            &[],
            b"",
            "the sample logs are missing: name a file, or - for standard input; --help",
        ),
    ] {
        let run = run(arguments, input);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(
            run.stderr.contains(expected),
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(run.stdout.is_empty(), "{arguments:?}: {}", run.stdout);
    }
}
