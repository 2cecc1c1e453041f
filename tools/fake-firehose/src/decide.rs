//! Decides what becomes of a valid call: which of its records are stored, and what is answered.

use std::time::Duration;

use bytes::Bytes;

use crate::call::Call;
use crate::error::ServiceError;
use crate::limits;
use crate::memory::Outcome;
use crate::quota::{Throttle, slow_down};
use crate::reply;
use crate::scenario::{Fault, ReplyShape, Scenario, Step, When, Which};

/// What is done with a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    /// One entry for each record of the call: is it stored?
    pub(crate) stored: Vec<bool>,
    /// Does the client learn that from what is delivered?
    pub(crate) told: bool,
    pub(crate) delivery: Delivery,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Delivery {
    Answer(Answer),
    /// Nothing is sent, until the client goes.
    Hang,
    /// The connection is reset.
    Reset,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) delay: Duration,
    pub(crate) drip: Option<Duration>,
    pub(crate) close: bool,
}

/// What becomes of a valid call, which the request of this number carries.
///
/// The quota comes first, as at the service's own door; what the call would store then uses it up.
pub(crate) fn decide(
    scenario: &Scenario,
    throttle: &mut Throttle,
    now: Duration,
    request: u64,
    call: &Call,
) -> Decision {
    let nothing = || vec![false; call.records()];
    let quota = throttle.stream(&call.stream, now);
    if let Err(error) = quota.take_request() {
        return failure(&error, nothing());
    }
    if is_poisoned(scenario, call) {
        return failure(&limits::invalid_data(), nothing());
    }
    let step = scenario.step(request);
    let mut decision = if step.is_some_and(|step| is_over_lower_limits(step, call)) {
        failure(&limits::call_too_large(), nothing())
    } else {
        let fault = step.map_or(&Fault::Accept, |step| &step.fault);
        let mut stored = stored(fault, scenario.seed, request, call.records());
        quota.take_records(call, &mut stored);
        apply(
            fault,
            step.map(|step| step.reply).unwrap_or_default(),
            request,
            stored,
        )
    };
    if let (Some(step), Delivery::Answer(answer)) = (step, &mut decision.delivery) {
        answer.delay = step.delay;
        answer.drip = step.drip;
        answer.close = step.close;
    }
    decision
}

/// A call that fails with this error, its records stored or not.
pub(crate) fn failure(error: &ServiceError, stored: Vec<bool>) -> Decision {
    Decision {
        outcome: Outcome::Error(error.kind.to_string()),
        told: !stored.contains(&true),
        stored,
        delivery: Delivery::Answer(Answer::new(error.status, reply::error(error))),
    }
}

impl Answer {
    fn new(status: u16, body: Bytes) -> Answer {
        Answer {
            status,
            body,
            delay: Duration::ZERO,
            drip: None,
            close: false,
        }
    }
}

fn is_poisoned(scenario: &Scenario, call: &Call) -> bool {
    let Some(poison) = &scenario.poison else {
        return false;
    };
    let finder = memchr::memmem::Finder::new(poison);
    call.iter().any(|record| finder.find(record).is_some())
}

fn is_over_lower_limits(step: &Step, call: &Call) -> bool {
    step.max_bytes.is_some_and(|most| call.data.len() > most)
        || step
            .only_records_at_most
            .is_some_and(|most| call.records() > most)
}

/// Which records the fault alone would let be stored.
fn stored(fault: &Fault, seed: u64, request: u64, records: usize) -> Vec<bool> {
    match fault {
        Fault::Accept => vec![true; records],
        Fault::Refuse { which, .. } => (0..records)
            .map(|index| !is_refused(which, seed, request, index))
            .collect(),
        Fault::Fail { stored, .. } | Fault::Hang { stored } => vec![*stored; records],
        Fault::Reset(when) => vec![*when == When::After; records],
    }
}

fn apply(fault: &Fault, shape: ReplyShape, request: u64, stored: Vec<bool>) -> Decision {
    match fault {
        Fault::Accept => {
            let refusal = slow_down();
            success(request, stored, &refusal.kind, &refusal.message, shape)
        }
        Fault::Refuse { code, message, .. } => success(request, stored, code, message, shape),
        Fault::Fail {
            status,
            kind,
            message,
            ..
        } => {
            let error = ServiceError {
                status: *status,
                kind: kind.clone().into(),
                message: message.clone().into(),
            };
            failure(&error, stored)
        }
        Fault::Hang { .. } => Decision {
            outcome: Outcome::Hung,
            stored,
            told: false,
            delivery: Delivery::Hang,
        },
        Fault::Reset(_) => Decision {
            outcome: Outcome::Reset,
            stored,
            told: false,
            delivery: Delivery::Reset,
        },
    }
}

/// An answer with status 200; `code` and `message` are for the records that are not stored.
fn success(
    request: u64,
    stored: Vec<bool>,
    code: &str,
    message: &str,
    shape: ReplyShape,
) -> Decision {
    let all = stored.iter().all(|&stored| stored);
    let body = reply::success(request, &stored, (code, message), shape);
    Decision {
        outcome: if all {
            Outcome::Accepted
        } else {
            Outcome::Refused
        },
        stored,
        told: shape == ReplyShape::Whole,
        delivery: Delivery::Answer(Answer::new(200, body)),
    }
}

fn is_refused(which: &Which, seed: u64, request: u64, index: usize) -> bool {
    match which {
        Which::All => true,
        Which::At(indexes) => indexes.contains(&index),
        Which::Share(share) => {
            // The top 53 bits, as a fraction: exact in a double.
            let bits = mix(mix(mix(seed) ^ request) ^ index as u64) >> 11;
            (bits as f64) / ((1u64 << 53) as f64) < *share
        }
    }
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of the value.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(records: usize) -> Call {
        Call::of("logs", vec!["\n"; records])
    }

    fn decision(steps: &str, request: u64, records: usize) -> Decision {
        decide_on(steps, request, &call(records))
    }

    /// By a quota that nothing was taken from yet.
    fn decide_on(scenario: &str, request: u64, call: &Call) -> Decision {
        let scenario = Scenario::parse(scenario).unwrap();
        let mut throttle = Throttle::new(scenario.quotas.clone());
        decide(&scenario, &mut throttle, Duration::ZERO, request, call)
    }

    fn refused(decision: &Decision) -> usize {
        decision.stored.iter().filter(|&&stored| !stored).count()
    }

    fn json(decision: &Decision) -> serde_json::Value {
        let Delivery::Answer(answer) = &decision.delivery else {
            panic!("no answer in {decision:?}");
        };
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[test]
    fn the_answer_s_entries_follow_what_is_stored() {
        let decision = decision("[[step]]\nrefuse = [0, 3, 99]", 0, 5);
        assert_eq!(decision.stored, [false, true, true, false, true]);
        assert_eq!(decision.outcome, Outcome::Refused);
        let reply = json(&decision);
        assert_eq!(reply["FailedPutCount"], 2);
        assert_eq!(reply["Encrypted"], false);
        let entries = reply["RequestResponses"].as_array().unwrap();
        assert_eq!(entries.len(), 5);
        let mut ids = std::collections::HashSet::new();
        for (entry, stored) in entries.iter().zip(decision.stored) {
            let id = entry["RecordId"].as_str();
            assert_eq!(id.is_some(), stored);
            assert_eq!(entry["ErrorMessage"] == "Slow down.", !stored);
            assert_eq!(entry["ErrorCode"] == "ServiceUnavailableException", !stored);
            assert!(id.is_none_or(|id| id.len() == 220 && ids.insert(id.to_owned())));
        }
    }

    #[test]
    fn a_step_that_refuses_nothing_of_this_call_is_an_acceptance() {
        let decision = decision("[[step]]\nrefuse = [5]", 0, 5);
        assert_eq!(decision.outcome, Outcome::Accepted);
        assert_eq!(json(&decision)["FailedPutCount"], 0);
    }

    #[test]
    fn a_share_is_kept_on_the_whole_and_the_same_each_time() {
        let steps = "seed = 1\n[[step]]\nrepeat = \"forever\"\nrefuse_share = 0.3";
        let run = || (0..20).map(|request| decision(steps, request, 500));
        let total: usize = run().map(|decision| refused(&decision)).sum();
        assert!((2_700..=3_300).contains(&total), "{total} of 10000");
        assert!(run().eq(run()), "the same seed refuses the same records");
        let other_seed = decision(&steps.replace("seed = 1", "seed = 2"), 0, 500);
        assert_ne!(decision(steps, 0, 500).stored, other_seed.stored);
        assert_ne!(
            decision(steps, 0, 500).stored,
            decision(steps, 1, 500).stored
        );

        let share = |share: &str| {
            let steps = format!("[[step]]\nrefuse_share = {share}");
            refused(&decision(&steps, 0, 500))
        };
        assert_eq!([share("0.0"), share("1.0")], [0, 500]);
    }

    #[test]
    fn a_lower_limit_holds_the_value_itself_and_refuses_the_next() {
        for key in ["max_bytes", "only_records_at_most"] {
            let steps = format!("[[step]]\n{key} = 3");
            assert_eq!(decision(&steps, 0, 3).outcome, Outcome::Accepted);
            let over = decision(&steps, 0, 4);
            assert_eq!(
                over.outcome,
                Outcome::Error("InvalidArgumentException".to_owned())
            );
            assert_eq!(refused(&over), 4);
            assert_eq!(json(&over)["message"], "Records size exceeds 4 MB limit");
        }
    }

    #[test]
    fn an_error_may_store_all_or_nothing() {
        for stored in [false, true] {
            let steps = format!(
                "[[step]]\nstatus = 503\ntype = \"T\"\nmessage = \"a \\\"b\\\"\"\nstored = {stored}"
            );
            let decision = decision(&steps, 0, 2);
            assert_eq!(decision.stored, [stored; 2]);
            assert_eq!(json(&decision)["__type"], "T");
            assert_eq!(json(&decision)["message"], "a \"b\"");
            assert!(matches!(
                decision.delivery,
                Delivery::Answer(Answer { status: 503, .. })
            ));
        }
    }

    #[test]
    fn hangs_and_resets_are_not_answered() {
        let outcome = |steps: &str| {
            let decision = decision(steps, 0, 1);
            (decision.delivery, decision.stored[0])
        };
        let hang = "[[step]]\nhang = true\nstored = ";
        assert_eq!(outcome(&format!("{hang}false")), (Delivery::Hang, false));
        assert_eq!(outcome(&format!("{hang}true")), (Delivery::Hang, true));
        let reset = "[[step]]\nreset = \"after\"";
        assert_eq!(outcome(reset), (Delivery::Reset, true));
    }

    #[test]
    fn replies_are_misshapen_as_told_and_their_records_stored() {
        let reply = |shape: &str| {
            let decision = decision(&format!("[[step]]\nreply = \"{shape}\""), 0, 3);
            assert_eq!(decision.stored, [true; 3]);
            decision
        };
        let count = |decision: &Decision| {
            let entries = json(decision)["RequestResponses"].as_array().unwrap().len();
            (entries, json(decision)["FailedPutCount"].as_u64().unwrap())
        };
        assert_eq!(count(&reply("whole")), (3, 0));
        assert_eq!(count(&reply("short_responses")), (2, 0));
        assert_eq!(count(&reply("wrong_count")), (3, 1));
        for shape in ["truncated", "garbage"] {
            let Delivery::Answer(answer) = reply(shape).delivery else {
                panic!("{shape} is an answer");
            };
            assert_eq!(answer.status, 200);
            assert!(!answer.body.is_empty());
            assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
        }
    }

    #[test]
    fn a_client_is_told_what_was_stored_only_by_a_whole_and_honest_answer() {
        for (step, told) in [
            ("", true),
            ("refuse = [0]", true),
            ("status = 500\ntype = \"T\"", true),
            ("status = 500\ntype = \"T\"\nstored = true", false),
            ("hang = true", false),
            ("reset = \"after\"", false),
            ("reply = \"truncated\"", false),
            ("reply = \"short_responses\"", false),
        ] {
            let decision = decision(&format!("[[step]]\n{step}"), 0, 2);
            assert_eq!(decision.told, told, "{step}");
        }
    }

    #[test]
    fn what_is_over_the_quota_is_refused_whatever_the_step_says_of_it() {
        let quota = "[quota]\nrecords_per_second = 3\n[[step]]\n";
        let decided = |step: &str| decision(&format!("{quota}{step}"), 0, 5);
        for step in ["", "refuse = [4]", "reply = \"garbage\""] {
            assert_eq!(decided(step).stored, [true, true, true, false, false]);
            assert_eq!(decided(step).outcome, Outcome::Refused, "{step}");
        }
        assert_eq!(
            json(&decided("")).pointer("/RequestResponses/3").unwrap(),
            &serde_json::json!({
                "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down.",
            })
        );
        // Refused records use nothing up; those of a lost answer do.
        let refused = decided("refuse = [0, 1]");
        assert_eq!(refused.stored, [false, false, true, true, true]);
        let unanswered = decided("hang = true\nstored = true");
        assert_eq!(unanswered.stored, [true, true, true, false, false]);
        assert_eq!(decided("status = 500\ntype = \"T\"").stored, [false; 5]);
    }

    #[test]
    fn a_request_over_the_quota_fails_and_stores_nothing() {
        let scenario = Scenario::parse("[quota]\nrequests_per_second = 1").unwrap();
        let mut throttle = Throttle::new(scenario.quotas.clone());
        let mut decide = |ms, request| {
            let now = Duration::from_millis(ms);
            decide(&scenario, &mut throttle, now, request, &call(2))
        };
        assert_eq!(decide(0, 0).outcome, Outcome::Accepted);
        let over = decide(0, 1);
        assert_eq!(over.stored, [false; 2]);
        assert_eq!(json(&over)["__type"], "ServiceUnavailableException");
        assert!(matches!(
            over.delivery,
            Delivery::Answer(Answer { status: 503, .. })
        ));
        assert_eq!(decide(1_000, 2).outcome, Outcome::Accepted);
    }

    #[test]
    fn a_call_is_poisoned_by_one_record_and_not_by_two_together() {
        let decided = |records: &[&str]| {
            let scenario = "poison = \"bad\"\n[[step]]\nrefuse = \"all\"";
            decide_on(scenario, 0, &Call::of("logs", records))
        };
        let poisoned = decided(&["fine", "a bad one", "fine"]);
        assert_eq!(
            poisoned.outcome,
            Outcome::Error("InvalidArgumentException".to_owned())
        );
        assert_eq!(poisoned.stored, [false; 3]);
        assert_eq!(decided(&["a b", "ad"]).outcome, Outcome::Refused);
    }
}
