//! The commands of the Makefile work with whatever folder Cargo builds in.

use std::fs;
use std::process::Command;

use crate::pages::root;

/// A folder that is not there: nothing is built in it.
const ELSEWHERE: &str = "/elsewhere/built";

/// What `make` would run for a target.
fn dry_run(target: &str) -> String {
    let output = Command::new("make")
        .args(["--dry-run", "--always-make", target])
        .env("CARGO_TARGET_DIR", ELSEWHERE)
        // Of a make that runs these tests.
        .env_remove("MAKEFLAGS")
        .current_dir(root())
        .output()
        .expect("there is a make");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "make {target}: {errors}");
    printed
}

#[test]
fn every_target_builds_where_cargo_target_dir_says() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: Vec<&str> = makefile
        .lines()
        .filter_map(|line| line.strip_prefix(".PHONY: "))
        .collect();
    assert!(targets.len() > 15, "{targets:?}");
    let mut mentions = 0;
    for target in targets {
        let commands = dry_run(target);
        mentions += commands.matches(ELSEWHERE).count();
        // The fuzzer's own folder is below its manifest.
        let others = commands.replace("fuzz/target", "");
        let others = others.replace("rustup target add", "");
        for line in others.lines() {
            assert!(!line.contains("target/"), "make {target}: {line}");
            let is_folder = line.split_whitespace().any(|word| word == "target");
            assert!(!is_folder, "make {target}: {line}");
        }
    }
    assert!(mentions > 15, "only {mentions} paths of {ELSEWHERE}");
    assert!(dry_run("build").contains(&format!("{ELSEWHERE}/release/libfirehose.so")));
}
