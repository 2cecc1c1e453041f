//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::trials::STORIES;

const EXIT_CODES: &str = "Exit code: 0 when all went well, 1 when not, 2 when something needed is missing, \
                          130 when interrupted.";

const BENCH_MORE: &str = "All deliver over TLS to a fake Firehose on loopback. CPU, memory and time are those of Fluent \
                          Bit's process alone. A run that does not deliver every line once has failed, and is left out. \
                          Whether the targets are met does not change the exit code.";

const TRIALS_MORE: &str = "Each story is told to Fluent Bit's own kinesis_firehose and to this project's firehose, with \
                           the same lines, faults and options, over TLS to a fake Firehose on loopback. It goes well when \
                           this project's output lost nothing and doubled nothing that it could help.";

/// Measures outputs for Amazon Data Firehose inside the real Fluent Bit
#[derive(Debug, Parser)]
#[command(name = "firehose-measure", max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Compare CPU, memory, calls, the bill and delays, and set them beside the targets
    #[command(args_override_self = true, after_long_help = BENCH_MORE)]
    Bench(Bench),
    /// Tell reliability stories: what is lost, doubled and slowed down
    #[command(args_override_self = true, after_long_help = TRIALS_MORE)]
    Trials(Trials),
    /// Run this project's output for long under faults, kills, reloads and outages that a seed chooses
    #[command(args_override_self = true)]
    Soak(Soak),
    /// Load the plugin, initialise an output with these options, and print how many microseconds that took
    #[command(hide = true)]
    Load {
        plugin: PathBuf,
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Programs {
    /// This project's plugin
    #[arg(long, value_name = "FILE", default_value = "dist/firehose.so")]
    pub(crate) plugin: PathBuf,
    /// Fluent Bit: a name on PATH, or a path
    #[arg(long, value_name = "PROGRAM", default_value = "fluent-bit")]
    pub(crate) fluent_bit: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Only this part, repeatable [default: all]
    #[arg(long = "part", value_name = "NAME")]
    pub(crate) parts: Vec<Part>,
    /// JSON log lines of throughput and drain, about 400 bytes each
    #[arg(long, value_name = "N", default_value = "500000", value_parser = value_parser!(u64).range(1..))]
    pub(crate) lines: u64,
    /// How often each output runs in throughput, in turn
    #[arg(long, value_name = "N", default_value = "9", value_parser = value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// Worker threads of each output in throughput and drain
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) workers: usize,
    /// What this project's outputs remember on disk in throughput and drain
    #[arg(long, value_name = "WHAT", default_value = "nothing")]
    pub(crate) state: State,
    /// How long the sidecars are fed, the 100 tags half as long, and the idle plugin is watched a sixth as long
    #[arg(long, value_name = "N", default_value = "60", value_parser = value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Draw bench.svg there, if all parts ran
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Nothing,
    /// With a state_path
    Path,
    /// With state_sync too
    Sync,
}

/// In the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Part {
    /// Fluent Bit tails a file into null, its own kinesis_firehose and this project's firehose, the latter two with and
    /// without simple_aggregation
    Throughput,
    /// The same but for null, where each answer takes 50 ms
    Drain,
    /// Four times the throughput's lines as 40 tags, to null, to one delivery stream, and to one for each tag
    Streams,
    /// 100 tags of 1 KB a second each, 16 workers, 20 ms an answer, simple_aggregation
    Tags,
    /// 5 lines a second, in the project's sidecar, and as much with kinesis_firehose
    Sidecar,
    /// The plugin's size, its Init, and its threads while there is nothing to do
    Plugin,
}

#[derive(Args, Debug)]
pub(crate) struct Trials {
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Only this story [default: all]
    #[arg(long, value_name = "NAME", value_parser = stories())]
    pub(crate) story: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Soak {
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// How long it lasts
    #[arg(long, value_name = "N", default_value = "600")]
    pub(crate) seconds: u64,
    /// What faults, kills, reloads and outages are chosen by [default: any]
    #[arg(long, value_name = "N", default_value_t = fastrand::u32(..).into(), hide_default_value = true)]
    pub(crate) seed: u64,
    /// Where it is drawn
    #[arg(long, value_name = "FILE", default_value = "target/soak.svg")]
    pub(crate) svg: PathBuf,
}

fn stories() -> PossibleValuesParser {
    let story = |story: &crate::trials::Story| PossibleValue::new(story.name).help(story.tells);
    STORIES.iter().map(story).collect::<Vec<_>>().into()
}

impl Bench {
    /// Those that are asked for, each once, in their order.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let all = Part::value_variants().iter().copied();
        all.filter(|part| self.parts.is_empty() || self.parts.contains(part))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Task, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.task)
    }

    #[test]
    fn the_last_of_an_option_counts_but_parts_add_up() {
        Cli::command().debug_assert();
        let line =
            "m bench --svg docs --lines 7 --part plugin --part tags --part plugin --svg other";
        let Task::Bench(bench) = parse(line).unwrap() else {
            panic!("it is the bench");
        };
        assert_eq!(bench.parts(), [Part::Tags, Part::Plugin]);
        assert_eq!((bench.lines, bench.svg), (7, Some("other".into())));
        let Task::Bench(bench) = parse("m bench").unwrap() else {
            panic!("it is the bench");
        };
        assert_eq!(bench.parts(), Part::value_variants());
    }

    #[test]
    fn wrong_options_are_errors() {
        for line in [
            "m bench --lines 0",
            "m bench --part none",
            "m bench stray",
            "m trials --story none",
            "m trials --seed 1",
            "m soak --story kill",
            "m",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        let error = parse("m trials --story none").unwrap_err().to_string();
        assert!(error.contains("shortest, refusals"), "{error}");
    }
}
