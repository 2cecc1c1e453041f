//! A bounded run of the fuzzer's targets: inputs that are known, and damaged ones, the same on
//! every run. `make fuzz` searches without an end, and led by coverage.
//!
//! `FIREHOSE_FUZZ_SEED` starts the damage elsewhere.

mod memory;
mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use targets::replies::{Endpoint, RECORDS};

/// What chooses a target's options stands at an input's end.
const OPTIONS: usize = 16;

#[test]
fn chunks() {
    run("chunk", targets::chunk::run, &chunk_seeds(), 12_000);
}

#[test]
fn packing() {
    run("pack", targets::pack::run, &chunk_seeds(), 1_500);
}

#[test]
fn configuration() {
    run("config", targets::config::run, &seeds("config"), 12_000);
}

#[test]
fn replies() {
    run("replies", targets::replies::run, &seeds("replies"), 3_000);
}

/// Only an entry that names a record's ID, in an answer of the right length, is an acceptance.
#[test]
fn only_what_a_reply_names_is_accepted() {
    let endpoint = Endpoint::start();
    let cases: [(&str, Option<[bool; RECORDS]>); 9] = [
        ("accepted", Some([true; RECORDS])),
        ("refused-one", Some([true, false, true])),
        ("refused-all", Some([false; RECORDS])),
        ("both", Some([false; RECORDS])),
        ("empty-entries", Some([false; RECORDS])),
        ("null-members", Some([false; RECORDS])),
        ("too-short", None),
        ("too-long", None),
        ("cut", None),
    ];
    for (name, accepted) in cases {
        let body = read(&root().join(format!("fuzz/seeds/replies/{name}.txt")));
        // The endpoint ends each connection: the next call must not begin on one that is about to end.
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = endpoint.put([head.as_bytes(), &body].concat());
        assert_eq!(answer, accepted.map(Vec::from), "{name}");
    }
}

/// Runs a target on each seed as it is and on `damaged` inputs made of them. An input that fails
/// is kept in a file.
fn run(name: &str, target: fn(&[u8]), seeds: &[Vec<u8>], damaged: usize) {
    assert!(!seeds.is_empty(), "no seeds for {name}");
    let seed = std::env::var("FIREHOSE_FUZZ_SEED").map_or(1, |seed| {
        seed.parse().expect("FIREHOSE_FUZZ_SEED is a number")
    });
    let mut random = Rng::with_seed(seed);
    let whole = seeds.iter().cloned();
    let rest = std::iter::repeat_with(|| {
        let mut input = mutate::mutated(&mut random, seeds);
        input.extend((0..OPTIONS).map(|_| random.u8(..)));
        input
    });
    for input in whole.chain(rest.take(damaged)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.input"));
            fs::write(&path, &input).expect("the target folder can be written to");
            let path = path.display();
            eprintln!("again: make fuzz TARGET={name} INPUT={path}");
            resume_unwind(panic);
        }
    }
}

/// The recorded chunks, and what a fuzzer found.
fn chunk_seeds() -> Vec<Vec<u8>> {
    let versions = files(&root().join("tests/chunks"));
    let recorded = versions.iter().filter(|path| path.is_dir());
    let mut chunks: Vec<PathBuf> = recorded.flat_map(|version| files(version)).collect();
    chunks.retain(|path| path.extension().is_some_and(|end| end == "msgpack"));
    assert!(!chunks.is_empty(), "no recorded chunks");
    let recorded = chunks.iter().map(|path| read(path));
    recorded.chain(seeds("chunk")).collect()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/seeds").join(target);
    files(&folder).iter().map(|path| read(path)).collect()
}

/// In an order that is the same everywhere.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
