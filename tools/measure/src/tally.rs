//! Which lines arrived, and how often.

use std::ops::Range;

use fake_firehose::AcceptedCall;

use crate::lines::Lines;

/// The lines from 0 to a count that may grow, and their arrivals so far.
pub(crate) struct Tally {
    pub(crate) lines: Lines,
    arrivals: Vec<u32>,
    /// Lines that did not arrive yet.
    pub(crate) missing: u64,
    /// Arrivals of a line beyond its first.
    pub(crate) twice: u64,
    /// Documents that are none of the lines.
    pub(crate) foreign: u64,
}

impl Tally {
    pub(crate) fn new(lines: Lines) -> Tally {
        Tally {
            lines,
            arrivals: Vec::new(),
            missing: 0,
            twice: 0,
            foreign: 0,
        }
    }

    /// So many lines must arrive. Told before any of them can.
    pub(crate) fn expect(&mut self, count: u64) {
        self.missing += count - self.expected();
        self.arrivals.resize(count as usize, 0);
    }

    pub(crate) fn add(&mut self, call: &AcceptedCall) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &call.data) {
            self.add_document(&call.data[start..end]);
            start = end + 1;
        }
        // A record without a newline at its end.
        self.add_document(&call.data[start..]);
    }

    fn add_document(&mut self, document: &[u8]) {
        // The core plugin's aggregates end in an empty line.
        if document.is_empty() {
            return;
        }
        let number = self.lines.number(document);
        match number.and_then(|number| self.arrivals.get_mut(number as usize)) {
            None => self.foreign += 1,
            Some(arrivals) => {
                match arrivals {
                    0 => self.missing -= 1,
                    _ => self.twice += 1,
                }
                *arrivals += 1;
            }
        }
    }

    pub(crate) fn expected(&self) -> u64 {
        self.arrivals.len() as u64
    }

    /// Whether each of these lines arrived.
    pub(crate) fn has(&self, numbers: Range<u64>) -> bool {
        let arrivals = &self.arrivals[numbers.start as usize..numbers.end as usize];
        arrivals.iter().all(|&arrivals| arrivals > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_arrival_counts_once_in_the_right_place() {
        let lines = Lines::of(100);
        let call = |text: String| AcceptedCall {
            stream: "logs".to_owned(),
            data: text.into(),
        };
        let mut tally = Tally::new(lines);
        tally.expect(3);
        let [zero, one, three] = [0, 1, 3].map(|number| lines.line(number));
        tally.add(&call(format!("{zero}\n{one}\n\n{zero}\n")));
        tally.add(&call(format!("{zero}\n{three}\nother")));
        assert_eq!((tally.missing, tally.twice, tally.foreign), (1, 2, 2));
        assert!(tally.has(0..2) && !tally.has(0..3));
        tally.expect(4);
        tally.add(&call(format!("{three}\n")));
        assert_eq!((tally.missing, tally.twice, tally.foreign), (1, 2, 2));
        assert_eq!(tally.expected(), 4);
    }
}
