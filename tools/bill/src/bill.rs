//! A month's bill.

use crate::packing::{Billed, aggregated, single};
use crate::prices::Prices;

/// As AWS's own examples count them.
/// Source: <https://aws.amazon.com/firehose/pricing/>.
pub(crate) const SECONDS_A_MONTH: f64 = 30.0 * 24.0 * 3600.0;
pub(crate) const GB: f64 = (1 << 30) as f64;

/// How much a month has of lines such as the sample's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Volume {
    GbAMonth(f64),
    LinesPerSecond(f64),
}

/// Where the lines are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sidecars {
    pub(crate) count: f64,
    /// Of each sidecar. Every flush has a chunk for each.
    pub(crate) tags: f64,
    pub(crate) flush_seconds: f64,
    /// The output's: each holds one chunk while that waits for company.
    pub(crate) workers: f64,
    /// The output's: how long it waits.
    pub(crate) linger_seconds: f64,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Bill {
    pub(crate) lines: usize,
    pub(crate) mean_line_bytes: f64,
    pub(crate) gb_a_month: f64,
    /// Over all sidecars.
    pub(crate) lines_per_second: f64,
    /// Lines that a sidecar's output has together when it packs records.
    pub(crate) lines_together: f64,
    pub(crate) mean_record_bytes: f64,
    pub(crate) rows: [Row; 3],
}

/// What the month costs in one place. Amounts are US dollars.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) billed_ratio: f64,
    pub(crate) ingestion: f64,
    pub(crate) conversion: Option<f64>,
}

/// Of a sample of lines with these sizes, of which there is at least one.
pub(crate) fn bill(sizes: &[usize], volume: Volume, sidecars: Sidecars, prices: &Prices) -> Bill {
    let one_each = single(sizes);
    let mean_line_bytes = one_each.written_bytes as f64 / sizes.len() as f64;
    let (gb_a_month, lines_per_second) = match volume {
        Volume::GbAMonth(gb) => (gb, gb * GB / mean_line_bytes / SECONDS_A_MONTH),
        Volume::LinesPerSecond(lines) => (lines * mean_line_bytes * SECONDS_A_MONTH / GB, lines),
    };
    let lines_together = sidecars.lines_together(lines_per_second);
    let packed = aggregated(sizes, lines_together);
    let firehose = |name, billed: Billed| Row {
        name,
        billed_ratio: billed.ratio(),
        ingestion: gb_a_month * billed.ratio() * prices.firehose_ingestion.usd_per_gb,
        conversion: Some(gb_a_month * billed.ratio() * prices.firehose_conversion.usd_per_gb),
    };
    Bill {
        lines: sizes.len(),
        mean_line_bytes,
        gb_a_month,
        lines_per_second,
        lines_together,
        mean_record_bytes: packed.written_bytes as f64 / packed.records as f64,
        rows: [
            Row {
                name: "CloudWatch Logs",
                billed_ratio: 1.0,
                ingestion: gb_a_month * prices.cloudwatch_ingestion.usd_per_gb,
                conversion: None,
            },
            firehose("Firehose, one record a line", one_each),
            firehose("Firehose, simple_aggregation", packed),
        ],
    }
}

// === impl Sidecars ===

impl Sidecars {
    /// The chunks that arrive before the first has waited long enough share records, unless they
    /// are more than the workers can hold.
    fn lines_together(&self, lines_per_second: f64) -> f64 {
        let lines_of_chunk = lines_per_second / self.count / self.tags * self.flush_seconds;
        let flushes = (self.linger_seconds / self.flush_seconds).ceil().max(1.0);
        lines_of_chunk * (self.tags * flushes).min(self.workers)
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn total(&self) -> f64 {
        self.ingestion + self.conversion.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::prices;

    const ONE: Sidecars = Sidecars {
        count: 1.0,
        tags: 1.0,
        flush_seconds: 5.0,
        workers: 2.0,
        linger_seconds: 5.0,
    };

    fn totals(bill: &Bill) -> [String; 3] {
        bill.rows
            .each_ref()
            .map(|row| format!("{:.2}", row.total()))
    }

    #[test]
    fn a_month_of_100_gb_in_seoul() {
        let seoul = prices(None, "ap-northeast-2").unwrap();
        for (size, cloudwatch, one_each) in [
            (200, "76.00", "148.48"),
            (512, "76.00", "58.00"),
            (1024, "76.00", "29.00"),
        ] {
            let bill = bill(&[size], Volume::GbAMonth(100.0), ONE, &seoul);
            let [first, second, _] = totals(&bill);
            assert_eq!([first.as_str(), second.as_str()], [cloudwatch, one_each]);
            // 5.80, were every record full to the last byte.
            let aggregated = bill.rows[2].total();
            assert!((5.80..5.80 * 1.02).contains(&aggregated), "{aggregated}");
        }
    }

    #[test]
    fn a_small_sidecar_fills_its_records_less() {
        let seoul = prices(None, "ap-northeast-2").unwrap();
        let of = |count, flush_seconds| {
            let sidecars = Sidecars {
                count,
                flush_seconds,
                ..ONE
            };
            bill(&[512], Volume::LinesPerSecond(10.0), sidecars, &seoul)
        };
        let one = of(1.0, 5.0);
        // 50 lines a flush are five units.
        assert_eq!(
            (one.lines_together, one.mean_record_bytes),
            (50.0, 25_600.0)
        );
        assert_eq!(one.rows[2].billed_ratio, 1.0);
        // One line a flush and sidecar.
        let fifty = of(50.0, 5.0);
        assert_eq!(
            (fifty.lines_together, fifty.mean_record_bytes),
            (1.0, 512.0)
        );
        assert_eq!(fifty.rows[2].billed_ratio, 10.0);
        assert_eq!(totals(&fifty)[1], totals(&fifty)[2]);
        // A longer flush mends it.
        assert_eq!(of(50.0, 50.0).rows[2].billed_ratio, 1.0);
    }

    #[test]
    fn chunks_that_wait_together_share_records() {
        for (tags, flush_seconds, workers, linger_seconds, expected) in [
            (1.0, 5.0, 2.0, 5.0, 50.0),
            (1.0, 5.0, 1.0, 30.0, 50.0),
            (1.0, 5.0, 2.0, 0.0, 50.0),
            // The next flush comes while the first one waits.
            (1.0, 5.0, 2.0, 6.0, 100.0),
            (1.0, 1.0, 8.0, 5.0, 50.0),
            (1.0, 1.0, 2.0, 5.0, 20.0),
            // All tags' chunks come at once, but only two can wait.
            (10.0, 5.0, 10.0, 5.0, 50.0),
            (10.0, 5.0, 2.0, 5.0, 10.0),
        ] {
            let sidecars = Sidecars {
                count: 1.0,
                tags,
                flush_seconds,
                workers,
                linger_seconds,
            };
            assert_eq!(sidecars.lines_together(10.0), expected, "{sidecars:?}");
        }
    }

    #[test]
    fn lines_a_second_and_gb_a_month_are_two_ways_to_say_one_thing() {
        let seoul = prices(None, "ap-northeast-2").unwrap();
        let by_lines = bill(&[400, 600], Volume::LinesPerSecond(100.0), ONE, &seoul);
        assert!((by_lines.gb_a_month - 120.7).abs() < 0.01, "{by_lines:?}");
        let by_gb = bill(
            &[400, 600],
            Volume::GbAMonth(by_lines.gb_a_month),
            ONE,
            &seoul,
        );
        assert!((by_gb.lines_per_second - 100.0).abs() < 1e-9, "{by_gb:?}");
        assert_eq!(totals(&by_gb), totals(&by_lines));
    }
}
