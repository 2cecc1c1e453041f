//! Fuzzes an `[OUTPUT]` section: `make fuzz TARGET=config`.

#![no_main]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::config::run(data));
