//! Measures outputs for Amazon Data Firehose inside the real Fluent Bit: `bench` what they cost, `trials` and `soak` what
//! is lost, doubled and slowed down.

#![forbid(unsafe_code)]

mod bench;
mod load;
mod run;
mod trials;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let word = env::args().nth(1).unwrap_or_default();
    let arguments = || lexopt::Parser::from_iter(env::args_os().skip(1));
    match word.as_str() {
        "bench" => bench::main(arguments()),
        "trials" => trials::main(arguments()),
        // A word of the trials' own.
        "soak" => trials::main(lexopt::Parser::from_env()),
        "load" => load::main(),
        _ => {
            eprintln!("firehose-measure bench, trials or soak; each has a --help");
            ExitCode::from(2)
        }
    }
}
