//! What the plugin logged and what it did wrong, collected for the whole process.

use std::mem;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static LOGS: Mutex<Vec<LogLine>> = Mutex::new(Vec::new());
static VIOLATIONS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static PRINT: AtomicBool = AtomicBool::new(false);

/// One line the plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub level: LogLevel,
    pub text: String,
}

/// Fluent Bit's log types, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
    Trace = 5,
}

/// Takes the lines whose text contains `needle`, an instance's name for example, and leaves the
/// others: instances of tests that run side by side are among them.
pub fn take_logs(needle: &str) -> Vec<LogLine> {
    lock(&LOGS)
        .extract_if(.., |line| line.text.contains(needle))
        .collect()
}

/// From now on lines are printed to stderr in Fluent Bit's form instead of being collected, so
/// that a long run's memory doesn't grow by its log. The date is in UTC.
pub fn print_logs() {
    PRINT.store(true, Ordering::Relaxed);
}

/// Takes the breaches of the contract that were noticed since the last call, as sentences.
pub fn drain_violations() -> Vec<String> {
    mem::take(&mut *lock(&VIOLATIONS))
}

/// One call of the host's logger.
pub(crate) fn record(log_type: i32, format: &[u8], text: &str) {
    if format != b"%s" {
        violation(format!(
            "the plugin logged with the format {:?}: a text that holds a % would read wild memory; pass \"%s\" and the text",
            String::from_utf8_lossy(format)
        ));
    }
    let mut levels = LogLevel::ALL.into_iter();
    let Some(level) = levels.find(|level| *level as i32 == log_type) else {
        violation(format!(
            "the plugin logged with the type {log_type}: it must be 1 (error) to 5 (trace)"
        ));
        return;
    };
    if PRINT.load(Ordering::Relaxed) {
        let now = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        eprintln!("[{now}] [{:>5}] {text}", level.name());
    } else {
        let text = text.to_owned();
        lock(&LOGS).push(LogLine { level, text });
    }
}

pub(crate) fn violation(sentence: String) {
    if PRINT.load(Ordering::Relaxed) {
        eprintln!("firehose-host: {sentence}");
    }
    lock(&VIOLATIONS).push(sentence);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked elsewhere leaves the lists usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl LogLevel ===

impl LogLevel {
    const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// As Fluent Bit writes and reads it.
    pub fn name(self) -> String {
        format!("{self:?}").to_ascii_lowercase()
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut levels = Self::ALL.into_iter();
        levels.find(|level| level.name() == text).ok_or_else(|| {
            format!("log_level {text:?}: it must be error, warn, info, debug or trace")
        })
    }
}
