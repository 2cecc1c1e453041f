//! Backlogs on their way through a gate into models of streams, in virtual time: how long that
//! takes, and how much is sent for it.

use std::cell::RefCell;

use fastrand::Rng;

use super::*;
use crate::limits::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS};

const MIB: f64 = 1_048_576.0;
const SEEDS: u64 = 8;

/// A stream, what it is sent, and what that may cost whatever the seed.
#[derive(Clone, Copy, Debug)]
struct Story {
    record_bytes: usize,
    /// The share of the records that is refused whatever the rate.
    refused: f64,
    /// Bytes per second that are taken, in the first 10 seconds and then; none: all.
    quota: Option<[f64; 2]>,
    backlog: f64,
    /// At most so many seconds, or with a quota so many times as long as the stream would need.
    time: f64,
    /// At most so many times the bytes that are sent if nothing is refused for the rate.
    sent: f64,
}

const fn story(record_bytes: usize, refused: f64, time: f64, sent: f64) -> Story {
    Story {
        record_bytes,
        refused,
        quota: None,
        backlog: 60e6,
        time,
        sent,
    }
}

impl Story {
    const fn of(self, quota: f64) -> Self {
        self.changing(quota, quota)
    }

    const fn changing(self, first: f64, then: f64) -> Self {
        Self {
            quota: Some([first, then]),
            backlog: if first > MIB {
                30.0 * first
            } else {
                32.0 * MIB
            },
            ..self
        }
    }
}

/// By record size: 500 records to a call, a few dozen, 1 to 16.
const SMALL: usize = 400;
const MIDDLE: usize = 20_000;
const LARGE: usize = 261_000;

const STORIES: &[Story] = &[
    // A quota alone.
    story(SMALL, 0.0, 1.1, 1.15).of(300_000.0),
    story(SMALL, 0.0, 1.1, 1.15).of(MIB),
    story(SMALL, 0.0, 1.1, 1.1).of(5.0 * MIB),
    story(MIDDLE, 0.0, 1.1, 1.25).of(300_000.0),
    story(MIDDLE, 0.0, 1.1, 1.15).of(MIB),
    story(MIDDLE, 0.0, 1.1, 1.1).of(5.0 * MIB),
    story(LARGE, 0.0, 1.1, 1.25).of(MIB),
    story(LARGE, 0.0, 1.1, 1.2).of(5.0 * MIB),
    // A record a second tells little: more is sent.
    story(LARGE, 0.0, 1.1, 1.5).of(300_000.0),
    // A quota that changes.
    story(SMALL, 0.0, 1.15, 1.15).changing(5.0 * MIB, MIB),
    story(SMALL, 0.0, 1.25, 1.15).changing(MIB, 5.0 * MIB),
    story(LARGE, 0.0, 1.25, 1.25).changing(5.0 * MIB, MIB),
    story(LARGE, 0.0, 1.5, 1.25).changing(MIB, 5.0 * MIB),
    // Refusals that have nothing to do with the rate.
    story(SMALL, 0.05, 20.0, 1.05),
    story(SMALL, 0.3, 15.0, 1.05),
    story(SMALL, 0.6, 15.0, 1.05),
    story(MIDDLE, 0.05, 20.0, 1.05),
    story(MIDDLE, 0.3, 25.0, 1.05),
    story(MIDDLE, 0.6, 25.0, 1.05),
    story(LARGE, 0.05, 20.0, 1.1),
    story(LARGE, 0.3, 30.0, 1.15),
    story(LARGE, 0.6, 40.0, 1.25),
    // Both.
    story(SMALL, 0.05, 1.25, 1.15).of(MIB),
    story(SMALL, 0.3, 1.25, 1.35).of(300_000.0),
    story(SMALL, 0.3, 1.25, 1.15).of(MIB),
    story(SMALL, 0.3, 1.25, 1.15).of(5.0 * MIB),
    story(SMALL, 0.6, 1.25, 1.2).of(MIB),
    story(MIDDLE, 0.05, 1.25, 1.25).of(MIB),
    story(MIDDLE, 0.3, 1.5, 1.4).of(MIB),
    story(MIDDLE, 0.6, 1.75, 1.75).of(MIB),
    // Few records tell little: more time or more bytes are needed.
    story(LARGE, 0.05, 1.25, 1.55).of(MIB),
    story(LARGE, 0.3, 2.0, 2.0).of(MIB),
    story(LARGE, 0.3, 2.25, 1.5).of(5.0 * MIB),
    story(LARGE, 0.6, 2.25, 2.5).of(MIB),
];

/// Refuses by chance, and what is over its quota; it saves up a second's worth.
struct Stream {
    story: Story,
    rng: Rng,
    started: Instant,
    filled: Instant,
    tokens: f64,
}

impl Stream {
    fn new(story: Story, seed: u64) -> Self {
        Self {
            story,
            rng: Rng::with_seed(seed),
            started: Instant::now(),
            filled: Instant::now(),
            tokens: story.quota.map_or(0.0, |[quota, _]| quota),
        }
    }

    fn latency(&mut self) -> Duration {
        Duration::from_millis(self.rng.u64(20..30))
    }

    /// How many of so many records are accepted.
    fn accept(&mut self, records: usize) -> usize {
        if let Some([first, then]) = self.story.quota {
            let is_first = self.started.elapsed() < CHANGE;
            let quota = if is_first { first } else { then };
            let seconds = self.filled.elapsed().as_secs_f64();
            self.tokens = (self.tokens + seconds * quota).min(quota);
        }
        self.filled = Instant::now();
        let accepted = (0..records).filter(|_| self.accepts_a_record());
        accepted.count()
    }

    fn accepts_a_record(&mut self) -> bool {
        let is_over_quota = self.story.quota.is_some() && self.tokens <= 0.0;
        let is_accepted = self.rng.f64() >= self.story.refused && !is_over_quota;
        if is_accepted {
            self.tokens -= self.story.record_bytes as f64;
        }
        is_accepted
    }
}

const CHANGE: Duration = Duration::from_secs(10);

/// Seconds, and bytes sent.
async fn drain(story: Story, seed: u64) -> (f64, f64) {
    let gate = Gate::new(Limits {
        max_in_flight: 4,
        ..OPEN
    });
    let stream = RefCell::new(Stream::new(story, seed));
    let left = RefCell::new(records(story));
    let sent = RefCell::new(0);
    let lane = async || {
        while *left.borrow() > 0 {
            let turn = gate.turn().await;
            let fitting = turn.max_bytes().min(MAX_BATCH_BYTES) / story.record_bytes;
            let records = fitting.clamp(1, MAX_BATCH_RECORDS).min(*left.borrow());
            if records == 0 {
                break;
            }
            *left.borrow_mut() -= records;
            *sent.borrow_mut() += records;
            let pass = turn.pass(records * story.record_bytes, records);
            let latency = stream.borrow_mut().latency();
            tokio::time::sleep(latency).await;
            let accepted = stream.borrow_mut().accept(records);
            *left.borrow_mut() += records - accepted;
            match accepted == records {
                true => pass.accepted(),
                false => pass.throttled(accepted * story.record_bytes, 0.5),
            }
        }
    };
    let start = Instant::now();
    tokio::join!(lane(), lane(), lane(), lane());
    let sent = sent.into_inner() * story.record_bytes;
    (start.elapsed().as_secs_f64(), sent as f64)
}

/// The bytes that are sent if nothing is refused for the rate.
fn needed(story: Story) -> f64 {
    (records(story) * story.record_bytes) as f64 / (1.0 - story.refused)
}

fn records(story: Story) -> usize {
    (story.backlog / story.record_bytes as f64) as usize
}

/// The seconds that the stream needs for it, by its quota.
fn own_time(story: Story) -> Option<f64> {
    let [first, then] = story.quota?;
    let rest = story.backlog - first * CHANGE.as_secs_f64();
    Some(match rest > 0.0 {
        true => CHANGE.as_secs_f64() + rest / then,
        false => story.backlog / first,
    })
}

#[tokio::test(start_paused = true)]
async fn backlogs_drain_in_time_and_with_little_sent_in_vain() {
    let mut faults = Vec::new();
    for story in STORIES {
        let (mut longest, mut most) = (0.0_f64, 0.0_f64);
        for seed in 0..SEEDS {
            let (seconds, sent) = drain(*story, seed).await;
            longest = longest.max(seconds / own_time(*story).unwrap_or(1.0));
            most = most.max(sent / needed(*story));
        }
        if longest > story.time || most > story.sent {
            faults.push(format!("{story:?}: time {longest:.2}, sent {most:.2}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Where few records tell little, a few histories tell little of the gate, and many tell much.
#[tokio::test(start_paused = true)]
async fn large_records_are_sent_in_vain_no_more_than_that_on_average() {
    const MANY: u64 = 100;
    for (refused, at_most) in [(0.05, 1.25), (0.3, 1.6), (0.6, 1.9)] {
        let story = story(LARGE, refused, 0.0, 0.0).of(MIB);
        let mut sum = 0.0;
        for seed in 0..MANY {
            let (_, sent) = drain(story, seed).await;
            sum += sent / needed(story);
        }
        let mean = sum / MANY as f64;
        assert!(mean <= at_most, "{refused}: {mean:.3}");
    }
}
