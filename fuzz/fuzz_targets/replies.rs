//! Fuzzes an endpoint's answers: `make fuzz TARGET=replies`.

#![no_main]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::replies::run(data));
