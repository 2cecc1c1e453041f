//! One trial: a Fluent Bit or several, their files, and the service that they deliver to.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fake_firehose::{FakeFirehose, Keep, Scenario, Settings};
use rustix::process::Signal;

use crate::bench::many_streams;
use crate::error::Error;
use crate::folder::Folder;
use crate::lines::Lines;
use crate::output::{Output, REGION};
use crate::process::{End, Process, Sample};
use crate::setup::Setup;
use crate::tally::Tally;

/// The stream whose lines are counted.
pub(crate) const STREAM: &str = "logs";
/// Another one, whose fate must not matter to the first.
pub(crate) const OTHER_STREAM: &str = "other";

/// Worker threads of each output, unless a trial says otherwise.
pub(crate) const WORKERS: usize = 2;

/// How often all is looked at while time goes by.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long an end on SIGTERM is waited for: longer than a few flushes in a row.
const END_WITHIN: Duration = Duration::from_secs(120);

/// For the host to start and to open its files, before lines come at a steady pace.
const STARTS_WITHIN: Duration = Duration::from_secs(2);

/// Retries come soon, so that a trial is short.
pub(crate) const SOON: &str = "    scheduler.base 1\n    scheduler.cap 5\n";

const STARTED: &str = "Fluent Bit is started before it is looked at";

const PARSERS: &str = "\
[PARSER]
    name json
    format json
    time_key timestamp
    time_format %Y-%m-%dT%H:%M:%S.%L%z
    time_keep on
";

/// Dropping it kills Fluent Bit, ends the service and removes the files.
pub(crate) struct Trial<'a> {
    setup: &'a Setup,
    pub(crate) output: Output,
    /// Empty while none runs.
    processes: Vec<Process>,
    pub(crate) service: FakeFirehose,
    /// What the service's milliseconds count from, or a little later.
    pub(crate) service_started: Instant,
    pub(crate) tally: Tally,
    /// Calls of the service that the tally has.
    tallied: usize,
    /// Of the process that had most.
    pub(crate) peak_rss_bytes: u64,
    folder: Folder,
}

impl<'a> Trial<'a> {
    /// What arrives is looked at line by line.
    pub(crate) fn new(
        setup: &'a Setup,
        output: Output,
        scenario: &str,
        lines: Lines,
    ) -> Result<Trial<'a>, Error> {
        let scenario = Scenario::parse(scenario);
        let settings = Settings {
            scenario: scenario.map_err(|error| Error::Failed(error.to_string()))?,
            ..Settings::default()
        };
        Trial::with(setup, output, settings, lines)
    }

    /// What arrives is only counted, by the service. Each answer takes at least `latency`.
    pub(crate) fn counted(
        setup: &'a Setup,
        output: Output,
        latency: Duration,
        lines: Lines,
    ) -> Result<Trial<'a>, Error> {
        let settings = Settings {
            keep: Keep::Counts,
            latency,
            ..Settings::default()
        };
        Trial::with(setup, output, settings, lines)
    }

    fn with(
        setup: &'a Setup,
        output: Output,
        settings: Settings,
        lines: Lines,
    ) -> Result<Trial<'a>, Error> {
        let service = FakeFirehose::start(Settings {
            tls: true,
            region: Some(REGION.to_owned()),
            streams: [STREAM, OTHER_STREAM]
                .map(str::to_owned)
                .into_iter()
                .chain(many_streams())
                .collect(),
            ..settings
        })?;
        let folder = Folder::new()?;
        fs::write(
            folder.path("ca.pem"),
            service.ca_pem().expect("it speaks TLS"),
        )?;
        fs::write(folder.path("parsers.conf"), PARSERS)?;
        Ok(Trial {
            setup,
            output,
            processes: Vec::new(),
            service,
            service_started: Instant::now(),
            tally: Tally::new(lines),
            tallied: 0,
            peak_rss_bytes: 0,
            folder,
        })
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path(name)
    }

    /// Appends the next lines to the input file. They are expected from now on.
    pub(crate) fn write(&mut self, count: u64) -> Result<(), Error> {
        let first = self.tally.expected();
        self.tally.expect(first + count);
        let lines = self.tally.lines;
        Ok(lines.append(&self.path("input.log"), first..first + count)?)
    }

    /// Writes lines to files in turn, one `every` so long, as many as fit into the time; tells when
    /// it wrote each.
    pub(crate) fn feed(
        &mut self,
        files: &mut [File],
        line: impl Fn(u64) -> String,
        every: Duration,
        fed_for: Duration,
    ) -> Result<Vec<Instant>, Error> {
        self.pause(STARTS_WITHIN)?;
        let mut written = Vec::new();
        let mut due = Instant::now();
        let count = (fed_for.as_nanos() / every.as_nanos()) as u64;
        for (number, file) in (0..count).zip((0..files.len()).cycle()) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.look()?;
            written.push(Instant::now());
            files[file].write_all(format!("{}\n", line(number)).as_bytes())?;
            due += every;
        }
        Ok(written)
    }

    /// A section that delivers to this stream what has this tag. Both plugins try a chunk again
    /// for ever, and get the same number of workers.
    pub(crate) fn output(&self, stream: &str, tag: &str, workers: usize) -> String {
        let section = self.section(stream, tag, Some(workers));
        section + "    retry_limit no_limits\n"
    }

    /// The same without retries for ever; without a number of workers, too, it is as a newcomer
    /// writes it.
    pub(crate) fn section(&self, stream: &str, tag: &str, workers: Option<usize>) -> String {
        let ca_file = self.path("ca.pem");
        let service = (self.service.address().port(), &*ca_file);
        self.output.section(service, stream, tag, workers)
    }

    /// A section that reads a file from its beginning, or all files of a glob.
    pub(crate) fn tail(&self, file: impl AsRef<Path>, tag: &str) -> String {
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

    /// As [`Trial::tail`] of the input file, and after a new start it goes on where it was.
    pub(crate) fn tail_on_disk(&self, tag: &str) -> String {
        let database = self.path("tail.db");
        format!(
            "{}    storage.type filesystem\n    db {}\n",
            self.tail("input.log", tag),
            database.display()
        )
    }

    /// The configuration begins with what more its service section needs.
    pub(crate) fn start(&mut self, configuration: &str) -> Result<(), Error> {
        self.start_as_it_is(&format!("{SOON}{configuration}"))
    }

    /// The same with the host's own defaults.
    pub(crate) fn start_as_it_is(&mut self, configuration: &str) -> Result<(), Error> {
        self.processes.clear();
        self.start_beside("fluent-bit", configuration)
    }

    /// As [`Trial::start_as_it_is`], beside those that run; the name is the configuration's.
    pub(crate) fn start_beside(&mut self, name: &str, configuration: &str) -> Result<(), Error> {
        let path = self.path(format!("{name}.conf"));
        // A reload would look for a relative path elsewhere.
        let parsers = self.path("parsers.conf");
        let parsers = parsers.display();
        fs::write(
            &path,
            format!("[SERVICE]\n    parsers_file {parsers}\n{configuration}"),
        )?;
        let mut command = self.folder.command(&self.setup.fluent_bit)?;
        command.arg("--config").arg(path);
        if self.output.is_of_this_project() {
            command.arg("--plugin").arg(&self.setup.plugin);
        }
        self.processes.push(Process::spawn(&mut command)?);
        Ok(())
    }

    /// A configuration that lies elsewhere, with the variables that it names.
    pub(crate) fn start_file(
        &mut self,
        configuration: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        let mut command = self.folder.command(&self.setup.fluent_bit)?;
        command.arg("--config").arg(configuration).envs(variables);
        self.processes = vec![Process::spawn(&mut command)?];
        Ok(())
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
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn pause(&mut self, length: Duration) -> Result<(), Error> {
        self.until(length, |_| Ok(false)).map(|_| ())
    }

    /// Until every expected line has arrived.
    pub(crate) fn until_drained(&mut self, at_most: Duration) -> Result<bool, Error> {
        self.until(at_most, |trial| Ok(trial.tally.missing == 0))
    }

    /// How long after this moment every expected line had arrived, if it had in time; then
    /// Fluent Bit is stopped, since what comes twice comes then. Else it is killed, for it would
    /// try on and on.
    pub(crate) fn drain(
        &mut self,
        since: Instant,
        at_most: Duration,
    ) -> Result<Option<Duration>, Error> {
        match self.until_drained(at_most)? {
            true => {
                let drain = since.elapsed();
                self.stop()?;
                Ok(Some(drain))
            }
            false => {
                self.kill();
                Ok(None)
            }
        }
    }

    /// Until the service has stored so many documents, each once.
    pub(crate) fn until_stored(&mut self, count: u64, at_most: Duration) -> Result<(), Error> {
        self.until(
            at_most,
            |trial| Ok(trial.service.stats().documents >= count),
        )?;
        self.check_stored(count)
    }

    pub(crate) fn check_stored(&self, count: u64) -> Result<(), Error> {
        let stats = self.service.stats();
        match stats.documents == count {
            true => Ok(()),
            false => Err(self.failure(&format!(
                "{count} lines were written, but {} documents in {} records arrived",
                stats.documents, stats.records
            ))),
        }
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
        Ok(self.ends_within(limit)?.is_some())
    }

    /// The CPU time that all took from their start to their end; None when that does not come in
    /// time, and then they are killed.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> Result<Option<Duration>, Error> {
        let deadline = Instant::now() + limit;
        let ends = loop {
            self.setup.check()?;
            let ends = self.ends()?;
            if ends.iter().all(Option::is_some) || Instant::now() >= deadline {
                break ends;
            }
            thread::sleep(LOOK_EVERY);
        };
        self.processes.clear();
        self.count();
        let ended: Vec<End> = ends.iter().copied().flatten().collect();
        match ended.iter().find(|end| !end.status.success()) {
            Some(end) => Err(self.failure(&format!("Fluent Bit ended with {}", end.status))),
            None if ended.len() < ends.len() => Ok(None),
            None => Ok(Some(ended.iter().map(|end| end.cpu).sum())),
        }
    }

    /// As for a power failure, but for the disk.
    pub(crate) fn kill(&mut self) {
        self.processes.clear();
    }

    /// Records that the service stored within a tenth of a second of this moment: the client may
    /// not have heard of them.
    pub(crate) fn accepted_now(&self) -> u64 {
        const AROUND: Duration = Duration::from_millis(100);
        let now = self.service_started.elapsed();
        thread::sleep(AROUND);
        let requests = self.service.requests();
        let late = requests.iter().rev().take_while(|request| {
            let decided = Duration::from_millis(request.decided_ms);
            decided + AROUND >= now
        });
        late.map(|request| request.accepted).sum()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        assert!(!self.processes.is_empty(), "{STARTED}");
        for process in &self.processes {
            process.signal(signal)?;
        }
        Ok(())
    }

    /// The one that was started first.
    pub(crate) fn process(&self) -> &Process {
        self.processes.first().expect(STARTED)
    }

    pub(crate) fn sample(&self) -> Result<Sample, Error> {
        Ok(self.process().sample()?)
    }

    /// How often Fluent Bit has started in its process, the first time included.
    pub(crate) fn starts(&self) -> Result<usize, Error> {
        let log = fs::read(self.folder.log())?;
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
        Error::Failed(self.folder.with_log(sentence))
    }

    fn look(&mut self) -> Result<(), Error> {
        self.setup.check()?;
        self.count();
        assert!(!self.processes.is_empty(), "{STARTED}");
        if let Some(end) = self.ends()?.into_iter().flatten().next() {
            let sentence = format!("Fluent Bit ended by itself, with {}", end.status);
            return Err(self.failure(&sentence));
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<Vec<Option<End>>, Error> {
        let mut ends = Vec::new();
        for process in &mut self.processes {
            ends.push(process.look()?);
            self.peak_rss_bytes = self.peak_rss_bytes.max(process.peak_rss_bytes);
        }
        Ok(ends)
    }

    fn count(&mut self) {
        let calls = self.service.accepted_calls(self.tallied);
        self.tallied += calls.len();
        for call in calls.iter().filter(|call| call.stream == STREAM) {
            self.tally.add(call);
        }
    }
}
