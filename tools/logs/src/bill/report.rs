//! The bill in words and as a bar chart.

use figures::markdown;
use figures::svg::{Bar, Bars};

use crate::bill::prices::{FIRST_TIER_GB, Prices};
use crate::bill::{Args, Bill, Row, Way};

/// How long the longest bar is.
const LONGEST: f64 = 440.0;

/// Beyond this much more billed than written, fuller records are worth a thought.
const WASTEFUL_RATIO: f64 = 1.2;

fn title(bill: &Bill, args: &Args) -> String {
    let gb = rounded(bill.gb_a_month);
    format!("A month of {gb} GB of log lines in {}", args.region)
}

fn caption(bill: &Bill, args: &Args) -> String {
    format!(
        "Ingestion and, for Firehose, conversion. Lines of {:.0} bytes, {} a second; {} on {} are \
         sent together.",
        bill.mean_line_bytes,
        rounded(bill.lines_per_second),
        rounded(bill.lines_together),
        match args.sidecars {
            1 => "a sidecar".to_owned(),
            count => format!("each of {count} sidecars"),
        },
    )
}

pub(crate) fn text(bill: &Bill, args: &Args, prices: &Prices) -> String {
    let cells = bill.rows.each_ref().map(cells);
    let head = " | billed/written | ingestion $ | conversion $ | a month $";
    let mut text = format!(
        "{}\n{}\nThe sample has {} lines. Aggregated records hold {} bytes on average.\n\n{}\n",
        title(bill, args),
        caption(bill, args),
        bill.lines,
        bill.mean_record_bytes.round(),
        markdown::table(head, 1, &cells),
    );
    text += &format!(
        "The way to Firehose is paid beside it: {} GB in base64, availability zones: {}.\n\n{}\n",
        rounded(bill.sent_gb),
        args.zones,
        markdown::table(
            " | hours $ | data $ | a month $",
            1,
            &bill.ways.iter().map(way_cells).collect::<Vec<_>>()
        ),
    );
    let [_, _, aggregated] = &bill.rows;
    if aggregated.billed_ratio > WASTEFUL_RATIO {
        text += "Too few lines are sent together to fill records: a longer flush in Fluent Bit's \
                 [SERVICE] section costs less.\n";
    }
    let ratios = bill.rows.iter().map(|row| row.billed_ratio);
    let most = ratios.fold(0.0, f64::max);
    if bill.gb_a_month * most > FIRST_TIER_GB {
        text += "More than 500 TB are billed: beyond them a GB costs less than estimated.\n";
    }
    text += "Without storage, queries and free tiers. US dollars a GB:\n";
    for (what, price) in [
        ("CloudWatch Logs, ingestion", &prices.cloudwatch_ingestion),
        ("Firehose, ingestion", &prices.firehose_ingestion),
        ("Firehose, conversion", &prices.firehose_conversion),
    ] {
        let (source, date) = (&price.source, &price.date);
        let read = match &price.told {
            None => format!("read in {source} ({date})"),
            Some(whom) => format!("told by {whom} ({date}); compare {source}"),
        };
        text += &format!("  {what}: {}, {read}\n", price.usd_per_gb);
    }
    for (name, price) in prices.ways() {
        text += &format!(
            "  {name}: {}, and {} an hour, read in {} ({})\n",
            price.usd_per_gb, price.usd_per_hour, price.source, price.date
        );
    }
    text
}

fn way_cells(way: &Way) -> [String; 4] {
    [
        way.name.to_owned(),
        format!("{:.2}", way.hours),
        format!("{:.2}", way.data),
        format!("{:.2}", way.hours + way.data),
    ]
}

fn cells(row: &Row) -> [String; 5] {
    [
        row.name.to_owned(),
        format!("{:.3}", row.billed_ratio),
        format!("{:.2}", row.ingestion),
        row.conversion
            .map_or("-".to_owned(), |usd| format!("{usd:.2}")),
        format!("{:.2}", row.total()),
    ]
}

/// A bar for each row; the last one, which is what the plugin is for, stands out.
pub(crate) fn svg(bill: &Bill, args: &Args) -> String {
    let rows = &bill.rows;
    let most = rows.iter().map(Row::total).fold(0.0, f64::max);
    let bar = |(number, row): (usize, &Row)| {
        let length = row.total() / most * LONGEST;
        Bar {
            label: row.name.to_owned(),
            class: match number + 1 == rows.len() {
                true => "own",
                false => "bar",
            },
            length,
            spread: None,
            text: format!("${:.2}", row.total()),
            text_from: length,
        }
    };
    let bars = Bars {
        left: 220.0,
        bars: rows.iter().enumerate().map(bar).collect(),
    };
    bars.picture(&title(bill, args), &caption(bill, args))
}

/// To two decimals below ten, one below a hundred, none above.
fn rounded(number: f64) -> f64 {
    let scale = match number {
        100.0.. => 1.0,
        10.0.. => 10.0,
        _ => 100.0,
    };
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_as_long_as_they_say_something() {
        let rounded = [0.0, 0.5, 2.345, 12.34, 20.0, 1234.4].map(super::rounded);
        assert_eq!(rounded, [0.0, 0.5, 2.35, 12.3, 20.0, 1234.0]);
    }
}
