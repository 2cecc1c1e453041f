//! The input: reads lines, packs them into chunks, and ends at a signal.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::iter;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use firehose_host::{ChunkBuilder, Engine, EventTime};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::Source;

pub(crate) type Lines = Box<dyn Iterator<Item = io::Result<Vec<u8>>> + Send>;

/// Lines are read on a thread of its own: after a signal it is left behind, since it may be
/// blocked in a read.
pub(crate) struct Feed {
    engine: Arc<Engine>,
    builder: Arc<Mutex<ChunkBuilder>>,
    ended: Receiver<io::Result<()>>,
}

pub(crate) fn open(source: &Source) -> Result<Lines, String> {
    match source {
        Source::File(path) => {
            let file = File::open(path)
                .map_err(|error| format!("cannot open --input {}: {error}", path.display()))?;
            Ok(Box::new(BufReader::new(file).split(b'\n')))
        }
        Source::Stdin => Ok(Box::new(BufReader::new(io::stdin()).split(b'\n'))),
        Source::Dummy { line, count } => {
            let line = line.clone().into_bytes();
            Ok(Box::new(iter::repeat_n(line, *count).map(Ok)))
        }
    }
}

// === impl Feed ===

impl Feed {
    pub(crate) fn start(
        engine: Arc<Engine>,
        builder: ChunkBuilder,
        lines: Lines,
    ) -> io::Result<Self> {
        let builder = Arc::new(Mutex::new(builder));
        let (sender, ended) = mpsc::channel();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::Builder::new().name("signals".to_owned()).spawn({
            let (engine, sender) = (Arc::clone(&engine), sender.clone());
            move || {
                for _ in signals.forever() {
                    engine.stop();
                    // Nobody listens any more after the first signal or the input's end.
                    let _ = sender.send(Ok(()));
                }
            }
        })?;
        thread::Builder::new().name("input".to_owned()).spawn({
            let (engine, builder) = (Arc::clone(&engine), Arc::clone(&builder));
            move || {
                let _ = sender.send(read_all(&engine, &builder, lines));
            }
        })?;
        Ok(Self {
            engine,
            builder,
            ended,
        })
    }

    /// Waits for the input's end or a signal, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Result<io::Result<()>, RecvTimeoutError> {
        self.ended.recv_timeout(timeout)
    }

    /// Pushes the last, incomplete chunk.
    pub(crate) fn finish(&self) {
        if let Some(chunk) = lock(&self.builder).finish() {
            self.engine.push(chunk);
        }
    }
}

fn read_all(engine: &Engine, builder: &Mutex<ChunkBuilder>, lines: Lines) -> io::Result<()> {
    for line in lines {
        let line = line?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            continue;
        }
        // Held until the chunk is pushed, so that `finish` can't overtake it.
        let mut builder = lock(builder);
        if engine.is_stopping() {
            break;
        }
        if let Some(chunk) = builder.push_line(line, EventTime::now()) {
            engine.push(chunk);
        }
    }
    Ok(())
}

fn lock(builder: &Mutex<ChunkBuilder>) -> MutexGuard<'_, ChunkBuilder> {
    builder.lock().unwrap_or_else(PoisonError::into_inner)
}
