//! Tells of sample logs which Glue columns they need, and what a month of them costs.
//!
//! The way of a line through the files:
//!
//! ```text
//! lines ─▶ schema: read ─▶ seen ─▶ columns (names) ─▶ print
//!                                ─▶ drift
//!              told ─▶ print
//!       ─▶ bill:   packing, prices ─▶ report
//! ```

#![forbid(unsafe_code)]

mod bill;
mod lines;
mod schema;

use std::process::ExitCode;

use clap::Parser;

/// Tells of sample logs which Glue columns they need, and what a month of them costs.
#[derive(Parser)]
enum Command {
    Schema(schema::Args),
    Bill(bill::Args),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Schema(args) => schema::run(&args),
        Command::Bill(args) => bill::run(&args).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(sentence) => {
            eprintln!("firehose-logs: {sentence}");
            ExitCode::from(2)
        }
    }
}
