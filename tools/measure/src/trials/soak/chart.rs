//! A soak as a picture: a panel for each figure, over time.

use std::time::Duration;

use figures::svg;

use super::{Event, History, Moment};

const LEFT: f64 = 60.0;
const RIGHT: f64 = svg::WIDTH - 16.0;
const PANEL_HEIGHT: f64 = 90.0;
/// Above each panel, for its title.
const GAP: f64 = 30.0;

/// Beside what all pictures have.
const STYLE: &str = "<style>
.figure { fill: none; stroke: #1a7f37; stroke-width: 1.5 }
.axis { stroke: #8c959f }
.kill { stroke: #cf222e }
.reload { stroke: #0969da; stroke-dasharray: 4 3 }
.outage { stroke: #9a6700; stroke-dasharray: 1 3 }
@media (prefers-color-scheme: dark) {
.figure { stroke: #3fb950 }
.kill { stroke: #ff7b72 }
.reload { stroke: #58a6ff }
.outage { stroke: #d29922 }
}
</style>
";

type Figure = fn(&Moment) -> f64;

const PANELS: [(&str, Figure); 5] = [
    ("lines on their way", |moment| moment.missing as f64),
    ("lines twice", |moment| moment.twice as f64),
    ("RSS, MB", |moment| moment.process.rss_bytes as f64 / 1e6),
    ("threads", |moment| moment.process.threads as f64),
    ("descriptors", |moment| moment.process.descriptors as f64),
];

pub(super) fn svg(history: &History, seed: u64) -> String {
    let last = history.moments.last();
    let length = last.map_or(f64::MIN_POSITIVE, |last| last.at.as_secs_f64());
    let x = |at: Duration| LEFT + at.as_secs_f64() / length * (RIGHT - LEFT);
    let mut panels = STYLE.to_owned();
    for (number, (title, figure)) in PANELS.into_iter().enumerate() {
        let top = svg::TOP + GAP + (PANEL_HEIGHT + GAP) * number as f64;
        panels += &panel(history, title, figure, top, x);
    }
    svg::picture(
        &format!("A soak of {length:.0} s, seed {seed}"),
        &panels,
        (PANEL_HEIGHT + GAP) * PANELS.len() as f64,
        "Lines across: kill -9 (solid), reload (dashed), endpoint down (dotted)",
    )
}

fn panel(
    history: &History,
    title: &str,
    figure: Figure,
    top: f64,
    x: impl Fn(Duration) -> f64,
) -> String {
    let bottom = top + PANEL_HEIGHT;
    let figures = history.moments.iter().map(figure);
    let most = figures.fold(f64::MIN_POSITIVE, f64::max);
    let mut panel = format!(
        "<text x=\"{LEFT}\" y=\"{:.1}\">{title}</text>\n\
         <text class=\"caption\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{most:.0}</text>\n\
         <text class=\"caption\" x=\"{:.1}\" y=\"{bottom:.1}\" text-anchor=\"end\">0</text>\n\
         <line class=\"axis\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{bottom:.1}\" y2=\"{bottom:.1}\"/>\n",
        top - 6.0,
        LEFT - 6.0,
        top + 8.0,
        LEFT - 6.0,
    );
    for (at, event) in &history.events {
        let class = match event {
            Event::Kill => "kill",
            Event::Reload => "reload",
            Event::Outage => "outage",
        };
        let x = x(*at);
        panel += &format!(
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\n"
        );
    }
    let points: Vec<String> = history
        .moments
        .iter()
        .map(|moment| {
            let y = bottom - figure(moment) / most * PANEL_HEIGHT;
            format!("{:.1},{y:.1}", x(moment.at))
        })
        .collect();
    panel
        + &format!(
            "<polyline class=\"figure\" points=\"{}\"/>\n",
            points.join(" ")
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Sample;

    fn moment(at: u64, missing: u64) -> Moment {
        Moment {
            at: Duration::from_secs(at),
            process: Sample::default(),
            missing,
            twice: 0,
        }
    }

    #[test]
    fn a_figure_fills_its_panel_from_the_first_moment_to_the_last() {
        let history = History {
            events: vec![(Duration::from_secs(5), Event::Kill)],
            moments: vec![moment(0, 0), moment(5, 20), moment(10, 10)],
        };
        let svg = svg(&history, 3);
        assert!(svg.contains("A soak of 10 s, seed 3"));
        // The first panel reaches from 78 to 168.
        assert!(
            svg.contains("points=\"60.0,168.0 402.0,78.0 744.0,123.0\""),
            "{svg}"
        );
        let kills = svg.matches("class=\"kill\" x1=\"402.0\"").count();
        assert_eq!(kills, PANELS.len());
    }
}
