//! Fuzzes a chunk: `make fuzz TARGET=chunk`.

#![no_main]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::chunk::run(data));
