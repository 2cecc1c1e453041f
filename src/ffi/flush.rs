//! Instances, and the waiting half of a flush.
//!
//! Flush is called on a coroutine's stack of 24 KiB, so all work is done by the runtime's threads
//! and the calling thread only waits, and writes the lines that the work has for the log.

use std::collections::HashMap;
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::abi::{FLB_ERROR, FLB_OK, FLB_RETRY};
use super::host::{self, Host};
use crate::config::Config;
use crate::log::{Level, Sink};
use crate::output::{Output, Verdict};
use crate::runtime::Runtime;

/// One output of the host.
pub(super) struct Instance {
    host: Host,
    output: Arc<Output>,
    /// Dropped with the instance, on a thread of the host.
    runtime: Arc<Runtime>,
    has_checked_thread: AtomicBool,
}

/// The instances by handle. The host is given a number instead of an address, so that a stale
/// context is found to be one.
static INSTANCES: Mutex<Registry> = Mutex::new(Registry {
    last: 0,
    running: None,
});

struct Registry {
    last: usize,
    running: Option<HashMap<usize, Arc<Instance>>>,
}

fn registry() -> MutexGuard<'static, Registry> {
    INSTANCES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance {
    /// The new instance's handle; none if the configuration is wrong, which is then logged.
    pub(super) fn start(host: Host) -> Option<*mut c_void> {
        let config = match Config::parse(|key| host.property(key)) {
            Ok(config) => config,
            Err(error) => {
                host.log(Level::Error, &error.to_string());
                return None;
            }
        };
        let runtime = match Runtime::shared() {
            Ok(runtime) => runtime,
            Err(error) => {
                host.log(
                    Level::Error,
                    &format!("threads can not be started: {error}"),
                );
                return None;
            }
        };
        for warning in &config.warnings {
            host.log(Level::Warn, warning);
        }
        let output = Arc::new(Output::new(config, host.max_level()));
        let instance = Arc::new(Self {
            host,
            output,
            runtime,
            has_checked_thread: AtomicBool::new(false),
        });
        let mut registry = registry();
        registry.last += 1;
        let handle = registry.last;
        registry
            .running
            .get_or_insert_default()
            .insert(handle, instance);
        Some(std::ptr::without_provenance_mut(handle))
    }

    pub(super) fn find(context: *mut c_void) -> Option<Arc<Self>> {
        registry().running.as_ref()?.get(&context.addr()).cloned()
    }

    pub(super) fn stop(context: *mut c_void) {
        let stopped = registry()
            .running
            .as_mut()
            .and_then(|running| running.remove(&context.addr()));
        if let Some(instance) = stopped {
            instance.host.log(Level::Info, &instance.output.summary());
        }
    }

    /// Hands the chunk to the runtime and waits for its fate.
    pub(super) fn flush(&self, chunk: &[u8], tag: &CStr) -> c_int {
        if !self.has_checked_thread.swap(true, Ordering::Relaxed) && !host::is_worker_thread() {
            self.host.log(
                Level::Warn,
                "flush runs on the engine's own thread: while it waits for Firehose no input is \
                 read; set `workers 1` or more for this output",
            );
        }
        let (sender, receiver) = mpsc::channel();
        let work = Work {
            output: self.output.clone(),
            chunk: Borrowed(chunk),
            tag: tag.to_string_lossy().into_owned(),
            host: sender,
        };
        // Boxed on the runtime's side: the future of a flush is too large for this stack.
        self.runtime
            .handle()
            .spawn(async { Box::pin(work.run()).await });
        loop {
            match receiver.recv() {
                Ok(Message::Line(level, text)) => self.host.log(level, &text),
                Ok(Message::Done(verdict)) => return to_code(verdict),
                Err(_) => {
                    self.host.log(
                        Level::Error,
                        "a flush ended by a panic, please report it as a bug; Fluent Bit is \
                         asked to hand the chunk over again",
                    );
                    return FLB_RETRY;
                }
            }
        }
    }
}

/// The one place where a verdict becomes a number.
fn to_code(verdict: Verdict) -> c_int {
    match verdict {
        Verdict::Delivered => FLB_OK,
        Verdict::Retry => FLB_RETRY,
        Verdict::Failed => FLB_ERROR,
    }
}

enum Message {
    Line(Level, String),
    Done(Verdict),
}

/// The working half of a flush.
struct Work {
    output: Arc<Output>,
    chunk: Borrowed,
    tag: String,
    host: Sender<Message>,
}

/// The host's chunk, valid until the waiting half of the flush returns.
struct Borrowed(*const [u8]);

// SAFETY: the bytes are only read, and no other thread writes to them while flush waits.
unsafe impl Send for Borrowed {}

impl Work {
    async fn run(self) {
        // SAFETY: the waiting half returns after a message that is sent below, or when this
        // future, and its channel, is dropped: not while the chunk is being read.
        let chunk = unsafe { &*self.chunk.0 };
        let verdict = self.output.flush(chunk, &self.tag, &self.host).await;
        // Fails only if the waiting thread is gone, which it never is.
        _ = self.host.send(Message::Done(verdict));
    }
}

impl Sink for Sender<Message> {
    fn line(&self, level: Level, text: String) {
        _ = self.send(Message::Line(level, text));
    }
}
