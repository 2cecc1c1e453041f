//! The Glue columns that sample logs need, or what an existing table would lose of them.

mod columns;
mod drift;
mod names;
mod print;
mod read;
mod seen;
mod told;

use std::fs;
use std::path::{Path, PathBuf};

use firehose_core::schema::glue_type::is_name;
use firehose_core::schema::mapping::Mapping;
use firehose_core::schema::table::{self, Table};
use seen::Sample;

/// Tells the Glue columns that sample logs need, or what an existing table would lose of them.
///
/// Without --table, the columns go to standard output as CloudFormation YAML and as Athena DDL, and
/// notes on them to standard error. With --table, the drift goes to standard output.
///
/// Exit code: 0 when all is well, 1 when the table loses data, 2 when something needed is missing
/// or no line was a JSON object with a key.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// JSON lines, as they are or gzip; - is standard input
    logs: PathBuf,
    /// The file is Fluent Bit's log: print the columns that its lines about schema_file ask for,
    /// those of --table that get a field more as a whole
    #[arg(long)]
    told: bool,
    /// Compare with this table: a CloudFormation template, or the JSON that `aws glue get-table`
    /// prints
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Which table of the template, by its name or its resource's; without --table the table's
    /// name in the DDL (default logs)
    #[arg(long)]
    name: Option<String>,
    /// This column takes this key's value, as ColumnToJsonKeyMappings says; a template's own
    /// mappings are known without
    #[arg(long = "map", value_name = "COLUMN=KEY", value_parser = mapping)]
    mappings: Vec<(String, String)>,
}

fn mapping(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(column, _)| is_name(column));
    let (column, key) = pair.ok_or("it takes COLUMN=KEY, such as ts=timestamp")?;
    Ok((column.to_owned(), key.to_lowercase()))
}

/// Whether nothing is lost.
pub(crate) fn run(args: &Args) -> Result<bool, String> {
    if args.told {
        return print_told(args).map(|()| true);
    }
    let (sample, skipped) = read::read(&args.logs)?;
    for sentence in skipped {
        eprintln!("note: {sentence}");
    }
    match &args.table {
        Some(file) => compare(args, &sample, file),
        None => print_columns(args, &sample).map(|()| true),
    }
}

fn read_table(args: &Args, file: &Path) -> Result<Table, String> {
    let fail = |reason: String| format!("--table {}: {reason}", file.display());
    let text = fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    let mut table = table::read(&text, args.name.as_deref()).map_err(fail)?;
    table.mapping.pairs.extend_from_slice(&args.mappings);
    Ok(table)
}

fn print_told(args: &Args) -> Result<(), String> {
    let table = args.table.as_ref().map(|file| read_table(args, file));
    let table = table.transpose()?.unwrap_or_default();
    let (columns, notes) = told::columns(&args.logs, &table)?;
    for sentence in notes {
        eprintln!("note: {sentence}");
    }
    print!("{}", print::yaml(&columns));
    Ok(())
}

fn compare(args: &Args, sample: &Sample, file: &Path) -> Result<bool, String> {
    let table = read_table(args, file)?;
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

fn print_columns(args: &Args, sample: &Sample) -> Result<(), String> {
    let name = args.name.as_deref().unwrap_or("logs");
    if !is_name(name) {
        return Err("--name takes lower-case letters, digits and underscores".to_owned());
    }
    let mut mapping = Mapping::default();
    mapping.pairs.clone_from(&args.mappings);
    let (columns, notes) = columns::columns(sample, &mapping);
    for sentence in notes {
        eprintln!("note: {sentence}");
    }
    println!("# CloudFormation: of the table's StorageDescriptor");
    println!("{}", print::yaml(&columns));
    println!("-- Athena");
    print!("{}", print::ddl(name, &columns));
    Ok(())
}
