//! The plugin as it is shipped, in every Fluent Bit that is on PATH, delivering over TLS to a
//! fake Firehose. Each case with each host is a test of its own; without a host one test, ignored,
//! says so.

#[path = "../support/mod.rs"]
mod support;

mod delivery;
mod host;
mod metrics;
mod operation;
#[path = "../support/metrics.rs"]
mod registered;
mod sidecar;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::delivery::Input;
use crate::host::Host;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A host is given the whole machine: its threads are many, its lines a hundred thousand.
    arguments.test_threads = Some(1);
    let hosts = host::find();
    let input = Arc::new(Input::default());
    let mut trials: Vec<Trial> = hosts.iter().flat_map(|host| trials(host, &input)).collect();
    if trials.is_empty() {
        let name = "no fluent-bit on PATH: every test with the real host is skipped";
        eprintln!("SKIPPED: {name}");
        let trial = Trial::test(name, || Err("there is no fluent-bit on PATH".into()));
        trials.push(trial.with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(host: &Arc<Host>, input: &Arc<Input>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |name: &str, run: fn(&Host, &Input) -> Result<(), String>| {
        let (host, input) = (Arc::clone(host), Arc::clone(input));
        let name = format!("{}: {name}", host.name());
        trials.push(Trial::test(name, move || {
            run(&host, &input).map_err(Into::into)
        }));
    };
    add("100,000 lines, workers not set", |host, input| {
        delivery::lines(host, input, None, false)
    });
    add(
        "100,000 lines aggregated, workers not set",
        |host, input| delivery::lines(host, input, None, true),
    );
    if host.has_workers() {
        add("100,000 lines, 1 worker", |host, input| {
            delivery::lines(host, input, Some(1), false)
        });
        add("100,000 lines aggregated, 1 worker", |host, input| {
            delivery::lines(host, input, Some(1), true)
        });
        add("100,000 lines, 4 workers", |host, input| {
            delivery::lines(host, input, Some(4), false)
        });
        add("100,000 lines aggregated, 4 workers", |host, input| {
            delivery::lines(host, input, Some(4), true)
        });
    }
    add("gzip", delivery::compressed);
    add("the event's own time comes back", delivery::time);
    add("dummy", operation::dummy);
    add("plugins_file", operation::plugins_file);
    add("a wrong option ends the start", operation::wrong_option);
    add("lines go to log_file", operation::log_file);
    add(
        "flush on the engine's thread is warned of",
        operation::engine_thread,
    );
    if host.has_hot_reload() {
        add("SIGHUP under load", operation::reload);
    }
    if host.has_metrics() {
        add("metrics", metrics::values);
        add(
            "metrics that the dashboard and alerts ask for",
            metrics::queries,
        );
        add("metrics of 4 workers", metrics::workers);
        add("metrics after SIGHUP", metrics::reload);
    } else {
        add("no metrics", metrics::none);
    }
    trials
}
