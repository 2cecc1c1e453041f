//! A model of Fluent Bit's engine: chunks, workers, retries, and a process that dies.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use firehose::config::Config;
use firehose::log::{Level, Sink};
use firehose::output::{Output, Verdict};
use rmpv::Value;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use crate::service::{Id, Model};

/// One history, or what went wrong in it.
pub(crate) fn history(seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be built");
    fastrand::seed(seed);
    runtime.block_on(LocalSet::new().run_until(tell(seed)))
}

async fn tell(seed: u64) -> Result<(), String> {
    let mut random = Rng::with_seed(seed);
    let model = Model::new(seed);
    let engine = Rc::new(Engine {
        chunks: RefCell::new(chunks(&mut random)),
        faults: RefCell::default(),
    });
    let expected = engine.expected();
    let options = Options::new(&mut random);
    let lives = random.u32(1..4);
    for life in 0..lives {
        let workers = start(&engine, &model, &options, format!("s{seed}-{life}"));
        for _ in 0..random.u32(1..6) {
            sleep(Duration::from_millis(random.u64(100..20_000))).await;
            model.turn();
        }
        if life + 1 == lives {
            model.heal();
            let all = async {
                for worker in workers {
                    worker.await.expect("a worker does not panic");
                }
            };
            // A chunk that was never in luck has long pauses behind it, and a slow quota ahead.
            let longest = Duration::from_secs(3_600);
            if timeout(longest, all).await.is_err() {
                return Err(format!(
                    "not all was delivered {longest:?} after the service was well"
                ));
            }
        } else {
            // The process dies; the chunks are on disk, what the plugin knew of them is not.
            workers.iter().for_each(|worker| worker.abort());
            for worker in workers {
                _ = worker.await;
            }
            model.excuse(engine.open());
        }
    }
    match engine.faults.borrow().first() {
        Some(fault) => Err(fault.clone()),
        None => model.judge(&expected),
    }
}

struct Engine {
    chunks: RefCell<Vec<Chunk>>,
    faults: RefCell<Vec<String>>,
}

#[derive(Clone)]
struct Chunk {
    data: Vec<u8>,
    documents: Vec<Id>,
    state: ChunkState,
}

#[derive(Clone, Copy, PartialEq)]
enum ChunkState {
    Ready,
    InFlight,
    Done,
}

/// A few chunks of a few documents; some are equal to another, byte for byte.
fn chunks(random: &mut Rng) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut next = 0;
    for _ in 0..random.usize(1..6) {
        if !chunks.is_empty() && random.u8(..4) == 0 {
            let twin = chunks[random.usize(..chunks.len())].clone();
            chunks.push(twin);
            continue;
        }
        let documents: Vec<Id> = (next..next + random.u32(1..12)).collect();
        next += documents.len() as Id;
        let mut data = Vec::new();
        for id in &documents {
            let body = Value::Map(vec![("id".into(), (*id).into())]);
            let event = Value::Array(vec![1_700_000_000.into(), body]);
            rmpv::encode::write_value(&mut data, &event).expect("memory takes every write");
        }
        chunks.push(Chunk {
            data,
            documents,
            state: ChunkState::Ready,
        });
    }
    chunks
}

impl Engine {
    /// How often each document must be accepted.
    fn expected(&self) -> BTreeMap<Id, u32> {
        let mut expected = BTreeMap::new();
        for chunk in &*self.chunks.borrow() {
            for id in &chunk.documents {
                *expected.entry(*id).or_default() += 1;
            }
        }
        expected
    }

    /// The documents of all chunks that are not done, which a new process starts with.
    fn open(&self) -> std::vec::IntoIter<Id> {
        let mut open = Vec::new();
        for chunk in &mut *self.chunks.borrow_mut() {
            if chunk.state != ChunkState::Done {
                chunk.state = ChunkState::Ready;
                open.extend(chunk.documents.iter().copied());
            }
        }
        open.into_iter()
    }

    fn take(&self) -> Option<(usize, Vec<u8>)> {
        let mut chunks = self.chunks.borrow_mut();
        let place = chunks
            .iter()
            .position(|chunk| chunk.state == ChunkState::Ready)?;
        chunks[place].state = ChunkState::InFlight;
        Some((place, chunks[place].data.clone()))
    }

    fn set(&self, place: usize, state: ChunkState) {
        self.chunks.borrow_mut()[place].state = state;
    }

    fn is_done(&self) -> bool {
        self.chunks
            .borrow()
            .iter()
            .all(|chunk| chunk.state == ChunkState::Done)
    }
}

/// The options of a history, the same in all lives.
struct Options {
    workers: usize,
    options: Vec<(&'static str, String)>,
    flush_timeout: Duration,
}

impl Options {
    fn new(random: &mut Rng) -> Self {
        let flush_timeout = Duration::from_secs(random.u64(1..40));
        let request_timeout = random.u64(100..=flush_timeout.as_millis() as u64);
        let mut options = vec![
            ("flush_timeout", format!("{}s", flush_timeout.as_secs())),
            ("request_timeout", format!("{request_timeout}ms")),
            ("max_in_flight", random.u8(1..5).to_string()),
            ("auto_retry_requests", random.bool().to_string()),
        ];
        if random.bool() {
            options.push(("simple_aggregation", "true".to_owned()));
            options.push(("aggregation_max_documents", random.u8(1..5).to_string()));
        }
        if random.bool() {
            let longest = flush_timeout.as_millis() as u64 / 4;
            options.push(("linger", format!("{}ms", random.u64(0..=longest))));
        }
        if random.u8(..4) == 0 {
            options.push(("max_requests_per_second", random.u8(1..20).to_string()));
        }
        Self {
            workers: random.usize(1..4),
            options,
            flush_timeout,
        }
    }
}

/// A process: its output, and the workers that flush to it. The stream's name is the process's
/// own, so that it finds no gate and no ledger of another's.
fn start(
    engine: &Rc<Engine>,
    model: &Model,
    options: &Options,
    stream: String,
) -> Vec<tokio::task::JoinHandle<()>> {
    let config = Config::parse(|key| {
        let own = [("delivery_stream", stream.clone())];
        let mut all = own.iter().chain(&options.options);
        let found = all.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.clone())
    });
    let config = config.expect("the options are right");
    let output = Arc::new(Output::with_service(config, Level::Error, model.clone()));
    let worker = |number| {
        let (engine, output) = (engine.clone(), output.clone());
        let flush_timeout = options.flush_timeout;
        tokio::task::spawn_local(async move { work(&engine, &output, number, flush_timeout).await })
    };
    (0..options.workers).map(worker).collect()
}

async fn work(engine: &Engine, output: &Output<Model>, number: usize, flush_timeout: Duration) {
    while !engine.is_done() {
        let Some((place, data)) = engine.take() else {
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        let start = Instant::now();
        let verdict = output
            .flush(firehose::chunk::Chunk::new(data), "tag", number, Silence)
            .await;
        // The clock's own steps are of a millisecond.
        if start.elapsed() > flush_timeout + Duration::from_millis(2) {
            let fault = format!("a flush of {flush_timeout:?} took {:?}", start.elapsed());
            engine.faults.borrow_mut().push(fault);
        }
        match verdict {
            Verdict::Delivered => engine.set(place, ChunkState::Done),
            Verdict::Retry => {
                sleep(Duration::from_secs(1)).await;
                engine.set(place, ChunkState::Ready);
            }
            Verdict::Failed => {
                let fault = "a chunk failed for good".to_owned();
                engine.faults.borrow_mut().push(fault);
                engine.set(place, ChunkState::Done);
            }
        }
    }
}

struct Silence;

impl Sink for Silence {
    fn line(&self, _: Level, _: String) {}
}
