//! How the plugin is loaded, configured, logged, reloaded and ended.

use std::fs;

use rustix::process::Signal;

use crate::delivery::{Input, exactly_once};
use crate::host::Host;
use crate::sidecar::{LONG, Sidecar, ended_well, options, text};
use crate::support::logs::{Difference, http_logs};
use crate::support::service::Service;

pub(crate) fn wrong_option(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&sidecar.write("input.log", &http_logs(0..10)), "json");
    sidecar.output.push(("compression", "brotli".to_owned()));
    let mut process = sidecar.start(host);
    let status = process.wait(LONG)?;
    let sentence = "[output:firehose:firehose.0] compression `brotli` is not allowed: \
                    it takes `none`, `gzip`, `zstd` or `snappy`";
    let is_told = process.output().contains(sentence);
    if status.success() || (host.writes_its_log_to_the_end() && !is_told) {
        return Err(process.failure(&format!("ended with {status}")));
    }
    Ok(())
}

pub(crate) fn log_file(host: &Host, _: &Input) -> Result<(), String> {
    let lines = http_logs(0..1000);
    let service = Service::with_scenario("[[step]]\nrefuse = [0]");
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&sidecar.write("input.log", &lines), "json");
    let log = sidecar.path("fluent-bit.log");
    sidecar.service.push(("log_file", text(&log).to_owned()));
    if host.has_workers() {
        sidecar.output.push(("workers", "1".to_owned()));
    }
    let process = sidecar.run(host)?;
    exactly_once(&process, &lines, &service.fake.documents())?;
    let log = fs::read_to_string(log).map_err(|error| process.failure(&error.to_string()))?;
    for (level, words) in [("warn", "refused"), ("info", "delivered 1000 documents")] {
        let is_told = |line: &str| {
            line.contains(&format!("[{level:>5}] [output:firehose:firehose.0]"))
                && line.contains(words)
        };
        if !log.lines().any(is_told) || process.output().contains(words) {
            return Err(process.failure(&format!("{words:?} is not in log_file alone:\n{log}")));
        }
    }
    Ok(())
}

/// A flush that begins while the host stops has `stop_timeout`, however short `flush_timeout` is.
pub(crate) fn long_stop(host: &Host, _: &Input) -> Result<(), String> {
    let service = Service::with_scenario(
        "[[step]]\nrepeat = \"forever\"\nstatus = 503\ntype = \"InternalFailure\"",
    );
    let mut sidecar = Sidecar::new(&service);
    sidecar.tail(&sidecar.write("input.log", &http_logs(0..10)), "json");
    sidecar.input.retain(|(key, _)| *key != "exit_on_eof");
    sidecar.output.extend(options(&[
        ("flush_timeout", "1s"),
        ("request_timeout", "1s"),
        ("stop_timeout", "9s"),
    ]));
    sidecar.service.retain(|(key, _)| *key != "grace");
    sidecar.service.extend(options(&[
        ("grace", "9"),
        ("scheduler.base", "1"),
        ("scheduler.cap", "1"),
    ]));
    let mut process = sidecar.start(host);
    process.until(LONG, "a retry", |output| {
        output.contains("hand the chunk over again")
    })?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    match process.output().contains("does not answer") {
        true => Err(process.failure("the host's side gave up before the flush ended")),
        false => Ok(()),
    }
}

/// One pool, of as many workers as the section says, or else the plugin.
pub(crate) fn workers(host: &Host, _: &Input) -> Result<(), String> {
    for (own, expected) in [(None, 4), (Some("3"), 3)] {
        let service = Service::tls();
        let mut sidecar = Sidecar::new(&service);
        sidecar.tail(&sidecar.write("input.log", &http_logs(0..10)), "json");
        let own = own.map(|number| ("workers", number.to_owned()));
        sidecar.output.extend(own);
        let process = sidecar.run(host)?;
        let output = process.output();
        let is_start = |line: &&str| line.contains("worker #") && line.ends_with(" started");
        let started = output.lines().filter(is_start).count();
        if started != expected {
            return Err(process.failure(&format!("{started} workers for {expected}")));
        }
    }
    Ok(())
}

/// Every line arrives, be it that the host reads the file again or goes on where it was.
pub(crate) fn reload(host: &Host, input: &Input) -> Result<(), String> {
    let input = input.written();
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.service.push(("hot_reload", "on".to_owned()));
    let database = sidecar.path("tail.db");
    sidecar.tail(&input.path, "json");
    sidecar.input.retain(|(key, _)| *key != "exit_on_eof");
    if host.remembers_whole_lines() {
        sidecar.input.push(("db", text(&database).to_owned()));
    }
    let aggregation = ("simple_aggregation", "true".to_owned());
    sidecar.output.push(aggregation);

    let mut process = sidecar.start(host);
    let arrived = || service.fake.stats().documents;
    process.until(LONG, "the first lines", |_| arrived() > 0)?;
    process.signal(Signal::HUP);
    let mut before = None;
    process.until(LONG, "the end of the old configuration", |output| {
        before = delivered(output);
        before.is_some()
    })?;
    let read_again = before.filter(|_| !host.remembers_whole_lines());
    let all = input.lines.len() as u64 + read_again.unwrap_or_default();
    process.until(LONG, "all lines", |_| arrived() >= all)?;
    process.signal(Signal::TERM);
    ended_well(&mut process)?;
    let difference = Difference::between(&input.lines, &service.fake.documents());
    if difference.lost + difference.unequal + difference.foreign > 0 {
        return Err(process.failure(&difference.to_string()));
    }
    Ok(())
}

/// Again and again, with workers: what a reload leaves behind crashes the host at the second.
pub(crate) fn reloads(host: &Host, workers: Option<u32>) -> Result<(), String> {
    let service = Service::tls();
    let mut sidecar = Sidecar::new(&service);
    sidecar.service.push(("hot_reload", "on".to_owned()));
    sidecar.input = options(&[("name", "dummy"), ("rate", "50")]);
    let workers = workers.map(|number| ("workers", number.to_string()));
    sidecar.output.extend(workers);
    let mut process = sidecar.start(host);
    for starts in 1..=5 {
        if starts > 1 {
            process.signal(Signal::HUP);
        }
        let has_started = |output: &str| output.matches("worker #0 started").count() == starts;
        process.until(LONG, "the new configuration", has_started)?;
        let before = service.fake.stats().documents;
        process.until(LONG, "its events", |_| {
            service.fake.stats().documents > before
        })?;
    }
    process.signal(Signal::TERM);
    ended_well(&mut process)
}

/// What an instance says it has delivered, at its exit.
fn delivered(output: &str) -> Option<u64> {
    let (_, rest) = output.split_once("] delivered ")?;
    let (number, _) = rest.split_once(" documents in ")?;
    number.parse().ok()
}
