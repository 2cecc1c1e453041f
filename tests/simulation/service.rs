//! A model of Firehose that goes wrong by a seed, and remembers what it accepted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use firehose::failure::Cause;
use firehose::service::{CallError, Sent, Service};
use tokio::time::{Instant, sleep};

use crate::body;

/// A document's number, as its text has it.
pub(crate) type Id = u32;

#[derive(Clone)]
pub(crate) struct Model(Arc<Mutex<State>>);

struct State {
    random: Rng,
    mood: Mood,
    /// How often each document was accepted.
    accepted: BTreeMap<Id, u32>,
    /// How often a document may have been accepted beyond need.
    excused: BTreeMap<Id, u32>,
    quota: Option<f64>,
    tokens: f64,
    filled: Instant,
}

/// What the service is like for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    /// Goes wrong in this share of its calls.
    Moody(f64),
    /// Nothing is delivered until somebody mends something.
    Blocked(Cause),
    /// Answers nothing.
    Dead,
}

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let quota = random.bool().then(|| f64::from(random.u32(20..2_000)));
        Self(Arc::new(Mutex::new(State {
            mood: Mood::Well,
            accepted: BTreeMap::new(),
            excused: BTreeMap::new(),
            quota,
            tokens: quota.unwrap_or_default(),
            filled: Instant::now(),
            random,
        })))
    }

    /// Changes what the service is like.
    pub(crate) fn turn(&self) {
        let mut state = self.state();
        state.mood = match state.random.u8(..8) {
            0..=2 => Mood::Well,
            3..=5 => Mood::Moody(state.random.f64()),
            6 => {
                let causes = [
                    Cause::Credentials,
                    Cause::NoStream,
                    Cause::Kms,
                    Cause::Network,
                ];
                Mood::Blocked(causes[state.random.usize(..causes.len())])
            }
            _ => Mood::Dead,
        };
    }

    pub(crate) fn heal(&self) {
        self.state().mood = Mood::Well;
    }

    /// The process dies: what it accepted of these documents is forgotten by the plugin.
    pub(crate) fn excuse(&self, documents: impl Iterator<Item = Id>) {
        let mut state = self.state();
        for id in documents {
            let accepted = state.accepted.get(&id).copied().unwrap_or_default();
            let excused = state.excused.entry(id).or_default();
            *excused = accepted.max(*excused);
        }
    }

    /// Whether each document was accepted as often as expected, or is excused.
    pub(crate) fn judge(&self, expected: &BTreeMap<Id, u32>) -> Result<(), String> {
        let state = self.state();
        for (id, &expected) in expected {
            let accepted = state.accepted.get(id).copied().unwrap_or_default();
            let excused = state.excused.get(id).copied().unwrap_or_default();
            if accepted < expected {
                return Err(format!(
                    "document {id}: accepted {accepted} of {expected} times"
                ));
            }
            if accepted > expected + excused {
                return Err(format!(
                    "document {id}: accepted {accepted} times instead of {expected}, {excused} excused"
                ));
            }
        }
        match state.accepted.keys().find(|id| !expected.contains_key(id)) {
            Some(id) => Err(format!("document {id} was never sent")),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

/// Excuses a call's documents unless its answer was given.
struct Unanswered<'m> {
    model: &'m Model,
    stored: Vec<Id>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let mut state = self.model.state();
        for id in &self.stored {
            *state.excused.entry(*id).or_default() += 1;
        }
    }
}

enum Fate {
    /// The records refused, and why.
    Answer(Vec<bool>, Cause),
    /// The call fails; whether its records are stored all the same.
    Fail(Cause, bool),
    /// No answer ever comes; whether the records are stored.
    Hang(bool),
}

impl State {
    fn fate(&mut self, records: usize) -> Fate {
        let goes_wrong = match self.mood {
            Mood::Well => false,
            Mood::Moody(share) => self.random.f64() < share,
            Mood::Blocked(cause) => return Fate::Fail(cause, false),
            Mood::Dead => return Fate::Hang(self.random.u8(..4) == 0),
        };
        if !goes_wrong {
            return Fate::Answer(self.over_quota(records), Cause::Throttled);
        }
        let stored = self.random.bool();
        match self.random.u8(..8) {
            0 => Fate::Hang(stored),
            1 => Fate::Fail(Cause::Server, stored),
            2 => Fate::Fail(Cause::Unanswered, stored),
            3 => Fate::Fail(Cause::Throttled, false),
            4 => Fate::Fail(Cause::Network, false),
            5 => Fate::Answer(vec![true; records], Cause::Throttled),
            _ => {
                let share = self.random.f64();
                let refused = (0..records).map(|_| self.random.f64() < share).collect();
                let causes = [Cause::Throttled, Cause::Server];
                Fate::Answer(refused, causes[self.random.usize(..2)])
            }
        }
    }

    fn over_quota(&mut self, records: usize) -> Vec<bool> {
        let Some(quota) = self.quota else {
            return vec![false; records];
        };
        let seconds = self.filled.elapsed().as_secs_f64();
        self.filled = Instant::now();
        self.tokens = (self.tokens + seconds * quota).min(quota);
        let mut take = || {
            let fits = self.tokens >= 1.0;
            self.tokens -= f64::from(u8::from(fits));
            !fits
        };
        (0..records).map(|_| take()).collect()
    }
}

impl Service for Model {
    async fn put(
        &self,
        call: Bytes,
        records: usize,
        sent: Sent,
    ) -> Result<Vec<Result<(), Cause>>, CallError> {
        sent.set();
        let datas = body::datas(&call);
        assert_eq!(datas.len(), records);
        let documents: Vec<Vec<Id>> = datas.iter().map(|data| ids(data)).collect();
        let (fate, latency) = {
            let mut state = self.state();
            let latency = Duration::from_millis(state.random.u64(1..2_000));
            (state.fate(records), latency)
        };
        let stores = match &fate {
            Fate::Answer(refused, _) => refused.iter().map(|refused| !refused).collect(),
            Fate::Fail(_, stored) | Fate::Hang(stored) => vec![*stored; records],
        };
        let stored = documents.iter().zip(stores).filter(|(_, stored)| *stored);
        let stored: Vec<Id> = stored
            .flat_map(|(documents, _)| documents)
            .copied()
            .collect();
        for id in &stored {
            *self.state().accepted.entry(*id).or_default() += 1;
        }
        let mut unanswered = Unanswered {
            model: self,
            stored,
        };
        sleep(latency).await;
        match fate {
            Fate::Hang(_) => std::future::pending().await,
            Fate::Fail(cause, _) => Err(CallError {
                cause,
                text: "modelled".to_owned(),
            }),
            Fate::Answer(refused, cause) => {
                unanswered.stored.clear();
                let result = |refused| if refused { Err(cause) } else { Ok(()) };
                Ok(refused.into_iter().map(result).collect())
            }
        }
    }
}

/// The numbers of a record's documents, which must be whole lines.
fn ids(record: &[u8]) -> Vec<Id> {
    let text = std::str::from_utf8(record).expect("a record is text");
    let lines = text
        .strip_suffix('\n')
        .expect("a record ends in a newline")
        .split('\n');
    let id =
        |line: &str| serde_json::from_str::<BTreeMap<String, Id>>(line).expect("a document")["id"];
    lines.map(id).collect()
}
