//! One output of the host, and the registry by which the outputs of a delivery stream find its one
//! driver.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use firehose_core::deliver::stream::{OutputId, Remembered};
use firehose_core::options::Config;
use firehose_core::pack::packer::Packer;
use firehose_core::tell::log::{Level, Line};
use firehose_core::tell::metrics::{self, Metric};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::aws::Firehose;
use crate::driver::{self, Driver, Message};
use crate::lent::Flush;

/// The host's signal is noticed by flushes only, which come or look again within this time.
const NOTICED: Duration = Duration::from_secs(1);

/// How long the end of an output waits for its driver.
const LEAVING: Duration = Duration::from_millis(500);

/// What the host's threads have of an output.
pub struct Output {
    pub id: OutputId,
    pub flush_timeout: Duration,
    pub stop_timeout: Duration,
    /// Names the delivery stream, and what the output makes of a chunk.
    stream: String,
    scope: String,
    driver: UnboundedSender<Message<Firehose>>,
    service: Arc<Firehose>,
    totals: Arc<Totals>,
    gauges: Arc<Gauges>,
    stop: OnceLock<Instant>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    streams: BTreeMap::new(),
    left: BTreeMap::new(),
});

struct Registry {
    /// The delivery streams that outputs of the process send to.
    streams: BTreeMap<String, Registered>,
    /// What ended outputs left, by their scope.
    left: BTreeMap<String, Remembered>,
}

struct Registered {
    driver: UnboundedSender<Message<Firehose>>,
    gauges: Arc<Gauges>,
    outputs: usize,
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output {
    /// Begins an output on the runtime. The driver of its stream begins with the first one.
    pub fn start(config: Config, max_level: Level, runtime: &Handle) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = OutputId(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        let (name, access, delivery) = (config.delivery_stream, config.access, config.delivery);
        // Who calls is part of it: another account may have a stream of the same name.
        let stream = format!("{name} {access:?}");
        // All that makes the same chunk other documents, or leads them elsewhere.
        let scope = format!("{stream} {:?}", delivery.format);
        let (flush_timeout, stop_timeout) = (delivery.flush_timeout, delivery.stop_timeout);
        let totals = Arc::new(Totals::default());
        let packer = Packer::new(&name, config.packing);
        let service = Arc::new(Firehose::new(name, access, config.credentials_timeout));
        let output = driver::Output {
            service: Arc::clone(&service),
            packer,
            scope: scope.clone(),
            delivery,
            totals: Arc::clone(&totals),
            max_level,
        };
        let mut registry = registry();
        let remembered = registry.left.remove(&scope).unwrap_or_default();
        let registered = registry.streams.entry(stream.clone()).or_insert_with(|| {
            let (driver, gauges) = Driver::start(runtime);
            Registered {
                driver,
                gauges,
                outputs: 0,
            }
        });
        registered.outputs += 1;
        let (driver, gauges) = (registered.driver.clone(), Arc::clone(&registered.gauges));
        // It runs as long as it has outputs.
        _ = driver.send(Message::Join(id, Box::new(output), remembered));
        Self {
            id,
            flush_timeout,
            stop_timeout,
            stream,
            scope,
            driver,
            service,
            totals,
            gauges,
            stop: OnceLock::new(),
        }
    }

    /// Has a chunk delivered, within the flush time-out.
    pub fn flush(&self, flush: Flush) {
        // Only a driver that is gone takes no message; then the host waits for no answer either.
        _ = self.driver.send(Message::Flush(flush));
    }

    /// The host stops: from now on `stop_timeout` bounds all flushes together, and none waits for
    /// others.
    pub fn stop(&self) {
        let deadline = Instant::now() + self.stop_timeout.saturating_sub(NOTICED);
        if self.stop.set(deadline).is_ok() {
            _ = self.driver.send(Message::Stop(self.id, deadline));
        }
    }

    /// Ends the output: the lines that it still has for the host's log.
    pub fn leave(&self) -> Vec<Line> {
        let (sender, left) = mpsc::channel();
        registry().streams.retain(|name, stream| {
            stream.outputs -= usize::from(*name == self.stream);
            stream.outputs > 0
        });
        _ = self.driver.send(Message::Leave(self.id, sender));
        let Ok((remembered, lines)) = left.recv_timeout(LEAVING) else {
            return Vec::new();
        };
        if !remembered.is_empty() {
            registry().left.insert(self.scope.clone(), remembered);
        }
        lines
    }

    pub fn summary(&self) -> String {
        self.totals.to_string()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        metrics::of(&self.totals, &self.gauges, self.service.credentials_time())
    }
}
