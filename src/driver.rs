//! One task for each delivery stream: it tells the machine what happens, and does what the machine
//! asks for.
//!
//! All that happens comes to the task as a message: a flush, an answer, a host that stops. So the
//! machine has one owner, and nothing here is locked.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::Bytes;
use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::deliver::ledger::Key;
use firehose_core::deliver::stream::{CallId, Delivery, OutputId, Remembered, Step, Stream};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::packer::{Packer, Room, Source};
use firehose_core::tell::log::{Level, Line, Log};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::AbortHandle;
use tokio::time::{timeout, timeout_at};

use crate::lent::LentChunk;
use crate::service::{Answer, Sent, Service};

/// What happens.
pub enum Message<V> {
    Join(OutputId, Box<Joining<V>>),
    Flush(OutputId, Flush),
    /// The host stops: all flushes of the output end until then.
    Stop(OutputId, Instant),
    /// The output ends: what it has left, for its successor and the host's log.
    Leave(OutputId, Sender<(Remembered, Vec<Line>)>),
    /// The service can be called.
    Ready(OutputId),
    /// It still can't.
    Unready(OutputId),
    Answered(CallId, Answer, Bytes),
}

/// An output that begins.
pub struct Joining<V> {
    pub service: Arc<V>,
    pub packer: Packer,
    pub scope: String,
    pub delivery: Delivery,
    pub totals: Arc<Totals>,
    pub max_level: Level,
    pub remembered: Remembered,
}

/// A chunk that the host waits for.
pub struct Flush {
    pub chunk: LentChunk,
    pub tag: String,
    /// The host's thread that waits.
    pub caller: usize,
    pub host: Box<dyn Host>,
}

/// The waiting side of a flush.
pub trait Host: Send {
    /// A line for the host's log.
    fn line(&self, line: Line);

    /// What became of the chunk. The host has it back.
    fn answer(&self, verdict: Verdict);
}

/// Batches whose memory is kept: one to be packed while another is encrypted, by each of two
/// threads.
const SPARE_BATCHES: usize = 2;

pub struct Driver<V: Service> {
    stream: Stream,
    outputs: HashMap<OutputId, Output<V>>,
    waiting: HashMap<ChunkId, Waiting>,
    calls: HashMap<CallId, Call>,
    /// Batches whose memory is to be used again.
    spare: Vec<Batch>,
    messages: UnboundedReceiver<Message<V>>,
    sender: UnboundedSender<Message<V>>,
    gauges: Arc<Gauges>,
}

struct Output<V> {
    service: Arc<V>,
    packer: Packer,
    delivery: Delivery,
    scope: String,
    totals: Arc<Totals>,
    max_level: Level,
    /// What waits until the service is ready.
    waiter: Option<AbortHandle>,
}

impl<V> Output<V> {
    /// Names a chunk.
    fn key(&self, flush: &Flush) -> Key {
        let hash = |bytes: &[u8]| Key::new(&self.scope, &flush.tag, bytes);
        flush.chunk.read(hash)
    }
}

impl<V> Drop for Output<V> {
    fn drop(&mut self) {
        if let Some(waiter) = &self.waiter {
            waiter.abort();
        }
    }
}

struct Waiting {
    output: OutputId,
    flush: Flush,
}

struct Call {
    sent: Sent,
    task: AbortHandle,
    batch: Batch,
}

impl<V: Service> Driver<V> {
    pub fn new(
        sender: UnboundedSender<Message<V>>,
        messages: UnboundedReceiver<Message<V>>,
        gauges: Arc<Gauges>,
    ) -> Self {
        Self {
            stream: Stream::new(now(), fastrand::u64(..)),
            outputs: HashMap::new(),
            waiting: HashMap::new(),
            calls: HashMap::new(),
            spare: Vec::new(),
            messages,
            sender,
            gauges,
        }
    }

    /// Runs until the last output has left.
    pub async fn run(mut self) {
        let mut wait = None;
        loop {
            let message = match wait {
                Some(time) => timeout_at(time, self.messages.recv()).await.unwrap_or(None),
                None => self.messages.recv().await,
            };
            let is_last = matches!(message, Some(Message::Leave(..)));
            let turn = AssertUnwindSafe(|| self.turn(message));
            wait = match catch_unwind(turn) {
                Ok(wait) => wait.map(Into::into),
                Err(_) => {
                    self.begin_anew();
                    None
                }
            };
            if is_last && self.outputs.is_empty() {
                return;
            }
        }
    }

    /// Tells the machine of a message, if one came, and does all that it asks for. Until when there
    /// is nothing to do.
    fn turn(&mut self, message: Option<Message<V>>) -> Option<Instant> {
        let now = now();
        if let Some(message) = message {
            self.tell(now, message);
        }
        loop {
            let step = self.stream.next(now);
            // A flush that is answered reads them.
            self.gauges.set(self.stream.in_flight(), self.stream.rate());
            self.pass_lines_on();
            match step {
                Step::Wait(time) => return time,
                Step::Pack(id, room) => self.pack(now, id, room),
                Step::Name(chunk) => self.name(chunk),
                Step::Answer(chunk, verdict) => {
                    if let Some(waiting) = self.waiting.remove(&chunk) {
                        waiting.flush.host.answer(verdict);
                    }
                }
            }
        }
    }

    fn tell(&mut self, now: Instant, message: Message<V>) {
        match message {
            Message::Join(id, joining) => self.join(now, id, *joining),
            Message::Flush(id, flush) => self.flush(now, id, flush),
            Message::Stop(id, deadline) => self.stream.stop(id, deadline),
            Message::Leave(id, left) => {
                // Who asked may have waited long enough.
                _ = left.send(self.leave(id));
            }
            Message::Ready(id) => self.stream.ready(id),
            Message::Unready(id) => {
                if let Some(log) = self.stream.log(id) {
                    log.write(now, Level::Warn, "look-up", || {
                        "nothing is sent: the look-up of credentials takes long \
                         (credentials_timeout)"
                            .to_owned()
                    });
                }
            }
            Message::Answered(id, answer, body) => self.answered(now, id, answer, body),
        }
    }

    fn join(&mut self, now: Instant, id: OutputId, joining: Joining<V>) {
        let log = Log::new(joining.max_level);
        let (delivery, totals) = (joining.delivery.clone(), Arc::clone(&joining.totals));
        let remembered = joining.remembered;
        self.stream.join(now, id, delivery, totals, log, remembered);
        let output = Output {
            service: joining.service,
            packer: joining.packer,
            scope: joining.scope,
            delivery: joining.delivery,
            totals: joining.totals,
            max_level: joining.max_level,
            waiter: None,
        };
        self.outputs.insert(id, output);
    }

    fn flush(&mut self, now: Instant, id: OutputId, flush: Flush) {
        let output = self.outputs.get(&id);
        let output = output.filter(|_| self.stream.wants_names(id));
        let look = || {
            let key = output.map(|output| output.key(&flush));
            (key, flush.chunk.read(<[u8]>::len))
        };
        let Ok((key, length)) = catch_unwind(AssertUnwindSafe(look)) else {
            let text = format!(
                "the plugin failed by a panic while it read a chunk of tag {}: please report it \
                 as a bug (standard error says more); Fluent Bit is asked to hand the chunk over \
                 again",
                flush.tag
            );
            let level = Level::Error;
            flush.host.line(Line { level, text });
            return flush.host.answer(Verdict::Retry);
        };
        let (caller, tag) = (flush.caller, &flush.tag);
        match self.stream.flush(now, id, caller, tag, length, key) {
            Some(chunk) => {
                let waiting = Waiting { output: id, flush };
                self.waiting.insert(chunk, waiting);
            }
            None => flush.host.answer(Verdict::Retry),
        }
    }

    fn leave(&mut self, id: OutputId) -> (Remembered, Vec<Line>) {
        let lines = self.stream.lines(id).collect();
        let own = |waiting: &&ChunkId| self.waiting[*waiting].output == id;
        let open: Vec<ChunkId> = self.waiting.keys().filter(own).copied().collect();
        open.into_iter().for_each(|chunk| self.name(chunk));
        let calls = &self.calls;
        let was_sent = |call| calls.get(&call).is_some_and(|call| call.sent.is_set());
        let remembered = self.stream.leave(now(), id, was_sent);
        self.outputs.remove(&id);
        self.waiting.retain(|_, waiting| {
            let is_its_own = waiting.output == id;
            if is_its_own {
                waiting.flush.host.answer(Verdict::Retry);
            }
            !is_its_own
        });
        self.calls.retain(|call, own| {
            let is_under_way = self.stream.is_under_way(*call);
            if !is_under_way {
                own.task.abort();
            }
            is_under_way
        });
        (remembered, lines)
    }

    fn pack(&mut self, now: Instant, id: OutputId, room: Room) {
        let Some(output) = self.outputs.get_mut(&id) else {
            return self.stream.hold();
        };
        if !output.service.is_ready() {
            self.stream.hold();
            let time = output.delivery.request_timeout;
            let service = Arc::clone(&output.service);
            let waiter = tokio::spawn(wait_for(service, id, time, self.sender.clone()));
            output.waiter = Some(waiter.abort_handle());
            return;
        }
        let mut batch = self.spare.pop().unwrap_or_default();
        let mut source = Waiters {
            stream: &mut self.stream,
            waiting: &self.waiting,
            at: None,
        };
        let format = &output.delivery.format;
        let packing = || output.packer.pack(format, &mut source, room, &mut batch);
        let packed = catch_unwind(AssertUnwindSafe(packing));
        let at = source.at;
        if packed.is_err() {
            return self.stream.pack_panicked(now, at);
        }
        match self.stream.packed(now, &batch) {
            Some(call) => self.send(call, id, batch),
            None => self.keep(batch),
        }
    }

    /// Makes a call, which ends by a message.
    fn send(&mut self, call: CallId, id: OutputId, mut batch: Batch) {
        let output = &self.outputs[&id];
        let sent = Sent::default();
        let (body, records) = (Bytes::from(batch.finish()), batch.records().len());
        let made = make_call(
            Arc::clone(&output.service),
            output.delivery.request_timeout,
            body,
            records,
            sent.clone(),
            Ending {
                call,
                sender: self.sender.clone(),
                is_told: false,
            },
        );
        let task = tokio::spawn(made).abort_handle();
        self.calls.insert(call, Call { sent, task, batch });
    }

    fn answered(&mut self, now: Instant, id: CallId, answer: Answer, body: Bytes) {
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        let answer = answer.as_deref().map_err(CallError::clone);
        self.stream.answered(now, id, call.sent.is_set(), answer);
        let mut batch = call.batch;
        if let Ok(body) = body.try_into_mut() {
            batch.reuse(body.into());
        }
        self.keep(batch);
    }

    /// Keeps a batch's memory for another.
    fn keep(&mut self, batch: Batch) {
        if self.spare.len() < SPARE_BATCHES {
            self.spare.push(batch);
        }
    }

    /// While the host still waits, a chunk is hashed that will come again.
    fn name(&mut self, chunk: ChunkId) {
        let waiting = self.waiting.get(&chunk);
        let key = waiting.and_then(|waiting| {
            let output = self.outputs.get(&waiting.output)?;
            // What can't be read can't be packed either, which is told of.
            catch_unwind(AssertUnwindSafe(|| output.key(&waiting.flush))).ok()
        });
        self.stream.named(chunk, key.unwrap_or(Key::UNKNOWN));
    }

    /// Lines go to the host by any thread of it that waits here; until one does they are kept.
    fn pass_lines_on(&mut self) {
        for waiting in self.waiting.values() {
            for line in self.stream.lines(waiting.output) {
                waiting.flush.host.line(line);
            }
        }
    }

    /// The machine failed by a panic: nothing that it knew can be relied on.
    fn begin_anew(&mut self) {
        let now = now();
        self.stream = self.stream.anew(now, fastrand::u64(..));
        for (_, waiting) in self.waiting.drain() {
            let text = "the plugin failed by a panic, please report it as a bug (standard error \
                        says more); Fluent Bit is asked to hand the chunk over again, and what of \
                        it was accepted is sent twice";
            let level = Level::Error;
            let text = text.to_owned();
            waiting.flush.host.line(Line { level, text });
            waiting.flush.host.answer(Verdict::Retry);
        }
        for (_, call) in self.calls.drain() {
            call.task.abort();
        }
        for (id, output) in &self.outputs {
            let (delivery, totals) = (output.delivery.clone(), Arc::clone(&output.totals));
            let log = Log::new(output.max_level);
            let nothing = Remembered::default();
            self.stream.join(now, *id, delivery, totals, log, nothing);
        }
    }
}

/// The time, as tokio's timers have it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Where the packer takes pieces from.
struct Waiters<'d> {
    stream: &'d mut Stream,
    waiting: &'d HashMap<ChunkId, Waiting>,
    /// The chunk that is being read, or was read last.
    at: Option<ChunkId>,
}

impl Source for Waiters<'_> {
    fn next(&mut self) -> Option<Piece> {
        self.stream.next_piece()
    }

    fn counted(&self, chunk: ChunkId) -> usize {
        self.stream.counted(chunk)
    }

    fn read<R>(&mut self, chunk: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
        self.at = Some(chunk);
        match self.waiting.get(&chunk) {
            Some(waiting) => waiting.flush.chunk.read(reader),
            None => reader(&[]),
        }
    }
}

/// Waits until calls can be made. If that takes long, the host's log says so.
async fn wait_for<V: Service>(
    service: Arc<V>,
    id: OutputId,
    time: Duration,
    sender: UnboundedSender<Message<V>>,
) {
    let mut ready = std::pin::pin!(service.ready());
    while timeout(time, ready.as_mut()).await.is_err() {
        if sender.send(Message::Unready(id)).is_err() {
            return;
        }
    }
    _ = sender.send(Message::Ready(id));
}

/// One call, its connection included.
async fn make_call<V: Service>(
    service: Arc<V>,
    time: Duration,
    body: Bytes,
    records: usize,
    sent: Sent,
    mut ending: Ending<V>,
) {
    let call = service.put(body.clone(), records, sent.clone());
    let answer = timeout(time, call).await;
    let answer = answer.unwrap_or_else(|_| {
        let (cause, what) = match sent.is_set() {
            true => (Cause::Unanswered, "no answer"),
            false => (Cause::Network, "no connection"),
        };
        Err(CallError {
            cause,
            text: format!("{what} within request_timeout ({time:?})"),
        })
    });
    ending.tell(answer, body);
}

/// Tells of the end of a call, also where it ends by a panic.
struct Ending<V> {
    call: CallId,
    sender: UnboundedSender<Message<V>>,
    is_told: bool,
}

impl<V> Ending<V> {
    fn tell(&mut self, answer: Answer, body: Bytes) {
        self.is_told = true;
        // The driver is gone with its last output.
        _ = self.sender.send(Message::Answered(self.call, answer, body));
    }
}

impl<V> Drop for Ending<V> {
    fn drop(&mut self) {
        if !self.is_told {
            // What it says is on standard error, and may hold a secret.
            let text = "the call ended by a panic".to_owned();
            let cause = Cause::Bug;
            self.tell(Err(CallError { cause, text }), Bytes::new());
        }
    }
}
