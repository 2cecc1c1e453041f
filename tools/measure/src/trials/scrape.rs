//! How many events an input has taken, as Fluent Bit's own endpoint says.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// A rate is that of so long.
const WINDOW: Duration = Duration::from_secs(30);

/// Follows one input.
pub(super) struct Scrape {
    port: u16,
    /// What the line of the input begins with.
    line: String,
    /// When so many events had come, over the last window.
    seen: VecDeque<(Instant, u64)>,
    /// The lowest rate of any window, in events a second.
    pub(super) slowest: f64,
}

impl Scrape {
    pub(super) fn new(port: u16, input: &str) -> Self {
        Self {
            port,
            line: format!("fluentbit_input_records_total{{name=\"{input}\"}} "),
            seen: VecDeque::new(),
            slowest: f64::INFINITY,
        }
    }

    /// Asks at most once a second. An endpoint that does not answer yet says nothing.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        let is_due = |(last, _): &(Instant, u64)| now.duration_since(*last) >= LOOK_EVERY;
        if !self.seen.back().is_none_or(is_due) {
            return;
        }
        let Some(events) = self.ask() else {
            return;
        };
        self.seen.push_back((now, events));
        while let Some(&(first, before)) = self.seen.front()
            && now.duration_since(first) >= WINDOW
        {
            let seconds = now.duration_since(first).as_secs_f64();
            self.slowest = self.slowest.min((events - before) as f64 / seconds);
            self.seen.pop_front();
        }
    }

    fn ask(&self) -> Option<u64> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN)).ok()?;
        let request = "GET /api/v1/metrics/prometheus HTTP/1.0\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let mut lines = answer.lines();
        let rest = lines.find_map(|line| line.strip_prefix(&*self.line))?;
        rest.split(' ').next()?.parse().ok()
    }
}
