//! One output of the host, and the registry by which the outputs of a delivery stream find its one
//! driver.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use firehose_core::deliver::stream::{OutputId, Remembered};
use firehose_core::options::{self, Config};
use firehose_core::pack::packer::Packer;
use firehose_core::tell::log::{Level, Line};
use firehose_core::tell::metrics::{self, Metric};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::aws::Firehose;
use crate::driver::{self, Driver, Message, Place};
use crate::lent::Flush;
use crate::rejected;
use crate::state::State;

/// Only flushes notice the host's signal: they come, or look again, within this time.
const NOTICED: Duration = Duration::from_secs(1);

/// How long the end of an output waits for its driver.
const LEAVING: Duration = Duration::from_millis(500);

/// What the host's threads have of an output.
pub struct Output {
    pub id: OutputId,
    pub flush_timeout: Duration,
    pub stop_timeout: Duration,
    /// Names the delivery stream.
    stream: String,
    driver: UnboundedSender<Message<Firehose>>,
    service: Arc<Firehose>,
    totals: Arc<Totals>,
    gauges: Arc<Gauges>,
    /// Keeps what can't be delivered.
    rejected: Option<rejected::Thread>,
    stop: OnceLock<Instant>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    streams: BTreeMap::new(),
    left: BTreeMap::new(),
});

struct Registry {
    /// The delivery streams that outputs of the process send to.
    streams: BTreeMap<String, Registered>,
    /// What is remembered of chunks of delivery streams that no output sends to.
    left: BTreeMap<String, Remembered>,
}

struct Registered {
    driver: UnboundedSender<Message<Firehose>>,
    gauges: Arc<Gauges>,
    /// The first output's, which holds for all.
    state: Option<options::State>,
    /// How many outputs send to it now.
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
        // The access is part of the name: another account may have a stream of the same name.
        let stream = format!("{name} {access:?}");
        // All that changes which documents a chunk becomes, or where they go.
        let scope = format!("{stream} {:?}", delivery.format);
        let (flush_timeout, stop_timeout) = (delivery.flush_timeout, delivery.stop_timeout);
        let totals = Arc::new(Totals::default());
        let mut packer = Packer::new(&name, config.packing);
        let rejected = config.rejected.map(|file| {
            let (format, compression) = (&delivery.format, config.packing.compression);
            packer.notes = true;
            rejected::start(
                file,
                &name,
                format,
                compression,
                Arc::clone(&totals),
                max_level,
            )
        });
        let (queue, rejected) = rejected.unzip();
        let service = Arc::new(Firehose::new(
            name.clone(),
            access,
            config.credentials_timeout,
        ));
        let mut output = driver::Output {
            service: Arc::clone(&service),
            packer,
            scope,
            delivery,
            totals: Arc::clone(&totals),
            max_level,
            notes: Vec::new(),
            rejected: queue,
        };
        let mut registry = registry();
        let Registry { streams, left } = &mut *registry;
        let registered = streams.entry(stream.clone()).or_insert_with(|| {
            let place = config.state.clone().and_then(|options| {
                let state = State::shared(&options.path);
                let failed = |why| format!("state_path is not used: no thread can be made: {why}");
                let state = state.map_err(|why| output.notes.push(failed(why))).ok()?;
                Some(Place {
                    state,
                    name: name.clone(),
                    stream: stream.clone(),
                    options,
                })
            });
            let (driver, gauges) = Driver::start(runtime, left.remove(&stream), place);
            Registered {
                driver,
                gauges,
                state: config.state.clone(),
                outputs: 0,
            }
        });
        if registered.state != config.state {
            output.notes.push(
                "another output sends to this delivery stream too: the state_path, state_sync and \
                 state_max_bytes of the first one hold for both"
                    .to_owned(),
            );
        }
        registered.outputs += 1;
        let (driver, gauges) = (registered.driver.clone(), Arc::clone(&registered.gauges));
        // The driver runs as long as it has outputs.
        _ = driver.send(Message::Join(id, Box::new(output)));
        Self {
            id,
            flush_timeout,
            stop_timeout,
            stream,
            driver,
            service,
            totals,
            gauges,
            rejected,
            stop: OnceLock::new(),
        }
    }

    /// Has a chunk delivered, within the flush time-out.
    pub fn flush(&self, flush: Flush) {
        // This fails only when the driver is gone; then the host waits for no answer either.
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

    /// Ends the output. Returns the lines that it still has for the host's log.
    pub fn leave(&self) -> Vec<Line> {
        let (sender, left) = mpsc::channel();
        registry().streams.retain(|name, stream| {
            stream.outputs -= usize::from(*name == self.stream);
            stream.outputs > 0
        });
        _ = self.driver.send(Message::Leave(self.id, sender));
        let end = Instant::now() + LEAVING;
        let mut lines = Vec::new();
        if let Ok((told, remembered)) = left.recv_timeout(LEAVING) {
            lines = told;
            // Nothing more is sent: this waits until the sender is dropped, once the journal is
            // written.
            _ = left.recv_timeout(end.saturating_duration_since(Instant::now()));
            if let Some(remembered) = remembered {
                registry().left.insert(self.stream.clone(), remembered);
            }
        }
        lines.extend(self.rejected.iter().flat_map(|thread| thread.end(end)));
        lines
    }

    /// Lines for the host's log that are of no flush.
    pub fn lines(&self) -> Vec<Line> {
        let rejected = self.rejected.as_ref();
        rejected.map_or_else(Vec::new, rejected::Thread::lines)
    }

    pub fn summary(&self) -> String {
        self.totals.to_string()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        metrics::of(&self.totals, &self.gauges, self.service.credentials_time())
    }
}
