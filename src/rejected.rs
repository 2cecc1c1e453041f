//! `rejected_path`: keeps what can't be delivered in a file, by a thread of its own.
//!
//! Neither the runtime nor the host waits for a disk: what comes faster than the disk takes it is
//! not kept, which is counted and logged.

mod file;

use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use firehose_core::format::document::Format;
use firehose_core::format::event::Time;
use firehose_core::format::rejected::{self, Reason};
use firehose_core::options::RejectedFile;
use firehose_core::pack::batch;
use firehose_core::pack::compress::Compression;
use firehose_core::tell::log::{Level, Line, Log, count};
use firehose_core::tell::totals::Totals;

use file::File;

/// The most that waits to be written; but one document always has room.
const MOST_QUEUED: usize = 4 * 1024 * 1024;

/// What an entry takes beside its bytes.
const ENTRY: usize = 256;

/// Lines are written together up to about so many bytes.
const MOST_AT_ONCE: usize = 64 * 1024;

/// The thread's stack. Formatting keeps nesting on the heap, so it needs little of it.
const STACK: usize = 256 * 1024;

/// Where the driver of a delivery stream puts what can't be delivered. The thread ends with the
/// last one, once all is written.
pub struct Queue {
    stream: Arc<str>,
    entries: Sender<Entry>,
    shared: Arc<Shared>,
}

/// The thread, as the host's threads have it.
pub struct Thread {
    shared: Arc<Shared>,
    ended: Mutex<Receiver<()>>,
}

struct Entry {
    time: SystemTime,
    tag: String,
    stream: Arc<str>,
    reason: Reason,
    /// The service's words.
    error: Option<String>,
    /// Of the chunk, or the body of a call.
    bytes: Vec<u8>,
}

struct Shared {
    path: String,
    totals: Arc<Totals>,
    log: Mutex<Log>,
    /// Of the entries that are not written yet.
    queued: AtomicUsize,
}

/// What runs on the thread.
struct Writer {
    entries: Receiver<Entry>,
    file: File,
    format: Format,
    compression: Option<Compression>,
    shared: Arc<Shared>,
    /// Tells of the end by being dropped.
    _ended: Sender<()>,
}

/// Starts the thread.
pub fn start(
    options: RejectedFile,
    stream: &str,
    format: &Format,
    compression: Option<Compression>,
    totals: Arc<Totals>,
    max_level: Level,
) -> (Queue, Thread) {
    let (sender, entries) = mpsc::channel();
    let (_ended, ended) = mpsc::channel();
    let shared = Arc::new(Shared {
        path: options.path.display().to_string(),
        totals,
        log: Mutex::new(Log::new(max_level)),
        queued: AtomicUsize::new(0),
    });
    let writer = Writer {
        entries,
        file: File::new(options),
        format: format.clone(),
        compression,
        shared: Arc::clone(&shared),
        _ended,
    };
    let thread = thread::Builder::new().name("firehose-file".to_owned());
    if let Err(error) = thread.stack_size(STACK).spawn(move || writer.run()) {
        shared.tell(&format!("no thread can be started: {error}"));
    }
    let queue = Queue {
        stream: stream.into(),
        entries: sender,
        shared: Arc::clone(&shared),
    };
    let ended = Mutex::new(ended);
    (queue, Thread { shared, ended })
}

impl Queue {
    /// The one of another delivery stream.
    pub fn of(&self, stream: &str) -> Self {
        Self {
            stream: stream.into(),
            entries: self.entries.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Hands over a value of a chunk, or the body of the call that was refused, to be written.
    pub fn keep(&self, tag: &str, reason: Reason, error: Option<String>, bytes: &[u8]) {
        let shared = &self.shared;
        let size = ENTRY + bytes.len();
        let before = shared.queued.fetch_add(size, Ordering::Relaxed);
        let mut why = "it takes lines more slowly than they come";
        if before == 0 || before + size <= MOST_QUEUED {
            let entry = Entry {
                time: SystemTime::now(),
                tag: tag.to_owned(),
                stream: Arc::clone(&self.stream),
                reason,
                error,
                bytes: bytes.to_vec(),
            };
            if self.entries.send(entry).is_ok() {
                return;
            }
            why = "its thread has ended";
        }
        shared.queued.fetch_sub(size, Ordering::Relaxed);
        shared.lost(1, why);
    }
}

impl Thread {
    /// The lines for the host's log.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.log().take().collect()
    }

    /// Waits until the thread has written all, once the queue is gone, but not beyond `until`.
    /// Returns the lines for the log.
    pub fn end(&self, until: Instant) -> Vec<Line> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        _ = ended.recv_timeout(until.saturating_duration_since(Instant::now()));
        let left = self.shared.queued.load(Ordering::Relaxed);
        let mut lines = self.lines();
        if left > 0 {
            let left = count(left as u64, "byte");
            let text = format!("the output ends with {left} not yet written");
            let (level, text) = (Level::Error, self.shared.sentence(&text));
            lines.push(Line { level, text });
        }
        lines
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it if nothing was told lately.
    fn tell(&self, why: &str) {
        let (now, topic) = (Instant::now(), "rejected_path");
        self.log()
            .write(now, Level::Error, topic, || self.sentence(why));
    }

    fn sentence(&self, why: &str) -> String {
        format!(
            "rejected_path `{}` does not keep what can't be delivered: {why}; give Fluent Bit's \
             user a folder that it may write to, with room on a disk that is fast enough",
            self.path
        )
    }

    fn lost(&self, documents: u64, why: &str) {
        self.totals.unkept.add(documents);
        self.tell(why);
    }
}

impl Writer {
    fn run(self) {
        // What is wrong with the path is told at once.
        if let Err(error) = self.file.make() {
            self.shared.tell(&error.to_string());
        }
        while let Ok(first) = self.entries.recv() {
            let mut lines = Vec::new();
            let (mut documents, mut size) = (0, 0);
            for entry in iter::once(first).chain(self.entries.try_iter()) {
                self.push_line(&entry, &mut lines);
                documents += 1;
                size += ENTRY + entry.bytes.len();
                if lines.len() >= MOST_AT_ONCE {
                    break;
                }
            }
            if let Err(error) = self.file.append(&lines) {
                self.shared.lost(documents, &error.to_string());
            }
            self.shared.queued.fetch_sub(size, Ordering::Relaxed);
        }
    }

    fn push_line(&self, entry: &Entry, lines: &mut Vec<u8>) {
        let since_1970 = entry.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = Time {
            seconds: since_1970.as_secs().cast_signed(),
            nanoseconds: since_1970.subsec_nanos(),
        };
        let document = match entry.reason {
            Reason::Rejected => self.sent(&entry.bytes),
            reason => rejected::whole(&entry.bytes, reason, &self.format),
        };
        let names = [&*entry.tag, &*entry.stream];
        let error = entry.error.as_deref();
        rejected::push_line(lines, time, names, entry.reason, error, &document);
    }

    /// The one document of a call's body.
    fn sent(&self, body: &[u8]) -> Vec<u8> {
        let data = batch::first_data(body).unwrap_or_else(|| body.to_vec());
        let plain = self.compression.and_then(|it| it.decompressed(&data));
        let mut document = plain.unwrap_or(data);
        document.pop_if(|last| *last == b'\n');
        document
    }
}

#[cfg(test)]
mod tests;
