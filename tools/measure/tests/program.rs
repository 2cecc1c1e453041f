//! The program as a user meets it where Fluent Bit is missing.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Far longer than anything here takes on a slow machine.
const LONG: Duration = Duration::from_secs(120);

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_firehose-measure"))
        .arg("bench")
        .args(arguments)
        .output()
        .unwrap();
    let Output { status, stderr, .. } = output;
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_fluent_bit_that_is_asked_for_must_be_there() {
    let (code, stderr) = run(&["--fluent-bit", "no-such-fluent-bit"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("there is no `no-such-fluent-bit`: install Fluent Bit"));
}

#[test]
fn another_program_is_not_taken_for_fluent_bit() {
    let (code, stderr) = run(&["--fluent-bit", "true"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("`true --version` names no version of Fluent Bit"));
}

#[test]
fn a_wrong_command_line_points_to_the_help() {
    let (code, stderr) = run(&["--rounds", "none"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--help"), "{stderr}");
}

/// The program and all that it starts, in a directory of their own: what `make build tools` left
/// behind.
struct Installed {
    directory: TempDir,
}

impl Installed {
    fn new() -> Installed {
        let directory = tempfile::tempdir().unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        for built in [
            PathBuf::from(env!("CARGO_BIN_EXE_firehose-measure")),
            target.join("release/fake-firehose"),
            target.join("release/firehose-host"),
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/firehose.so"),
        ] {
            let copy = directory.path().join(built.file_name().unwrap());
            if let Err(error) = fs::copy(&built, copy) {
                panic!("{}: {error}; run `make build tools` first", built.display());
            }
        }
        Installed { directory }
    }

    /// Where nothing is on PATH.
    fn command(&self, arguments: &str) -> Command {
        let path = |name: &str| self.directory.path().join(name);
        let mut command = Command::new(path("firehose-measure"));
        command
            .arg("bench")
            .args(arguments.split_whitespace())
            .arg("--plugin")
            .arg(path("firehose.so"))
            .arg("--svg")
            .arg(self.directory.path())
            .env("PATH", "");
        command
    }

    /// How many processes run this program.
    fn running(&self, program: &str) -> usize {
        let path = self.directory.path().join(program);
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let programs = processes.flat_map(|process| fs::read_link(process.path().join("exe")));
        programs.filter(|program| *program == path).count()
    }
}

/// The cells of the only row that begins with this one.
fn row<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let rows = table.lines().map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(str::trim).collect::<Vec<_>>()
    });
    let mut found: Vec<Vec<&str>> = rows.filter(|cells| cells[0] == first).collect();
    assert_eq!(found.len(), 1, "{first}: {table}");
    found.remove(0)
}

#[test]
fn where_fluent_bit_is_missing_the_small_host_takes_its_place() {
    let installed = Installed::new();
    let output = installed
        .command("--lines 500 --rounds 1 --seconds 6")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("There is no Fluent Bit on PATH: firehose-host takes its place"));
    // Aggregated, 500 lines are at most a record more than what they would fill.
    let cells = row(&stdout, "billed / raw, aggregated");
    let ratio: f64 = cells[1].parse().unwrap();
    assert!((1.0..1.03).contains(&ratio), "{stdout}");
    assert_ne!(cells[5], "-");
    for what in ["firehose.so", "Init", "idle: switches of a thread"] {
        assert_ne!(row(&stdout, what)[5], "-", "{stdout}");
    }
    for what in [
        "CPU over null, aggregated",
        "drain 0 MB at 50 ms, aggregated",
        "100 tags of 1 KB/s: calls",
    ] {
        assert_eq!(row(&stdout, what)[5], "-", "{stdout}");
    }
    assert_ne!(row(&stdout, "drain 0 MB at 50 ms, aggregated")[1], "-");
    // Pictures are of Fluent Bit.
    assert!(!installed.directory.path().join("targets.svg").exists());
}

#[test]
fn an_interrupt_stops_all_that_was_started() {
    let installed = Installed::new();
    let mut bench = Killed(
        installed
            .command("--part plugin --seconds 3600")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let deadline = Instant::now() + LONG;
    while installed.running("firehose-host") == 0 {
        assert!(Instant::now() < deadline, "{}", bench.stderr());
        assert_eq!(bench.0.try_wait().unwrap(), None, "{}", bench.stderr());
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(installed.running("fake-firehose"), 1);
    kill_process(Pid::from_child(&bench.0), Signal::INT).unwrap();
    assert_eq!(bench.0.wait().unwrap().code(), Some(130));
    for program in ["fake-firehose", "firehose-host"] {
        assert_eq!(installed.running(program), 0, "{program}");
    }
    assert!(bench.stderr().contains("interrupted"));
}

/// Does not outlive the test.
struct Killed(Child);

impl Killed {
    fn stderr(&mut self) -> String {
        // It is read only once the program has ended or will not end by itself.
        let _ = self.0.kill();
        let mut text = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only where it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
