//! The delivery streams that an output with a template sends to now.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::time::Instant;

use firehose_core::deliver::stream::OutputId;
use firehose_core::route::{Target, Why};
use firehose_core::tell::log::Line;

use crate::aws::Firehose;
use crate::driver::Message;
use crate::member::{Left, Member, Setup};
use crate::series::Series;

/// So many reasons are told of, and so many names are remembered for which there was no room; then
/// there is none for any new name. A log line can make any number of them.
const MOST_NAMES: usize = 1_000;

pub(super) struct Members {
    setup: Setup,
    series: Series,
    default_name: String,
    default: Member,
    by_name: HashMap<String, Used>,
    names: HashMap<OutputId, String>,
    most: usize,
    /// Counts the uses of all.
    uses: u64,
    told: HashSet<Why>,
    /// The names for which there was no room. Their events stay with the default stream: if they
    /// changed it between two flushes of a chunk, both streams might get them.
    too_many: HashSet<String>,
    leaving: Vec<Left>,
    stop: Option<Instant>,
}

struct Used {
    member: Member,
    /// The last one, as it was counted.
    last: u64,
}

impl Members {
    pub(super) fn new(default: &str, setup: Setup, series: Series, most: usize) -> Self {
        Self {
            default: join(&setup, &series, default),
            default_name: default.to_owned(),
            setup,
            series,
            by_name: HashMap::new(),
            names: HashMap::new(),
            most,
            uses: 0,
            told: HashSet::new(),
            too_many: HashSet::new(),
            leaving: Vec::new(),
            stop: None,
        }
    }

    /// The member for a target, and if it is the default one, why. `is_used` tells which may not go
    /// to make room.
    pub(super) fn of(
        &mut self,
        target: Target,
        is_used: impl Fn(&OutputId) -> bool,
    ) -> (OutputId, Option<Why>) {
        let name = match target {
            Target::Default(why) => return (self.default.id, Some(why)),
            Target::Stream(name) if name == self.default_name => return (self.default.id, None),
            Target::Stream(name) => name,
        };
        self.uses += 1;
        if let Some(used) = self.by_name.get_mut(&name) {
            used.last = self.uses;
            return (used.member.id, None);
        }
        let is_full = self.too_many.len() == MOST_NAMES;
        if is_full || self.too_many.contains(&name) || !self.make_room(is_used) {
            if self.too_many.len() < MOST_NAMES {
                self.too_many.insert(name.clone());
            }
            return (self.default.id, Some(Why::TooMany(name)));
        }
        let member = join(&self.setup, &self.series, &name);
        if let Some(stop) = self.stop {
            member.send(Message::Stop(member.id, stop));
        }
        let id = member.id;
        let last = self.uses;
        self.names.insert(id, name.clone());
        self.by_name.insert(name, Used { member, last });
        (id, None)
    }

    /// Has the least used idle member leave, if there are as many as may be. Whether there is room.
    fn make_room(&mut self, is_used: impl Fn(&OutputId) -> bool) -> bool {
        if self.by_name.len() < self.most {
            return true;
        }
        let idle = self.by_name.iter().filter(|(_, used)| {
            let gauges = &used.member.gauges;
            !is_used(&used.member.id) && !gauges.remembers() && gauges.in_flight() == 0
        });
        let oldest = idle.min_by_key(|(_, used)| used.last);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return false;
        };
        if let Some(Used { member, .. }) = self.by_name.remove(&name) {
            self.names.remove(&member.id);
            self.leaving.push(member.leave());
        }
        true
    }

    fn get(&self, id: OutputId) -> Option<&Member> {
        if id == self.default.id {
            return Some(&self.default);
        }
        let used = self.by_name.get(self.names.get(&id)?)?;
        Some(&used.member)
    }

    fn all(&self) -> impl Iterator<Item = &Member> {
        let others = self.by_name.values().map(|used| &used.member);
        std::iter::once(&self.default).chain(others)
    }

    /// Tells a member's driver.
    pub(super) fn send(&self, id: OutputId, message: Message<Firehose>) {
        if let Some(member) = self.get(id) {
            member.send(message);
        }
    }

    pub(super) fn stop(&mut self, deadline: Instant) {
        self.stop = Some(deadline);
        for member in self.all() {
            member.send(Message::Stop(member.id, deadline));
        }
    }

    pub(super) fn leave(&mut self) -> Vec<Left> {
        let mut left = mem::take(&mut self.leaving);
        left.extend(self.all().map(Member::leave));
        left
    }

    /// The lines of members that have left, as far as their drivers have answered.
    pub(super) fn lines(&mut self) -> Vec<Line> {
        let now = Instant::now();
        let mut lines = Vec::new();
        for left in mem::take(&mut self.leaving) {
            match left.told_by(now) {
                Ok(told) => lines.extend(told),
                Err(left) => self.leaving.push(left),
            }
        }
        lines
    }

    /// Whether a reason was not told of before.
    pub(super) fn is_news(&mut self, why: &Why) -> bool {
        self.told.len() < MOST_NAMES && self.told.insert(why.clone())
    }

    pub(super) fn count_defaulted(&self, events: &[u64]) {
        let counters = &self.default.totals.defaulted;
        for (counter, events) in counters.iter().zip(events) {
            counter.add(*events);
        }
    }
}

fn join(setup: &Setup, series: &Series, name: &str) -> Member {
    let member = setup.join(name, series.totals(name));
    series.set_gauges(name, &member.gauges);
    member
}
