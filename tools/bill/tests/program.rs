//! The program as a user meets it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// Its exit code, standard output and standard error. Its standard input is empty.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let program = env!("CARGO_BIN_EXE_firehose-bill");
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A sample of lines of 512 bytes, the newline included, and an empty one that is no document.
fn sample(directory: &TempDir) -> PathBuf {
    let logs = directory.path().join("service.log");
    fs::write(
        &logs,
        "\r\n".to_owned() + &("x".repeat(511) + "\n").repeat(100),
    )
    .unwrap();
    logs
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
    let logs = sample(&directory);
    let picture = directory.path().join("bill.svg");
    let arguments = [
        "--region",
        "<here>",
        "--prices",
        prices.to_str().unwrap(),
        "--svg",
        picture.to_str().unwrap(),
        // 30 lines in each flush of a sidecar: 15,360 bytes.
        "--lines-per-second",
        "30",
        "--sidecars",
        "10",
        "--flush",
        "10",
        logs.to_str().unwrap(),
    ];
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
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
    assert_eq!(stdout, expected);
    let picture = fs::read_to_string(picture).unwrap();
    assert!(
        picture.contains("in &lt;here&gt;<")
            && picture.contains(">$18.54<")
            && picture.contains(">$1.11<"),
        "{picture}"
    );
}

#[test]
fn a_sidecar_with_few_lines_and_a_month_beyond_the_first_tier_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let logs = sample(&directory);
    let logs = logs.to_str().unwrap();
    let (_, few, _) = run(&["--lines-per-second", "1", "--sidecars", "10", logs]);
    assert!(few.contains("a longer flush"), "{few}");
    assert!(!few.contains("500 TB"), "{few}");
    let (_, many, _) = run(&["--gb", "1000000", logs]);
    assert!(many.contains("More than 500 TB are billed"), "{many}");
    assert!(!many.contains("a longer flush"), "{many}");
}

#[test]
fn where_something_is_missing_it_says_what() {
    for (arguments, expected) in [
        (&["-"][..], "standard input has no lines"),
        (&["no-such-file"], "cannot read no-such-file: "),
        (
            &["--region", "mars-1", "-"],
            "there are no prices of `mars-1`",
        ),
        (
            &["--prices", "no-such-file", "-"],
            "cannot read no-such-file: ",
        ),
        (&[], "--help"),
    ] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}
