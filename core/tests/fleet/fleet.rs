//! Processes that share a stream, in virtual time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use fastrand::Rng;

use crate::process::{Call, Next, Process, Source};
use crate::stream::{Rules, SECOND, Stream, Time, Unit, Verdict};

/// What is told apart of what happened when.
pub(crate) const BIN: Time = 10 * SECOND;

pub(crate) struct Fleet {
    pub(crate) stream: Stream,
    pub(crate) processes: Vec<Process>,
    wakes: Vec<Time>,
    events: BinaryHeap<Event>,
    count: u64,
    pub(crate) now: Time,
    /// By bin.
    pub(crate) bins: Vec<Bin>,
    /// Calls by second.
    pub(crate) calls: Vec<u32>,
    rng: Rng,
}

#[derive(Clone, Default)]
pub(crate) struct Bin {
    pub(crate) sent: f64,
    /// Of the quota's unit.
    pub(crate) used: f64,
    /// By process.
    pub(crate) accepted: Vec<f64>,
}

struct Event {
    time: Time,
    number: u64,
    what: What,
}

enum What {
    Wake(usize),
    Arrive(Call),
    Answer(Call),
}

impl Fleet {
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self {
            stream: Stream::new(rules, seed),
            processes: Vec::new(),
            wakes: Vec::new(),
            events: BinaryHeap::new(),
            count: 0,
            now: 0,
            bins: Vec::new(),
            calls: Vec::new(),
            rng: Rng::with_seed(!seed),
        }
    }

    pub(crate) fn start(&mut self, source: Source, aggregates: bool, at: Time) {
        let seed = self.rng.u64(..);
        self.processes
            .push(Process::new(source, aggregates, at, seed));
        self.wakes.push(Time::MAX);
        self.wake(self.processes.len() - 1, at);
    }

    pub(crate) fn run(&mut self, until: Time) {
        while let Some(event) = self.events.pop() {
            if event.time > until {
                self.events.push(event);
                break;
            }
            self.now = event.time;
            match event.what {
                What::Wake(process) => {
                    if self.wakes[process] == event.time {
                        self.wakes[process] = Time::MAX;
                        self.go_on(process);
                    }
                }
                What::Arrive(mut call) => {
                    call.verdict = self
                        .stream
                        .take(self.now, call.records, call.record_bytes());
                    self.note(&call);
                    self.push(self.now + call.latency / 2, What::Answer(call));
                }
                What::Answer(call) => {
                    self.processes[call.process].learn(self.now, call);
                    self.go_on(call.process);
                }
            }
            if self.processes.iter().all(Process::is_done) {
                return;
            }
        }
        self.now = until;
    }

    fn go_on(&mut self, process: usize) {
        loop {
            match self.processes[process].next(process, self.now) {
                Next::Begin(call) => {
                    let second = (self.now / SECOND) as usize;
                    if self.calls.len() <= second {
                        self.calls.resize(second + 1, 0);
                    }
                    self.calls[second] += 1;
                    self.push(self.now + call.latency / 2, What::Arrive(call));
                }
                Next::Wake(at) => return self.wake(process, at),
                Next::Wait => return,
            }
        }
    }

    fn wake(&mut self, process: usize, at: Time) {
        self.wakes[process] = at;
        self.push(at, What::Wake(process));
    }

    fn push(&mut self, time: Time, what: What) {
        self.count += 1;
        self.events.push(Event {
            time,
            number: self.count,
            what,
        });
    }

    fn note(&mut self, call: &Call) {
        let index = (self.now / BIN) as usize;
        if self.bins.len() <= index {
            self.bins.resize(index + 1, Bin::default());
        }
        let bin = &mut self.bins[index];
        bin.accepted.resize(self.processes.len(), 0.0);
        bin.sent += call.bytes() as f64;
        if let Verdict::Answered { accepted, .. } = call.verdict {
            let bytes = (accepted * call.record_bytes()) as f64;
            bin.accepted[call.process] += bytes;
            bin.used += match self.stream.rules.unit {
                Unit::Bytes => bytes,
                Unit::Records => accepted as f64,
                Unit::Calls => 1.0,
            };
        }
    }

    /// From the start.
    pub(crate) fn sent_over_accepted(&self) -> f64 {
        let sent: f64 = self.bins.iter().map(|bin| bin.sent).sum();
        let accepted: f64 = self.bins.iter().flat_map(|bin| &bin.accepted).sum();
        sent / accepted
    }

    /// Used share of the quota, sent over accepted, and the least of Jain's indices.
    pub(crate) fn figures(&self, from: Time, until: Time) -> Figures {
        let bins = &self.bins[(from / BIN) as usize..(until / BIN) as usize];
        let used: f64 = bins.iter().map(|bin| bin.used).sum();
        let seconds = (until - from) as f64 / SECOND as f64;
        let sent: f64 = bins.iter().map(|bin| bin.sent).sum();
        let accepted: f64 = bins.iter().flat_map(|bin| &bin.accepted).sum();
        let minute = (60 * SECOND / BIN) as usize;
        let jains = bins.windows(minute).map(|bins| {
            let mut each = vec![0.0; self.processes.len()];
            for bin in bins {
                for (sum, accepted) in each.iter_mut().zip(&bin.accepted) {
                    *sum += accepted;
                }
            }
            let sum: f64 = each.iter().sum();
            let squares: f64 = each.iter().map(|x| x * x).sum();
            sum * sum / (each.len() as f64 * squares)
        });
        Figures {
            used: used / seconds / self.stream.rules.quota,
            sent: sent / accepted,
            jain: jains.fold(1.0, f64::min),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) used: f64,
    pub(crate) sent: f64,
    pub(crate) jain: f64,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    /// The earliest is the greatest: the heap hands it out first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.number).cmp(&(self.time, self.number))
    }
}
