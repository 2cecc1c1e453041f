//! One task for each delivery stream: it tells the machine what happens, and does what the machine
//! asks for.
//!
//! All that happens comes to the task as a message: a flush, an answer, a host that stops. So the
//! machine has one owner, and nothing here is locked.

mod calls;
mod journal;

use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use firehose_core::deliver::journal::Remembered;
use firehose_core::deliver::ledger::Secret;
use firehose_core::deliver::router::Conclusion;
use firehose_core::deliver::stream::{Arrival, CallId, Delivery, OutputId, Step, Stream};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::format::rejected::in_group;
use firehose_core::pack::batch::{Batch, ChunkId, Noted, Piece};
use firehose_core::pack::packer::{Packer, Room, Source};
use firehose_core::tell::log::{Level, Line, Log};
use firehose_core::tell::totals::{Gauges, Totals};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{timeout, timeout_at};

use self::calls::Call;
pub use self::journal::Place;
use crate::lent::{Flush, Told};
use crate::rejected;
use crate::service::{Answer, Service};
use crate::spares::Spares;
use crate::state::{self, JournalId};

/// What happens.
pub enum Message<V> {
    Join(OutputId, Box<Output<V>>),
    Flush(Flush),
    /// The host stops: all flushes of the output end by this time.
    Stop(OutputId, Instant),
    /// The output ends. The sender gets the lines that it still has for the host's log and, if it
    /// is the last output, what is remembered of chunks.
    Leave(OutputId, Sender<(Vec<Line>, Option<Remembered>)>),
    /// The service can be called.
    Ready(OutputId),
    /// The service still can't be called.
    Unready(OutputId),
    Answered(CallId, Answer),
    /// The host was answered about a chunk of which a part went to the stream.
    Concluded(Conclusion),
    /// A page of the journal is written, or why it is not.
    Written(u64, Result<(), String>),
}

pub struct Output<V> {
    pub service: Arc<V>,
    pub packer: Packer,
    pub scope: String,
    pub delivery: Delivery,
    pub totals: Arc<Totals>,
    pub max_level: Level,
    /// The delivery stream's name, which the log's lines tell where the output has several.
    pub named: Option<String>,
    /// What its log says first.
    pub notes: Vec<String>,
    /// Where what can't be delivered is kept.
    pub rejected: Option<rejected::Queue>,
    pub spares: Arc<Spares>,
}

pub struct Driver<V: Service> {
    stream: Stream,
    outputs: HashMap<OutputId, Output<V>>,
    /// What waits until an output's service is ready.
    unready: HashMap<OutputId, JoinSet<()>>,
    place: Option<Place>,
    /// The open one, where there is a place.
    journal: JournalId,
    /// Chunks are named by it.
    secret: Secret,
    /// What the next output's log says of the journal, and how much of it could not be read.
    opened: (Vec<String>, usize),
    waiting: HashMap<ChunkId, Flush>,
    calls: HashMap<CallId, Call>,
    messages: UnboundedReceiver<Message<V>>,
    sender: UnboundedSender<Message<V>>,
    gauges: Arc<Gauges>,
}

impl<V: Service> Driver<V> {
    /// Begins a driver, which ends when its last output has left. Returns where its messages go,
    /// and its stream's gauges. `remembered` is what an earlier driver of this process left behind.
    pub fn start(
        runtime: &Handle,
        remembered: Option<Remembered>,
        place: Option<Place>,
    ) -> (UnboundedSender<Message<V>>, Arc<Gauges>) {
        let (sender, messages) = unbounded_channel();
        let gauges = Arc::new(Gauges::default());
        let driver = Self {
            stream: Stream::new(now(), fastrand::u64(..)),
            outputs: HashMap::new(),
            unready: HashMap::new(),
            place,
            journal: JournalId::default(),
            secret: state::secret_of_process(),
            opened: Default::default(),
            waiting: HashMap::new(),
            calls: HashMap::new(),
            messages,
            sender: sender.clone(),
            gauges: Arc::clone(&gauges),
        };
        runtime.spawn(driver.run(remembered));
        (sender, gauges)
    }

    async fn run(mut self, remembered: Option<Remembered>) {
        let read = self.open().await;
        // What this process remembers is newer than what it wrote.
        self.stream.remember(now(), remembered.unwrap_or(read));
        let mut wait: Option<Instant> = None;
        loop {
            let message = match wait {
                // What was packed is sent before more is, so that little lies here meanwhile.
                Some(time) if time <= now() => {
                    yield_now().await;
                    self.messages.try_recv().ok()
                }
                Some(time) => timeout_at(time.into(), self.messages.recv())
                    .await
                    .unwrap_or(None),
                None => self.messages.recv().await,
            };
            let is_last = matches!(message, Some(Message::Leave(..)));
            let turn = AssertUnwindSafe(|| self.turn(message));
            wait = catch_unwind(turn).unwrap_or_else(|_| {
                self.begin_anew();
                None
            });
            if is_last && self.outputs.is_empty() {
                return;
            }
        }
    }

    /// Tells the machine of a message, if one came, and does what it asks for, one call at the most.
    /// Returns until when there is nothing to do; None: until the next message.
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
                Step::Wait(time) => {
                    // Only a router asks.
                    if self.outputs.values().any(|output| output.named.is_some()) {
                        self.gauges.set_remembers(self.stream.remembers());
                    }
                    return time;
                }
                Step::Pack(id, room) => {
                    self.pack(now, id, room);
                    return Some(now);
                }
                Step::Name(chunk) => self.name(chunk),
                Step::Write(page) => self.write(page),
                Step::Answer(chunk, verdict) => self.answer(chunk, verdict),
            }
        }
    }

    fn tell(&mut self, now: Instant, message: Message<V>) {
        match message {
            Message::Join(id, output) => self.join(now, id, *output),
            Message::Flush(flush) => self.flush(now, flush),
            Message::Stop(id, deadline) => self.stream.stop(id, deadline),
            Message::Leave(id, left) => self.leave(id, left),
            Message::Ready(id) => self.stream.ready(id),
            Message::Unready(id) => {
                if let Some(log) = self.stream.log(id) {
                    let text = "nothing is sent: the look-up of credentials takes long \
                                (credentials_timeout)";
                    log.write(now, Level::Warn, "look-up", || text.to_owned());
                }
            }
            Message::Answered(id, answer) => self.answered(now, id, answer),
            Message::Concluded(conclusion) => self.concluded(now, conclusion),
            Message::Written(page, result) => self.stream.written(now, page, result),
        }
    }

    fn join(&mut self, now: Instant, id: OutputId, mut output: Output<V>) {
        let mut log = match &output.named {
            Some(stream) => Log::of_stream(output.max_level, stream),
            None => Log::new(output.max_level),
        };
        let (notes, cut) = mem::take(&mut self.opened);
        output.totals.journal_cut.add(cut as u64);
        for note in notes.into_iter().chain(mem::take(&mut output.notes)) {
            log.write_once(Level::Warn, || note);
        }
        let (delivery, totals) = (output.delivery.clone(), Arc::clone(&output.totals));
        self.stream.join(now, id, delivery, totals, log);
        self.outputs.insert(id, output);
    }

    fn flush(&mut self, now: Instant, flush: Flush) {
        let id = flush.output;
        let output = self.outputs.get(&id);
        let output = output.filter(|_| self.stream.wants_names(id));
        let look = || {
            let key = output.map(|output| self.key(output, &flush));
            (key, flush.chunk.read(<[u8]>::len))
        };
        let Ok((key, length)) = catch_unwind(AssertUnwindSafe(look)) else {
            return flush.fail(format!(
                "the plugin failed by a panic while it read a chunk of tag {}: please report it \
                 as a bug (standard error says more); Fluent Bit is asked to hand the chunk over \
                 again",
                flush.tag
            ));
        };
        let arrival = Arrival {
            caller: flush.caller,
            tag: &flush.tag,
            length,
            key,
            part: flush.part.clone(),
        };
        match self.stream.flush(now, id, arrival) {
            Some(chunk) => _ = self.waiting.insert(chunk, flush),
            None => flush.answer(Verdict::Retry, None),
        }
    }

    fn answer(&mut self, chunk: ChunkId, verdict: Verdict) {
        if let Some(flush) = self.waiting.remove(&chunk) {
            flush.answer(verdict, Some(chunk));
        }
    }

    fn concluded(&mut self, now: Instant, conclusion: Conclusion) {
        let Conclusion {
            chunk, comes_again, ..
        } = conclusion;
        self.stream.concluded(now, chunk, comes_again);
    }

    fn leave(&mut self, id: OutputId, left: Sender<(Vec<Line>, Option<Remembered>)>) {
        let lines = self.stream.lines(id).collect();
        let own = self.waiting.iter().filter(|(_, flush)| flush.output == id);
        let open: Vec<ChunkId> = own.map(|(chunk, _)| *chunk).collect();
        open.iter().for_each(|chunk| self.name(*chunk));
        let calls = &self.calls;
        let was_sent = |call| calls.get(&call).is_some_and(|call| call.sent.is_set());
        self.stream.leave(now(), id, was_sent);
        self.outputs.remove(&id);
        self.unready.remove(&id);
        for chunk in open {
            self.answer(chunk, Verdict::Retry);
        }
        let stream = &self.stream;
        self.calls.retain(|call, _| stream.is_under_way(*call));
        let is_last = self.outputs.is_empty();
        if is_last && let Step::Write(page) = self.stream.next(now()) {
            self.write(page);
        }
        let remembered = is_last.then(|| self.replace_stream().end(now()));
        if let (Some(place), Some(remembered)) = (&self.place, &remembered) {
            place.state.close(self.journal, remembered.is_empty());
        }
        // Who asked may have waited long enough.
        _ = left.send((lines, remembered));
        if let Some(place) = &self.place {
            // It waits until the journal is written.
            place.state.then(move || drop(left));
        }
    }

    fn pack(&mut self, now: Instant, id: OutputId, room: Room) {
        let Some(output) = self.outputs.get_mut(&id) else {
            return self.stream.hold();
        };
        if !output.service.is_ready() {
            self.stream.hold();
            let (service, sender) = (Arc::clone(&output.service), self.sender.clone());
            let time = output.delivery.request_timeout;
            // If it takes long, the host's log says so.
            let mut waiter = JoinSet::new();
            waiter.spawn(async move {
                let mut ready = pin!(service.ready());
                while timeout(time, ready.as_mut()).await.is_err() {
                    _ = sender.send(Message::Unready(id));
                }
                _ = sender.send(Message::Ready(id));
            });
            self.unready.insert(id, waiter);
            return;
        }
        let mut batch = output.spares.take();
        let mut source = Waiters {
            stream: &mut self.stream,
            waiting: &self.waiting,
            at: None,
        };
        let format = &output.delivery.format;
        let packing = || output.packer.pack(format, &mut source, room, &mut batch);
        let packed = catch_unwind(AssertUnwindSafe(packing));
        if packed.is_err() {
            let at = source.at;
            return self.stream.pack_panicked(now, at);
        }
        self.keep_noted(id, &mut batch);
        match self.stream.packed(now, &batch) {
            Some(call) => self.send(call, id, batch),
            None => self.keep(id, batch),
        }
    }

    /// What is not delivered as a whole is kept while the host still waits.
    fn keep_noted(&self, id: OutputId, batch: &mut Batch) {
        for noted in mem::take(&mut batch.noted) {
            let Noted {
                piece,
                reason,
                group,
            } = noted;
            let rejected = self.outputs.get(&id).and_then(|it| it.rejected.as_ref());
            if let (Some(rejected), Some(flush)) = (rejected, self.waiting.get(&piece.chunk)) {
                flush.chunk.read(|bytes| {
                    let [group, event] = [group, piece.range].map(|range| bytes.get(range));
                    let [group, event] = [group, event].map(Option::unwrap_or_default);
                    rejected.keep(&flush.tag, reason, None, &in_group(group, event));
                });
            }
        }
    }

    /// Gives the lines to any thread of the host that waits here. Until one does, they are kept.
    fn pass_lines_on(&mut self) {
        for flush in self.waiting.values() {
            for line in self.stream.lines(flush.output) {
                (flush.host)(Told::Line(line));
            }
        }
    }

    /// Puts a new machine in the place of this one. Returns the old one.
    fn replace_stream(&mut self) -> Stream {
        let new = self.stream.anew(now(), fastrand::u64(..));
        mem::replace(&mut self.stream, new)
    }

    /// The machine failed by a panic: nothing that it knew can be relied on.
    fn begin_anew(&mut self) {
        self.replace_stream();
        for (_, flush) in self.waiting.drain() {
            let text = "the plugin failed by a panic, please report it as a bug (standard error \
                        says more); Fluent Bit is asked to hand the chunk over again, and what of \
                        it was accepted is sent twice";
            flush.fail(text.to_owned());
        }
        for (_, call) in self.calls.drain().filter(|(_, call)| call.sent.is_set()) {
            if let Some(output) = self.outputs.get(&call.output) {
                output.totals.ambiguous.add(call.batch.documents());
            }
        }
        for (id, output) in mem::take(&mut self.outputs) {
            self.join(now(), id, output);
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
    waiting: &'d HashMap<ChunkId, Flush>,
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
            Some(flush) => flush.chunk.read(reader),
            None => reader(&[]),
        }
    }
}
