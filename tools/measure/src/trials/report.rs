//! What a trial found, as a row of the table, and what of it must not be.

use std::time::Duration;

use figures::markdown;

use crate::output::Output;
use crate::trial::{STREAM, Trial};

const HEAD: &str = "story | output | remarks | lines | lost | twice | unanswered calls | calls \
                    | payload sent / raw | drain s | peak RSS MB";
/// Columns of text.
const TEXTS: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) story: String,
    pub(super) output: Output,
    pub(super) lines: u64,
    /// Lines that had not arrived at the trial's end.
    pub(super) lost: u64,
    pub(super) twice: u64,
    /// Documents that arrived but were never sent.
    pub(super) foreign: u64,
    /// Calls that stored records, of which the client could not know.
    pub(super) unanswered: u64,
    pub(super) calls: u64,
    pub(super) sent_over_raw: f64,
    /// None: not all lines arrived within the trial's limit.
    pub(super) drain: Option<Duration>,
    pub(super) peak_rss_bytes: u64,
    /// So many of them the story makes unavoidable.
    pub(super) may_double: u64,
    pub(super) remarks: Vec<String>,
}

impl Row {
    /// Of a trial that has ended.
    pub(super) fn of(trial: &Trial<'_>, story: &str, drain: Option<Duration>) -> Row {
        let tally = &trial.tally;
        let raw_bytes = tally.lines.bytes(tally.expected()).max(1);
        let stats = trial.service.stats();
        let stream = stats.streams.get(STREAM).cloned().unwrap_or_default();
        Row {
            story: story.to_owned(),
            output: trial.output,
            lines: tally.expected(),
            lost: tally.missing,
            twice: tally.twice,
            foreign: tally.foreign,
            unanswered: trial.unanswered(),
            calls: stream.requests,
            sent_over_raw: stream.sent_bytes as f64 / raw_bytes as f64,
            drain,
            peak_rss_bytes: trial.peak_rss_bytes,
            may_double: 0,
            remarks: Vec::new(),
        }
    }

    /// Remarks on a figure that is above its target.
    pub(super) fn target(&mut self, what: &str, figure: f64, target: f64) {
        if figure > target {
            self.remarks
                .push(format!("over target: {what} {figure:.2} of {target:.2}"));
        }
    }

    /// Remarks on a figure that is below its target.
    pub(super) fn least(&mut self, what: &str, figure: f64, target: f64) {
        if figure < target {
            self.remarks
                .push(format!("under target: {what} {figure:.2} of {target:.2}"));
        }
    }

    /// Why this project's output has failed the story, if it has.
    pub(super) fn fault(&self) -> Option<String> {
        if !self.output.is_of_this_project() {
            return None;
        }
        let mut faults = Vec::new();
        match self.drain {
            None => faults.push(format!("{} missing at the limit", self.lost)),
            Some(_) if self.lost > 0 => faults.push(format!("{} lost", self.lost)),
            Some(_) => {}
        }
        if self.foreign > 0 {
            faults.push(format!("{} not as sent", self.foreign));
        }
        if self.twice > self.may_double {
            faults.push(format!("{} twice", self.twice));
        }
        (!faults.is_empty()).then(|| {
            format!(
                "{}, {}: {}",
                self.story,
                self.output.name(),
                faults.join(", ")
            )
        })
    }

    fn cells(&self) -> [String; 11] {
        let mut remarks = self.remarks.clone();
        if self.foreign > 0 {
            remarks.push(format!("{} not as sent", self.foreign));
        }
        if self.drain.is_none() {
            remarks.push(format!("stopped with {} missing", self.lost));
        }
        [
            self.story.clone(),
            self.output.name().to_owned(),
            remarks.join("; "),
            self.lines.to_string(),
            // What may still have come is not lost.
            self.drain.map_or("-".to_owned(), |_| self.lost.to_string()),
            self.twice.to_string(),
            self.unanswered.to_string(),
            self.calls.to_string(),
            format!("{:.2}", self.sent_over_raw),
            self.drain.map_or("-".to_owned(), |drain| {
                format!("{:.1}", drain.as_secs_f64())
            }),
            format!("{:.0}", self.peak_rss_bytes as f64 / 1e6),
        ]
    }
}

pub(super) fn render(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    markdown::table(HEAD, TEXTS, &cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(output: Output) -> Row {
        Row {
            story: "story".to_owned(),
            output,
            lines: 10,
            lost: 0,
            twice: 0,
            foreign: 0,
            unanswered: 0,
            calls: 1,
            sent_over_raw: 1.0,
            drain: Some(Duration::from_millis(1500)),
            peak_rss_bytes: 50_400_000,
            may_double: 0,
            remarks: Vec::new(),
        }
    }

    #[test]
    fn only_this_project_s_output_fails_and_only_for_what_it_could_help() {
        type Change = fn(&mut Row);
        let changes: [(Change, &str); 5] = [
            (|row| row.lost = 3, "story, firehose: 3 lost"),
            (|row| row.twice = 2, "story, firehose: 2 twice"),
            (|row| row.foreign = 1, "story, firehose: 1 not as sent"),
            (
                |row| (row.drain, row.lost) = (None, 5),
                "story, firehose: 5 missing at the limit",
            ),
            (
                |row| (row.lost, row.twice) = (1, 1),
                "story, firehose: 1 lost, 1 twice",
            ),
        ];
        assert_eq!(row(Output::Firehose).fault(), None);
        for (change, fault) in changes {
            let [mut own, mut core] = [Output::Firehose, Output::Core].map(row);
            change(&mut own);
            change(&mut core);
            assert_eq!(own.fault().as_deref(), Some(fault));
            assert_eq!(core.fault(), None);
        }
        let mut doubled = row(Output::Firehose);
        (doubled.twice, doubled.may_double) = (2, 2);
        assert_eq!(doubled.fault(), None);
        doubled.twice = 3;
        assert_eq!(doubled.fault().as_deref(), Some("story, firehose: 3 twice"));
    }

    #[test]
    fn a_figure_that_misses_its_target_is_told() {
        let mut row = row(Output::Core);
        row.target("drain s", 30.0, 30.0);
        assert_eq!(row.remarks, [""; 0]);
        row.target("drain s", 30.126, 30.0);
        assert_eq!(row.remarks, ["over target: drain s 30.13 of 30.00"]);
        row.remarks.clear();
        row.least("lines/s", 15.0, 15.0);
        assert_eq!(row.remarks, [""; 0]);
        row.least("lines/s", 14.9, 15.0);
        assert_eq!(row.remarks, ["under target: lines/s 14.90 of 15.00"]);
    }

    #[test]
    fn what_may_still_have_come_is_not_lost() {
        let mut shown = row(Output::Core);
        (shown.drain, shown.lost, shown.foreign) = (None, 3, 4);
        let table = render(&[shown, row(Output::Firehose)]);
        let squeezed: Vec<&str> = table.split_whitespace().collect();
        let table = squeezed.join(" ");
        let remarks = "4 not as sent; stopped with 3 missing";
        for expected in [
            &*format!("C kinesis_firehose | {remarks} | 10 | - | 0 | 0 | 1 | 1.00 | - | 50 |"),
            "firehose | | 10 | 0 | 0 | 0 | 1 | 1.00 | 1.5 | 50 |",
        ] {
            assert!(table.contains(expected), "{table}");
        }
    }
}
