//! What happens in a history, all of it decided before it begins.

use std::time::Duration;

use fastrand::Rng;
use firehose_core::deliver::failure::Cause;

/// A document's number, as its text has it.
pub(crate) type Id = u32;

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    /// How many delivery streams there are.
    pub(crate) streams: usize,
    pub(crate) outputs: Vec<Output>,
    pub(crate) chunks: Vec<Chunk>,
    /// What becomes of each call, in the order in which they begin; later ones are accepted.
    pub(crate) fates: Vec<Fate>,
    pub(crate) happenings: Vec<(Duration, Happening)>,
    /// Of each stream's file, if it keeps one.
    pub(crate) journal_bytes: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Those that it sends to. If they are several, each document has its one.
    pub(crate) streams: Vec<usize>,
    /// How many chunks wait at a time, and whether each of them holds a thread of the host.
    pub(crate) workers: usize,
    pub(crate) holds_threads: bool,
    pub(crate) options: Vec<(&'static str, String)>,
    pub(crate) batch_bytes: usize,
    pub(crate) resume_chunks: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) output: usize,
    pub(crate) arrives: Duration,
    pub(crate) documents: Vec<Id>,
    /// Of each document, to which of the output's streams it goes.
    pub(crate) ways: Vec<usize>,
    /// The service refuses any call that holds one of these.
    pub(crate) poison: Vec<Id>,
}

/// What the service makes of a call.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) after: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Accept,
    /// The records at the bits of a mask are refused.
    Refuse(u32, Cause),
    /// Whether its records are stored all the same.
    Fail(Cause, bool),
    /// Nothing goes out.
    Unconnected,
    /// No answer ever comes.
    Never(bool),
    /// It is accepted, and the answer comes a second time.
    Twice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The host is told to stop, and comes again.
    Stop,
    /// The configuration is loaded anew.
    Reload,
    /// The process is gone from one moment to the next, and comes again. So many bytes of what was
    /// to be written last are.
    Kill(u16),
    /// The same, as soon as the host hears of a chunk that is done with.
    KillAtAnswer(u16),
    /// The machine is gone: of its files an end is lost, or a page of them is empty.
    PowerLoss(u16),
    /// Nothing can be written for a while, or what is takes so long.
    BadDisk(u16, bool),
    /// The next packing ends by a panic, after so many pieces.
    Panic(u8),
    /// Credentials are gone for a while.
    Unready(u16),
    /// A delivery stream is gone for so many seconds.
    NoStream(u8, u16),
}

impl Output {
    pub(crate) fn is_routed(&self) -> bool {
        self.streams.len() > 1
    }
}

impl Happening {
    pub(crate) fn ends_process(self) -> bool {
        matches!(
            self,
            Self::Stop | Self::Kill(_) | Self::KillAtAnswer(_) | Self::PowerLoss(_)
        )
    }
}

/// When the first of the last chunks come, and how often more of them do.
const LAST: Duration = Duration::from_secs(1_200);
const ROUNDS: u32 = 7;

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        // Of more, one output has several.
        let streams = random.usize(1..5);
        let outputs: Vec<Output> = (0..random.usize(1..4))
            .map(|place| output(&mut random, streams, streams > 2 && place == 0))
            .collect();
        let chunks = chunks(&mut random, &outputs);
        let fates = fates(&mut random);
        let happenings = (0..random.usize(0..4)).map(|_| {
            let at = Duration::from_millis(random.u64(0..60_000));
            let what = match random.u8(..16) {
                0 => Happening::Stop,
                1 | 2 => Happening::Reload,
                3 | 4 => Happening::Kill(random.u16(..)),
                5 => Happening::KillAtAnswer(random.u16(..)),
                6 => Happening::PowerLoss(random.u16(..)),
                7 => Happening::BadDisk(random.u16(1..10_000), random.bool()),
                8..=10 => Happening::Panic(random.u8(..4)),
                11 | 12 => Happening::NoStream(random.u8(..), random.u16(1..300)),
                _ => Happening::Unready(random.u16(1..20_000)),
            };
            (at, what)
        });
        Self {
            seed,
            happenings: happenings.collect(),
            journal_bytes: random.bool().then(|| 1 << random.u8(6..14)),
            streams,
            outputs,
            chunks,
            fates,
        }
    }

    /// This script without one of its parts, each in turn, the large ones first.
    pub(crate) fn shorter(&self) -> Vec<Self> {
        let mut shorter = Vec::new();
        let mut without = |change: &dyn Fn(&mut Self)| {
            let mut script = self.clone();
            change(&mut script);
            shorter.push(script);
        };
        let half = self.fates.len() / 2;
        if half > 0 {
            without(&|script| script.fates.truncate(half));
        }
        for at in 0..self.happenings.len() {
            without(&|script| _ = script.happenings.remove(at));
        }
        let early = self.chunks.iter().take_while(|chunk| chunk.arrives < LAST);
        for at in 0..early.count() {
            without(&|script| _ = script.chunks.remove(at));
            if self.chunks[at].documents.len() > 1 {
                without(&|script| _ = script.chunks[at].documents.pop());
            }
            let ways = &self.chunks[at].ways;
            if ways.iter().any(|way| *way != ways[0]) {
                without(&|script| script.chunks[at].ways.fill(ways[0]));
            }
            if !self.chunks[at].poison.is_empty() {
                without(&|script| script.chunks[at].poison.clear());
            }
        }
        for at in 0..self.fates.len() {
            without(&|script| _ = script.fates.remove(at));
            if !matches!(self.fates[at].what, What::Accept) {
                without(&|script| script.fates[at].what = What::Accept);
            }
        }
        for at in 0..self.outputs.len() {
            // Others are bounded by the first one.
            for option in 1..self.outputs[at].options.len() {
                without(&|script| _ = script.outputs[at].options.remove(option));
            }
        }
        shorter
    }
}

fn output(random: &mut Rng, streams: usize, is_routed: bool) -> Output {
    let flush_timeout = random.u64(1..40);
    let request_timeout = random.u64(100..=flush_timeout * 1_000);
    let mut options = vec![
        ("flush_timeout", format!("{flush_timeout}s")),
        ("request_timeout", format!("{request_timeout}ms")),
        ("max_in_flight", random.u8(1..5).to_string()),
        ("stop_timeout", random.u8(0..10).to_string()),
    ];
    if random.bool() {
        options.push(("auto_retry_requests", "false".to_owned()));
    }
    if random.bool() {
        options.push(("simple_aggregation", "true".to_owned()));
        options.push(("aggregation_max_documents", random.u8(1..5).to_string()));
    }
    if random.bool() {
        let longest = flush_timeout * 250;
        options.push(("linger", format!("{}ms", random.u64(0..=longest))));
    }
    if random.u8(..4) == 0 {
        options.push(("max_requests_per_second", random.u8(1..20).to_string()));
    }
    let mut own: Vec<usize> = (0..streams).collect();
    random.shuffle(&mut own);
    own.truncate(match is_routed || (streams > 2 && random.u8(..4) == 0) {
        true => random.usize(2..=streams),
        false => 1,
    });
    let holds_threads = random.bool();
    Output {
        streams: own,
        workers: random.usize(1..if holds_threads { 4 } else { 9 }),
        holds_threads,
        options,
        batch_bytes: random.usize(10..400),
        resume_chunks: if random.u8(..10) == 0 {
            random.usize(1..3)
        } else {
            1_000
        },
    }
}

/// A few chunks of a few documents; some are equal to another, byte for byte.
fn chunks(random: &mut Rng, outputs: &[Output]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut next = 0;
    for _ in 0..random.usize(1..7) {
        let arrives = Duration::from_millis(random.u64(0..30_000) * random.u64(0..2));
        if !chunks.is_empty() && random.u8(..4) == 0 {
            let twin = chunks[random.usize(..chunks.len())].clone();
            chunks.push(Chunk { arrives, ..twin });
            continue;
        }
        let documents: Vec<Id> = (next..next + random.u32(1..12)).collect();
        next += documents.len() as Id;
        let poison = match random.u8(..10) {
            0 => vec![documents[random.usize(..documents.len())]],
            _ => Vec::new(),
        };
        let output = random.usize(..outputs.len());
        let streams = outputs[output].streams.len();
        // All of them go one way, in some chunks.
        let (from, to) = match random.u8(..6) {
            0 => (streams - 1, streams),
            _ => (0, streams),
        };
        let ways = documents.iter().map(|_| random.usize(from..to)).collect();
        chunks.push(Chunk {
            output,
            arrives,
            documents,
            ways,
            poison,
        });
    }
    // Once something else is accepted it is known of a document that it is bad; equal chunks are
    // found out one after the other.
    for round in 0..ROUNDS {
        for (place, output) in outputs.iter().enumerate() {
            let ways = 0..output.streams.len();
            let end = next + ways.len() as Id;
            chunks.push(Chunk {
                output: place,
                arrives: LAST * (round + 1),
                documents: (next..end).collect(),
                ways: ways.collect(),
                poison: Vec::new(),
            });
            next = end;
        }
    }
    chunks
}

/// Histories begin in any mood, and change it.
fn fates(random: &mut Rng) -> Vec<Fate> {
    let mut fates = Vec::new();
    for _ in 0..random.usize(0..4) {
        let share = random.f64();
        let slow = random.u64(1..20_000);
        let favourite = what(random);
        for _ in 0..random.usize(1..15) {
            let what = match random.f64() < share {
                true if random.bool() => favourite.clone(),
                true => what(random),
                false => What::Accept,
            };
            let after = Duration::from_millis(random.u64(0..slow));
            fates.push(Fate { after, what });
        }
    }
    fates
}

fn what(random: &mut Rng) -> What {
    let stored = random.bool();
    match random.u8(..16) {
        0 | 1 => What::Refuse(random.u32(..), Cause::Throttled),
        2 => What::Refuse(random.u32(..), Cause::Server),
        3 => What::Refuse(u32::MAX, Cause::Throttled),
        4 => What::Fail(Cause::Throttled, false),
        5 => What::Fail(Cause::Server, stored),
        6 | 7 => What::Fail(Cause::Unanswered, stored),
        8 => What::Fail(Cause::Bug, stored),
        9 => What::Fail(Cause::Credentials, false),
        10 => What::Fail(Cause::Payload, false),
        11 => What::Fail(Cause::Serialization, false),
        12 => What::Unconnected,
        13 | 14 => What::Never(stored),
        _ => What::Twice,
    }
}
