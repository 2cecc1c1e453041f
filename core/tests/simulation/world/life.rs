//! A process with the plugin.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firehose_core::deliver::ledger::{Bounds, Key, Secret};
use firehose_core::deliver::ranges::Ranges;
use firehose_core::deliver::router::{FlushId, Router};
use firehose_core::deliver::stream::{CallId, OutputId, Remembered, Stream};
use firehose_core::options::Config;
use firehose_core::pack::batch::ChunkId;
use firehose_core::pack::packer::Packer;
use firehose_core::tell::log::{Level, Log};
use firehose_core::tell::totals::Totals;

use crate::script::{self, Fate, Id, Script};

pub(super) struct Life {
    pub(super) number: u64,
    pub(super) streams: Vec<Stream>,
    pub(super) outputs: Vec<Output>,
    pub(super) members: Vec<Member>,
    /// By stream, and by the chunk's name at its machine.
    pub(super) flushed: HashMap<(usize, ChunkId), Waiter>,
    pub(super) unheard: Vec<Answered>,
    pub(super) calls: HashMap<(usize, CallId), Call>,
    pub(super) wakes: Vec<Option<Instant>>,
    /// Until when all flushes have to end.
    pub(super) stop: Option<Instant>,
    /// When the last flush of each stream began, or its last call ended.
    pub(super) last_ended: Vec<Instant>,
    /// When the last page of each stream's journal is written.
    pub(super) last_written: Vec<Instant>,
}

pub(super) struct Output {
    /// Of the workers, which chunk each waits for.
    pub(super) workers: Vec<Option<usize>>,
    /// If it has several streams.
    pub(super) router: Option<Router>,
    /// When its router is asked next.
    pub(super) wake: Option<Instant>,
}

/// An output at one of its streams.
pub(super) struct Member {
    pub(super) id: OutputId,
    pub(super) output: usize,
    pub(super) stream: usize,
    pub(super) packer: Packer,
    pub(super) totals: Arc<Totals>,
    pub(super) is_ready: bool,
}

/// Who waits for a machine's answer.
#[derive(Clone)]
pub(super) struct Waiter {
    pub(super) place: usize,
    pub(super) member: usize,
    /// What of the chunk comes here, and the flush at the router, if the output has several streams.
    pub(super) part: Option<(FlushId, Ranges)>,
}

/// An answer that the host may not have heard, as its worker began another flush.
pub(super) struct Answered {
    pub(super) place: usize,
    pub(super) output: usize,
    pub(super) worker: usize,
    pub(super) at: Instant,
    pub(super) is_behind: bool,
    /// It was behind one already.
    pub(super) is_late: bool,
}

pub(super) struct Call {
    pub(super) records: Vec<Vec<Id>>,
    pub(super) fate: Fate,
    pub(super) is_sent: bool,
    pub(super) is_stored: bool,
}

impl Life {
    pub(super) fn new(
        number: u64,
        now: Instant,
        script: &Script,
        configs: &[Config],
        remembered: Vec<Remembered>,
    ) -> Self {
        let seed = script.seed.wrapping_add(number);
        let mut streams: Vec<Stream> = (0..script.streams)
            .map(|_| Stream::new(now, seed))
            .collect();
        for stream in &mut streams {
            if let Some(bytes) = script.journal_bytes {
                stream.keep_journal(now, Duration::from_hours(500_000), bytes);
            }
        }
        for (stream, remembered) in streams.iter_mut().zip(remembered) {
            stream.remember(now, remembered);
        }
        let mut members = Vec::new();
        for (output, (of, config)) in script.outputs.iter().zip(configs).enumerate() {
            for &stream in &of.streams {
                let id = OutputId(number * 100 + members.len() as u64);
                let totals = Arc::new(Totals::default());
                let mut delivery = config.delivery.clone();
                delivery.resume = Bounds {
                    max_chunks: of.resume_chunks,
                    max_bytes: 1_000_000,
                };
                let log = Log::new(Level::Error);
                streams[stream].join(now, id, delivery, Arc::clone(&totals), log);
                members.push(Member {
                    id,
                    output,
                    stream,
                    packer: Packer::new("logs", config.packing),
                    totals,
                    is_ready: true,
                });
            }
        }
        let has_journals = script.journal_bytes.is_some();
        let outputs = script.outputs.iter().map(|output| Output {
            workers: vec![None; output.workers],
            router: output.is_routed().then(|| Router::new(has_journals)),
            wake: None,
        });
        Self {
            number,
            outputs: outputs.collect(),
            members,
            wakes: vec![None; streams.len()],
            last_ended: vec![now; streams.len()],
            last_written: vec![now; streams.len()],
            streams,
            flushed: HashMap::new(),
            unheard: Vec::new(),
            calls: HashMap::new(),
            stop: None,
        }
    }

    /// An output's members, in the order of its streams.
    pub(super) fn members_of(&self, output: usize) -> Vec<usize> {
        let of = |place: &usize| self.members[*place].output == output;
        (0..self.members.len()).filter(of).collect()
    }
}

impl Waiter {
    pub(super) fn key(&self, chunk: &[u8]) -> Key {
        key(chunk, self.part.as_ref().map(|(_, ranges)| ranges))
    }
}

pub(super) fn key(chunk: &[u8], part: Option<&Ranges>) -> Key {
    let secret = Secret([7; Secret::LENGTH]);
    match part {
        Some(part) => Key::of_part(&secret, "", "tag", chunk, part),
        None => Key::new(&secret, "", "tag", chunk),
    }
}

pub(super) fn config(output: &script::Output) -> Config {
    let config = Config::parse(|key| {
        let own = [("delivery_stream", "logs".to_owned())];
        let mut all = own.iter().chain(&output.options);
        let found = all.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.clone())
    });
    config.expect("the options are right")
}
