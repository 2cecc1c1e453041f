//! The CPU that each output takes, as a picture.

use figures::svg::{Bar, Bars};

use super::summary::{Round, Spread, cpu_over_null, of_peer, spread};
use crate::output::Output;

/// How long the longest bar for CPU is.
const LONGEST_CPU: f64 = 320.0;

/// A bar for each output that has the figure; a line across its end from the least to the most.
pub(super) fn cpu(rounds: &[Round], caption: &str) -> String {
    let outputs = Output::ALL.into_iter();
    let found: Vec<(Output, Spread)> = outputs
        .filter_map(|output| Some((output, spread(rounds, output, cpu_over_null)?)))
        .collect();
    let most = found.iter().map(|(_, spread)| spread.max);
    let most = most.fold(f64::MIN_POSITIVE, f64::max);
    // Noise can put an output below null in a very short run: its bar is then empty.
    let length = |seconds: f64| (seconds / most).max(0.0) * LONGEST_CPU;
    let bar = |(output, spread): (Output, Spread)| {
        let of_peer = of_peer(rounds, output, cpu_over_null);
        let of_peer = of_peer.map(|of_peer| format!(" ({:.2} of C's)", of_peer.median));
        Bar {
            label: output.name().to_owned(),
            class: match output.is_of_this_project() {
                true => "own",
                false => "bar",
            },
            length: length(spread.median),
            spread: Some((length(spread.min), length(spread.max))),
            text: format!("{:.2}{}", spread.median, of_peer.unwrap_or_default()),
            text_from: length(spread.max),
        }
    };
    let title = "CPU seconds over Fluent Bit's null output: median, least and most";
    let bars = Bars {
        left: 290.0,
        bars: found.into_iter().map(bar).collect(),
    };
    bars.picture(title, caption)
}
