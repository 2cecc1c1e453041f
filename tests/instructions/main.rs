//! How many instructions it takes to make documents of a chunk of HTTP log lines, counted by
//! Valgrind's callgrind and held against what is written in `budget.txt`. Instructions do not
//! depend on what else the machine does, nor much on the machine.
//!
//! Each count is the difference between formatting the chunk twice and once, so it holds no
//! start-up. Without Valgrind, or on a processor for which there is no budget, the tests are
//! listed as ignored.

#[path = "../../benches/stages/shapes.rs"]
#[allow(dead_code, reason = "the benchmarks use the other shapes")]
mod shapes;

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use firehose_host::{EventFormat, encode_line};
use libtest_mimic::{Arguments, Trial};
use tempfile::NamedTempFile;

const EVENTS: u64 = 500;
const BUDGET: &str = include_str!("budget.txt");
/// Of all that the lines have, so nothing is to be told.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/instructions/table.yaml");
/// For what compilers, C libraries and processors make of the same source.
const SLACK_PERCENT: u64 = 10;
const MOST_PERCENT_OF_A_TABLE: u64 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let why_not = why_not();
    if let Some(why) = why_not {
        eprintln!("SKIPPED: {why}");
    }
    let trials = budgets().map(|(name, budget)| {
        let title = match why_not {
            Some(why) => format!("{name}: {why}"),
            None => name.to_owned(),
        };
        Trial::test(title, move || check(name, budget).map_err(Into::into))
            .with_ignored_flag(why_not.is_some())
    });
    let table = |name: &str, check: fn() -> Result<(), String>| {
        Trial::test(name, move || check().map_err(Into::into)).with_ignored_flag(why_not.is_some())
    };
    let tables = [
        table("a table of HTTP log lines", http_lines_with_a_table),
        table("a table of a thousand keys", a_thousand_keys_with_a_table),
    ];
    let trials = trials.chain(tables).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn why_not() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the budget of instructions is for x86-64 only");
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = env::split_paths(&path).any(|folder| folder.join("valgrind").is_file());
    (!is_there).then_some("no valgrind on PATH: instructions are not counted")
}

/// Name and instructions per event.
fn budgets() -> impl Iterator<Item = (&'static str, u64)> {
    let lines = BUDGET.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (name, budget) = line.split_once(' ').expect("a line is a name and a number");
        (name, budget.parse().expect("a budget is a number"))
    })
}

fn check(name: &str, budget: u64) -> Result<(), String> {
    let options: &[&str] = match name {
        "plain" => &[],
        "time_key" => &["time_key", "time"],
        "schema_file" => &["schema_file", TABLE],
        _ => return Err(format!("budget.txt: there is no measurement {name}")),
    };
    let counted = per_event(&shapes::http_lines(EVENTS).chunk, options)?;
    println!("{name}: {counted} instructions per event, of {budget}");
    if counted > budget * (100 + SLACK_PERCENT) / 100 {
        return Err(format!(
            "an event of {name} takes {counted} instructions, over {SLACK_PERCENT} % more than \
             the {budget} of tests/instructions/budget.txt: find out why, or write the new \
             number there and the reason into the commit"
        ));
    }
    Ok(())
}

fn http_lines_with_a_table() -> Result<(), String> {
    with_a_table(&shapes::http_lines(EVENTS).chunk, Path::new(TABLE))
}

/// 17 of them in each event, in turn: most have no bit of their own.
fn a_thousand_keys_with_a_table() -> Result<(), String> {
    const KEYS: u64 = 1_000;
    const IN_AN_EVENT: u64 = 17;
    let name = |number: u64| format!("field_number_{:04}", number % KEYS);
    let mut chunk = Vec::new();
    for event in 0..EVENTS {
        let numbers = event * IN_AN_EVENT..(event + 1) * IN_AN_EVENT;
        let pairs = numbers.map(|number| format!(r#""{}":"value {number}""#, name(number)));
        let line = format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
        encode_line(&mut chunk, EventFormat::V2, None, line.as_bytes());
    }
    let mut table = NamedTempFile::new().map_err(|error| error.to_string())?;
    let columns = (0..KEYS).map(|key| format!("  - {{Name: {}, Type: string}}\n", name(key)));
    let text = format!("Columns:\n{}", columns.collect::<String>());
    table
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())?;
    with_a_table(&chunk, table.path())
}

/// Whether looking at each document costs little of what writing it does.
fn with_a_table(chunk: &[u8], table: &Path) -> Result<(), String> {
    let table = table.to_str().expect("the path is text");
    let without = per_event(chunk, &[])?;
    let with = per_event(chunk, &["schema_file", table])?;
    println!("{with} instructions per event with a table, {without} without");
    match with * 100 <= without * (100 + MOST_PERCENT_OF_A_TABLE) {
        true => Ok(()),
        false => Err(format!(
            "a table costs more than {MOST_PERCENT_OF_A_TABLE} % of an event's instructions"
        )),
    }
}

fn per_event(chunk: &[u8], options: &[&str]) -> Result<u64, String> {
    let mut file = NamedTempFile::new().map_err(|error| error.to_string())?;
    file.write_all(chunk).map_err(|error| error.to_string())?;
    let once = instructions(file.path(), 1, options)?;
    let twice = instructions(file.path(), 2, options)?;
    Ok((twice - once) / EVENTS)
}

fn instructions(chunk: &Path, times: u32, options: &[&str]) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program()?)
        .arg(chunk)
        .arg(times.to_string())
        .args(options)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    // ==PID== Collected : 123
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok());
    match count {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("valgrind ended with {}:\n{text}", output.status)),
    }
}

fn program() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("cargo's folder for tests is in its target folder");
    let program = target.join("release/firehose-instructions");
    if !program.exists() {
        return Err(format!(
            "{} is missing: run `cargo build --release --package firehose-instructions` first",
            program.display()
        ));
    }
    Ok(program)
}
