//! What a month of such logs costs on CloudWatch Logs and on Firehose.

mod packing;
mod prices;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use clap::value_parser;
use firehose_core::limits::MAX_RECORD_BYTES;

use crate::lines::Lines;
use packing::{Billed, packed};
use prices::Prices;

/// As AWS's own examples count them.
/// Source: <https://aws.amazon.com/firehose/pricing/>.
const SECONDS_A_MONTH: f64 = 30.0 * 24.0 * 3600.0;
const GB: f64 = (1 << 30) as f64;
/// Bytes of a call for each byte of its records: they stand there in base64.
/// Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html>.
const BASE64_RATIO: f64 = 4.0 / 3.0;

/// Tells what a month of such logs costs on CloudWatch Logs and on Firehose.
///
/// Firehose bills each record as a multiple of 5 KB, for ingestion and for conversion to Parquet.
/// With simple_aggregation a record is as full as what a sidecar's output has together: the lines
/// of one flush, and of those that come while the first waits for company.
///
/// Exit code: 0, or 2 when something needed is missing.
#[derive(clap::Args)]
// `make bill` gives --svg, and BILL_FLAGS may give it again.
#[command(args_override_self = true)]
pub(crate) struct Args {
    /// Log lines, as they are or gzip; - is standard input
    logs: PathBuf,
    /// Whose prices
    #[arg(long, default_value = "ap-northeast-2")]
    region: String,
    /// GB of lines a month, over all sidecars
    #[arg(long, default_value = "100", value_parser = amount, conflicts_with = "lines_per_second")]
    gb: f64,
    /// Instead of --gb: lines a second, over all sidecars
    #[arg(long, value_name = "N", value_parser = amount)]
    lines_per_second: Option<f64>,
    /// How many sidecars share the lines
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..))]
    sidecars: u32,
    /// How many tags share the lines of a sidecar; every flush has a chunk for each
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..))]
    tags: u32,
    /// Fluent Bit's flush
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = amount)]
    flush: f64,
    /// The output's workers, each of which holds one chunk while that waits for company
    #[arg(long, value_name = "N", default_value = "2", value_parser = value_parser!(u32).range(1..))]
    workers: u32,
    /// The output's linger: how long a chunk waits
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    linger: f64,
    /// How many availability zones have a NAT gateway or a VPC endpoint's interface
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..=6))]
    zones: u32,
    /// Prices instead of the project's, in the form of deploy/prices.json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Draw the bill there, too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn amount(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n| (0.000_001..=1e12).contains(n));
    number.ok_or_else(|| "it takes a number above 0, up to 10^12".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n| (0.0..=600.0).contains(n));
    number.ok_or_else(|| "it takes a number from 0 to 600".to_owned())
}

/// A month's.
#[derive(Debug)]
struct Bill {
    lines: usize,
    mean_line_bytes: f64,
    gb_a_month: f64,
    /// Over all sidecars.
    lines_per_second: f64,
    /// Lines that a sidecar's output has together when it packs records.
    lines_together: f64,
    mean_record_bytes: f64,
    rows: [Row; 3],
    /// GB a month on the way to Firehose.
    sent_gb: f64,
    ways: Vec<Way>,
}

/// What the month costs in one place. Amounts are US dollars.
#[derive(Debug)]
struct Row {
    name: &'static str,
    billed_ratio: f64,
    ingestion: f64,
    conversion: Option<f64>,
}

/// What a way of the month's calls to Firehose costs. Amounts are US dollars.
#[derive(Debug)]
struct Way {
    name: &'static str,
    hours: f64,
    data: f64,
}

pub(crate) fn run(args: &Args) -> Result<(), String> {
    let prices = prices::prices(args.prices.as_deref(), &args.region)?;
    let bill = bill(&sizes(&args.logs)?, args, &prices);
    print!("{}", report::text(&bill, args, &prices));
    if let Some(path) = &args.svg {
        fs::write(path, report::svg(&bill, args))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// The bytes of each line and its newline.
fn sizes(path: &Path) -> Result<Vec<usize>, String> {
    let mut lines = Lines::open(path)?;
    let mut sizes = Vec::new();
    while let Some((_, text)) = lines.next_line()? {
        // The plugin cuts what is longer.
        let bytes = text.map_or(MAX_RECORD_BYTES, |text| text.len() + 1);
        sizes.push(bytes.min(MAX_RECORD_BYTES));
    }
    match sizes.is_empty() {
        true => Err(format!("{} has no lines", lines.name)),
        false => Ok(sizes),
    }
}

/// Of a sample of lines with these sizes, of which there is at least one.
fn bill(sizes: &[usize], args: &Args, prices: &Prices) -> Bill {
    let one_each = packed(sizes, 1.0, false);
    let mean_line_bytes = one_each.written_bytes as f64 / sizes.len() as f64;
    let gb_of_line = mean_line_bytes * SECONDS_A_MONTH / GB;
    let lines_per_second = args.lines_per_second.unwrap_or(args.gb / gb_of_line);
    let gb_a_month = lines_per_second * gb_of_line;
    let lines_together = args.lines_together(lines_per_second);
    let aggregated = packed(sizes, lines_together, true);
    let firehose = |name, billed: &Billed| Row {
        name,
        billed_ratio: billed.ratio(),
        ingestion: gb_a_month * billed.ratio() * prices.firehose_ingestion.usd_per_gb,
        conversion: Some(gb_a_month * billed.ratio() * prices.firehose_conversion.usd_per_gb),
    };
    let sent_gb = gb_a_month * BASE64_RATIO;
    Bill {
        sent_gb,
        ways: ways(sent_gb, args.zones, prices),
        lines: sizes.len(),
        mean_line_bytes,
        gb_a_month,
        lines_per_second,
        lines_together,
        mean_record_bytes: aggregated.written_bytes as f64 / aggregated.records as f64,
        rows: [
            Row {
                name: "CloudWatch Logs",
                billed_ratio: 1.0,
                ingestion: gb_a_month * prices.cloudwatch_ingestion.usd_per_gb,
                conversion: None,
            },
            firehose("Firehose, one record a line", &one_each),
            firehose("Firehose, simple_aggregation", &aggregated),
        ],
    }
}

/// The ways of which the prices are known, and the one that costs nothing.
fn ways(sent_gb: f64, zones: u32, prices: &Prices) -> Vec<Way> {
    let hours = SECONDS_A_MONTH / 3600.0 * f64::from(zones);
    let mut ways: Vec<Way> = prices
        .ways()
        .map(|(name, price)| Way {
            name,
            hours: hours * price.usd_per_hour,
            data: sent_gb * price.usd_per_gb,
        })
        .collect();
    ways.push(Way {
        name: "Neither",
        hours: 0.0,
        data: 0.0,
    });
    ways
}

// === impl Args ===

impl Args {
    /// The chunks that arrive before the first has waited long enough share records, unless they
    /// are more than the workers can hold.
    fn lines_together(&self, lines_per_second: f64) -> f64 {
        let (sidecars, tags) = (f64::from(self.sidecars), f64::from(self.tags));
        let lines_of_chunk = lines_per_second / sidecars / tags * self.flush;
        let flushes = (self.linger / self.flush).ceil().max(1.0);
        lines_of_chunk * (tags * flushes).min(self.workers.into())
    }
}

// === impl Row ===

impl Row {
    fn total(&self) -> f64 {
        self.ingestion + self.conversion.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// In Seoul.
    fn bill_of(sizes: &[usize], words: &str) -> Bill {
        let words = format!("bill sample.jsonl {words}");
        let Command { args } = Command::parse_from(words.split_whitespace());
        bill(sizes, &args, &prices::prices(None, &args.region).unwrap())
    }

    #[test]
    fn a_month_of_100_gb() {
        for (size, one_each) in [(200, 148.48), (512, 58.00), (1024, 29.00)] {
            let bill = bill_of(&[size], "");
            let [cloudwatch, single, aggregated] = bill.rows.each_ref().map(Row::total);
            assert!((cloudwatch - 76.0).abs() < 0.005, "{bill:?}");
            assert!((single - one_each).abs() < 0.005, "{bill:?}");
            // 5.80, were every record full to the last byte.
            assert!((5.80..5.80 * 1.02).contains(&aggregated), "{bill:?}");
            let seconds = format!("--lines-per-second {}", bill.lines_per_second);
            assert!((bill_of(&[size], &seconds).gb_a_month - 100.0).abs() < 1e-9);
        }
    }

    #[test]
    fn chunks_that_wait_together_share_records() {
        for (words, together, billed_ratio) in [
            ("", 50.0, 1.0),
            ("--workers 1 --linger 30", 50.0, 1.0),
            ("--linger 0", 50.0, 1.0),
            // The next flush comes while the first one waits.
            ("--linger 6", 100.0, 1.0),
            ("--flush 1 --workers 8", 50.0, 1.0),
            ("--flush 1", 20.0, 1.0),
            // All tags' chunks come at once, but only two can wait.
            ("--tags 10 --workers 10", 50.0, 1.0),
            ("--tags 10", 10.0, 1.0),
            // One line a flush and sidecar. A longer flush mends it.
            ("--sidecars 50", 1.0, 10.0),
            ("--sidecars 50 --flush 50", 10.0, 1.0),
        ] {
            let bill = bill_of(&[512], &format!("--lines-per-second 10 {words}"));
            let [_, _, aggregated] = &bill.rows;
            let found = (bill.lines_together, aggregated.billed_ratio);
            assert_eq!(found, (together, billed_ratio), "{words}");
        }
    }
}
