//! Tells the Glue columns that sample logs need, or what an existing table would lose of them, as
//! `--help` tells.
//!
//! The way of a line through the files:
//!
//! ```text
//! args -> read -> seen (timestamp) -> columns (names, glue_type) -> print
//!                                  -> drift (table, mapping)
//! ```

#![forbid(unsafe_code)]

mod args;
mod columns;
mod drift;
mod glue_type;
mod mapping;
mod names;
mod print;
#[cfg(test)]
mod properties;
mod read;
mod seen;
mod table;
mod timestamp;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::args::Args;
use crate::mapping::Mapping;
use crate::seen::Sample;

fn main() -> ExitCode {
    let done = match args::parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => run(&args),
        Ok(None) => {
            print!("{}", args::USAGE);
            Ok(true)
        }
        Err(error) => Err(format!("{error}; --help tells more")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(sentence) => {
            eprintln!("firehose-schema: {sentence}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing is lost.
fn run(args: &Args) -> Result<bool, String> {
    let (sample, skipped) = read::read(&args.logs)?;
    for sentence in skipped.sentences() {
        eprintln!("note: {sentence}");
    }
    match &args.table {
        Some(file) => compare(args, &sample, file),
        None => {
            print_columns(args, &sample);
            Ok(true)
        }
    }
}

fn compare(args: &Args, sample: &Sample, file: &Path) -> Result<bool, String> {
    let fail = |reason: String| format!("--table {}: {reason}", file.display());
    let text = fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    let mut table = table::read(&text, args.name.as_deref()).map_err(fail)?;
    table.mapping = args.extend(table.mapping);

    let drift = drift::drift(sample, &table);
    for sentence in &drift.losses {
        println!("LOST: {sentence}");
    }
    for sentence in &drift.remarks {
        println!("note: {sentence}");
    }
    let (documents, name) = (sample.documents, &table.name);
    match drift.losses.len() {
        0 => println!("`{name}` loses nothing of {documents} documents."),
        count => println!("`{name}` loses data of {documents} documents: {count} places."),
    }
    Ok(drift.losses.is_empty())
}

fn print_columns(args: &Args, sample: &Sample) {
    let columns = columns::columns(sample, &args.extend(Mapping::default()));
    for sentence in &columns.notes {
        eprintln!("note: {sentence}");
    }
    let columns = columns.columns;
    let name = args.name.as_deref().unwrap_or("logs");
    println!("# CloudFormation: of the table's StorageDescriptor");
    println!("{}", print::yaml(&columns));
    println!("-- Athena");
    print!("{}", print::ddl(name, &columns));
}
