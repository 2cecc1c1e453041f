//! Fault stories on a paused clock: each row says what the service does with each call, and what
//! must have been sent and come of it.

use std::collections::VecDeque;
use std::sync::Mutex;

use base64_simd::STANDARD;
use serde_json::Value;

use super::*;
use crate::chunk::Chunk;
use crate::gate::FIRST_PAUSE;
use crate::log::Sink;
use crate::parts::Parts;

/// What the service does with one call.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Accept,
    /// Refuses the records at these places in the call.
    Refuse(&'static [usize], Cause),
    Fail(Cause),
    /// Never answers.
    Hang,
    /// Never so much as connects.
    Unconnected,
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

/// The documents of a body's records, without their newlines.
fn names(body: &[u8]) -> Vec<String> {
    let call: Value = serde_json::from_slice(body).unwrap();
    let name = |record: &Value| {
        let data = STANDARD.decode_to_vec(record["Data"].as_str().unwrap());
        String::from_utf8(data.unwrap()).unwrap().replace('\n', "")
    };
    call["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect()
}

impl Service for Arc<Script> {
    async fn put(
        &self,
        body: Bytes,
        records: usize,
        sent: Sent,
    ) -> Result<Vec<Result<(), Cause>>, CallError> {
        let names = names(&body);
        assert_eq!(names.len(), records);
        self.calls.lock().unwrap().push(names.concat());
        let answer = self.next();
        if !matches!(answer, Answer::Unconnected) {
            sent.set();
        }
        let results = match answer {
            Answer::Accept => vec![Ok(()); records],
            Answer::Refuse(refused, cause) => (0..records)
                .map(|place| {
                    if refused.contains(&place) {
                        Err(cause)
                    } else {
                        Ok(())
                    }
                })
                .collect(),
            Answer::Fail(cause) => return Err(failure(cause)),
            Answer::Hang | Answer::Unconnected => std::future::pending().await,
            Answer::AtMost(most) if records > most => return Err(failure(Cause::Payload)),
            Answer::Poison(name) if names.iter().any(|record| record.contains(name)) => {
                return Err(failure(Cause::Payload));
            }
            Answer::AtMost(_) | Answer::Poison(_) => vec![Ok(()); records],
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

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Sink for Lines {
    fn line(&self, level: Level, text: String) {
        self.0.lock().unwrap().push((level, text));
    }
}

/// An event for each letter, which is its document. All events are of one length.
fn chunk(letters: &str) -> Chunk {
    let event = |letter: u8| [0x92, 0x00, 0x81, 0xa1, b'l', 0xa1, letter];
    Chunk::new(letters.bytes().flat_map(event).collect::<Vec<u8>>())
}

const EVENT: usize = 7;

fn config(options: &[(&str, &str)]) -> Config {
    let own = [("delivery_stream", "logs"), ("log_key", "l")];
    Config::parse(|key| {
        let found = options.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

fn group<V: Service>(service: V, config: &Config) -> Arc<Group<V>> {
    let gate = Arc::new(Gate::new(config.gate));
    let mut group = Group::new(service, config, gate, Level::Debug);
    group.random = || 1.0;
    Arc::new(group)
}

fn flush(letters: &str, config: &Config, lines: &Lines) -> Arc<Flush> {
    let deadline = Instant::now() + config.delivery.flush_timeout;
    let sink = Box::new(lines.clone());
    Arc::new(Flush::new(chunk(letters), "tag", sink, deadline, None))
}

struct Told {
    fate: Fate,
    left: Left,
    calls: Vec<String>,
    call_count: String,
    accepted: String,
    elapsed: Duration,
    lines: Vec<(Level, String)>,
}

impl Told {
    /// How many documents are left.
    fn left(&self) -> usize {
        self.left.parts.bytes() / EVENT
    }
}

async fn tell(letters: &str, options: &[(&str, &str)], answers: &[Answer]) -> Told {
    let script = Arc::new(Script::new(answers));
    let lines = Lines::default();
    // One lane, so that calls have an order.
    let one = [options, &[("max_in_flight", "1")]].concat();
    let config = config(&one);
    let group = group(Arc::clone(&script), &config);
    let start = Instant::now();
    let flush = flush(letters, &config, &lines);
    let (fate, left) = group.deliver(&flush, 0).await;
    let mut accepted = script.accepted.lock().unwrap().clone();
    accepted.sort();
    let calls = script.calls.lock().unwrap().clone();
    let lines = lines.0.lock().unwrap().clone();
    Told {
        fate,
        left,
        calls,
        call_count: group.totals.all_calls().to_string(),
        accepted: accepted.concat(),
        elapsed: start.elapsed(),
        lines,
    }
}

/// How `abcd` is delivered.
struct Story {
    name: &'static str,
    answers: &'static [Answer],
    calls: &'static [&'static str],
    accepted: &'static str,
    dropped: u64,
}

const STORIES: &[Story] = &[
    Story {
        name: "all is well",
        answers: &[Answer::Accept],
        calls: &["abcd"],
        accepted: "abcd",
        dropped: 0,
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
    },
    Story {
        name: "a call that hangs is sent again",
        answers: &[Answer::Hang, Answer::Accept],
        calls: &["abcd", "abcd"],
        accepted: "abcd",
        dropped: 0,
    },
    Story {
        name: "a batch that is too large is split",
        answers: &[Answer::AtMost(1)],
        calls: &["abcd", "ab", "a", "b", "cd", "c", "d"],
        accepted: "abcd",
        dropped: 0,
    },
    Story {
        name: "one bad record is dropped alone",
        answers: &[Answer::Poison("c")],
        calls: &["abcd", "ab", "cd", "c", "d"],
        accepted: "abd",
        dropped: 1,
    },
];

#[tokio::test(start_paused = true)]
async fn stories() {
    for story in STORIES {
        let name = story.name;
        let told = tell("abcd", &[], story.answers).await;
        let fate = &told.fate;
        assert_eq!(told.calls, story.calls, "{name}");
        assert_eq!(told.accepted, story.accepted, "{name}");
        assert_eq!(fate.delivered, story.accepted.len() as u64, "{name}");
        assert_eq!(told.call_count, story.calls.len().to_string(), "{name}");
        assert_eq!(fate.dropped, story.dropped, "{name}");
        assert_eq!(fate.under_way, 0, "{name}");
        // Every document has one fate.
        let fates = fate.delivered + fate.dropped;
        assert_eq!(fates + told.left() as u64, 4, "{name}");
    }
}

/// A record of several documents is split down to the one that is bad.
#[tokio::test(start_paused = true)]
async fn one_bad_document_is_dropped_alone_out_of_an_aggregate() {
    let options = [("simple_aggregation", "true")];
    let told = tell("abcdefgh", &options, &[Answer::Poison("f")]).await;
    let calls = ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "gh"];
    assert_eq!(told.calls, calls);
    assert_eq!((told.fate.delivered, told.fate.dropped), (7, 1));
    assert!(told.left.parts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_network_error_is_sent_again_at_once_but_only_once() {
    let answers = [Answer::Fail(Cause::Network); 2];
    let answers = [&answers[..], &[Answer::Accept]].concat();
    let told = tell("a", &[], &answers).await;
    assert_eq!(told.calls.len(), 3);
    assert_eq!(told.elapsed, FIRST_PAUSE);

    let options = [("auto_retry_requests", "false")];
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
        let told = tell("abcd", &[("flush_timeout", "30s")], &[answer]).await;
        // It is not given up before its time either.
        assert_eq!(told.elapsed.as_secs(), 30, "{answer:?}");
        assert_eq!(told.left(), 4 - told.accepted.len(), "{answer:?}");
    }
}

/// What was accepted of `abcd`, and how often its documents count as ambiguous.
#[tokio::test(start_paused = true)]
async fn only_what_was_sent_is_ambiguous() {
    for (answer, cause, ambiguous) in [
        (Answer::Hang, "the answer was lost", 4),
        (Answer::Unconnected, "check network", 0),
        (Answer::Fail(Cause::Server), "the service failed", 4),
        (Answer::Fail(Cause::NotFirehose), "this is not Firehose", 0),
        (Answer::Fail(Cause::Refused), "the service refuses calls", 0),
        (Answer::Fail(Cause::WrongSource), "no direct PUTs", 0),
        (Answer::Fail(Cause::Bug), "a bug of the plugin", 4),
    ] {
        let told = tell("abcd", &[], &[answer, Answer::Accept]).await;
        assert_eq!(told.fate.ambiguous, ambiguous, "{answer:?}");
        assert_eq!(told.accepted, "abcd", "{answer:?}");
        let says = |(_, line): &(Level, String)| line.contains(cause);
        // The first loss of a connection is no more than a debug line.
        assert!(told.lines.iter().any(says), "{answer:?}: {:?}", told.lines);
    }
}

/// The flush that ends first finds its documents waiting, not under way.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_sent_by_the_end_of_a_flush_is_not_its_anymore() {
    let options = [("request_timeout", "30s"), ("flush_timeout", "30s")];
    let told = tell("abcd", &options, &[Answer::Unconnected]).await;
    assert_eq!(told.elapsed.as_secs(), 30);
    assert_eq!((told.fate.ambiguous, told.fate.under_way), (0, 0));
    assert_eq!(told.left(), 4);
}

/// A host that stops has flushes end earlier than they were to end when the call began.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_sent_when_the_host_stops_is_not_ambiguous() {
    for (answer, under_way) in [(Answer::Unconnected, 0), (Answer::Hang, 4)] {
        let script = Arc::new(Script::new(&[answer]));
        let config = config(&[("request_timeout", "60s"), ("flush_timeout", "60s")]);
        let group = group(Arc::clone(&script), &config);
        let start = Instant::now();
        let flush = flush("abcd", &config, &Lines::default());
        let stop = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            group.stop(Instant::now() + Duration::from_secs(5));
        };
        let ((fate, left), ()) = tokio::join!(group.deliver(&flush, 0), stop);
        assert_eq!(start.elapsed().as_secs(), 6, "{answer:?}");
        assert_eq!(fate.under_way + fate.ambiguous, under_way, "{answer:?}");
        assert_eq!(left.parts.bytes(), 4 * EVENT, "{answer:?}");
        assert_eq!(script.calls.lock().unwrap().len(), 1, "{answer:?}");
    }
}

/// A look-up of credentials that takes 12 seconds, before each call.
struct Late(Script);

impl Service for Arc<Late> {
    async fn ready(&self) {
        tokio::time::sleep(Duration::from_secs(12)).await;
    }

    async fn put(
        &self,
        body: Bytes,
        _: usize,
        sent: Sent,
    ) -> Result<Vec<Result<(), Cause>>, CallError> {
        sent.set();
        let names = names(&body);
        self.0.calls.lock().unwrap().push(names.concat());
        Ok(vec![Ok(()); names.len()])
    }
}

/// Nothing is packed before, so that a flush that ends meanwhile has nothing under way.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_is_waited_for_and_told_of() {
    let late = Arc::new(Late(Script::default()));
    let config = config(&[("flush_timeout", "11s"), ("request_timeout", "5s")]);
    let group = group(Arc::clone(&late), &config);
    let lines = Lines::default();
    let first = flush("abcd", &config, &lines);
    let (fate, left) = group.deliver(&first, 0).await;
    assert_eq!((fate.under_way, fate.ambiguous), (0, 0));
    assert_eq!(left.parts.bytes(), 4 * EVENT);
    let told = "the look-up of credentials takes long";
    let lines = lines.0.lock().unwrap().clone();
    assert!(
        lines.iter().any(|(_, line)| line.contains(told)),
        "{lines:?}"
    );
    let second = flush("efgh", &config, &Lines::default());
    let (fate, _) = group.deliver(&second, 0).await;
    assert_eq!(fate.delivered, 4);
    assert_eq!(*late.0.calls.lock().unwrap(), ["efgh"]);
}

/// Where all is refused it is not the documents that are bad: they are kept, and one call at a
/// time finds out when that was mended.
#[tokio::test(start_paused = true)]
async fn no_backlog_is_dropped_because_all_of_it_is_refused() {
    for cause in [Cause::Payload, Cause::Serialization] {
        let told = tell("abcd", &[("flush_timeout", "60s")], &[Answer::Fail(cause)]).await;
        assert_eq!((told.fate.dropped, told.left()), (0, 4), "{cause:?}");
        assert_eq!(told.calls[..3], ["abcd", "ab", "a"], "{cause:?}");
        assert!(told.calls.len() < 30, "{:?}", told.calls);
        let kept = "none was accepted since: all are kept";
        let says = |(_, line): &(Level, String)| line.contains(kept);
        assert!(told.lines.iter().any(says), "{:?}", told.lines);

        let mended = [&[Answer::Fail(cause); 7][..], &[Answer::Accept]].concat();
        let told = tell("abcd", &[], &mended).await;
        assert_eq!(
            (told.fate.dropped, &*told.accepted),
            (0, "abcd"),
            "{cause:?}"
        );
    }
}

/// The first document of all is bad: what comes after it tells.
#[tokio::test(start_paused = true)]
async fn a_document_that_is_refused_alone_waits_for_another_one_to_be_accepted() {
    let told = tell("abcd", &[], &[Answer::Poison("a")]).await;
    assert_eq!(told.calls, ["abcd", "ab", "a", "b", "cd", "a"]);
    assert_eq!((told.fate.dropped, &*told.accepted), (1, "bcd"));
}

/// A bad document that has no others beside it does not keep those that come later from their
/// turn.
#[tokio::test(start_paused = true)]
async fn what_waits_goes_before_what_was_refused_alone() {
    let script = Arc::new(Script::new(&[Answer::Poison("a")]));
    let [(bad, _), (good, took)] = meet(&script, &[], [("a", 0), ("b", 1_000)]).await;
    assert_eq!((bad.dropped, good.delivered), (1, 1));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_named_by_its_place() {
    let answers = [
        Answer::Refuse(&[1, 3], Cause::Throttled),
        Answer::Fail(Cause::Throttled),
    ];
    let told = tell("abcd", &[], &answers).await;
    let left: Vec<_> = told.left.parts.iter().collect();
    assert_eq!(left, [EVENT..2 * EVENT, 3 * EVENT..4 * EVENT]);
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_limited() {
    #[derive(Default)]
    struct Gauge {
        now: Mutex<usize>,
        most: Mutex<usize>,
    }
    impl Service for Arc<Gauge> {
        async fn put(
            &self,
            _: Bytes,
            records: usize,
            _: Sent,
        ) -> Result<Vec<Result<(), Cause>>, CallError> {
            *self.now.lock().unwrap() += 1;
            let now = *self.now.lock().unwrap();
            let most = now.max(*self.most.lock().unwrap());
            *self.most.lock().unwrap() = most;
            tokio::time::sleep(Duration::from_millis(50)).await;
            *self.now.lock().unwrap() -= 1;
            Ok(vec![Ok(()); records])
        }
    }
    let gauge = Arc::new(Gauge::default());
    let mut config = config(&[("max_in_flight", "3")]);
    config.delivery.batch_size = 2;
    let group = group(Arc::clone(&gauge), &config);
    let flush = flush("abcdefgh", &config, &Lines::default());
    let (fate, left) = group.deliver(&flush, 0).await;
    assert_eq!((fate.delivered, left.parts), (8, Parts::default()));
    assert_eq!(group.totals.all_calls().to_string(), "8");
    assert_eq!(*gauge.most.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn lost_data_is_an_error_line_and_recovery_a_warning() {
    let dropped = tell("abcd", &[], &[Answer::Poison("c")]).await;
    let [(level, line)] = &dropped.lines[..] else {
        panic!("{:?}", dropped.lines);
    };
    assert_eq!(*level, Level::Error);
    assert!(line.contains("1 document is dropped"), "{line}");

    let answers = [Answer::Fail(Cause::Throttled), Answer::Accept];
    let recovered = tell("abcd", &[], &answers).await;
    let [(level, line)] = &recovered.lines[..] else {
        panic!("{:?}", recovered.lines);
    };
    assert_eq!(*level, Level::Warn);
    assert!(line.contains("quota"), "{line}");
}

/// Flushes with these letters, each from a thread of its own and so many milliseconds after the
/// first; how long each took.
async fn meet<const N: usize>(
    script: &Arc<Script>,
    options: &[(&str, &str)],
    flushes: [(&str, u64); N],
) -> [(Fate, Duration); N] {
    let config = config(options);
    let group = group(Arc::clone(script), &config);
    // The threads are known from before, and have had time.
    for caller in 0..N {
        let flush = flush("", &config, &Lines::default());
        group.deliver(&flush, caller).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let flushes = flushes.map(|(letters, after)| (letters.to_owned(), after));
    let mut ends = Vec::new();
    for (caller, (letters, after)) in flushes.into_iter().enumerate() {
        let (group, config) = (Arc::clone(&group), config.clone());
        ends.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            let start = Instant::now();
            let flush = flush(&letters, &config, &Lines::default());
            let (fate, _) = group.deliver(&flush, caller).await;
            (fate, start.elapsed())
        }));
    }
    let mut told = Vec::new();
    for end in ends {
        told.push(end.await.unwrap());
    }
    told.try_into().expect("as many ends as flushes")
}

const AGGREGATED: (&str, &str) = ("simple_aggregation", "true");

#[tokio::test(start_paused = true)]
async fn flushes_that_wait_together_share_a_record() {
    let script = Arc::new(Script::new(&[Answer::Accept]));
    let [(a, _), (b, _), (c, last)] =
        meet(&script, &[AGGREGATED], [("ab", 0), ("c", 10), ("def", 20)]).await;
    assert_eq!(*script.calls.lock().unwrap(), ["abcdef"]);
    assert_eq!((a.delivered, b.delivered, c.delivered), (2, 1, 3));
    // With all the host's threads here, nobody else can come.
    assert_eq!(last, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_company_longer_than_the_linger() {
    let script = Arc::new(Script::new(&[Answer::Accept]));
    let options = [AGGREGATED, ("linger", "3s")];
    let [(_, first), (_, second)] = meet(&script, &options, [("a", 0), ("b", 4_000)]).await;
    assert_eq!(*script.calls.lock().unwrap(), ["a", "b"]);
    assert_eq!(first.as_secs(), 3);
    assert_eq!(second.as_secs(), 3);
}

/// Chunks that are queued behind one thread would each wait for threads that have nothing to do.
#[tokio::test(start_paused = true)]
async fn what_comes_one_after_the_other_hardly_lingers() {
    let script = Arc::new(Script::new(&[Answer::Accept]));
    let config = config(&[AGGREGATED]);
    let group = group(Arc::clone(&script), &config);
    for caller in 0..2 {
        let flush = flush("", &config, &Lines::default());
        group.deliver(&flush, caller).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut took = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        let flush = flush("a", &config, &Lines::default());
        group.deliver(&flush, 0).await;
        took.push(start.elapsed().as_millis());
    }
    assert_eq!(took, [5_000, 100, 100]);
}

#[tokio::test(start_paused = true)]
async fn what_is_billed_well_does_not_linger() {
    let script = Arc::new(Script::new(&[Answer::Accept]));
    let long = "x".repeat(51_200 / EVENT + 1);
    let [(_, first), _] = meet(&script, &[AGGREGATED], [(&long, 0), ("b", 4_000)]).await;
    assert_eq!(first, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stops_is_not_kept_waiting() {
    let script = Arc::new(Script::new(&[Answer::Accept]));
    let config = config(&[AGGREGATED]);
    let group = group(Arc::clone(&script), &config);
    for caller in 0..2 {
        group
            .deliver(&flush("", &config, &Lines::default()), caller)
            .await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let start = Instant::now();
    let flush = flush("a", &config, &Lines::default());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        group.stop(Instant::now() + Duration::from_secs(5));
    };
    tokio::join!(group.deliver(&flush, 0), stop);
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_flush_answers_for_its_own_documents() {
    // Records of two documents: ab, cd, ef.
    let options = [AGGREGATED, ("aggregation_max_documents", "2")];
    let answers = [
        Answer::Refuse(&[1], Cause::Throttled),
        Answer::Fail(Cause::Throttled),
    ];
    let script = Arc::new(Script::new(&answers));
    let [(first, quick), (second, slow)] = meet(&script, &options, [("abc", 0), ("def", 0)]).await;
    assert_eq!((first.delivered, second.delivered), (2, 2));
    assert_eq!((quick.as_secs(), slow.as_secs()), (30, 30));
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_in_one_chunk_is_not_held_against_another() {
    let script = Arc::new(Script::new(&[Answer::Poison("b")]));
    let [(first, _), (second, _)] = meet(&script, &[AGGREGATED], [("ab", 0), ("cd", 0)]).await;
    assert_eq!((first.delivered, first.dropped), (1, 1));
    assert_eq!((second.delivered, second.dropped), (2, 0));
}
