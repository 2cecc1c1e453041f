//! One trial: a Fluent Bit or several, their files, and the service that they deliver to.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Files, FluentBit, Output, Process, REGION, Target};
use fake_firehose::{FakeFirehose, Scenario, Settings};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::trials::lines::Lines;
use crate::trials::sample::Sample;
use crate::trials::tally::Tally;

/// The stream whose lines are counted.
pub(crate) const STREAM: &str = "logs";
/// Another one, whose fate must not matter to the first.
pub(crate) const OTHER_STREAM: &str = "other";

/// Worker threads of each output, unless a story says otherwise.
pub(crate) const WORKERS: usize = 2;

/// How often all is looked at while time goes by.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long an end on SIGTERM is waited for: longer than a few flushes in a row.
const END_WITHIN: Duration = Duration::from_secs(120);

/// What all trials have in common.
pub(crate) struct Setup<'a> {
    pub(crate) fluent_bit: &'a FluentBit,
    pub(crate) plugin: &'a Path,
    pub(crate) interrupted: &'a AtomicBool,
}

/// Dropping it kills Fluent Bit, ends the service and removes the files.
pub(crate) struct Trial<'a> {
    setup: &'a Setup<'a>,
    output: Output,
    /// Empty while none runs.
    processes: Vec<Process>,
    pub(crate) service: FakeFirehose,
    pub(crate) tally: Tally,
    /// Calls of the service that the tally has.
    tallied: usize,
    /// Of the process that had most.
    pub(crate) peak_rss_bytes: u64,
    folder: TempDir,
    files: Files,
}

#[derive(Debug)]
pub(crate) enum Error {
    Interrupted,
    /// What went wrong, as sentences and log lines.
    Failed(String),
}

// === impl Trial ===

impl<'a> Trial<'a> {
    pub(crate) fn new(
        setup: &'a Setup<'a>,
        output: Output,
        scenario: &str,
        lines: Lines,
    ) -> Result<Trial<'a>, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
        let service = FakeFirehose::start(Settings {
            tls: true,
            region: Some(REGION.to_owned()),
            streams: [STREAM, OTHER_STREAM].map(str::to_owned).into(),
            scenario: Scenario::parse(scenario).map_err(|error| failed(&error))?,
            ..Settings::default()
        })
        .map_err(|error| failed(&error))?;
        let folder = TempDir::new()?;
        let trial = Trial {
            setup,
            output,
            processes: Vec::new(),
            service,
            tally: Tally::new(lines),
            tallied: 0,
            peak_rss_bytes: 0,
            files: Files::new(folder.path()),
            folder,
        };
        let pem = trial.service.ca_pem().expect("it speaks TLS");
        fs::write(trial.path("ca.pem"), pem)?;
        Ok(trial)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A section that delivers to this stream what has this tag. Both plugins try a chunk again
    /// for ever, and get the same number of workers.
    pub(crate) fn output(&self, stream: &'static str, tag: &str, workers: usize) -> String {
        let section = self.section(stream, tag, Some(workers));
        section + "    retry_limit no_limits\n"
    }

    /// The same as a newcomer writes it: with what is required, and no more.
    pub(crate) fn shortest_output(&self, stream: &'static str, tag: &str) -> String {
        self.section(stream, tag, None)
    }

    fn section(&self, stream: &'static str, tag: &str, workers: Option<usize>) -> String {
        let target = Target {
            port: self.service.address().port(),
            ca_file: self.path("ca.pem"),
            stream,
        };
        let section = self.output.section(Some(&target), workers);
        format!("{section}    match {tag}\n")
    }

    /// A section that reads a file from its beginning.
    pub(crate) fn tail(&self, file: &str, tag: &str) -> String {
        let path = self.path(file);
        format!(
            "[INPUT]\n    name tail\n    path {}\n    tag {tag}\n    parser json\n    \
             read_from_head on\n    refresh_interval 1\n",
            path.display()
        )
    }

    /// Options of the service for inputs that keep their chunks on disk.
    pub(crate) fn on_disk(&self) -> String {
        let storage = self.path("storage");
        format!("    storage.path {}\n", storage.display())
    }

    /// As [`Trial::tail`], and after a new start it goes on where it was.
    pub(crate) fn tail_on_disk(&self, file: &str, tag: &str) -> String {
        let database = self.path("tail.db");
        format!(
            "{}    storage.type filesystem\n    db {}\n",
            self.tail(file, tag),
            database.display()
        )
    }

    pub(crate) fn come_up(&mut self) -> Result<(), Error> {
        let up = self.service.come_up();
        up.map_err(|error| Error::Failed(error.to_string()))
    }

    /// The configuration begins with what more its service section needs.
    pub(crate) fn start(&mut self, configuration: &str) -> Result<(), Error> {
        self.start_as_it_is(&format!("{SOON}{configuration}"))
    }

    /// The same with the host's own defaults.
    pub(crate) fn start_as_it_is(&mut self, configuration: &str) -> Result<(), Error> {
        self.processes = vec![self.spawn(&self.files, configuration)?];
        Ok(())
    }

    /// As [`Trial::start`], beside those that run; it has files of its own in a folder of this
    /// name, and writes to the same log.
    pub(crate) fn start_beside(&mut self, name: &str, configuration: &str) -> Result<(), Error> {
        let folder = self.path(name);
        fs::create_dir(&folder)?;
        let files = Files::new(&folder);
        symlink(self.files.log(), files.log())?;
        let process = self.spawn(&files, &format!("{SOON}{configuration}"))?;
        self.processes.push(process);
        Ok(())
    }

    fn spawn(&self, files: &Files, configuration: &str) -> Result<Process, Error> {
        let configuration = format!(
            "[SERVICE]\n    parsers_file {}\n{configuration}",
            // A reload would look for a relative path elsewhere.
            files.path("parsers.conf").display()
        );
        let plugin = self
            .output
            .is_of_this_project()
            .then_some(self.setup.plugin);
        let fluent_bit = self.setup.fluent_bit;
        Ok(fluent_bit.start(files, &configuration, plugin)?)
    }

    /// Waits until the condition is met; false when that takes longer than `at_most`. All is
    /// counted before the condition is asked each time.
    pub(crate) fn until(
        &mut self,
        at_most: Duration,
        mut condition: impl FnMut(&mut Self) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let deadline = Instant::now() + at_most;
        loop {
            self.look()?;
            if condition(self)? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            if self.setup.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Until every expected line has arrived.
    pub(crate) fn until_drained(&mut self, at_most: Duration) -> Result<bool, Error> {
        self.until(at_most, |trial| Ok(trial.tally.missing() == 0))
    }

    /// As for a stop of the machine: what is under way may still be delivered.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        match self.stops_within(END_WITHIN)? {
            true => Ok(()),
            false => {
                let sentence = format!("Fluent Bit did not end within {END_WITHIN:?} of SIGTERM");
                Err(self.failure(&sentence))
            }
        }
    }

    /// Whether all end in time. Those that do not are killed.
    pub(crate) fn stops_within(&mut self, limit: Duration) -> Result<bool, Error> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + limit;
        let statuses = loop {
            let processes = self.processes.iter_mut();
            let statuses: Vec<_> = processes.map(Process::ended).collect::<Result<_, _>>()?;
            if statuses.iter().all(Option::is_some) || Instant::now() >= deadline {
                break statuses;
            }
            thread::sleep(LOOK_EVERY);
        };
        self.processes.clear();
        self.count();
        match statuses.iter().flatten().find(|status| !status.success()) {
            Some(status) => Err(self.failure(&format!("Fluent Bit ended with {status}"))),
            None => Ok(statuses.iter().all(Option::is_some)),
        }
    }

    /// Stops it where all has arrived: what comes twice comes then. Else it is killed, for it
    /// would try on and on.
    pub(crate) fn end(&mut self, drain: Option<Duration>) -> Result<(), Error> {
        match drain {
            Some(_) => self.stop(),
            None => {
                self.kill();
                Ok(())
            }
        }
    }

    /// As for a power failure, but for the disk.
    pub(crate) fn kill(&mut self) {
        self.processes.clear();
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        assert!(!self.processes.is_empty(), "{STARTED}");
        for process in &self.processes {
            process.signal(signal)?;
        }
        Ok(())
    }

    /// Of the process that was started first.
    pub(crate) fn sample(&self) -> Result<Sample, Error> {
        Ok(Sample::of(self.processes.first().expect(STARTED).id())?)
    }

    /// How often Fluent Bit has started in its process, the first time included.
    pub(crate) fn starts(&self) -> Result<usize, Error> {
        let log = fs::read(self.files.log())?;
        Ok(memchr::memmem::find_iter(&log, "[fluent bit] version=").count())
    }

    /// Calls that stored records without the client's being told.
    pub(crate) fn unanswered(&self) -> u64 {
        let requests = self.service.requests();
        let unanswered = requests
            .iter()
            .filter(|request| request.accepted > 0 && !request.told);
        unanswered.count() as u64
    }

    pub(crate) fn failure(&self, sentence: &str) -> Error {
        Error::Failed(self.files.with_log(sentence))
    }

    fn look(&mut self) -> Result<(), Error> {
        self.count();
        assert!(!self.processes.is_empty(), "{STARTED}");
        for process in &mut self.processes {
            if let Some(status) = process.ended()? {
                return Err(self.failure(&format!("Fluent Bit ended by itself, with {status}")));
            }
            let sample = Sample::of(process.id())?;
            self.peak_rss_bytes = self.peak_rss_bytes.max(sample.peak_rss_bytes);
        }
        Ok(())
    }

    fn count(&mut self) {
        let calls = self.service.accepted_calls(self.tallied);
        self.tallied += calls.len();
        for call in calls.iter().filter(|call| call.stream == STREAM) {
            self.tally.add(call);
        }
    }
}

/// Retries come soon, so that a trial is short.
const SOON: &str = "    scheduler.base 1\n    scheduler.cap 5\n";

const STARTED: &str = "the story starts Fluent Bit before it looks at it";

// === impl Error ===

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Failed(error.to_string())
    }
}
