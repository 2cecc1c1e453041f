//! Every command of the pages is run: as it is written there, or with less to do where that takes minutes. Those of
//! `docs/deploy`, `docs/configuration.md` and `docs/metrics.md` are run by `deploy/tests` and `tests/fluent_bit`.
//!
//! What this machine cannot run is listed as ignored, and so is what builds programs anew or takes minutes:
//! `make test-commands` runs that too.

mod needs;
#[path = "../support/pages.rs"]
mod pages;
mod rows;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::pages::root;
use crate::rows::{ROWS, Row};

/// What runs these tests, and what `deploy/tests` runs.
const OTHERS: [&str; 4] = [
    "make test",
    "make test-commands",
    "make test-hosts",
    "aws glue get-table --database-name app_logs --name http > table.json",
];
/// Pages whose blocks other tests run.
const RUN_ELSEWHERE: [&str; 3] = ["docs/deploy/", "docs/configuration.md", "docs/metrics.md"];
/// How long a command may take: several times what the longest takes.
const SECONDS: &str = "1200";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each takes the whole machine.
    arguments.test_threads = Some(1);
    let mut trials = vec![Trial::test("the pages have these commands", || {
        has_a_row_for_each(&written())
    })];
    trials.extend(ROWS.iter().map(|row| {
        let why_not = row.needs.iter().find_map(needs::Need::why_not);
        let title = match &why_not {
            Some(why) => format!("{} ({why})", row.run),
            None => row.run.to_owned(),
        };
        Trial::test(title, || run_row(row)).with_ignored_flag(why_not.is_some())
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The commands of this project that the pages name, in blocks or in a line: of make, of cargo, and variables for make.
fn written() -> BTreeSet<String> {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let is_ours = |command: &&str| {
        let variable = command.split_once('=').map(|(name, _)| name);
        let is_variable = variable.is_some_and(|name| makefile.contains(&format!("$({name})")));
        is_variable || command.starts_with("make ") || command.starts_with("cargo ")
    };
    let mut commands = BTreeSet::new();
    for page in pages::pages() {
        let text = fs::read_to_string(&page).unwrap();
        let inline = text.split('`').skip(1).step_by(2);
        commands.extend(inline.filter(is_ours).map(str::to_owned));
        let page = page.strip_prefix(root()).unwrap();
        if RUN_ELSEWHERE.iter().any(|other| page.starts_with(other)) {
            continue;
        }
        let blocks = text.split("```sh\n").skip(1);
        let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
        commands.extend(lines.map(str::to_owned));
    }
    commands
}

fn has_a_row_for_each(written: &BTreeSet<String>) -> Result<(), Failed> {
    let rows = ROWS.iter().flat_map(|row| row.written).copied();
    let rows: BTreeSet<String> = rows.chain(OTHERS).map(str::to_owned).collect();
    match written == &rows {
        true => Ok(()),
        false => Err(format!(
            "in the pages and not run: {:?}; run and in no page: {:?}",
            written.difference(&rows).collect::<Vec<_>>(),
            rows.difference(written).collect::<Vec<_>>(),
        )
        .into()),
    }
}

fn run_row(row: &Row) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    lay_out(folder.path())?;
    let command = row
        .run
        .replace("{folder}", &folder.path().to_string_lossy());
    let output = run(&command, folder.path())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match output.status.success() && printed.contains(row.prints) {
        true => Ok(()),
        false => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let status = output.status;
            Err(format!("{command}: {status}\n{printed}\n{errors}").into())
        }
    }
}

/// What a reader has: log lines, a table that lacks nearly all of their columns, and a docker.
fn lay_out(folder: &Path) -> Result<(), Failed> {
    let sample = Command::new("python3")
        .args(["-B", "demo/sample.py"])
        .current_dir(root())
        .output()?;
    fs::write(folder.join("sample.jsonl"), sample.stdout)?;
    let columns = r#"{"Columns": [{"Name": "level", "Type": "string"}]}"#;
    let table = format!(r#"{{"Table": {{"Name": "http", "StorageDescriptor": {columns}}}}}"#);
    fs::write(folder.join("table.json"), table)?;
    let told = "schema_file has no column for the key `plan` of tag app, and the conversion drops it: add \
                it with the type string\n";
    fs::write(folder.join("fluent-bit.log"), told)?;
    let docker = folder.join("docker");
    let script = format!(
        "#!/bin/sh\nPYTHONPATH=demo STUB_STATE={}/state.json STUB_KUBECTL= \
         exec .venv/bin/python -B deploy/tests/stub.py docker \"$@\"\n",
        folder.display()
    );
    fs::write(&docker, script)?;
    fs::set_permissions(&docker, Permissions::from_mode(0o755))?;
    Ok(())
}

/// Runs a command in the project's folder, with nothing of what Cargo sets for tests: a build that
/// sees it begins anew.
fn run(command: &str, programs: &Path) -> io::Result<Output> {
    let is_cargos = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO") && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR"
    };
    let mut path = programs.as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("timeout");
    for name in env::vars_os().map(|(name, _)| name).filter(is_cargos) {
        shell.env_remove(name);
    }
    shell
        .args(["--kill-after=10", SECONDS, "/bin/sh", "-ec", command])
        .env("PATH", path)
        .current_dir(root())
        .output()
}
