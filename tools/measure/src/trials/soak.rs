//! A long run under faults, kills, reloads and outages that a seed chooses.

mod chart;
mod faults;

use std::fs;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use super::state::State;
use crate::args;
use crate::error::Error;
use crate::lines::Lines;
use crate::output::Output;
use crate::process::Sample;
use crate::setup::Setup;
use crate::trial::{STREAM, Trial};

/// Lines that come each time all is looked at, 40 times a second.
const AT_ONCE: u64 = 25;
/// Seconds between two things that happen to the process or the endpoint.
const PAUSE: std::ops::Range<u64> = 5..25;
/// Seconds in which nobody listens.
const OUTAGE: std::ops::Range<u64> = 1..8;
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const PROGRESS_EVERY: usize = 30;
/// For what is left when no more lines come.
const DRAIN_LIMIT: Duration = Duration::from_secs(180);

/// What happened to the process or the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Kill,
    Reload,
    Outage,
}

/// How things stood.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Duration,
    process: Sample,
    /// Lines written and not arrived yet.
    missing: u64,
    twice: u64,
}

/// What happened, and how things stood meanwhile.
#[derive(Debug, Default)]
struct History {
    events: Vec<(Duration, Event)>,
    moments: Vec<Moment>,
}

struct Course {
    rng: Rng,
    started: Instant,
    configuration: String,
    next_event: Duration,
    down_until: Option<Duration>,
    history: History,
}

pub(crate) fn run(soak: &args::Soak) -> Result<(), Error> {
    let setup = Setup::find(&soak.programs)?;
    let length = Duration::from_secs(soak.seconds);
    eprintln!(
        "soak: {length:?}, seed {seed}; --seed {seed} chooses the same again",
        seed = soak.seed
    );
    let mut rng = Rng::with_seed(soak.seed);
    let scenario = faults::scenario(&mut rng);
    let output = Output::FirehoseAggregated;
    let mut trial = Trial::new(&setup, output, &scenario, Lines::of(400))?;
    // With workers, Fluent Bit up to 5.1 leaves some behind at each reload.
    let configuration = "    hot_reload on\n".to_owned()
        + &trial.on_disk()
        + &trial.tail_on_disk("a")
        + &trial.output(STREAM, "a", 0)
        + &State::Kept.option(&trial)
        + "    request_timeout 2s\n    flush_timeout 10s\n";
    trial.start(&configuration)?;
    let mut course = Course {
        next_event: Duration::from_secs(rng.u64(PAUSE)),
        rng,
        started: Instant::now(),
        configuration,
        down_until: None,
        history: History::default(),
    };
    trial.until(length, |trial| {
        trial.write(AT_ONCE)?;
        course.disturb(trial)?;
        course.look(trial)?;
        Ok(false)
    })?;
    if course.down_until.take().is_some() {
        trial.service.come_up()?;
    }
    let is_drained = trial.until(DRAIN_LIMIT, |trial| {
        course.look(trial)?;
        Ok(trial.tally.missing == 0)
    })?;
    trial.stop()?;
    report(&trial, &course.history);
    fs::write(&soak.svg, chart::svg(&course.history, soak.seed))?;
    println!("drawn in {}", soak.svg.display());
    let (missing, foreign) = (trial.tally.missing, trial.tally.foreign);
    let fault = match (is_drained, foreign) {
        (true, 0) => return Ok(()),
        (true, _) => format!("{foreign} documents are not as sent"),
        (false, _) => {
            format!("{missing} lines had not arrived {DRAIN_LIMIT:?} after the last was written")
        }
    };
    Err(Error::Failed(fault))
}

impl Course {
    fn disturb(&mut self, trial: &mut Trial<'_>) -> Result<(), Error> {
        let now = self.started.elapsed();
        if self.down_until.is_some_and(|until| now >= until) {
            trial.service.come_up()?;
            self.down_until = None;
        }
        if now < self.next_event {
            return Ok(());
        }
        self.next_event = now + Duration::from_secs(self.rng.u64(PAUSE));
        let event = [Event::Kill, Event::Reload, Event::Reload, Event::Outage][self.rng.usize(..4)];
        match event {
            Event::Kill => {
                trial.kill();
                trial.start(&self.configuration)?;
            }
            Event::Reload => trial.signal(Signal::HUP)?,
            Event::Outage if self.down_until.is_none() => {
                trial.service.go_down();
                self.down_until = Some(now + Duration::from_secs(self.rng.u64(OUTAGE)));
            }
            Event::Outage => return Ok(()),
        }
        self.history.events.push((now, event));
        Ok(())
    }

    /// Keeps how things stand, once in a while.
    fn look(&mut self, trial: &Trial<'_>) -> Result<(), Error> {
        let at = self.started.elapsed();
        let moments = &mut self.history.moments;
        let last = moments.last();
        if last.is_some_and(|last| at < last.at + SAMPLE_EVERY) {
            return Ok(());
        }
        let moment = Moment {
            at,
            process: trial.sample()?,
            missing: trial.tally.missing,
            twice: trial.tally.twice,
        };
        if moments.len().is_multiple_of(PROGRESS_EVERY) {
            eprintln!(
                "soak: {:4} s: {} lines on their way, {} twice, RSS {:.0} MB, {} threads, {} descriptors",
                at.as_secs(),
                moment.missing,
                moment.twice,
                moment.process.rss_bytes as f64 / 1e6,
                moment.process.threads,
                moment.process.descriptors,
            );
        }
        moments.push(moment);
        Ok(())
    }
}

fn report(trial: &Trial<'_>, history: &History) {
    let count = |event| history.events.iter().filter(|(_, it)| *it == event).count();
    println!(
        "{} lines: lost {}, twice {}; ambiguous: {} calls that stored records without telling, \
         {} kills, {} outages",
        trial.tally.expected(),
        trial.tally.missing,
        trial.tally.twice,
        trial.unanswered(),
        count(Event::Kill),
        count(Event::Outage),
    );
    println!(
        "{} reloads; calls: {:?}; peak RSS {:.0} MB",
        count(Event::Reload),
        trial.service.stats().calls,
        trial.peak_rss_bytes as f64 / 1e6,
    );
}
