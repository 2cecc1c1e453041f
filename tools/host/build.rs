//! Builds `src/symbols.c` as one shared object per symbol set; the library embeds both.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=src/symbols.c");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    build(&out.join("symbols-1.9.so"), None);
    build(&out.join("symbols.so"), Some("-DOUTPUT_LOG_CHECK"));
}

fn build(output: &Path, define: Option<&str>) {
    let mut compiler = cc::Build::new().get_compiler().to_command();
    compiler
        .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"])
        .args(define)
        .arg("src/symbols.c")
        .arg("-o")
        .arg(output);
    let status = compiler
        .status()
        .unwrap_or_else(|error| panic!("cannot run the C compiler {compiler:?}: {error}"));
    assert!(status.success(), "{compiler:?} failed: {status}");
}
