//! A host, its process with the plugin, and the service, in virtual time.

mod calls;
mod drive;
mod ends;
mod host;
mod life;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use firehose_core::deliver::stream::CallId;
use firehose_core::options::Config;

use self::life::{Life, Member};
use super::disk::Disk;
use super::script::{self, Happening, Id, Script};
use super::service::Stored;

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
    /// Until when each stream is gone.
    missing: Vec<Instant>,
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
    Conclude(u64, usize),
    Written(u64, usize),
    Exit(u64),
}

struct Chunk {
    bytes: Vec<u8>,
    state: State,
    /// When the host was answered that it is done with.
    answered: Option<Instant>,
    /// Its flush had no time left to wait for the journal.
    is_at_deadline: bool,
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

impl<'s> World<'s> {
    /// Plays a history: what went wrong in it, with its story if asked for.
    pub(crate) fn play(script: &'s Script, is_told: bool) -> Result<(), String> {
        Self::new(script, is_told).run()
    }

    pub(crate) fn new(script: &'s Script, is_told: bool) -> Self {
        let start = Instant::now();
        let chunk = |chunk: &script::Chunk| Chunk {
            bytes: chunk.documents.iter().flat_map(|id| event(*id)).collect(),
            state: State::Away,
            answered: None,
            is_at_deadline: false,
        };
        let configs: Vec<Config> = script.outputs.iter().map(life::config).collect();
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
            missing: vec![start; script.streams],
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
        let members = self.life.members.iter();
        let counts = members.map(|member| member.totals.ambiguous.get());
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
            Event::Ready(of, member) if of == life => {
                let member = &mut self.life.members[member];
                member.is_ready = true;
                let Member { id, stream, .. } = *member;
                self.life.streams[stream].ready(id);
                self.drive(stream)?;
            }
            Event::Conclude(of, output) if of == life => {
                let wake = &mut self.life.outputs[output].wake;
                if wake.take_if(|wake| *wake == self.now).is_some() {
                    self.conclude(output)?;
                }
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

    /// Whether the disks are bad, and if so, only slow.
    fn is_bad_disk(&self) -> Option<bool> {
        let bad = self.bad_disks.filter(|(until, _)| self.now < *until);
        bad.map(|(_, is_slow)| is_slow)
    }

    fn forget_open(&mut self) {
        let chunks = self.chunks.iter().zip(&self.script.chunks);
        let open = chunks.filter(|(chunk, _)| chunk.state != State::Done);
        for (_, chunk) in open {
            self.stored.forget(&chunk.documents);
        }
    }

    fn small_ledgers(&self) -> bool {
        self.script
            .outputs
            .iter()
            .any(|output| output.resume_chunks < 10)
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

fn event(id: Id) -> Vec<u8> {
    let [a, b, c, d] = id.to_be_bytes();
    vec![0x92, 0x01, 0x81, 0xa2, b'i', b'd', 0xce, a, b, c, d]
}
