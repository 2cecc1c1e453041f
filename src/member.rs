//! An output's place at one delivery stream, and the registry by which the outputs of a stream find
//! its one driver.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use firehose_core::deliver::stream::{Delivery, OutputId, Remembered};
use firehose_core::options::{Access, SchemaFile, State as StateOptions};
use firehose_core::pack::packer::{Packer, Packing};
use firehose_core::schema::streams::Schemas;
use firehose_core::tell::log::{Level, Line};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::aws::Firehose;
use crate::driver::{Driver, Message, Output, Place};
use crate::rejected;
use crate::spares::Spares;
use crate::state::State;

/// What an output asks for at each of its delivery streams.
pub struct Setup {
    pub access: Access,
    pub delivery: Delivery,
    pub packing: Packing,
    pub state: Option<StateOptions>,
    pub service: Arc<Firehose>,
    /// Where what can't be delivered is kept.
    pub rejected: Option<rejected::Queue>,
    pub spares: Arc<Spares>,
    pub max_level: Level,
    /// Whether the output has several delivery streams.
    pub is_routed: bool,
    pub schema_file: Option<SchemaFile>,
    /// The tables that were read of it.
    pub schemas: Schemas,
    /// Streams of which was said that they have no table.
    pub told: Mutex<HashSet<String>>,
    pub runtime: Handle,
}

/// A log line can make any number of names.
const MOST_TOLD: usize = 1_000;

/// An output at one delivery stream.
pub struct Member {
    pub id: OutputId,
    pub totals: Arc<Totals>,
    pub gauges: Arc<Gauges>,
    /// Names the delivery stream.
    stream: String,
    driver: UnboundedSender<Message<Firehose>>,
}

/// What a driver still tells of an output that has left.
pub struct Left {
    stream: String,
    told: Receiver<(Vec<Line>, Option<Remembered>)>,
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
    state: Option<StateOptions>,
    /// How many outputs send to it now.
    outputs: usize,
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other output has.
pub fn new_id() -> OutputId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    OutputId(LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

impl Setup {
    /// Joins the driver of a delivery stream, which begins with its first output.
    pub fn join(&self, name: &str, totals: Arc<Totals>) -> Member {
        let id = new_id();
        // The access is part of the name: another account may have a stream of the same name.
        let stream = format!("{name} {:?}", self.access);
        let mut output = Output {
            service: Arc::clone(&self.service),
            packer: Packer::new(name, self.packing),
            // All that changes which documents a chunk becomes, or where they go.
            scope: format!("{stream} {:?}", self.delivery.format),
            delivery: self.delivery.clone(),
            totals: Arc::clone(&totals),
            max_level: self.max_level,
            named: self.is_routed.then(|| name.to_owned()),
            notes: Vec::new(),
            rejected: self.rejected.as_ref().map(|queue| queue.of(name)),
            spares: Arc::clone(&self.spares),
        };
        output.packer.notes = self.rejected.is_some();
        output.packer.schema = self.schemas.of(name);
        if let (Some(file), None) = (&self.schema_file, &output.packer.schema)
            && self.is_news(name)
        {
            output.notes.push(format!(
                "schema_file `{}` has no table of the delivery stream {name}, whose documents are not \
                 compared with one",
                file.path.display()
            ));
        }
        let mut registry = registry();
        let Registry { streams, left } = &mut *registry;
        let registered = streams.entry(stream.clone()).or_insert_with(|| {
            let place = self.place(name, &stream, &mut output.notes);
            let (driver, gauges) = Driver::start(&self.runtime, left.remove(&stream), place);
            Registered {
                driver,
                gauges,
                state: self.state.clone(),
                outputs: 0,
            }
        });
        if registered.state != self.state {
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
        Member {
            id,
            totals,
            gauges,
            stream,
            driver,
        }
    }

    /// Whether it is said for the first time that a stream has no table.
    fn is_news(&self, name: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST_TOLD && told.insert(name.to_owned())
    }

    /// Where the journal of a stream is.
    fn place(&self, name: &str, stream: &str, notes: &mut Vec<String>) -> Option<Place> {
        let options = self.state.clone()?;
        let state = State::shared(&options.path);
        let failed = |why| format!("state_path is not used: no thread can be made: {why}");
        let state = state.map_err(|why| notes.push(failed(why))).ok()?;
        Some(Place {
            state,
            name: name.to_owned(),
            stream: stream.to_owned(),
            options,
        })
    }
}

impl Member {
    /// Tells the stream's driver. This fails only when the driver is gone; then nobody waits for an
    /// answer either.
    pub fn send(&self, message: Message<Firehose>) {
        _ = self.driver.send(message);
    }

    /// Has the output leave the stream.
    pub fn leave(&self) -> Left {
        let (sender, told) = mpsc::channel();
        registry().streams.retain(|name, stream| {
            stream.outputs -= usize::from(*name == self.stream);
            stream.outputs > 0
        });
        self.send(Message::Leave(self.id, sender));
        Left {
            stream: self.stream.clone(),
            told,
        }
    }
}

impl Left {
    /// Waits until the driver has let the output go, but not beyond `end`. Returns the lines that
    /// it still has for the host's log.
    pub fn wait(self, end: Instant) -> Vec<Line> {
        self.told_by(end).unwrap_or_default()
    }

    /// The same; itself if the driver has not answered by then.
    pub fn told_by(self, end: Instant) -> Result<Vec<Line>, Self> {
        let left = || end.saturating_duration_since(Instant::now());
        let (lines, remembered) = match self.told.recv_timeout(left()) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => return Err(self),
            Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
        };
        // Nothing more is sent: this waits until the sender is dropped, once the journal is
        // written.
        _ = self.told.recv_timeout(left());
        if let Some(remembered) = remembered.filter(|remembered| !remembered.is_empty()) {
            registry().left.insert(self.stream, remembered);
        }
        Ok(lines)
    }
}
