//! Histories of a delivery stream's machine in virtual time: a host with workers and retries, and a
//! service that refuses, throttles, fails, answers late, twice or never. Stops, reloads, deaths of
//! the process and panics happen too. After each history every document must have been accepted
//! exactly once, or be counted as ambiguous or dropped; every flush must have ended in time.
//!
//! A history is a [`script::Script`], made of a seed. One that fails is cut down to what is needed
//! for it to fail, and told as a story.
//!
//! - `make simulate HISTORIES=10000000`: more of them.
//! - `SEED=7 cargo test -p firehose-core --test simulation replay -- --nocapture`: one, told.

mod disk;
mod script;
mod service;
mod world;

use std::env;

use script::{Output, Script};
use world::World;

const HISTORIES: u64 = 100_000;

/// The shares in which histories are told side by side.
const SHARES: u64 = 4;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

fn tell(share: u64) {
    let histories = number("HISTORIES").unwrap_or(HISTORIES);
    for seed in (share..histories).step_by(SHARES as usize) {
        let script = Script::new(seed);
        if let Err(fault) = World::play(&script, false) {
            let shortest = shortened(script, &fault);
            let told = World::play(&shortest, true);
            panic!(
                "{}\n{shortest:#?}\nreplay: SEED={seed} cargo test -p firehose-core --test \
                 simulation replay -- --nocapture",
                told.expect_err("the shortest history fails too")
            );
        }
    }
}

/// Leaves out of a failing history what it fails without.
fn shortened(mut script: Script, fault: &str) -> Script {
    let kind = |fault: &str| fault.split(':').next().unwrap_or_default().to_owned();
    let kind_of_fault = kind(fault);
    loop {
        let shorter = script.shorter().into_iter().find(|shorter| {
            let played = World::play(shorter, false);
            played.is_err_and(|fault| kind(&fault) == kind_of_fault)
        });
        match shorter {
            Some(shorter) => script = shorter,
            None => return script,
        }
    }
}

macro_rules! shares {
    ($($name:ident: $share:literal),*) => {
        $(#[test]
        fn $name() {
            tell($share);
        })*
    };
}

shares!(first_share: 0, second_share: 1, third_share: 2, fourth_share: 3);

/// Tells the one history of the environment's SEED.
#[test]
fn replay() {
    if let Some(seed) = number("SEED") {
        let script = Script::new(seed);
        println!("{script:#?}");
        if let Err(story) = World::play(&script, true) {
            panic!("{story}");
        }
    }
}

/// In more than a tenth of the histories a process ends, and another one has its journal; in a
/// fiftieth of all there is an output with several streams too.
#[test]
fn many_histories_have_restarts() {
    let has_restart = |script: &Script| {
        let mut happenings = script.happenings.iter();
        happenings.any(|(_, what)| what.ends_process()) && script.journal_bytes.is_some()
    };
    let is_routed = |script: &Script| script.outputs.iter().any(Output::is_routed);
    let (mut count, mut routed) = (0, 0);
    for script in (0..HISTORIES).map(Script::new).filter(has_restart) {
        count += 1;
        routed += usize::from(is_routed(&script));
    }
    println!(
        "of {HISTORIES} histories {count} have restarts with a journal, {routed} with several streams"
    );
    assert!(count > 10_000 && routed > 2_000);
}

/// A history that goes wrong is found out: without this nobody knows that any would be.
#[test]
fn a_judge_that_sees_nothing_is_found_out() {
    let mut script = Script::new(1);
    script.happenings.clear();
    let mut world = World::new(&script, false);
    world.forget_one();
    assert!(world.run().is_err());
}
