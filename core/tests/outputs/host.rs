//! A host with any number of threads, and a service that answers as a test says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::deliver::journal::Page;
use firehose_core::deliver::ledger::{Key, Secret};
use firehose_core::deliver::ranges::Ranges;
use firehose_core::deliver::stream::{Arrival, CallId, OutputId, Step, Stream};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::Config;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::packer::{Packer, Source};
use firehose_core::tell::log::{Level, Log};
use firehose_core::tell::totals::Totals;

pub(crate) type Records<'a> = &'a [Result<(), Cause>];
pub(crate) type Options<'a> = &'a [(&'a str, &'a str)];

pub(crate) const ID: OutputId = OutputId(1);
pub(crate) const DELIVERED: Result<Records, Cause> = Ok(&[Ok(()), Ok(())]);
pub(crate) const THROTTLED: Result<Records, Cause> = Err(Cause::Throttled);

const TAG: &str = "app";
const LATER: Duration = Duration::from_millis(20);

pub(crate) struct Host {
    pub(crate) stream: Stream,
    pub(crate) totals: Arc<Totals>,
    pub(crate) now: Instant,
    /// Of the flushes that ended, in this order.
    pub(crate) ended: Vec<(ChunkId, Verdict)>,
    /// Of the journal, in this order.
    pub(crate) pages: Vec<Page>,
    config: Config,
    pub(crate) packer: Packer,
    chunks: HashMap<ChunkId, Vec<u8>>,
}

struct Chunks<'h>(&'h mut Stream, &'h HashMap<ChunkId, Vec<u8>>);

impl Source for Chunks<'_> {
    fn next(&mut self) -> Option<Piece> {
        self.0.next_piece()
    }

    fn counted(&self, chunk: ChunkId) -> usize {
        self.0.counted(chunk)
    }

    fn read<R>(&mut self, chunk: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
        reader(&self.1[&chunk])
    }
}

fn key(chunk: &[u8]) -> Key {
    Key::new(&Secret([7; Secret::LENGTH]), "scope", TAG, chunk)
}

impl Host {
    pub(crate) fn new(options: Options) -> Self {
        let config = super::config(options);
        let now = Instant::now();
        let mut host = Self {
            stream: Stream::new(now, 1),
            totals: Arc::default(),
            now,
            ended: Vec::new(),
            pages: Vec::new(),
            packer: Packer::new("logs", config.packing),
            config,
            chunks: HashMap::new(),
        };
        host.join(ID, options);
        host
    }

    /// One more output.
    pub(crate) fn join(&mut self, id: OutputId, options: Options) {
        let (delivery, totals) = (super::config(options).delivery, self.totals.clone());
        let log = Log::new(Level::Debug);
        let now = self.now;
        self.stream.join(now, id, delivery, totals, log);
    }

    pub(crate) fn begin(&mut self, id: OutputId, caller: usize, chunk: &[u8]) -> ChunkId {
        self.begin_part(id, caller, chunk, None)
    }

    pub(crate) fn begin_part(
        &mut self,
        id: OutputId,
        caller: usize,
        chunk: &[u8],
        part: Option<Ranges>,
    ) -> ChunkId {
        let key = self.stream.wants_names(id).then(|| key(chunk));
        let length = chunk.len();
        let arrival = Arrival {
            caller: Some(caller),
            tag: TAG,
            length,
            key,
            part,
        };
        let flush = self.stream.flush(self.now, id, arrival);
        let flush = flush.expect("the output is there");
        self.chunks.insert(flush, chunk.to_owned());
        flush
    }

    /// The calls that begin now, and until when nothing more does.
    pub(crate) fn calls(&mut self) -> (Vec<CallId>, Option<Instant>) {
        let mut calls = Vec::new();
        loop {
            match self.stream.next(self.now) {
                Step::Pack(_, room) => {
                    let mut batch = Batch::default();
                    let format = &self.config.delivery.format;
                    let mut source = Chunks(&mut self.stream, &self.chunks);
                    self.packer.pack(format, &mut source, room, &mut batch);
                    calls.extend(self.stream.packed(self.now, &batch));
                }
                Step::Name(id) => {
                    let key = key(&self.chunks[&id]);
                    self.stream.named(id, key);
                }
                Step::Write(page) => self.pages.push(page),
                Step::Answer(id, verdict) => self.ended.push((id, verdict)),
                Step::Wait(until) => return (calls, until),
            }
        }
    }

    pub(crate) fn answer(&mut self, call: CallId, answer: Result<Records, Cause>) {
        let text = "said".to_owned();
        let answer = answer.map_err(|cause| CallError { cause, text });
        self.stream.answered(self.now, call, true, answer);
    }

    /// Plays a flush to its end, each of its calls answered so.
    pub(crate) fn flush(&mut self, chunk: &[u8], answer: Result<Records, Cause>) -> Verdict {
        let flush = self.begin(ID, 0, chunk);
        loop {
            let (calls, until) = self.calls();
            if let Some((_, verdict)) = self.ended.iter().find(|(id, _)| *id == flush) {
                let verdict = *verdict;
                self.ended.clear();
                return verdict;
            }
            match calls.is_empty() {
                true => self.now = until.expect("something will happen"),
                false => self.now += LATER,
            }
            for call in calls {
                self.answer(call, answer);
            }
        }
    }

    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.lines_of(ID)
    }

    pub(crate) fn lines_of(&mut self, id: OutputId) -> Vec<String> {
        let lines = self.stream.lines(id);
        lines
            .map(|line| format!("{:?}: {}", line.level, line.text))
            .collect()
    }

    /// Calls that ended so, by the name that the metrics have for it.
    pub(crate) fn calls_that(&self, ended: &str) -> u64 {
        let mut calls = self.totals.calls();
        calls
            .find(|(name, _)| *name == ended)
            .map_or(0, |(_, count)| count.get())
    }

    pub(crate) fn all_calls(&self) -> u64 {
        self.totals.calls().map(|(_, count)| count.get()).sum()
    }
}

/// `[1, {..}]` with these pairs of short keys and small numbers.
pub(crate) fn event(pairs: &[(u8, u8)]) -> Vec<u8> {
    let mut bytes = vec![0x92, 0x01, 0x80 | pairs.len() as u8];
    for (key, value) in pairs {
        bytes.extend([0xa1, *key, *value]);
    }
    bytes
}
