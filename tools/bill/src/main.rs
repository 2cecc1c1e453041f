//! Tells what a month of such logs costs on CloudWatch Logs and on Firehose, as `--help` tells.
//!
//! The way of a sample through the files:
//!
//! ```text
//! args -> sizes -> bill (packing, prices) -> report, chart
//! ```

#![forbid(unsafe_code)]

mod args;
mod bill;
mod chart;
mod packing;
mod prices;
mod report;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use fluent_bit_run::Failure;
use sample_lines::MAX_LINE_BYTES;

use crate::args::Args;

fn main() -> ExitCode {
    let args = args::parse(lexopt::Parser::from_env());
    fluent_bit_run::run("firehose-bill", args, args::USAGE, |args, _| {
        run(args).map_err(Failure::CannotStart)
    })
}

fn run(args: &Args) -> Result<(), String> {
    let text = match &args.prices {
        None => None,
        Some(path) => Some(
            fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?,
        ),
    };
    let prices = prices::prices(text.as_deref(), &args.region)?;
    let sizes = sizes(&args.logs)?;
    let bill = bill::bill(&sizes, args.volume, args.sidecars, &prices);
    print!("{}", report::text(&bill, args, &prices));
    if let Some(path) = &args.svg {
        let title = report::title(&bill, &args.region);
        let drawing = chart::svg(&bill.rows, &title, &report::caption(&bill, args.sidecars));
        fs::write(path, drawing)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// The bytes of each line and its newline.
fn sizes(path: &Path) -> Result<Vec<usize>, String> {
    let mut lines = sample_lines::open(path)?;
    let mut sizes = Vec::new();
    while let Some(line) = lines.next_line()? {
        let bytes = match line.text {
            Some(text) if text.trim_ascii().is_empty() => continue,
            Some(text) => (text.len() + 1).min(MAX_LINE_BYTES),
            // The plugin cuts it.
            None => MAX_LINE_BYTES,
        };
        sizes.push(bytes);
    }
    match sizes.is_empty() {
        true => Err(format!("{} has no lines", lines.name())),
        false => Ok(sizes),
    }
}
