//! The program as a user meets it where something is missing.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_firehose-bench"))
        .args(arguments)
        .output()
        .unwrap();
    let Output { status, stderr, .. } = output;
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn without_fluent_bit_it_says_what_to_install() {
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
