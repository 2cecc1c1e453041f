//! What is written about the metrics, the dashboard and the alerts name what the plugin registers.

use std::collections::{BTreeMap, BTreeSet};

use firehose_core::tell::metrics::Values;
use serde_json::Value;

use crate::read;
use crate::registered::{PREFIX, base, full_name, kind, names_in, registered};

/// The cells of a table's rows whose first cell begins with this, without their back quotes.
fn rows(text: &str, start: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(str::trim);
        cells.map(|cell| cell.replace('`', "")).collect::<Vec<_>>()
    };
    rows.map(cells)
        .filter(|cells| cells[0].starts_with(start))
        .collect()
}

#[test]
fn the_page_tells_name_type_labels_and_meaning_of_all_metrics() {
    let page = read("docs/metrics.md");
    let documented = rows(&page, PREFIX);
    let names: Vec<String> = documented.iter().map(|cells| cells[0].clone()).collect();
    let metrics = registered();
    let expected: Vec<String> = metrics.iter().map(full_name).collect();
    let is_missing = |name: &&String| !names.contains(name);
    let missing: Vec<&String> = expected.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "no row tells of {missing:?}");
    let is_unknown = |name: &&String| !expected.contains(name);
    let unknown: Vec<&String> = names.iter().filter(is_unknown).collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");
    assert_eq!(names, expected, "in this order");
    for (metric, cells) in metrics.iter().zip(&documented) {
        let label = match &metric.values {
            Values::Counters { label, .. } => label,
            _ => "",
        };
        assert_eq!(cells[1], kind(metric), "type of {}", cells[0]);
        assert_eq!(cells[2], label, "labels of {}", cells[0]);
        assert!(
            cells[3].starts_with(metric.help),
            "{} means {:?}, but its help is {:?}",
            cells[0],
            cells[3],
            metric.help
        );
    }
}

#[test]
fn the_page_tells_all_values_of_labels() {
    let page = read("docs/metrics.md");
    let mut sections = BTreeMap::new();
    for section in page.split("\n### ").skip(1) {
        let (title, text) = section.split_once('\n').expect("a section has a text");
        let text = text.split("\n## ").next().unwrap_or_default();
        let values: Vec<String> = rows(text, "")
            .into_iter()
            .map(|mut cells| cells.remove(0))
            .collect();
        sections.insert(title.replace('`', ""), values);
    }
    let mut expected = BTreeMap::new();
    for metric in registered() {
        if let Values::Counters { label, values } = &metric.values {
            let values = values.iter().map(|(value, _)| (*value).to_owned());
            let title = format!("{label} of {}", full_name(&metric));
            expected.insert(title, values.collect::<Vec<_>>());
        }
    }
    assert_eq!(sections, expected);
}

#[test]
fn the_page_tells_the_bounds_of_histograms() {
    let bounds: Vec<String> = firehose_core::tell::metrics::BOUNDS
        .iter()
        .map(f64::to_string)
        .collect();
    let (last, others) = bounds.split_last().expect("there are bounds");
    let sentence = format!("have the bounds {} and {last} seconds.", others.join(", "));
    assert!(read("docs/metrics.md").contains(&sentence), "{sentence}");
}

fn known() -> BTreeSet<String> {
    registered().iter().map(full_name).collect()
}

/// Fluent Bit's own, as 3.2 and 5.1 print them.
const HOSTS: [&str; 4] = [
    "fluentbit_output_chunk_available_capacity_percent",
    "fluentbit_output_dropped_records_total",
    "fluentbit_output_retries_failed_total",
    "fluentbit_storage_chunks",
];

/// The plugin's metrics in a text; no other name may be in it but `HOSTS`.
fn used_in(text: &str) -> BTreeSet<String> {
    let names = names_in(text);
    let own = names.iter().filter(|name| !HOSTS.contains(&name.as_str()));
    own.map(|name| base(name).to_owned()).collect()
}

#[test]
fn the_dashboard_s_queries_name_metrics_that_there_are() {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/grafana/firehose.json")).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let mut used = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a panel has a title");
        let targets = panel["targets"].as_array().expect("a panel has queries");
        for target in targets {
            let query = target["expr"].as_str().expect("a query is text");
            let names = names_in(query);
            assert!(!names.is_empty(), "{title}: {query} asks for no metric");
            for variable in ["$instance", "$name", "$stream"] {
                assert!(
                    query.contains(variable),
                    "{title}: {query} has no {variable}"
                );
            }
            used.extend(used_in(query));
        }
    }
    let known = known();
    let unknown: Vec<&String> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");
    let unseen: Vec<&String> = known.difference(&used).collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
}

#[test]
fn the_alerts_name_metrics_that_there_are_and_are_documented() {
    let rules = read("deploy/prometheus/alerts.yml");
    let used = used_in(&rules);
    let known = known();
    let unknown: Vec<&String> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");

    let value = |line: &str, key: &str| line.trim().strip_prefix(key).map(str::to_owned);
    let alerts: Vec<String> = rules
        .lines()
        .filter_map(|line| value(line, "- alert: "))
        .collect();
    let severities: Vec<String> = rules
        .lines()
        .filter_map(|line| value(line, "severity: "))
        .collect();
    let documented = rows(&read("docs/metrics.md"), "Firehose");
    let documented: Vec<(String, String)> = documented
        .into_iter()
        .map(|cells| (cells[0].clone(), cells[1].clone()))
        .collect();
    assert!(!alerts.is_empty());
    assert_eq!(alerts.len(), severities.len());
    assert_eq!(
        documented,
        alerts.into_iter().zip(severities).collect::<Vec<_>>()
    );
}

#[test]
fn every_label_value_that_a_query_names_exists() {
    let values: BTreeSet<String> = registered()
        .iter()
        .flat_map(|metric| match &metric.values {
            Values::Counters { label, values } => values
                .iter()
                .map(|(value, _)| format!("{label} {value}"))
                .collect(),
            _ => Vec::new(),
        })
        .collect();
    for path in [
        "deploy/grafana/firehose.json",
        "deploy/prometheus/alerts.yml",
    ] {
        let text = read(path).replace("\\\"", "\"");
        for label in ["answer", "reason"] {
            for rest in text.split(&format!("{label}=")).skip(1) {
                let value = rest.trim_start_matches('~');
                let value = value.split('"').nth(1).expect("a matcher is quoted");
                for value in value.split('|') {
                    let pair = format!("{label} {value}");
                    assert!(values.contains(&pair), "{path}: there is no {pair}");
                }
            }
        }
    }
}
