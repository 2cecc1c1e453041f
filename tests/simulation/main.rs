//! Thousands of histories of an output in virtual time: an engine with workers, retries and
//! deaths of the process, against a service that refuses, throttles, fails, stalls and forgets to
//! answer, all by one seed. After each history every document must have been accepted exactly
//! once, but for those whose second acceptance has an excuse.

#[path = "../support/body.rs"]
mod body;
mod engine;
mod service;

use std::env;

const HISTORIES: u64 = 10_000;

/// The shares in which histories are told side by side.
const SHARES: u64 = 4;

fn tell(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        if let Err(fault) = engine::history(seed) {
            panic!("{fault}\nreplay: SEED={seed} cargo test --test simulation replay");
        }
    }
}

macro_rules! shares {
    ($($name:ident: $share:literal),*) => {
        $(#[test]
        fn $name() {
            tell(($share..HISTORIES).step_by(SHARES as usize));
        })*
    };
}

shares!(first_share: 0, second_share: 1, third_share: 2, fourth_share: 3);

/// Tells the one history of the environment's SEED.
#[test]
fn replay() {
    if let Ok(seed) = env::var("SEED") {
        tell([seed.parse().expect("SEED is a number")].into_iter());
    }
}
