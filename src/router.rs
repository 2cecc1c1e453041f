//! One task for each output with a template: it splits chunks by delivery stream, hands the parts to
//! the streams' drivers, and answers the host.

mod members;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use firehose_core::deliver::ranges::Ranges;
use firehose_core::deliver::router::{FlushId, Router as Core};
use firehose_core::deliver::stream::OutputId;
use firehose_core::deliver::verdict::Verdict;
use firehose_core::pack::batch::ChunkId;
use firehose_core::route::{Part, Route, Why, events, split};
use firehose_core::tell::log::{Level, Line};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout_at;

use self::members::Members;
use crate::driver;
use crate::lent::{Flush, Host, Told};
use crate::member::{Left, Setup};
use crate::series::Series;

/// What happens.
pub enum Message {
    Flush(Flush),
    /// A part ended: what became of it, and what its machine calls it.
    Ended(FlushId, OutputId, Verdict, Option<ChunkId>),
    /// The host stops: all flushes end by this time.
    Stop(Instant),
    /// The output ends.
    Leave(Sender<Vec<Left>>),
}

pub struct Router {
    route: Route,
    core: Core,
    members: Members,
    flushes: BTreeMap<FlushId, Waiting>,
    messages: UnboundedReceiver<Message>,
    sender: UnboundedSender<Message>,
}

/// A flush that the host waits for.
struct Waiting {
    host: Host,
    /// Its events that go to the default stream, by the reason's place.
    defaulted: [u64; Why::NAMES.len()],
}

const PANICKED: &str = "the plugin failed by a panic, please report it as a bug (standard error \
                        says more); Fluent Bit is asked to hand the chunk over again, and what of \
                        it was accepted may be sent twice";

impl Router {
    /// Begins a router, which ends when its output does. Returns where its messages go.
    pub fn start(
        route: Route,
        default: &str,
        setup: Setup,
        series: Series,
    ) -> UnboundedSender<Message> {
        let (sender, messages) = unbounded_channel();
        let runtime = setup.runtime.clone();
        let core = Core::new(setup.state.is_some());
        let router = Self {
            members: Members::new(default, setup, series, route.max_streams),
            route,
            core,
            flushes: BTreeMap::new(),
            messages,
            sender: sender.clone(),
        };
        runtime.spawn(router.run());
        sender
    }

    async fn run(mut self) {
        loop {
            let message = match self.core.due() {
                Some(due) => {
                    let message = timeout_at(due.into(), self.messages.recv());
                    message.await.unwrap_or(None)
                }
                None => self.messages.recv().await,
            };
            if let Some(Message::Leave(left)) = message {
                // Who asked may have waited long enough.
                _ = left.send(self.members.leave());
                return;
            }
            let turn = AssertUnwindSafe(|| self.turn(message));
            if catch_unwind(turn).is_err() {
                self.begin_anew();
            }
        }
    }

    fn turn(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Flush(flush)) => self.flush(flush),
            Some(Message::Ended(id, part, verdict, chunk)) => {
                let verdict = self.core.ended(now(), id, part, chunk, verdict);
                if let Some(verdict) = verdict {
                    self.answer(id, verdict);
                }
            }
            Some(Message::Stop(deadline)) => self.members.stop(deadline),
            Some(Message::Leave(_)) | None => {}
        }
        for conclusion in self.core.conclusions(now()) {
            let message = driver::Message::Concluded(conclusion);
            self.members.send(conclusion.part, message);
        }
    }

    fn flush(&mut self, flush: Flush) {
        for line in self.members.lines() {
            (flush.host)(Told::Line(line));
        }
        let read = || {
            let split = |bytes: &[u8]| split(&self.route, &flush.tag, bytes);
            flush.chunk.read(split)
        };
        let Ok(parts) = catch_unwind(AssertUnwindSafe(read)) else {
            return flush.fail(PANICKED.to_owned());
        };
        let mut defaulted = [0; Why::NAMES.len()];
        let mut ranges: BTreeMap<OutputId, Ranges> = BTreeMap::new();
        for Part {
            target,
            ranges: own,
        } in parts
        {
            let used = |member: &OutputId| ranges.contains_key(member) || self.core.needs(*member);
            let (member, why) = self.members.of(target, used);
            if let Some(why) = why {
                defaulted[why.place()] += flush.chunk.read(|bytes| events(bytes, &own));
                if self.members.is_news(&why) {
                    let (level, text) = (Level::Warn, why.sentence(&flush.tag));
                    (flush.host)(Told::Line(Line { level, text }));
                }
            }
            let ranges = ranges.entry(member).or_default();
            own.iter().for_each(|range| ranges.insert(range));
        }
        let members = ranges.keys().copied().collect();
        let id = self.core.begin(now(), flush.caller, members);
        for (member, part) in ranges {
            let part = Flush {
                output: member,
                chunk: flush.chunk.clone(),
                tag: flush.tag.clone(),
                caller: flush.caller,
                part: Some(part),
                host: self.host_of(id, member, Arc::clone(&flush.host)),
            };
            self.members.send(member, driver::Message::Flush(part));
        }
        let host = flush.host;
        self.flushes.insert(id, Waiting { host, defaulted });
    }

    /// Who waits for a part: lines go on to the host, the answer comes back here.
    fn host_of(&self, id: FlushId, member: OutputId, host: Host) -> Host {
        let sender = self.sender.clone();
        Arc::new(move |told| match told {
            Told::Line(_) => host(told),
            Told::Answer(verdict, chunk) => {
                // The router is gone with its output: then nobody waits.
                _ = sender.send(Message::Ended(id, member, verdict, chunk));
            }
        })
    }

    fn answer(&mut self, id: FlushId, verdict: Verdict) {
        let Some(Waiting { host, defaulted }) = self.flushes.remove(&id) else {
            return;
        };
        if verdict != Verdict::Retry {
            self.members.count_defaulted(&defaulted);
        }
        host(Told::Answer(verdict, None));
    }

    /// After a panic nothing that was known of flushes can be relied on.
    fn begin_anew(&mut self) {
        self.core = self.core.anew();
        for (_, waiting) in std::mem::take(&mut self.flushes) {
            let (level, text) = (Level::Error, PANICKED.to_owned());
            (waiting.host)(Told::Line(Line { level, text }));
            (waiting.host)(Told::Answer(Verdict::Retry, None));
        }
    }
}

/// The time, as tokio's timers have it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
