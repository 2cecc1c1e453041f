//! The plugin as it is shipped, in the Fluent Bit that is on PATH, delivering over TLS to a fake
//! Firehose. Each case with each host is a test of its own; without a host one test, ignored, says
//! so.

#[path = "../support/mod.rs"]
mod support;

mod configurations;
mod delivery;
mod forms;
mod host;
mod image;
mod metrics;
mod operation;
mod otlp;
#[path = "../support/pages.rs"]
mod pages;
#[path = "../support/metrics.rs"]
mod registered;
mod samples;
mod shown;
mod sidecar;
mod streams;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::delivery::Input;
use crate::host::Host;
use crate::samples::{CASES, Case, FIRELENS};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most wait for a host's next second, but its threads are many, its lines a hundred thousand.
    arguments.test_threads = Some(10);
    let hosts = host::find();
    let input = Arc::new(Input::default());
    let mut trials: Vec<Trial> = hosts.iter().flat_map(|host| trials(host, &input)).collect();
    trials.extend(hosts.iter().flat_map(configuration_trials));
    if trials.is_empty() {
        let name = "no fluent-bit on PATH: every test with the real host is skipped";
        eprintln!("SKIPPED: {name}");
        let trial = Trial::test(name, || Err("there is no fluent-bit on PATH".into()));
        trials.push(trial.with_ignored_flag(true));
    }
    trials.extend(file_trials());
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
        add("60 tags share records, 1 worker", delivery::many_tags);
        add("100,000 lines, 1 worker", |host, input| {
            delivery::lines(host, input, Some(1), false)
        });
        add("100,000 lines aggregated, 1 worker", |host, input| {
            delivery::lines(host, input, Some(1), true)
        });
    }
    add("gzip", delivery::compressed);
    add("the event's own time comes back", delivery::time);
    if host.has_groups() {
        add("records of OTLP", otlp::records);
    }
    add("40 streams by record, some ill", streams::by_record);
    add("40 streams by tag, some ill", streams::by_tag);
    add("hostile names of streams", streams::hostile);
    add("more streams than may be", streams::many);
    add("a wrong option ends the start", operation::wrong_option);
    add("lines go to log_file", operation::log_file);
    add("one pool of workers", operation::workers);
    add("a stop longer than a flush", operation::long_stop);
    if host.has_hot_reload() {
        add("SIGHUP under load", operation::reload);
        add("SIGHUP four times", |host, _| {
            operation::reloads(host, None)
        });
        add("SIGHUP four times, 3 workers", |host, _| {
            operation::reloads(host, Some(3))
        });
    }
    if host.has_metrics() {
        add("metrics", metrics::values);
        add("metrics of 4 workers", metrics::workers);
        add("metrics after SIGHUP", metrics::reload);
        add("a key without a column", metrics::schema);
    } else {
        add("no metrics", metrics::none);
    }
    trials
}

/// Of the files of `fluent-bit/` and of the pages, without a host.
fn file_trials() -> [Trial; 3] {
    let defaults = "the image has the defaults of defaults.env";
    let forms = "both forms of each configuration have the same keys and values";
    let shown = "every configuration of the pages is known here";
    [
        Trial::test(defaults, || Ok(forms::same_defaults()?)),
        Trial::test(forms, || Ok(forms::same_values()?)),
        Trial::test(shown, || Ok(shown::all_known()?)),
    ]
}

/// Of the configurations of `fluent-bit/`. Those that a host can't run are listed as ignored.
fn configuration_trials(host: &Arc<Host>) -> Vec<Trial> {
    type Run = Box<dyn FnOnce(&Host) -> Result<(), String> + Send>;
    let mut trials = Vec::new();
    let mut add = |name: &str, lacks: Option<String>, run: Run| {
        let lacks_text = lacks.as_ref().map(|lacks| format!(" ({lacks})"));
        let name = format!("{}: {name}{}", host.name(), lacks_text.unwrap_or_default());
        let host = Arc::clone(host);
        let trial = Trial::test(name, move || run(&host).map_err(Into::into));
        trials.push(trial.with_ignored_flag(lacks.is_some()));
    };
    let no_yaml = (!host.has_yaml()).then(|| "it reads no lists in YAML".to_owned());
    let without = |case: &Case| {
        let missing = configurations::missing(host, case).join(", ");
        (!missing.is_empty()).then(|| format!("built without {missing}"))
    };
    for (form, lacks) in [(".conf", None), (".yaml", no_yaml.clone())] {
        let name = format!("every configuration *{form} passes --dry-run");
        let run = move |host: &Host| forms::dry_run(host, form);
        add(&name, lacks.clone(), Box::new(run));
        let name = format!("a stream for each namespace by kubernetes{form}");
        let run = move |host: &Host| streams::namespaces(host, form);
        add(&name, lacks.clone(), Box::new(run));
        for case in CASES {
            let name = format!("{} by {}{form}", case.name, case.configuration);
            let lacks = lacks.clone().or_else(|| without(case));
            let run = move |host: &Host| configurations::delivers(host, case, form);
            add(&name, lacks, Box::new(run));
        }
    }
    for block in shown::blocks() {
        let name = block.name();
        let lacks = no_yaml.clone().filter(|_| block.is_yaml());
        let run = move |host: &Host| block.delivers(host);
        add(&name, lacks, Box::new(run));
    }
    let documented = "the commands of docs/configuration.md";
    add(documented, None, Box::new(forms::documented));
    let documented = "the command of docs/metrics.md";
    let no_metrics = (!host.has_metrics()).then(|| "it has no metrics of plugins".to_owned());
    let no_curl = host::on_path("curl").is_none();
    let no_curl = no_curl.then(|| "there is no curl on PATH".to_owned());
    add(
        documented,
        no_metrics.clone().or(no_curl),
        Box::new(metrics::documented),
    );
    let equal = "both forms give the same properties";
    add(equal, no_yaml, Box::new(forms::equal_forms));
    let firelens = |host: &Host| configurations::delivers(host, &FIRELENS, ".conf");
    add(FIRELENS.name, without(&FIRELENS), Box::new(firelens));
    let health = "the image's health check";
    add(health, None, Box::new(configurations::health_check));
    let telemetry = "the metrics reach a Prometheus";
    add(telemetry, no_metrics, Box::new(configurations::telemetry));
    let kill = "what tail.conf read outlives kill -9";
    add(kill, None, Box::new(configurations::kill));
    let half = "only the rest of a chunk goes out after kill -9";
    add(half, None, Box::new(configurations::kill_half_delivered));
    if host.has_hot_reload() {
        let reload = "SIGHUP from another folder";
        add(reload, None, Box::new(configurations::reload));
    }
    trials
}
