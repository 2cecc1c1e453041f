//! Lines for the operator, through the host's logger and not more often than they help.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The levels of Fluent Bit, by its own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Where lines go. The host only takes them on its own threads, so a flush sends them to the
/// thread that waits for it.
pub trait Sink {
    fn line(&self, level: Level, text: String);
}

/// Decides which lines are worth writing.
#[derive(Debug)]
pub struct Limiter {
    max_level: Level,
    topics: Mutex<HashMap<&'static str, Topic>>,
}

#[derive(Debug)]
struct Topic {
    written: Instant,
    suppressed: u64,
}

impl Limiter {
    /// A topic that was written of is quiet for this long.
    pub const QUIET: Duration = Duration::from_secs(30);

    pub fn new(max_level: Level) -> Self {
        Self {
            max_level,
            topics: Mutex::default(),
        }
    }

    /// Writes a line unless its topic was written of lately; the next one says how many were not.
    pub fn write(
        &self,
        sink: &(impl Sink + ?Sized),
        level: Level,
        topic: &'static str,
        text: impl FnOnce() -> String,
    ) {
        if level > self.max_level {
            return;
        }
        let Some(suppressed) = self.admit(topic) else {
            return;
        };
        let mut text = text();
        if suppressed > 0 {
            text.push_str(&format!(
                " ({suppressed} more like this since the last line)"
            ));
        }
        sink.line(level, text);
    }

    /// How many lines of a topic were suppressed, if one may be written now.
    fn admit(&self, topic: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = topics.get_mut(topic) else {
            let written = now;
            topics.insert(
                topic,
                Topic {
                    written,
                    suppressed: 0,
                },
            );
            return Some(0);
        };
        if now.duration_since(known.written) < Self::QUIET {
            known.suppressed += 1;
            return None;
        }
        known.written = now;
        Some(std::mem::take(&mut known.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Lines(RefCell<Vec<String>>);

    impl Sink for Lines {
        fn line(&self, _: Level, text: String) {
            self.0.borrow_mut().push(text);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_is_written_once_per_interval_and_tells_what_it_left_out() {
        let limiter = Limiter::new(Level::Warn);
        let lines = Lines::default();
        for _ in 0..1000 {
            limiter.write(&lines, Level::Warn, "a", || "a".to_owned());
        }
        limiter.write(&lines, Level::Error, "b", || "b".to_owned());
        limiter.write(&lines, Level::Info, "c", || "c".to_owned());
        tokio::time::advance(Limiter::QUIET).await;
        limiter.write(&lines, Level::Warn, "a", || "a".to_owned());
        let told = "a (999 more like this since the last line)";
        assert_eq!(*lines.0.borrow(), ["a", "b", told]);
    }
}
