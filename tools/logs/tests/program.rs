//! The program as a user meets it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command line whose words have no blanks, beside the cases.
fn run(words: &str, input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_firehose-logs"))
        .args(words.split_whitespace())
        .current_dir(CASES)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Small enough for the pipe, or read before anything is written. An early end closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A case is a sample, NAME.jsonl, and what is printed of it: NAME.out and, if there are notes, NAME.err.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(CASES).join(name)).unwrap_or_default()
}

#[test]
fn columns_go_to_standard_output_and_notes_to_standard_error() {
    for (case, options, code) in [
        ("columns", "", 0),
        ("keys", "--map caller=User --name http", 0),
        ("times", "", 0),
        ("skipped", "", 0),
        ("drift", "--table drift.yaml --name http", 1),
        ("drift", "--table drift.yaml --name HttpLogs", 1),
        ("template", "--table template.json", 1),
        ("glue", "--table glue.json --map ts=timestamp", 0),
    ] {
        let words = format!("schema {options} {case}.jsonl");
        let run = run(&words, "");
        assert_eq!(run.stdout, file(&format!("{case}.out")), "{words}");
        assert_eq!(run.stderr, file(&format!("{case}.err")), "{words}");
        assert_eq!(run.code, Some(code), "{words}");
    }
}

#[test]
fn a_table_of_the_columns_loses_nothing() {
    let columns = file("columns.out").replace('\n', "\n    ");
    let (yaml, _) = columns.split_once("-- Athena").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("table.yaml");
    fs::write(&table, format!("Table:\n  StorageDescriptor:\n    {yaml}")).unwrap();
    let run = run(
        &format!("schema --table {} columns.jsonl", table.display()),
        "",
    );
    assert_eq!(run.stdout, "`the table` loses nothing of 4 documents.\n");
}

/// The lines are the plugin's: `core/tests/outputs/lines.rs` has one.
#[test]
fn columns_to_add_come_from_the_log() {
    let line = |path: &str, glue_type: &str| {
        format!(
            "[2026/01/15 10:20:30] [ warn] [output:firehose:firehose.0] schema_file has no column for \
             the key `{path}` of tag a` of tag b, and the conversion drops it: add it with the type \
             {glue_type}\n"
        )
    };
    let log = line("traceId", "string")
        + "[2026/01/15 10:20:31] [ info] [engine] another line\n"
        + &line("user.geo.lat", "double")
        + &line("user.tags[].id", "bigint")
        + &line("labels.*.a", "boolean")
        + &line("[\"a.b\"]", "bigint")
        + &line("user.a-b", "string")
        + &line("traceId", "bigint");
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("table.yaml");
    fs::write(&table, "Columns: [{Name: user, Type: \"struct<id:int,geo:struct<lon:double>>\"}, {Name: id, Type: int}]").unwrap();
    let run = run(
        &format!("schema --told --table {} -", table.display()),
        &log,
    );
    assert_eq!(
        run.stdout,
        "Columns:
  - Name: \"user\"
    Type: struct<id:int,geo:struct<lon:double,lat:double>,tags:array<struct<id:bigint>>>
  - Name: \"traceid\"
    Type: string
  - Name: \"labels\"
    Type: map<string,struct<a:boolean>>
  - Name: \"a_b\"
    Type: bigint
# Of the stream's OpenXJsonSerDe:
ColumnToJsonKeyMappings:
  \"a_b\": \"a.b\"
"
    );
    assert_eq!(run.code, Some(0));
    assert_eq!(
        run.stderr,
        "note: `user.a-b` is lost: no field has such a name; rename the key\n"
    );
}

#[test]
fn keys_that_are_data_do_not_fill_the_memory() {
    let document = |line: usize| {
        let keys: Vec<String> = (0..100).map(|n| format!("\"u{n}_{line}\":1")).collect();
        format!("{{\"byUser\":{{{}}}}}\n", keys.join(","))
    };
    let run = run("schema -", &(0..200).map(document).collect::<String>());
    let note = "note: more than 10000 different keys (line 100): the rest was not looked at";
    assert!(run.stderr.starts_with(note), "{}", run.stderr);
    assert_eq!(run.stdout.matches("`:bigint").count(), 9_999);
}

#[test]
fn the_table_of_the_template_has_all_that_the_demo_logs() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = repository.join("demo/sample.py");
    let demo = Command::new("python3").arg("-B").arg(script).output();
    let demo = demo.expect("python3 is needed");
    assert!(demo.status.success(), "{demo:?}");
    let template = repository.join("deploy/cloudformation.yaml");
    let words = format!("schema --table {} -", template.display());
    let run = run(&words, str::from_utf8(&demo.stdout).unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

/// A sample of lines of 512 bytes, the newline included, and an empty one that is no document.
fn sample() -> String {
    "\r\n".to_owned() + &("x".repeat(511) + "\n").repeat(100)
}

#[test]
fn the_bill_is_a_table_and_a_picture() {
    let directory = tempfile::tempdir().unwrap();
    let picture = directory.path().join("bill.svg");
    // 30 lines in each flush of a sidecar: 15,360 bytes.
    let words = format!(
        "bill --region <here> --prices prices.json --lines-per-second 30 --sidecars 10 --flush 10 --zones 2 \
         --svg no/such/folder --svg {} -",
        picture.display()
    );
    let run = run(&words, &sample());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout, file("bill.out"));
    let picture = fs::read_to_string(picture).unwrap();
    for expected in [
        "in &lt;here&gt;<",
        ">$18.54<",
        "class=\"bar\" x=\"220.0\" y=\"55.0\" width=\"440.0\"",
        "class=\"bar\" x=\"220.0\" y=\"89.0\" width=\"264.0\"",
        "class=\"own\" x=\"220.0\" y=\"123.0\" width=\"26.4\"",
        ">$1.11<",
    ] {
        assert!(picture.contains(expected), "{expected}: {picture}");
    }
}

#[test]
fn a_sidecar_with_few_lines_and_a_month_beyond_the_first_tier_are_told() {
    let few = run("bill --lines-per-second 1 --sidecars 10 -", &sample()).stdout;
    assert!(few.contains("a longer flush"), "{few}");
    assert!(!few.contains("500 TB"), "{few}");
    let many = run("bill --gb 1000000 -", &sample()).stdout;
    assert!(many.contains("More than 500 TB are billed"), "{many}");
    assert!(!many.contains("a longer flush"), "{many}");
}

#[test]
fn where_something_is_missing_it_says_what() {
    for (words, input, expected) in [
        (
            "schema -",
            "[]\nx\n",
            "no line of standard input is a JSON object with a key\nline 1 was",
        ),
        (
            "schema -",
            &"x".repeat(2_000_000),
            "line 1 was passed over: longer than 1024000 bytes",
        ),
        ("schema --table none -", "{\"a\":1}", "--table none: "),
        (
            "schema --told -",
            "no\n",
            "standard input has no line about a key",
        ),
        ("schema --name My -", "{\"a\":1}", "--name takes lower-case"),
        ("schema --map Ts=timestamp -", "", "it takes COLUMN=KEY"),
        ("schema", "", "--help"),
        ("bill -", "", "standard input has no lines"),
        ("bill none", "", "cannot read none: "),
        ("bill --gb 0 -", "", "above 0, up to"),
        ("bill --gb NaN -", "", "above 0, up to"),
        ("bill --flush inf -", "", "above 0, up to"),
        ("bill --sidecars 0 -", "", "--sidecars <N>"),
        ("bill --linger 601 -", "", "from 0 to 600"),
        (
            "bill --gb 1 --lines-per-second 1 -",
            "",
            "--gb <GB>' cannot be used with '--lines-per-second <N>'",
        ),
        ("bill --region mars -", "", "of `mars`, only of ap-"),
        ("bill --prices none -", "", "cannot read none: "),
        ("bill", "", "--help"),
    ] {
        let run = run(words, input);
        assert_eq!(run.code, Some(2), "{words}");
        assert!(run.stderr.contains(expected), "{words}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{words}: {}", run.stdout);
    }
}
