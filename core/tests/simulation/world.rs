//! A host, its process with the plugin, and the service, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::deliver::journal::Page;
use firehose_core::deliver::ledger::{Bounds, Key, Secret};
use firehose_core::deliver::stream::{Arrival, CallId, OutputId, Remembered, Step, Stream};
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options::Config;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};
use firehose_core::pack::packer::{Packer, Room, Source};
use firehose_core::tell::log::{Level, Log};
use firehose_core::tell::totals::Totals;

use super::disk::Disk;
use super::script::{Fate, Happening, Id, Script, What};
use super::service::{Stored, records};

/// All is well by then, however long the pauses were.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// So long the host waits for a page of the journal.
const LONGEST_WRITE: Duration = Duration::from_secs(1);

/// A chunk is closed by then: the machine waits for so many of the longest flushes.
const LONGEST_UNHEARD: Duration = Duration::from_secs(5 * 40 + 1);

/// How long the host keeps a chunk before it hands it over again.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct World<'s> {
    script: &'s Script,
    start: Instant,
    now: Instant,
    events: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    what: Vec<Option<Event>>,
    chunks: Vec<Chunk>,
    configs: Vec<Config>,
    life: Life,
    stored: Stored,
    /// Of each stream.
    disks: Vec<Disk>,
    /// Until when they are bad, and whether only slow.
    bad_disks: Option<(Instant, bool)>,
    calls_begun: usize,
    /// Documents of calls that were sent and whose answer is not known.
    ambiguous: u64,
    counted_ambiguous: u64,
    panic_next: Option<u8>,
    kill_at_answer: Option<u16>,
    /// The chunk whose turn is next.
    turn: usize,
    story: Option<Vec<String>>,
}

enum Event {
    Arrives(usize),
    Wake(u64, usize),
    Answer(u64, usize, CallId),
    GiveUp(u64, usize, CallId),
    Happens(Happening),
    Ready(u64, usize),
    Written(u64, usize),
    Exit(u64),
}

struct Chunk {
    bytes: Vec<u8>,
    state: State,
    /// When the host was answered that it is done with.
    answered: Option<Instant>,
}

/// An answer that the host may not have heard, as its worker began another flush.
struct Answered {
    place: usize,
    output: usize,
    worker: usize,
    at: Instant,
    is_behind: bool,
    /// It was behind one already.
    is_late: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has not come yet, or its retry is not due.
    Away,
    Ready,
    /// Flushed by a worker, and due to be answered.
    Flushed(Instant),
    Done,
}

/// A process.
struct Life {
    number: u64,
    streams: Vec<Stream>,
    outputs: Vec<Output>,
    flushed: HashMap<(usize, ChunkId), usize>,
    unheard: Vec<Answered>,
    calls: HashMap<(usize, CallId), Call>,
    wakes: Vec<Option<Instant>>,
    /// Until when all flushes have to end.
    stop: Option<Instant>,
    /// When the last flush of each stream began, or its last call ended.
    last_ended: Vec<Instant>,
    /// When the last page of each stream's journal is written.
    last_written: Vec<Instant>,
}

struct Output {
    id: OutputId,
    packer: Packer,
    totals: Arc<Totals>,
    /// Of the workers, which chunk each waits for.
    workers: Vec<Option<usize>>,
    is_ready: bool,
}

struct Call {
    records: Vec<Vec<Id>>,
    fate: Fate,
    is_sent: bool,
    is_stored: bool,
}

impl<'s> World<'s> {
    /// Plays a history: what went wrong in it, with its story if asked for.
    pub(crate) fn play(script: &'s Script, is_told: bool) -> Result<(), String> {
        Self::new(script, is_told).run()
    }

    pub(crate) fn new(script: &'s Script, is_told: bool) -> Self {
        let start = Instant::now();
        let chunk = |chunk: &super::script::Chunk| Chunk {
            bytes: chunk.documents.iter().flat_map(|id| event(*id)).collect(),
            state: State::Away,
            answered: None,
        };
        let configs: Vec<Config> = script.outputs.iter().map(config).collect();
        let mut world = Self {
            script,
            start,
            now: start,
            events: BinaryHeap::new(),
            what: Vec::new(),
            chunks: script.chunks.iter().map(chunk).collect(),
            life: Life::new(0, start, script, &configs, Vec::new()),
            disks: Vec::new(),
            bad_disks: None,
            configs,
            stored: Stored::default(),
            calls_begun: 0,
            ambiguous: 0,
            counted_ambiguous: 0,
            panic_next: None,
            kill_at_answer: None,
            turn: 0,
            story: is_told.then(Vec::new),
        };
        world
            .disks
            .resize_with(world.life.streams.len(), Disk::default);
        for (place, chunk) in script.chunks.iter().enumerate() {
            world.at(start + chunk.arrives, Event::Arrives(place));
        }
        for (at, what) in &script.happenings {
            world.at(start + *at, Event::Happens(*what));
        }
        world
    }

    /// One chunk is never handed over, though the judge expects it.
    pub(crate) fn forget_one(&mut self) {
        self.chunks[0].state = State::Done;
    }

    pub(crate) fn run(mut self) -> Result<(), String> {
        let judged = match self.live() {
            Ok(()) => self.judge(),
            // What is forgotten again and again may never be done.
            Err(_) if self.small_ledgers() => Ok(()),
            Err(fault) => Err(fault),
        };
        judged.map_err(|fault| match self.story {
            Some(story) => format!("{fault}\n{}", story.join("\n")),
            None => fault,
        })
    }

    fn live(&mut self) -> Result<(), String> {
        while let Some(Reverse((at, _, place))) = self.events.pop() {
            if self.chunks.iter().all(|chunk| chunk.state == State::Done) {
                return Ok(());
            }
            if at > self.start + LONGEST {
                break;
            }
            self.now = at;
            if let Some(event) = self.what[place].take() {
                self.happen(event)?;
            }
        }
        match self
            .chunks
            .iter()
            .position(|chunk| chunk.state != State::Done)
        {
            Some(chunk) => Err(format!("stuck: chunk {chunk} was never done")),
            None => Ok(()),
        }
    }

    fn judge(&mut self) -> Result<(), String> {
        let mut expected = BTreeMap::new();
        for chunk in &self.script.chunks {
            for id in &chunk.documents {
                *expected.entry(*id).or_default() += 1;
            }
        }
        self.stored.judge(&expected)?;
        self.count_ambiguous();
        if self.ambiguous != self.counted_ambiguous {
            return Err(format!(
                "ambiguous: {} counted, {} are",
                self.counted_ambiguous, self.ambiguous
            ));
        }
        Ok(())
    }

    fn count_ambiguous(&mut self) {
        let outputs = self.life.outputs.iter();
        let counts = outputs.map(|output| output.totals.ambiguous.get());
        self.counted_ambiguous += counts.sum::<u64>();
    }

    fn at(&mut self, time: Instant, event: Event) {
        let place = self.what.len();
        self.what.push(Some(event));
        self.events.push(Reverse((time, place as u64, place)));
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let at = self.now - self.start;
            story.push(format!("{:9.3} s  {}", at.as_secs_f64(), line()));
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        let life = self.life.number;
        match event {
            Event::Arrives(chunk) => {
                let state = &mut self.chunks[chunk].state;
                *state = if *state == State::Away {
                    State::Ready
                } else {
                    *state
                };
            }
            // Not one that an earlier one took the place of.
            Event::Wake(of, stream) if of == life && self.life.wakes[stream] == Some(self.now) => {
                self.life.wakes[stream] = None;
                self.drive(stream)?;
            }
            Event::Answer(of, stream, call) if of == life => self.answer(stream, call)?,
            Event::GiveUp(of, stream, call) if of == life => self.give_up(stream, call)?,
            Event::Ready(of, output) if of == life => {
                let stream = self.script.outputs[output].stream;
                let own = &mut self.life.outputs[output];
                own.is_ready = true;
                self.life.streams[stream].ready(own.id);
                self.drive(stream)?;
            }
            Event::Written(of, stream) if of == life => {
                let is_bad = self.is_bad_disk() == Some(false);
                if let Some((page, result)) = self.disks[stream].written(is_bad) {
                    self.life.streams[stream].written(self.now, page, result);
                }
                self.drive(stream)?;
            }
            Event::Exit(of) if of == life => self.begin_anew(None)?,
            Event::Happens(what) => self.befall(what)?,
            // Of an earlier life.
            _ => {}
        }
        self.assign()
    }

    /// Gives chunks that are ready to workers that are free.
    fn assign(&mut self) -> Result<(), String> {
        let count = self.chunks.len();
        for place in (0..count).map(|place| (place + self.turn) % count) {
            let output = self.script.chunks[place].output;
            let workers = &mut self.life.outputs[output].workers;
            if self.chunks[place].state != State::Ready {
                continue;
            }
            let Some(worker) = workers.iter().position(Option::is_none) else {
                continue;
            };
            workers[worker] = Some(place);
            // It hands on what it answered just now after the next flush.
            for answered in &mut self.life.unheard {
                let is_its = (answered.output, answered.worker) == (output, worker);
                answered.is_behind |= is_its && answered.at == self.now;
            }
            self.turn = place + 1;
            self.flush(place, output, worker)?;
            return self.assign();
        }
        Ok(())
    }

    fn flush(&mut self, place: usize, output: usize, worker: usize) -> Result<(), String> {
        let now = self.now;
        self.say(|| format!("chunk {place} is flushed to output {output} by worker {worker}"));
        let stream_place = self.script.outputs[output].stream;
        let (stream, own) = (
            &mut self.life.streams[stream_place],
            &self.life.outputs[output],
        );
        let bytes = &self.chunks[place].bytes;
        let key = stream.wants_names(own.id).then(|| key(bytes));
        self.life.last_ended[stream_place] = now;
        let arrival = Arrival {
            caller: Some(worker),
            tag: "tag",
            length: bytes.len(),
            key,
            part: None,
        };
        let flushed = stream.flush(now, own.id, arrival);
        let flushed = flushed.ok_or("strange: there is no output")?;
        let timeout = self.configs[output].delivery.flush_timeout;
        // One that comes after the stop's end is answered at once.
        let due = self.life.stop.map_or(now + timeout, |stop| stop.max(now));
        self.chunks[place].state = State::Flushed(due);
        self.life.flushed.insert((stream_place, flushed), place);
        self.drive(stream_place)
    }

    /// Does all that a machine asks for.
    fn drive(&mut self, stream: usize) -> Result<(), String> {
        let now = self.now;
        loop {
            match self.life.streams[stream].next(now) {
                Step::Pack(id, room) => self.pack(stream, id, room)?,
                Step::Name(chunk) => {
                    let place = self.life.flushed[&(stream, chunk)];
                    let key = key(&self.chunks[place].bytes);
                    self.life.streams[stream].named(chunk, key);
                }
                Step::Write(page) => self.write(stream, page),
                Step::Answer(chunk, verdict) => self.answered(stream, chunk, verdict)?,
                Step::Wait(None) => return Ok(()),
                Step::Wait(Some(time)) => {
                    if time <= now {
                        return Err("idle: asked to wait until now".to_owned());
                    }
                    let wake = &mut self.life.wakes[stream];
                    if wake.is_none_or(|known| time < known) {
                        *wake = Some(time);
                        let life = self.life.number;
                        self.at(time, Event::Wake(life, stream));
                    }
                    return Ok(());
                }
            }
        }
    }

    fn write(&mut self, stream: usize, page: Page) {
        let time = Duration::from_micros(page.number * 370 % 3_000);
        let slow = self.bad_disks.filter(|(_, is_slow)| *is_slow);
        let due = slow.map_or(self.now, |(until, _)| until.max(self.now)) + time;
        // One after the other.
        let due = due.max(self.life.last_written[stream]);
        self.life.last_written[stream] = due;
        self.disks[stream].write(page);
        self.at(due, Event::Written(self.life.number, stream));
    }

    /// Whether the disks are bad, and if so, only slow.
    fn is_bad_disk(&self) -> Option<bool> {
        let bad = self.bad_disks.filter(|(until, _)| self.now < *until);
        bad.map(|(_, is_slow)| is_slow)
    }

    fn pack(&mut self, stream_place: usize, id: OutputId, mut room: Room) -> Result<(), String> {
        let now = self.now;
        let position = self.life.outputs.iter().position(|output| output.id == id);
        let place = position.ok_or("strange: an output that is gone")?;
        let stream = &mut self.life.streams[stream_place];
        if !self.life.outputs[place].is_ready {
            stream.hold();
            return Ok(());
        }
        if let Some(pieces) = self.panic_next.take() {
            let mut at = None;
            for _ in 0..pieces {
                at = stream.next_piece().map(|piece| piece.chunk).or(at);
            }
            stream.pack_panicked(now, at);
            self.say(|| format!("packing for output {place} ends by a panic at {at:?}"));
            return Ok(());
        }
        room.bytes = room.bytes.min(self.script.outputs[place].batch_bytes);
        let mut batch = Batch::default();
        let mut waiters = Waiters {
            stream,
            place: stream_place,
            flushed: &self.life.flushed,
            chunks: &self.chunks,
        };
        let format = &self.configs[place].delivery.format;
        self.life.outputs[place]
            .packer
            .pack(format, &mut waiters, room, &mut batch);
        let Some(call) = self.life.streams[stream_place].packed(now, &batch) else {
            return Ok(());
        };
        self.check_gate(stream_place)?;
        self.begin_call(stream_place, place, call, &records(&batch.finish()))
    }

    /// What the gate promises.
    fn check_gate(&self, stream: usize) -> Result<(), String> {
        let own = self.script.outputs.iter().zip(&self.configs);
        let own = own.filter(|(output, _)| output.stream == stream);
        let most = own
            .map(|(_, config)| config.delivery.limits.max_in_flight)
            .min();
        let in_flight = self
            .life
            .calls
            .keys()
            .filter(|(of, _)| *of == stream)
            .count()
            + 1;
        if self.life.streams[stream].in_flight() != in_flight || Some(in_flight) > most {
            return Err(format!(
                "gate: {in_flight} calls under way, {most:?} may be"
            ));
        }
        if self.life.stop.is_some_and(|stop| stop < self.now) {
            return Err("gate: a call begins after the end of all flushes".to_owned());
        }
        Ok(())
    }

    fn begin_call(
        &mut self,
        stream: usize,
        output: usize,
        call: CallId,
        records: &[Vec<Id>],
    ) -> Result<(), String> {
        let fate = self.script.fates.get(self.calls_begun).cloned();
        let mut fate = fate.unwrap_or(Fate {
            after: Duration::from_millis(20),
            what: What::Accept,
        });
        self.calls_begun += 1;
        let chunks = self.script.chunks.iter();
        let poison: Vec<Id> = chunks.flat_map(|chunk| &chunk.poison).copied().collect();
        if records.iter().flatten().any(|id| poison.contains(id))
            && matches!(fate.what, What::Accept | What::Twice | What::Refuse(..))
        {
            fate.what = What::Fail(Cause::Payload, false);
        }
        let stored = |number: usize| match &fate.what {
            What::Accept | What::Twice => true,
            What::Refuse(mask, _) => mask & (1 << (number % 32)) == 0,
            What::Fail(_, stored) | What::Never(stored) => *stored,
            What::Unconnected => false,
        };
        let is_sent = !matches!(fate.what, What::Unconnected);
        let mut is_stored = false;
        for (number, record) in records.iter().enumerate() {
            if stored(number) {
                is_stored = true;
                self.stored.accept(record);
            }
        }
        self.say(|| {
            format!(
                "call {} of output {output} with {records:?}: {fate:?}",
                call.0
            )
        });
        let (life, now) = (self.life.number, self.now);
        let timeout = self.configs[output].delivery.request_timeout;
        match fate.what {
            What::Never(_) => self.at(now + timeout, Event::GiveUp(life, stream, call)),
            _ if fate.after >= timeout => self.at(now + timeout, Event::GiveUp(life, stream, call)),
            _ => self.at(now + fate.after, Event::Answer(life, stream, call)),
        }
        let begun = Call {
            records: records.to_vec(),
            fate,
            is_sent,
            is_stored,
        };
        self.life.calls.insert((stream, call), begun);
        Ok(())
    }

    fn answer(&mut self, stream: usize, id: CallId) -> Result<(), String> {
        let Some(call) = self.life.calls.remove(&(stream, id)) else {
            return Ok(());
        };
        self.say(|| format!("call {} is answered: {:?}", id.0, call.fate.what));
        let mut is_twice = false;
        let fail = |cause| {
            let text = "scripted".to_owned();
            Err(CallError { cause, text })
        };
        let answer = match call.fate.what {
            What::Accept => Ok(vec![Ok(()); call.records.len()]),
            What::Twice => {
                is_twice = true;
                Ok(vec![Ok(()); call.records.len()])
            }
            What::Refuse(mask, cause) => {
                let refused = |number: usize| mask & (1 << (number % 32)) != 0;
                let result = |number| if refused(number) { Err(cause) } else { Ok(()) };
                Ok((0..call.records.len()).map(result).collect())
            }
            What::Fail(cause, _) => fail(cause),
            What::Unconnected => fail(Cause::Network),
            What::Never(_) => return Ok(()),
        };
        self.end_call(stream, id, &call, answer, is_twice)
    }

    /// The driver waits no longer for an answer.
    fn give_up(&mut self, stream: usize, id: CallId) -> Result<(), String> {
        let Some(call) = self.life.calls.remove(&(stream, id)) else {
            return Ok(());
        };
        self.say(|| format!("call {} is given up", id.0));
        let cause = if call.is_sent {
            Cause::Unanswered
        } else {
            Cause::Network
        };
        let text = "no answer".to_owned();
        self.end_call(stream, id, &call, Err(CallError { cause, text }), false)
    }

    fn end_call(
        &mut self,
        stream: usize,
        id: CallId,
        call: &Call,
        answer: Result<Vec<Result<(), Cause>>, CallError>,
        is_twice: bool,
    ) -> Result<(), String> {
        let documents: Vec<Id> = call.records.iter().flatten().copied().collect();
        if let Err(error) = &answer {
            if call.is_sent && error.cause.is_ambiguous() {
                self.ambiguous += documents.len() as u64;
                if call.is_stored {
                    self.stored.excuse(&documents);
                }
            }
            let is_refusal = matches!(error.cause, Cause::Payload | Cause::Serialization);
            if let ([id], true) = (&documents[..], is_refusal) {
                self.stored.may_drop(*id);
            }
        }
        if let Ok(results) = &answer {
            for (record, result) in call.records.iter().zip(results) {
                if result.is_ok() {
                    self.disks[stream].accepted(record);
                }
            }
        }
        let (forgotten, rejected) = (self.forgotten(), self.rejected());
        let mut dropped = 0;
        self.life.last_ended[stream] = self.now;
        for _ in 0..=u8::from(is_twice) {
            let answer = answer.as_deref().map_err(CallError::clone);
            let stream = &mut self.life.streams[stream];
            dropped += u64::from(stream.answered(self.now, id, call.is_sent, answer));
        }
        if dropped != self.rejected() - rejected {
            return Err(format!(
                "{dropped} documents told as dropped, and others counted"
            ));
        }
        self.drive(stream)?;
        self.excuse_forgotten(forgotten);
        Ok(())
    }

    fn forgotten(&self) -> u64 {
        let outputs = self.life.outputs.iter();
        outputs
            .map(|output| output.totals.forgotten_chunks.get())
            .sum()
    }

    fn rejected(&self) -> u64 {
        let outputs = self.life.outputs.iter();
        outputs.map(|output| output.totals.rejected.get()).sum()
    }

    /// For want of room in the ledger a chunk is sent whole.
    fn excuse_forgotten(&mut self, before: u64) {
        if self.forgotten() > before {
            self.forget_open();
        }
    }

    fn forget_open(&mut self) {
        let chunks = self.chunks.iter().zip(&self.script.chunks);
        let open = chunks.filter(|(chunk, _)| chunk.state != State::Done);
        for (_, chunk) in open {
            self.stored.forget(&chunk.documents);
        }
    }

    /// The host has its answer.
    fn answered(&mut self, stream: usize, id: ChunkId, verdict: Verdict) -> Result<(), String> {
        let Some(place) = self.life.flushed.remove(&(stream, id)) else {
            return Err("answer: for a chunk that nobody waits for".to_owned());
        };
        self.say(|| format!("chunk {place}: {verdict:?}"));
        let State::Flushed(due) = self.chunks[place].state else {
            return Err(format!("answer: chunk {place} was not flushed"));
        };
        if self.now > due {
            return Err(format!("late: chunk {place} by {:?}", self.now - due));
        }
        self.give_back(place, verdict);
        let ended = self.life.last_ended[stream];
        if verdict != Verdict::Retry && self.now > ended + LONGEST_WRITE {
            return Err(format!("slow: chunk {place}, by {:?}", self.now - ended));
        }
        if verdict != Verdict::Retry {
            self.chunks[place].answered = Some(self.now);
            if let Some(bytes) = self.kill_at_answer.take() {
                self.at(self.now, Event::Happens(Happening::Kill(bytes)));
            }
        }
        if verdict == Verdict::Retry && self.small_ledgers() {
            // Which chunk was forgotten is not told.
            self.forget_open();
        }
        Ok(())
    }

    fn small_ledgers(&self) -> bool {
        self.script
            .outputs
            .iter()
            .any(|output| output.resume_chunks < 10)
    }

    fn give_back(&mut self, place: usize, verdict: Verdict) {
        let now = self.now;
        let life = &mut self.life;
        for (output_place, output) in life.outputs.iter_mut().enumerate() {
            for (worker_place, worker) in output.workers.iter_mut().enumerate() {
                if worker.take_if(|chunk| *chunk == place).is_none() {
                    continue;
                }
                let its = |answered: &Answered| {
                    (answered.output, answered.worker) == (output_place, worker_place)
                };
                // Some are handed on one flush later still.
                life.unheard.retain_mut(|answered| {
                    let is_kept = answered.is_behind && !answered.is_late;
                    if its(answered) {
                        answered.is_late = answered.is_behind;
                        answered.is_behind = false;
                        answered.at = now;
                    }
                    !its(answered) || is_kept
                });
                if verdict != Verdict::Retry {
                    life.unheard.push(Answered {
                        place,
                        output: output_place,
                        worker: worker_place,
                        at: now,
                        is_behind: false,
                        is_late: false,
                    });
                }
            }
        }
        self.chunks[place].state = match verdict {
            Verdict::Delivered | Verdict::Failed => State::Done,
            Verdict::Retry => {
                self.at(self.now + RETRY, Event::Arrives(place));
                State::Away
            }
        };
    }

    fn befall(&mut self, what: Happening) -> Result<(), String> {
        let (now, life) = (self.now, self.life.number);
        self.say(|| format!("{what:?}"));
        match what {
            Happening::Kill(bytes) => self.begin_anew(Some(Death::OfProcess(bytes)))?,
            Happening::KillAtAnswer(bytes) => self.kill_at_answer = Some(bytes),
            Happening::PowerLoss(place) => self.begin_anew(Some(Death::OfMachine(place)))?,
            Happening::BadDisk(millis, is_slow) => {
                let until = now + Duration::from_millis(millis.into());
                self.bad_disks = Some((until, is_slow));
            }
            Happening::Reload => self.begin_anew(None)?,
            Happening::Panic(pieces) => self.panic_next = Some(pieces),
            Happening::Unready(millis) => {
                for place in 0..self.life.outputs.len() {
                    self.life.outputs[place].is_ready = false;
                    let back = now + Duration::from_millis(millis.into());
                    self.at(back, Event::Ready(life, place));
                }
            }
            Happening::Stop if self.life.stop.is_none() => {
                let times = self
                    .configs
                    .iter()
                    .map(|config| config.delivery.stop_timeout);
                let stop = now + times.min().unwrap_or_default();
                self.life.stop = Some(stop);
                for chunk in &mut self.chunks {
                    if let State::Flushed(due) = &mut chunk.state {
                        *due = stop.min(*due);
                    }
                }
                for (place, output) in self.script.outputs.iter().enumerate() {
                    let id = self.life.outputs[place].id;
                    self.life.streams[output.stream].stop(id, stop);
                    self.drive(output.stream)?;
                }
                self.at(stop + Duration::from_millis(1), Event::Exit(life));
            }
            Happening::Stop => {}
        }
        Ok(())
    }

    /// Another process takes over, or the same one with its configuration loaded anew.
    fn begin_anew(&mut self, death: Option<Death>) -> Result<(), String> {
        let is_other_process = death.is_some() || self.life.stop.is_some();
        let mut remembered = Vec::new();
        match death {
            None => remembered = self.leave(),
            // What was counted goes with the process.
            Some(_) => {
                self.count_ambiguous();
                self.ambiguous = self.counted_ambiguous;
            }
        }
        for call in self.life.calls.values().filter(|call| call.is_sent) {
            let documents: Vec<Id> = call.records.iter().flatten().copied().collect();
            if death.is_none() {
                self.ambiguous += documents.len() as u64;
            }
            let accepts = matches!(
                call.fate.what,
                What::Accept | What::Twice | What::Refuse(..)
            );
            if call.is_stored || accepts {
                self.stored.excuse(&documents);
            }
        }
        if is_other_process {
            remembered = self.read_journals(death);
        }
        let keeps_journal = self.script.journal_bytes.is_some();
        if (is_other_process && !keeps_journal) || self.small_ledgers() {
            self.forget_open();
        }
        self.hand_over_unheard();
        for place in 0..self.chunks.len() {
            if matches!(self.chunks[place].state, State::Flushed(_)) {
                self.give_back(place, Verdict::Retry);
            }
        }
        let number = self.life.number + 1;
        self.life = Life::new(number, self.now, self.script, &self.configs, remembered);
        Ok(())
    }

    /// All outputs leave: what their streams remember.
    fn leave(&mut self) -> Vec<Remembered> {
        let is_bad = self.is_bad_disk().is_some();
        for (place, output) in self.script.outputs.iter().enumerate() {
            let id = self.life.outputs[place].id;
            for ((stream, chunk), place) in &self.life.flushed {
                if *stream == output.stream {
                    let key = key(&self.chunks[*place].bytes);
                    self.life.streams[*stream].named(*chunk, key);
                }
            }
            let calls = &self.life.calls;
            let was_sent = |call| calls[&(output.stream, call)].is_sent;
            self.life.streams[output.stream].leave(self.now, id, was_sent);
        }
        self.count_ambiguous();
        let streams = mem::take(&mut self.life.streams).into_iter();
        let streams = streams.zip(&mut self.disks).map(|(mut stream, disk)| {
            if let Step::Write(page) = stream.next(self.now) {
                disk.write(page);
            }
            while disk.written(is_bad).is_some() {}
            stream.end(self.now)
        });
        streams.collect()
    }

    /// What another process finds; what it does not is excused.
    fn read_journals(&mut self, death: Option<Death>) -> Vec<Remembered> {
        if let Some(Death::OfMachine(_)) = death {
            self.forget_open();
            for answered in &self.life.unheard {
                let documents = &self.script.chunks[answered.place].documents;
                self.stored.forget(documents);
            }
            // Which were closed may not be known either, and then one of the same bytes is thought
            // to be an old one.
            for chunk in &self.script.chunks {
                chunk
                    .documents
                    .iter()
                    .for_each(|id| self.stored.may_drop(*id));
            }
        }
        let bytes = match death {
            // Nothing, half of the time.
            Some(Death::OfProcess(bytes)) => usize::from(bytes / 2 * (bytes % 2)),
            _ => 0,
        };
        let mut accepted: Vec<Id> = Vec::new();
        for disk in &mut self.disks {
            accepted.extend(disk.die(bytes));
        }
        // The host hears what is written before.
        let unheard = self.life.unheard.iter().filter(|_| self.is_good_disk());
        for answered in unheard {
            let documents = &self.script.chunks[answered.place].documents;
            accepted.retain(|id| !documents.contains(id) || self.has_twin(answered.place));
        }
        self.stored.excuse(&accepted);
        if let Some(Death::OfMachine(place)) = death {
            let disks = self.disks.iter_mut();
            disks.for_each(|disk| disk.lose_power(place.into()));
        }
        self.disks.iter_mut().map(Disk::read).collect()
    }

    /// What the host has not heard comes again, and is known if there is a journal.
    fn hand_over_unheard(&mut self) {
        let keeps_journal = self.script.journal_bytes.is_some();
        for place in 0..self.chunks.len() {
            let answered = self.chunks[place].answered;
            let is_late = answered.is_some_and(|at| self.now < at + LONGEST_UNHEARD);
            if is_late && keeps_journal && self.has_twin(place) {
                // One of the same bytes is taken for it.
                let documents = &self.script.chunks[place].documents;
                documents.iter().for_each(|id| self.stored.may_drop(*id));
            }
        }
        for answered in mem::take(&mut self.life.unheard) {
            let Answered { place, .. } = answered;
            let is_unheard = answered.is_behind || answered.at == self.now;
            if !is_unheard || self.has_twin(place) {
                continue;
            }
            if !self.is_good_disk() || self.small_ledgers() {
                self.stored.forget(&self.script.chunks[place].documents);
            }
            self.chunks[place].state = State::Away;
            self.at(self.now + RETRY, Event::Arrives(place));
        }
    }

    fn is_good_disk(&self) -> bool {
        self.script.journal_bytes.is_some() && self.bad_disks.is_none()
    }

    fn has_twin(&self, place: usize) -> bool {
        let documents = &self.script.chunks[place].documents;
        let chunks = self.script.chunks.iter();
        chunks.filter(|chunk| chunk.documents == *documents).count() > 1
    }
}

#[derive(Clone, Copy)]
enum Death {
    /// So many bytes of what was being written are.
    OfProcess(u16),
    /// With a place in the file.
    OfMachine(u16),
}

impl Life {
    fn new(
        number: u64,
        now: Instant,
        script: &Script,
        configs: &[Config],
        remembered: Vec<Remembered>,
    ) -> Self {
        let count = script.outputs.iter().map(|output| output.stream + 1).max();
        let seed = script.seed.wrapping_add(number);
        let mut streams: Vec<Stream> = (0..count.unwrap_or_default())
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
        let outputs = script.outputs.iter().zip(configs).enumerate();
        let outputs = outputs.map(|(place, (output, config))| {
            let id = OutputId(number * 100 + place as u64);
            let totals = Arc::new(Totals::default());
            let mut delivery = config.delivery.clone();
            delivery.resume = Bounds {
                max_chunks: output.resume_chunks,
                max_bytes: 1_000_000,
            };
            let log = Log::new(Level::Error);
            streams[output.stream].join(now, id, delivery, Arc::clone(&totals), log);
            Output {
                id,
                packer: Packer::new("logs", config.packing),
                totals,
                workers: vec![None; output.workers],
                is_ready: true,
            }
        });
        Self {
            number,
            outputs: outputs.collect(),
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
}

struct Waiters<'w> {
    stream: &'w mut Stream,
    place: usize,
    flushed: &'w HashMap<(usize, ChunkId), usize>,
    chunks: &'w [Chunk],
}

impl Source for Waiters<'_> {
    fn next(&mut self) -> Option<Piece> {
        self.stream.next_piece()
    }

    fn counted(&self, chunk: ChunkId) -> usize {
        self.stream.counted(chunk)
    }

    fn read<R>(&mut self, chunk: ChunkId, reader: impl FnOnce(&[u8]) -> R) -> R {
        // The host has the bytes of a chunk back with its answer: this finds who reads them later.
        let place = self.flushed[&(self.place, chunk)];
        reader(&self.chunks[place].bytes)
    }
}

fn key(chunk: &[u8]) -> Key {
    Key::new(&Secret([7; Secret::LENGTH]), "", "tag", chunk)
}

fn event(id: Id) -> Vec<u8> {
    let [a, b, c, d] = id.to_be_bytes();
    vec![0x92, 0x01, 0x81, 0xa2, b'i', b'd', 0xce, a, b, c, d]
}

fn config(output: &super::script::Output) -> Config {
    let config = Config::parse(|key| {
        let own = [("delivery_stream", "logs".to_owned())];
        let mut all = own.iter().chain(&output.options);
        let found = all.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.clone())
    });
    config.expect("the options are right")
}
