//! Fault stories on a paused clock: each row says what the service does with each call, and what
//! must have been sent and come of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

use super::*;
use crate::chunk;
use crate::document::Format;
use crate::gate::{FIRST_PAUSE, Limits};
use crate::pack::Packing;

/// What the service does with one call.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Accept,
    /// Refuses the records at these places in the call.
    Refuse(&'static [usize], Cause),
    Fail(Cause),
    /// Never answers.
    Hang,
    /// Fails calls of more than this many records.
    AtMost(usize),
    /// Fails calls that hold this document, as often as it comes.
    Poison(&'static str),
}

/// Plays a script; after its end the last answer stays.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    /// The documents of each call.
    calls: Mutex<Vec<String>>,
    accepted: Mutex<Vec<String>>,
}

impl Script {
    fn new(answers: &[Answer]) -> Self {
        Self {
            answers: Mutex::new(answers.iter().copied().collect()),
            ..Self::default()
        }
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        match answers.len() {
            0 => Answer::Accept,
            1 => answers[0],
            _ => answers.pop_front().unwrap(),
        }
    }
}

fn failure(cause: Cause) -> CallError {
    CallError {
        cause,
        text: "scripted".to_owned(),
    }
}

impl Service for Script {
    async fn put(&self, records: &[&[u8]]) -> Result<Vec<Result<(), Cause>>, CallError> {
        let names: Vec<String> = records
            .iter()
            .map(|record| String::from_utf8_lossy(record).replace('\n', ""))
            .collect();
        self.calls.lock().unwrap().push(names.concat());
        let results = match self.next() {
            Answer::Accept => vec![Ok(()); records.len()],
            Answer::Refuse(refused, cause) => (0..records.len())
                .map(|place| {
                    if refused.contains(&place) {
                        Err(cause)
                    } else {
                        Ok(())
                    }
                })
                .collect(),
            Answer::Fail(cause) => return Err(failure(cause)),
            Answer::Hang => std::future::pending().await,
            Answer::AtMost(most) if records.len() > most => return Err(failure(Cause::Payload)),
            Answer::Poison(name) if names.iter().any(|document| document == name) => {
                return Err(failure(Cause::Payload));
            }
            Answer::AtMost(_) | Answer::Poison(_) => vec![Ok(()); records.len()],
        };
        let mut accepted = self.accepted.lock().unwrap();
        for (name, result) in names.into_iter().zip(&results) {
            if result.is_ok() {
                accepted.push(name);
            }
        }
        Ok(results)
    }
}

#[derive(Default)]
struct Lines(RefCell<Vec<(Level, String)>>);

impl Sink for Lines {
    fn line(&self, level: Level, text: String) {
        self.0.borrow_mut().push((level, text));
    }
}

/// Records of one letter each.
pub(super) fn packed(letters: &str) -> Packed {
    let mut bytes = Vec::new();
    for letter in letters.chars() {
        let body = rmpv::Value::Map(vec![("l".into(), letter.to_string().into())]);
        let event = rmpv::Value::Array(vec![0.into(), body]);
        rmpv::encode::write_value(&mut bytes, &event).unwrap();
    }
    let format = Format {
        log_key: Some("l".to_owned()),
        max_bytes: 100,
        ..Format::default()
    };
    let packing = Packing {
        aggregation: None,
        compression: None,
    };
    let documents = chunk::format(&bytes, &format).documents;
    let all = documents.all();
    packing.pack(documents, &[all])
}

const OPTIONS: Delivery = Delivery {
    batch_size: 4_194_304,
    max_in_flight: 2,
    request_timeout: Duration::from_secs(10),
    flush_timeout: Duration::from_secs(30),
    auto_retry_requests: true,
};

fn left(delivered: &Delivered) -> usize {
    delivered.undelivered.iter().map(Range::len).sum()
}

fn gate(options: &Delivery) -> Gate {
    Gate::new(Limits {
        max_in_flight: options.max_in_flight,
        bytes_per_second: None,
        records_per_second: None,
        requests_per_second: None,
    })
}

struct Told {
    delivered: Delivered,
    calls: Vec<String>,
    accepted: String,
    elapsed: Duration,
    lines: Vec<(Level, String)>,
}

async fn tell(letters: &str, options: &Delivery, answers: &[Answer]) -> Told {
    let script = Script::new(answers);
    let lines = Lines::default();
    let start = Instant::now();
    let dispatch = Dispatch {
        service: &script,
        options,
        gate: &gate(options),
        limiter: &Limiter::new(Level::Debug),
        sink: &lines,
        random: || 1.0,
        deadline: start + options.flush_timeout,
    };
    let delivered = dispatch.deliver(&packed(letters)).await;
    let mut accepted = script.accepted.into_inner().unwrap();
    accepted.sort();
    Told {
        delivered,
        calls: script.calls.into_inner().unwrap(),
        accepted: accepted.concat(),
        elapsed: start.elapsed(),
        lines: lines.0.into_inner(),
    }
}

/// How `abcd` is delivered.
struct Story {
    name: &'static str,
    answers: &'static [Answer],
    calls: &'static [&'static str],
    accepted: &'static str,
    dropped: u64,
    failed: bool,
}

const STORIES: &[Story] = &[
    Story {
        name: "all is well",
        answers: &[Answer::Accept],
        calls: &["abcd"],
        accepted: "abcd",
        dropped: 0,
        failed: false,
    },
    Story {
        name: "only refused records are sent again",
        answers: &[
            Answer::Refuse(&[0, 2], Cause::Throttled),
            Answer::Refuse(&[1], Cause::Server),
            Answer::Accept,
        ],
        calls: &["abcd", "ac", "c"],
        accepted: "abcd",
        dropped: 0,
        failed: false,
    },
    Story {
        name: "a failed call is sent again whole",
        answers: &[
            Answer::Fail(Cause::Throttled),
            Answer::Fail(Cause::Server),
            Answer::Accept,
        ],
        calls: &["abcd", "abcd", "abcd"],
        accepted: "abcd",
        dropped: 0,
        failed: false,
    },
    Story {
        name: "a call that hangs is sent again",
        answers: &[Answer::Hang, Answer::Accept],
        calls: &["abcd", "abcd"],
        accepted: "abcd",
        dropped: 0,
        failed: false,
    },
    Story {
        name: "a batch that is too large is split",
        answers: &[Answer::AtMost(1)],
        calls: &["abcd", "ab", "a", "b", "cd", "c", "d"],
        accepted: "abcd",
        dropped: 0,
        failed: false,
    },
    Story {
        name: "one bad record is dropped alone",
        answers: &[Answer::Poison("c")],
        calls: &["abcd", "ab", "cd", "c", "d"],
        accepted: "abd",
        dropped: 1,
        failed: false,
    },
    Story {
        name: "a stream of the wrong kind ends the flush at once",
        answers: &[Answer::Fail(Cause::WrongSource)],
        calls: &["abcd"],
        accepted: "",
        dropped: 0,
        failed: true,
    },
];

#[tokio::test(start_paused = true)]
async fn stories() {
    for story in STORIES {
        let name = story.name;
        let told = tell("abcd", &OPTIONS, story.answers).await;
        let delivered = &told.delivered;
        assert_eq!(told.calls, story.calls, "{name}");
        assert_eq!(told.accepted, story.accepted, "{name}");
        assert_eq!(delivered.documents, story.accepted.len() as u64, "{name}");
        assert_eq!(delivered.calls, story.calls.len() as u64, "{name}");
        assert_eq!(delivered.dropped_documents, story.dropped, "{name}");
        assert_eq!(delivered.failed, story.failed, "{name}");
        // Every document has one fate.
        let fates = delivered.documents + delivered.dropped_documents;
        assert_eq!(fates + left(delivered) as u64, 4, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_error_is_sent_again_at_once_but_only_once() {
    let answers = [Answer::Fail(Cause::Network); 2];
    let answers = [&answers[..], &[Answer::Accept]].concat();
    let told = tell("a", &OPTIONS, &answers).await;
    assert_eq!(told.calls.len(), 3);
    assert_eq!(told.elapsed, FIRST_PAUSE);

    let options = Delivery {
        auto_retry_requests: false,
        ..OPTIONS
    };
    let told = tell("a", &options, &answers).await;
    assert_eq!(told.elapsed, FIRST_PAUSE * 3);
}

#[tokio::test(start_paused = true)]
async fn no_story_outlasts_the_flush() {
    for answer in [
        Answer::Hang,
        Answer::Fail(Cause::Throttled),
        Answer::Fail(Cause::Network),
        Answer::Fail(Cause::NoStream),
        Answer::Refuse(&[0, 1], Cause::Server),
    ] {
        let told = tell("abcd", &OPTIONS, &[answer]).await;
        assert!(told.elapsed <= OPTIONS.flush_timeout, "{answer:?}");
        // It is not given up long before its time either.
        let earliest = OPTIONS.flush_timeout - OPTIONS.request_timeout;
        assert!(told.elapsed >= earliest, "{answer:?}: {:?}", told.elapsed);
        let accepted = told.accepted.len();
        assert_eq!(left(&told.delivered), 4 - accepted, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_named_by_number() {
    let told = tell(
        "abcd",
        &OPTIONS,
        &[
            Answer::Refuse(&[1, 3], Cause::Throttled),
            Answer::Fail(Cause::Throttled),
        ],
    )
    .await;
    assert_eq!(told.delivered.undelivered, [1..2, 3..4]);
    assert_eq!(told.delivered.refused_records, 2);
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_limited() {
    struct Gauge {
        now: Mutex<usize>,
        most: Mutex<usize>,
    }
    impl Service for Gauge {
        async fn put(&self, records: &[&[u8]]) -> Result<Vec<Result<(), Cause>>, CallError> {
            *self.now.lock().unwrap() += 1;
            let now = *self.now.lock().unwrap();
            let most = now.max(*self.most.lock().unwrap());
            *self.most.lock().unwrap() = most;
            tokio::time::sleep(Duration::from_millis(50)).await;
            *self.now.lock().unwrap() -= 1;
            Ok(vec![Ok(()); records.len()])
        }
    }
    let gauge = Gauge {
        now: Mutex::new(0),
        most: Mutex::new(0),
    };
    let options = Delivery {
        batch_size: 2,
        max_in_flight: 3,
        ..OPTIONS
    };
    let dispatch = Dispatch {
        service: &gauge,
        options: &options,
        gate: &gate(&options),
        limiter: &Limiter::new(Level::Debug),
        sink: &Lines::default(),
        random: || 1.0,
        deadline: Instant::now() + options.flush_timeout,
    };
    let delivered = dispatch.deliver(&packed("abcdefgh")).await;
    assert_eq!((delivered.documents, delivered.calls), (8, 8));
    assert_eq!(*gauge.most.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn lost_data_is_an_error_line_and_recovery_a_warning() {
    let dropped = tell("abcd", &OPTIONS, &[Answer::Poison("c")]).await;
    assert_eq!(dropped.lines.len(), 1);
    assert_eq!(dropped.lines[0].0, Level::Error);
    assert!(
        dropped.lines[0].1.contains("1 document is dropped"),
        "{:?}",
        dropped.lines
    );

    let recovered = tell(
        "abcd",
        &OPTIONS,
        &[Answer::Fail(Cause::Throttled), Answer::Accept],
    )
    .await;
    assert_eq!(recovered.lines.len(), 1);
    assert_eq!(recovered.lines[0].0, Level::Warn);
    assert!(
        recovered.lines[0].1.contains("quota"),
        "{:?}",
        recovered.lines
    );
}
