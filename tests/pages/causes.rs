//! The pages and the alerts name the causes for which a call fails.

use firehose_core::deliver::failure::Cause;

use crate::read;

#[test]
fn every_cause_of_a_failed_call_is_explained() {
    let page = read("docs/troubleshooting.md");
    for cause in Cause::ALL {
        let start = format!("\n| `{}`", cause.advice());
        assert!(page.contains(&start), "no row begins with{start}");
    }
}

/// An operator must fix these too, but the stream is not blocked: the next call is signed by the
/// service's clock, data that is refused is split, and a bug may spare the next call.
const ONLY_ALERTED: [Cause; 3] = [Cause::Clock, Cause::Serialization, Cause::Bug];

#[test]
fn the_alert_names_the_causes_that_need_an_operator() {
    let rules = read("deploy/prometheus/alerts.yml");
    let mut alerts = rules.split("- alert: ");
    let alert = alerts.find(|alert| alert.starts_with("FirehoseNeedsOperator"));
    let answers = alert.and_then(|alert| alert.split("answer=~\"").nth(1)?.split('"').next());
    let causes = Cause::ALL.into_iter();
    let causes = causes.filter(|cause| cause.needs_operator() || ONLY_ALERTED.contains(cause));
    let topics: Vec<&str> = causes.map(Cause::topic).collect();
    assert_eq!(answers, Some(&*topics.join("|")));
}
