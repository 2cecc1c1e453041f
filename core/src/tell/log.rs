//! Lines for the operator, through the host's logger and not more often than they help.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The levels of Fluent Bit, by its own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];
}

/// A number and its noun.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// What one output has for the host's log. Lines wait here until somebody takes them: the host
/// logs on its own threads only.
#[derive(Debug)]
pub struct Log {
    max_level: Level,
    /// What each line begins with.
    start: String,
    /// When a line of each topic was last written, and how many were left out since. Each level has
    /// its own, so that a line about a recovery, or for debugging, does not hide one about a loss.
    topics: HashMap<(Level, &'static str), (Instant, u64)>,
    lines: VecDeque<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub level: Level,
    pub text: String,
}

/// For this long after a line, no other line of its topic is written at that level.
pub const QUIET: Duration = Duration::from_secs(30);

/// The most lines that wait. It is more than there are topics.
const MOST_LINES: usize = 100;

impl Log {
    pub fn new(max_level: Level) -> Self {
        Self {
            max_level,
            start: String::new(),
            topics: HashMap::new(),
            lines: VecDeque::new(),
        }
    }

    /// One whose lines name a delivery stream, as the output has several.
    pub fn of_stream(max_level: Level, stream: &str) -> Self {
        Self {
            start: format!("delivery stream {stream}: "),
            ..Self::new(max_level)
        }
    }

    /// Adds a line, unless there was one of its topic and level lately. The next one says how many
    /// lines were left out.
    pub fn write(
        &mut self,
        now: Instant,
        level: Level,
        topic: &'static str,
        text: impl FnOnce() -> String,
    ) {
        if level > self.max_level {
            return;
        }
        let key = (level, topic);
        if let Some((written, left_out)) = self.topics.get_mut(&key)
            && now.saturating_duration_since(*written) < QUIET
        {
            *left_out += 1;
            return;
        }
        let mut text = self.start.clone() + &text();
        if let Some((_, left_out @ 1..)) = self.topics.insert(key, (now, 0)) {
            text += &format!(" ({left_out} more like this since the last line)");
        }
        self.push(level, text);
    }

    /// Adds a line that comes once only, whatever others there were lately.
    pub fn write_once(&mut self, level: Level, text: impl FnOnce() -> String) {
        if level <= self.max_level {
            self.push(level, text());
        }
    }

    fn push(&mut self, level: Level, text: String) {
        if self.lines.len() < MOST_LINES {
            self.lines.push_back(Line { level, text });
        }
    }

    /// Takes the lines that wait, oldest first.
    pub fn take(&mut self) -> impl Iterator<Item = Line> {
        self.lines.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_written_once_per_interval_and_level_and_tells_what_it_left_out() {
        let start = Instant::now();
        let mut log = Log::new(Level::Warn);
        for _ in 0..1000 {
            log.write(start, Level::Warn, "a", || "a".to_owned());
        }
        log.write(start, Level::Error, "a", || "lost".to_owned());
        log.write(start, Level::Error, "b", || "b".to_owned());
        log.write(start, Level::Info, "c", || "c".to_owned());
        log.write(start + QUIET, Level::Warn, "a", || "a".to_owned());
        let told = "a (999 more like this since the last line)";
        let lines: Vec<String> = log.take().map(|line| line.text).collect();
        assert_eq!(lines, ["a", "lost", "b", told]);
        assert_eq!(log.take().count(), 0);
    }

    #[test]
    fn no_more_lines_wait_than_there_is_room_for() {
        let mut log = Log::new(Level::Warn);
        for number in 0..MOST_LINES + 10 {
            let topic = number.to_string().leak();
            log.write(Instant::now(), Level::Warn, topic, || number.to_string());
        }
        let lines: Vec<Line> = log.take().collect();
        assert_eq!(lines.len(), MOST_LINES);
        assert_eq!(lines[MOST_LINES - 1].text, "99");
    }
}
