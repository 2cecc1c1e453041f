//! One output of the host, and the registry by which the outputs of a delivery stream find its one
//! driver.

use std::collections::{BTreeMap, HashMap};
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
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::aws::Firehose;
use crate::driver::{Driver, Flush, Joining, Message};

/// The host's signal is noticed by flushes only, which come or look again within this time.
const NOTICED: Duration = Duration::from_secs(1);

/// How long the end of an output waits for its driver.
const LEAVING: Duration = Duration::from_millis(500);

/// What the host's threads have of an output.
pub struct Output {
    id: OutputId,
    /// Names the delivery stream, and what the output makes of a chunk.
    stream: String,
    scope: String,
    driver: UnboundedSender<Message<Firehose>>,
    service: Arc<Firehose>,
    totals: Arc<Totals>,
    gauges: Arc<Gauges>,
    stop_timeout: Duration,
    stop: OnceLock<Instant>,
}

/// The delivery streams that outputs of the process send to, and what ended outputs left.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    streams: BTreeMap::new(),
    left: None,
});

struct Registry {
    streams: BTreeMap<String, Registered>,
    /// By the scope of an output.
    left: Option<HashMap<String, Remembered>>,
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
        // Who calls is part of it: another account may have a stream of the same name.
        let stream = format!("{} {:?}", config.delivery_stream, config.access);
        // All that makes the same chunk other documents, or leads them elsewhere.
        let scope = format!("{stream} {:?}", config.delivery.format);
        let totals = Arc::new(Totals::default());
        let packer = Packer::new(&config.delivery_stream, config.packing);
        let service = Arc::new(Firehose::new(
            config.delivery_stream,
            config.access,
            config.credentials_timeout,
        ));
        let mut registry = registry();
        let left = registry.left.get_or_insert_default();
        let remembered = left.remove(&scope).unwrap_or_default();
        let registered = registry.streams.entry(stream.clone()).or_insert_with(|| {
            let (driver, messages) = unbounded_channel();
            let gauges = Arc::new(Gauges::default());
            let new = Driver::new(driver.clone(), messages, Arc::clone(&gauges));
            runtime.spawn(new.run());
            Registered {
                driver,
                gauges,
                outputs: 0,
            }
        });
        registered.outputs += 1;
        let (driver, gauges) = (registered.driver.clone(), Arc::clone(&registered.gauges));
        let stop_timeout = config.delivery.stop_timeout;
        let joining = Joining {
            service: Arc::clone(&service),
            packer,
            scope: scope.clone(),
            delivery: config.delivery,
            totals: Arc::clone(&totals),
            max_level,
            remembered,
        };
        // It runs as long as it has outputs.
        _ = driver.send(Message::Join(id, Box::new(joining)));
        Self {
            id,
            stream,
            scope,
            driver,
            service,
            totals,
            gauges,
            stop_timeout,
            stop: OnceLock::new(),
        }
    }

    /// Has a chunk delivered, within the flush time-out.
    pub fn flush(&self, flush: Flush) {
        // Only a driver that is gone takes no message; then the host waits for no answer either.
        _ = self.driver.send(Message::Flush(self.id, flush));
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
        let mut registered = registry();
        if let Some(stream) = registered.streams.get_mut(&self.stream) {
            stream.outputs -= 1;
            if stream.outputs == 0 {
                registered.streams.remove(&self.stream);
            }
        }
        drop(registered);
        _ = self.driver.send(Message::Leave(self.id, sender));
        let Ok((remembered, lines)) = left.recv_timeout(LEAVING) else {
            return Vec::new();
        };
        if !remembered.is_empty() {
            let mut registered = registry();
            let left = registered.left.get_or_insert_default();
            left.insert(self.scope.clone(), remembered);
        }
        lines
    }

    /// What was done, in a sentence.
    pub fn summary(&self) -> String {
        self.totals.to_string()
    }

    /// What the host's metrics say of it.
    pub fn metrics(&self) -> Vec<Metric> {
        use crate::service::Service;
        metrics::of(&self.totals, &self.gauges, self.service.credentials_time())
    }
}
