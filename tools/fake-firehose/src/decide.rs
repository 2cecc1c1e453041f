//! Decides what becomes of a valid call: which of its records are stored, and what is answered.

use std::time::Duration;

use bytes::Bytes;

use crate::call::Call;
use crate::error::ServiceError;
use crate::limits;
use crate::memory::Outcome;
use crate::reply;
use crate::scenario::{Fault, ReplyShape, Scenario, Step, When, Which};

/// What is done with a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    /// One entry for each record of the call: is it stored?
    pub(crate) stored: Vec<bool>,
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

/// What the scenario has in store for the request of this number, which carries a valid call.
pub(crate) fn decide(scenario: &Scenario, request: u64, call: &Call) -> Decision {
    let records = call.records();
    let Some(step) = scenario.step(request) else {
        return success(request, vec![true; records], None, ReplyShape::Whole);
    };
    let mut decision = if is_over_lower_limits(step, call) {
        failure(&limits::call_too_large(), vec![false; records])
    } else {
        apply(&step.fault, step.reply, scenario.seed, request, records)
    };
    if let Delivery::Answer(answer) = &mut decision.delivery {
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

fn is_over_lower_limits(step: &Step, call: &Call) -> bool {
    step.max_bytes.is_some_and(|most| call.data.len() > most)
        || step
            .only_records_at_most
            .is_some_and(|most| call.records() > most)
}

fn apply(fault: &Fault, shape: ReplyShape, seed: u64, request: u64, records: usize) -> Decision {
    match fault {
        Fault::Accept => success(request, vec![true; records], None, shape),
        Fault::Refuse {
            which,
            code,
            message,
        } => {
            let stored = (0..records)
                .map(|index| !is_refused(which, seed, request, index))
                .collect();
            success(request, stored, Some((code, message)), shape)
        }
        Fault::Fail {
            status,
            kind,
            message,
            stored,
        } => {
            let error = ServiceError {
                status: *status,
                kind: kind.clone().into(),
                message: message.clone().into(),
            };
            failure(&error, vec![*stored; records])
        }
        Fault::Hang { stored } => Decision {
            outcome: Outcome::Hung,
            stored: vec![*stored; records],
            delivery: Delivery::Hang,
        },
        Fault::Reset(when) => Decision {
            outcome: Outcome::Reset,
            stored: vec![*when == When::After; records],
            delivery: Delivery::Reset,
        },
    }
}

fn success(
    request: u64,
    stored: Vec<bool>,
    refusal: Option<(&str, &str)>,
    shape: ReplyShape,
) -> Decision {
    let all = stored.iter().all(|&stored| stored);
    let body = reply::success(request, &stored, refusal, shape);
    Decision {
        outcome: if all {
            Outcome::Accepted
        } else {
            Outcome::Refused
        },
        stored,
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
        Call {
            stream: "logs".to_owned(),
            data: vec![b'\n'; records],
            ends: (1..=records).collect(),
        }
    }

    fn decision(steps: &str, request: u64, records: usize) -> Decision {
        decide(&Scenario::parse(steps).unwrap(), request, &call(records))
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
}
