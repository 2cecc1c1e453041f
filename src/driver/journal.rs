//! The journal of a driver's stream, and the names by which chunks stand in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firehose_core::deliver::journal::{Page, Remembered};
use firehose_core::deliver::ledger::Key;
use firehose_core::options;
use firehose_core::pack::batch::ChunkId;
use tokio::time::timeout;

use super::{Driver, Message, Output, now};
use crate::lent::Flush;
use crate::service::Service;
use crate::state::State;

/// The journal is read for this long at most. Nothing is sent meanwhile.
const OPENING: Duration = Duration::from_secs(5);

/// Where a stream's journal is.
pub struct Place {
    pub state: Arc<State>,
    /// The stream's name, and what else it is known by.
    pub name: String,
    pub stream: String,
    pub options: options::State,
}

impl<V: Service> Driver<V> {
    /// Opens the journal, if there is one. Returns what an earlier process remembered.
    pub(super) async fn open(&mut self) -> Remembered {
        let Some(place) = &self.place else {
            return Remembered::default();
        };
        let opened = timeout(OPENING, place.state.open(&place.name, &place.stream)).await;
        let opened = match opened {
            Ok(opened) => opened.unwrap_or_else(|_| Err("its thread ended".to_owned())),
            Err(_) => Err(format!("reading it takes more than {OPENING:?}")),
        };
        match opened {
            Ok(opened) => {
                let unix_time = SystemTime::now().duration_since(UNIX_EPOCH);
                let unix_time = unix_time.unwrap_or_default();
                let max_bytes = place.options.max_bytes;
                self.stream.keep_journal(now(), unix_time, max_bytes);
                self.secret = opened.secret;
                self.journal = opened.id;
                self.opened = (opened.notes, opened.cut);
                opened.remembered
            }
            Err(why) => {
                self.place = None;
                self.opened.0.push(format!(
                    "there is no journal in state_path: {why}; logs are delivered all the same, \
                     but after the end of the process what was accepted of a chunk is sent again"
                ));
                Remembered::default()
            }
        }
    }

    pub(super) fn write(&mut self, page: Page) {
        let Some(place) = &self.place else {
            return;
        };
        let (number, sender) = (page.number, self.sender.clone());
        let done = move |result| _ = sender.send(Message::Written(number, result));
        let is_synced = place.options.is_synced;
        let done = Box::new(done);
        place.state.write(self.journal, page, is_synced, done);
    }

    /// Names a chunk.
    pub(super) fn key(&self, output: &Output<V>, flush: &Flush) -> Key {
        let (secret, scope) = (&self.secret, &output.scope);
        let tag = &flush.tag;
        let chunk = &flush.chunk;
        chunk.read(|bytes| match &flush.part {
            Some(part) => Key::of_part(secret, scope, tag, bytes, part),
            None => Key::new(secret, scope, tag, bytes),
        })
    }

    /// Hashes a chunk that will come again, while the host still waits.
    pub(super) fn name(&mut self, chunk: ChunkId) {
        let key = self.waiting.get(&chunk).and_then(|flush| {
            let output = self.outputs.get(&flush.output)?;
            // What can't be read can't be packed either, which is told of.
            catch_unwind(AssertUnwindSafe(|| self.key(output, flush))).ok()
        });
        self.stream.named(chunk, key.unwrap_or(Key::UNKNOWN));
    }
}
