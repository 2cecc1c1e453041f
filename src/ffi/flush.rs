//! Instances, and the waiting half of a flush.
//!
//! Flush is called on a coroutine's stack of 24 KiB, so all work is done by the runtime's thread.
//! The calling thread only waits, and writes the lines that the work has for the log.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::host::{FLB_ERROR, FLB_OK, FLB_RETRY, Host};
use super::metrics::Metrics;
use super::settings::{self, Settings};
use super::twice::Open;
use super::wait::{Next, Wait};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::section::Section;
use firehose_core::options::{Config, names};
use firehose_core::tell::log::Level;

use crate::aws;
use crate::lent::{Flush, LentChunk, Told};
use crate::output::Output;
use crate::runtime::Runtime;

/// One output of the host.
pub(super) struct Instance {
    host: Host,
    output: Output,
    open: Open,
    /// None where the host has no place for them.
    metrics: Option<Metrics>,
    /// The engine renews the metrics once a second, those of many delivery streams at once. Else
    /// each flush does.
    is_renewed: AtomicBool,
    started: Instant,
    /// When a flush that waits renewed the metrics last, in milliseconds since the start.
    published: AtomicU64,
    /// None where the host does not let them be set.
    settings: Option<Settings>,
    /// Dropped with the instance, on a thread of the host.
    _runtime: Arc<Runtime>,
}

/// By the number of their output. The host gets that number instead of an address, so that a stale
/// context is noticed.
static INSTANCES: Mutex<BTreeMap<usize, Arc<Instance>>> = Mutex::new(BTreeMap::new());

fn instances() -> MutexGuard<'static, BTreeMap<usize, Arc<Instance>>> {
    INSTANCES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance {
    /// Returns the new instance's handle; None if the configuration is wrong, which is then logged.
    pub(super) fn start(host: Host) -> Option<*mut c_void> {
        let config = read_config(&host)?;
        let runtime = Runtime::shared()
            .inspect_err(|error| {
                let line = format!("threads can not be started: {error}");
                host.log(Level::Error, &line);
            })
            .ok()?;
        for warning in &config.warnings {
            host.log(Level::Warn, warning);
        }
        let is_routed = config.route.is_some();
        let settings = host.settings();
        for (level, notice) in settings::notices(&settings) {
            host.log(level, &notice);
        }
        let output = Output::start(config, host.max_level, runtime.handle());
        let handle = ptr::without_provenance_mut(output.id.0 as usize);
        let instance = Arc::new(Self {
            metrics: host.register(&output.metrics()),
            host,
            output,
            open: Open::default(),
            is_renewed: AtomicBool::new(false),
            started: Instant::now(),
            published: AtomicU64::new(0),
            settings: settings.ok(),
            _runtime: runtime,
        });
        if let Some(settings) = &instance.settings {
            // SAFETY: an instance starts on the engine's thread, in Init.
            unsafe { settings.when_running(start_workers, handle) };
            // SAFETY: as above.
            let is_renewed = is_routed && unsafe { settings.every_second(renew_metrics, handle) };
            instance.is_renewed.store(is_renewed, Ordering::Relaxed);
        }
        instances().insert(handle.addr(), instance);
        Some(handle)
    }

    pub(super) fn find(context: *mut c_void) -> Option<Arc<Self>> {
        instances().get(&context.addr()).cloned()
    }

    pub(super) fn stop(context: *mut c_void) {
        let Some(instance) = instances().remove(&context.addr()) else {
            return;
        };
        for line in instance.output.leave() {
            instance.host.log(line.level, &line.text);
        }
        for sentence in instance.output.summary() {
            instance.host.log(Level::Info, &sentence);
        }
    }

    /// Hands the chunk to its stream's driver and waits for its fate.
    pub(super) fn flush(&self, chunk: &[u8], tag: &CStr) -> c_int {
        let code = lend(chunk, |lent| self.deliver(chunk, lent, tag));
        for line in self.output.lines() {
            self.host.log(line.level, &line.text);
        }
        self.publish();
        code
    }

    /// Only for the host's own threads: while they call, the host's instance is still there.
    fn publish(&self) {
        let is_renewed = self.is_renewed.load(Ordering::Relaxed);
        if let Some(metrics) = self.metrics.as_ref().filter(|_| !is_renewed) {
            metrics.publish(|| self.output.metrics());
        }
    }

    /// Any number of flushes may wait, and each comes here about once a second: one of them does it.
    fn publish_while_waiting(&self) {
        let now = self.started.elapsed().as_millis() as u64;
        let last = self.published.load(Ordering::Relaxed);
        let is_due = now >= last + AGAIN;
        let order = Ordering::Relaxed;
        if is_due
            && self
                .published
                .compare_exchange(last, now, order, order)
                .is_ok()
        {
            self.publish();
        }
    }

    /// Only for the engine's thread: there may be new delivery streams.
    fn publish_new(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.publish_new(|| self.output.metrics());
        }
    }

    fn deliver(&self, bytes: &[u8], chunk: LentChunk, tag: &CStr) -> c_int {
        let (wait, host) = Wait::new();
        let first = self.open.begin(bytes, &host);
        if first.is_some() {
            self.output.flush(Flush {
                output: self.output.id,
                chunk,
                tag: tag.to_string_lossy().into_owned(),
                caller: wait.caller(),
                part: None,
                host,
            });
        }
        // As the driver has it: the stop's time takes the place of the flush's, also where it is longer.
        let time = match self.host.is_stopping() {
            true => self.output.stop_timeout,
            false => self.output.flush_timeout,
        };
        let mut end = Instant::now() + time + MARGIN;
        loop {
            if self.host.is_stopping() {
                self.output.stop();
                end = end.min(Instant::now() + self.output.stop_timeout + MARGIN);
            }
            match wait.next() {
                Next::Told(Told::Line(line)) => self.host.log(line.level, &line.text),
                Next::Told(Told::Answer(verdict, _)) => {
                    if let Some(first) = first {
                        first.end(verdict);
                    }
                    return to_code(verdict);
                }
                Next::Nothing if Instant::now() < end => self.publish_while_waiting(),
                Next::Nothing | Next::Gone => {
                    // The host is not kept for ever, whatever the plugin's own thread does.
                    self.host.log(Level::Error, UNANSWERED);
                    return FLB_RETRY;
                }
            }
        }
    }
}

/// How often the flushes that wait renew the metrics, in milliseconds.
const AGAIN: u64 = 400;

/// How long the waiting side waits beyond the end of a flush. The driver ends it in time, unless
/// it hangs.
const MARGIN: Duration = Duration::from_secs(5);

const UNANSWERED: &str = "the plugin's own thread does not answer, please report it as a bug; \
                          Fluent Bit is asked to hand the chunk over again, and some of it may \
                          arrive twice";

const UNREAD: &str = "the section can not be read as a whole in this host: a misspelt name is not \
                      found, and of a list in YAML only the first item counts; write lists as one \
                      text with commas, such as `data_keys: level, message`";

/// The section's options; none if one is wrong, which is then logged.
fn read_config(host: &Host) -> Option<Config> {
    let section = host.section();
    let property = |name: &str| match &section {
        Some(section) => section.get(name),
        None => host.property(name),
    };
    let mut mistakes = section.as_ref().map_or_else(Vec::new, Section::mistakes);
    let config = Config::parse(property).and_then(aws::with_files);
    let config = config.inspect_err(|error| mistakes.push(error.to_string()));
    for mistake in &mistakes {
        host.log(Level::Error, mistake);
    }
    let config = config.ok().filter(|_| mistakes.is_empty())?;
    if section.is_none() {
        host.log(Level::Warn, UNREAD);
    }
    let options = names::in_force(property);
    host.log(Level::Info, &format!("options in force: {options}"));
    Some(config)
}

/// Called by the engine, soon after its start.
unsafe extern "C" fn start_workers(config: *mut c_void, handle: *mut c_void) {
    let start = || {
        let instance = Instance::find(handle)?;
        let settings = instance.settings.as_ref()?;
        // SAFETY: the engine calls this on its own thread, with its configuration. What the host
        // has of an instance is valid until its exit, after which the handle leads nowhere.
        if !unsafe { settings.start_workers(config) } {
            let line = "no worker can be started, as the process is out of threads or memory: a \
                        flush that waits stops all inputs until Fluent Bit is started again";
            instance.host.log(Level::Error, line);
        }
        Some(())
    };
    // A panic must not reach the host. The output then goes on without workers.
    _ = catch_unwind(AssertUnwindSafe(start));
}

/// Called by the engine, once a second.
unsafe extern "C" fn renew_metrics(_: *mut c_void, handle: *mut c_void) {
    let renew = || Instance::find(handle).map(|instance| instance.publish_new());
    // A panic must not reach the host, which then has older metrics.
    _ = catch_unwind(AssertUnwindSafe(renew));
}

/// The one place where a verdict becomes a number.
fn to_code(verdict: Verdict) -> c_int {
    match verdict {
        Verdict::Delivered => FLB_OK,
        Verdict::Retry => FLB_RETRY,
        Verdict::Failed => FLB_ERROR,
    }
}

/// Lends bytes for as long as `borrower` runs. Then it waits for whoever still reads them. Whoever
/// reads later finds no bytes.
fn lend<R>(bytes: &[u8], borrower: impl FnOnce(LentChunk) -> R) -> R {
    let chunk = LentChunk::new(Lent(bytes));
    let _loan = Loan(chunk.clone());
    borrower(chunk)
}

/// Bytes that are valid until the loan of their chunk ends.
struct Lent(*const [u8]);

// SAFETY: the bytes are only read, and nobody writes to them while they are lent.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the chunk that holds this lets nobody read after it was taken back, which the
        // loan does, and waits for who still reads, before the host has its bytes again.
        unsafe { &*self.0 }
    }
}

struct Loan(LentChunk);

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.take_back();
    }
}
