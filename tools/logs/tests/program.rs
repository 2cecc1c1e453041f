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

/// Runs a command line whose words have no blanks.
fn run(words: &str, input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_firehose-logs"))
        .args(words.split_whitespace())
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

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn columns_go_to_standard_output_and_notes_to_standard_error() {
    let line = r#"{"Level":"info","@timestamp":"2026-01-15T10:20:30Z","a":{"to":1}}"#;
    let input = format!("{line}\n\n{}", "no\n".repeat(12));
    let run = run("schema --name http -", &input);
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
    let [first, .., tenth, more, name] = notes.as_slice() else {
        panic!("{notes:?}")
    };
    let passed_over = "was passed over: not JSON: expected ident at column 2";
    assert_eq!(*first, format!("note: line 3 {passed_over}"));
    assert_eq!(*tenth, format!("note: line 12 {passed_over}"));
    assert_eq!(*more, "note: 2 more lines were passed over");
    let expected = "note: `@timestamp` cannot name a column: it fills `_timestamp`, as \
                    ColumnToJsonKeyMappings says";
    assert_eq!(*name, expected);
}

#[test]
fn the_table_of_the_template_has_all_that_the_demo_logs() {
    let script = repository().join("demo/sample.py");
    let demo = Command::new("python3").arg("-B").arg(script).output();
    let demo = demo.expect("python3 is needed");
    assert!(demo.status.success(), "{demo:?}");
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("service.log");
    fs::write(&logs, &demo.stdout).unwrap();
    let drift = |table: &Path| {
        let words = format!("schema --table {} {}", table.display(), logs.display());
        run(&words, "")
    };

    let template = repository().join("deploy/cloudformation.yaml");
    let whole = drift(&template);
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
        let run = drift(&drifted);
        assert_eq!(run.code, Some(1), "{bad}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(expected), "{bad}: {}", run.stdout);
    }
}

#[test]
fn what_get_table_prints_needs_the_mappings_on_the_command_line() {
    let table = repository().join("tools/logs/tests/get-table.json");
    let table = table.display();
    let line = "{\"timestamp\":\"2026-01-15T10:20:30Z\"}\n";
    let without = run(&format!("schema --table {table} -"), line);
    assert_eq!(without.code, Some(1), "{}", without.stdout);
    let with = run(
        &format!("schema --table {table} --map ts=timestamp -"),
        line,
    );
    assert_eq!(with.code, Some(0), "{}", with.stdout);
    let end = "`http` loses nothing of 1 documents.\n";
    assert!(with.stdout.ends_with(end), "{}", with.stdout);
}

/// A sample of lines of 512 bytes, the newline included, and an empty one that is no document.
fn sample() -> String {
    "\r\n".to_owned() + &("x".repeat(511) + "\n").repeat(100)
}

const PRICES: &str = r#"{"regions": {"<here>": {
    "firehose_ingestion": {"usd_per_gb": 0.02, "source": "https://a", "date": "2026-01"},
    "firehose_conversion": {"usd_per_gb": 0.01, "source": "https://b", "told": "<us>", "date": "2026-02-03"},
    "cloudwatch_ingestion": {"usd_per_gb": 0.5, "source": "https://c", "date": "2026-04"}}}}"#;

#[test]
fn the_bill_is_a_table_and_a_picture() {
    let directory = tempfile::tempdir().unwrap();
    let prices = directory.path().join("prices.json");
    fs::write(&prices, PRICES).unwrap();
    let picture = directory.path().join("bill.svg");
    // 30 lines in each flush of a sidecar: 15,360 bytes.
    let words = format!(
        "bill --region <here> --prices {} --svg no/such/folder --svg {} --lines-per-second 30 \
         --sidecars 10 --flush 10 -",
        prices.display(),
        picture.display()
    );
    let run = run(&words, &sample());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let expected = "\
A month of 37.1 GB of log lines in <here>
Ingestion and, for Firehose, conversion. Lines of 512 bytes, 30 a second; 30 on each of 10 sidecars \
are sent together.
The sample has 100 lines. Aggregated records hold 15360 bytes on average.

|                              | billed/written | ingestion $ | conversion $ | a month $ |
| ---------------------------- | -------------: | ----------: | -----------: | --------: |
| CloudWatch Logs              |          1.000 |       18.54 |            - |     18.54 |
| Firehose, one record a line  |         10.000 |        7.42 |         3.71 |     11.12 |
| Firehose, simple_aggregation |          1.000 |        0.74 |         0.37 |      1.11 |

Without storage, queries and free tiers. US dollars a GB:
  CloudWatch Logs, ingestion: 0.5, read in https://c (2026-04)
  Firehose, ingestion: 0.02, read in https://a (2026-01)
  Firehose, conversion: 0.01, told by <us> (2026-02-03); compare https://b
";
    assert_eq!(run.stdout, expected);
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
        ("schema -", "", "no line of standard input is a JSON object"),
        (
            "schema --table no-such-file -",
            "{\"a\":1}",
            "--table no-such-file: ",
        ),
        (
            "schema --name My-Table -",
            "{\"a\":1}",
            "--name takes lower-case letters",
        ),
        ("schema --map Ts=timestamp -", "", "it takes COLUMN=KEY"),
        ("schema", "", "--help"),
        ("bill -", "", "standard input has no lines"),
        ("bill no-such-file", "", "cannot read no-such-file: "),
        (
            "bill --region mars-1 -",
            "",
            "there are no prices of `mars-1`, only of ap-",
        ),
        (
            "bill --prices no-such-file -",
            "",
            "cannot read no-such-file: ",
        ),
        ("bill", "", "--help"),
    ] {
        let run = run(words, input);
        assert_eq!(run.code, Some(2), "{words}");
        assert!(run.stderr.contains(expected), "{words}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{words}: {}", run.stdout);
    }
}
