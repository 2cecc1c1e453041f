//! Decides what becomes of a valid call: which of its records are stored, and what is answered.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use crate::call::Call;
use crate::error::ServiceError;
use crate::limits;
use crate::quota::{Throttle, slow_down};
use crate::reply;
use crate::scenario::{Refuse, ReplyShape, Scenario, Step, When};

/// What is done with a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    /// As [`RequestLog::outcome`](crate::RequestLog::outcome).
    pub(crate) outcome: Cow<'static, str>,
    /// One entry for each record of the call: is it stored?
    pub(crate) stored: Vec<bool>,
    /// Does the client learn that from the reply?
    pub(crate) told: bool,
    pub(crate) reply: Reply,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// A status and a body.
    Answer(u16, Bytes),
    /// Nothing is sent, until the client goes.
    Hang,
    /// The connection is reset.
    Reset,
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
    let well = Step::default();
    let step = scenario.step(request, &call.stream).unwrap_or(&well);
    if step.max_bytes.is_some_and(|most| call.data.len() > most) {
        return failure(&limits::call_too_large(), nothing());
    }
    let mut stored = stored(step, scenario.seed, request, call.records());
    quota.take_records(call, &mut stored);
    let unanswered = |outcome: &'static str, stored, reply| Decision {
        outcome: outcome.into(),
        stored,
        told: false,
        reply,
    };
    if step.hang {
        unanswered("hung", stored, Reply::Hang)
    } else if step.reset.is_some() {
        unanswered("reset", stored, Reply::Reset)
    } else if let (Some(status), Some(kind)) = (step.status, &step.r#type) {
        let error = ServiceError {
            status,
            kind: kind.clone().into(),
            message: step.message.clone().unwrap_or_default().into(),
        };
        failure(&error, stored)
    } else {
        success(step, request, stored)
    }
}

/// A call that fails with this error, its records stored or not.
pub(crate) fn failure(error: &ServiceError, stored: Vec<bool>) -> Decision {
    Decision {
        outcome: error.kind.clone(),
        told: !stored.contains(&true),
        stored,
        reply: Reply::Answer(error.status, reply::error(error)),
    }
}

fn success(step: &Step, request: u64, stored: Vec<bool>) -> Decision {
    let refusal = slow_down();
    let code = step.code.as_deref().unwrap_or(&refusal.kind);
    let message = step.message.as_deref().unwrap_or(&refusal.message);
    let body = reply::success(request, &stored, (code, message), step.reply);
    Decision {
        outcome: match stored.contains(&false) {
            false => "accepted".into(),
            true => "refused".into(),
        },
        stored,
        told: step.reply == ReplyShape::Whole,
        reply: Reply::Answer(200, body),
    }
}

/// Which records the step alone would let be stored.
fn stored(step: &Step, seed: u64, request: u64, records: usize) -> Vec<bool> {
    if step.hang || step.status.is_some() {
        return vec![step.stored; records];
    }
    // Each request has numbers of its own, whichever came before it.
    let mut random = fastrand::Rng::with_seed(seed.wrapping_add(request << 32));
    let is_stored = |index| match (&step.refuse, step.refuse_share) {
        (Some(Refuse::All(_)), _) => false,
        (Some(Refuse::At(indexes)), _) => !indexes.contains(&index),
        (None, Some(share)) => random.f64() >= share,
        (None, None) => step.reset != Some(When::Before),
    };
    (0..records).map(is_stored).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Of a call of so many records of a byte, by a quota that nothing was taken from yet.
    fn decision(scenario: &str, request: u64, records: usize) -> Decision {
        let scenario = Scenario::parse(scenario).unwrap();
        let mut throttle = Throttle::new(scenario.quotas.clone());
        let call = Call::of("logs", vec!["\n"; records]);
        decide(&scenario, &mut throttle, Duration::ZERO, request, &call)
    }

    fn refused(decision: &Decision) -> usize {
        decision.stored.iter().filter(|&&stored| !stored).count()
    }

    fn json(decision: &Decision) -> Value {
        match &decision.reply {
            Reply::Answer(_, body) => serde_json::from_slice(body).unwrap_or_default(),
            _ => Value::Null,
        }
    }

    #[test]
    fn the_answer_s_entries_follow_what_is_stored() {
        let decision = decision("[[step]]\nrefuse = [0, 3, 99]", 0, 5);
        assert_eq!(decision.stored, [false, true, true, false, true]);
        assert_eq!(decision.outcome, "refused");
        let reply = json(&decision);
        assert_eq!(reply["FailedPutCount"], 2);
        assert_eq!(reply["Encrypted"], false);
        let entries = reply["RequestResponses"].as_array().unwrap();
        assert_eq!(entries.len(), 5);
        let refusal =
            json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."});
        for (entry, stored) in entries.iter().zip(decision.stored) {
            let id = entry["RecordId"].as_str();
            assert_eq!(id.is_some_and(|id| id.len() == 220), stored);
            assert_eq!(*entry == refusal, !stored);
        }
        assert_ne!(entries[1], entries[2]);
    }

    #[test]
    fn a_share_is_kept_on_the_whole_and_the_same_each_time() {
        let steps = "seed = 1\n[[step]]\nrepeat = \"forever\"\nrefuse_share = 0.3";
        let run = || (0..20).map(|request| decision(steps, request, 500));
        let total: usize = run().map(|decision| refused(&decision)).sum();
        assert!((2_700..=3_300).contains(&total), "{total} of 10000");
        assert!(run().eq(run()), "the same seed refuses the same records");
        let [first, second] = [0, 1].map(|request| decision(steps, request, 500));
        assert_ne!(first.stored, second.stored);
        let share = |share| {
            refused(&decision(
                &format!("[[step]]\nrefuse_share = {share}"),
                0,
                500,
            ))
        };
        assert_eq!([share("0.0"), share("1.0")], [0, 500]);
    }

    #[test]
    fn a_lower_limit_holds_the_value_itself_and_refuses_the_next() {
        let steps = "[[step]]\nmax_bytes = 3";
        assert_eq!(decision(steps, 0, 3).outcome, "accepted");
        let over = decision(steps, 0, 4);
        assert_eq!(over.outcome, "InvalidArgumentException");
        assert_eq!(over.stored, [false; 4]);
    }

    #[test]
    fn a_client_is_told_what_was_stored_only_by_a_whole_and_honest_answer() {
        for (step, stored, told) in [
            ("", 2, true),
            ("refuse = [0]", 1, true),
            ("status = 500\ntype = \"T\"", 0, true),
            ("status = 500\ntype = \"T\"\nstored = true", 2, false),
            ("hang = true", 0, false),
            ("hang = true\nstored = true", 2, false),
            ("reset = \"after\"", 2, false),
            ("reply = \"truncated\"", 2, false),
            ("reply = \"garbage\"", 2, false),
            ("reply = \"short_responses\"", 2, false),
            ("reply = \"wrong_count\"", 2, false),
        ] {
            let decision = decision(&format!("[[step]]\n{step}"), 0, 2);
            assert_eq!(2 - refused(&decision), stored, "{step}");
            assert_eq!(decision.told, told, "{step}");
            let reply = json(&decision);
            let entries = reply["RequestResponses"].as_array().map(Vec::len);
            let is_honest = entries == Some(2) && reply["FailedPutCount"] == 2 - stored;
            assert_eq!(
                is_honest || reply["__type"] == "T" && stored == 0,
                told,
                "{step}"
            );
        }
    }

    #[test]
    fn what_is_over_the_quota_is_refused_whatever_the_step_says_of_it() {
        let quota = "[quota]\nrecords_per_second = 3\n[[step]]\n";
        let stored = |step: &str| decision(&format!("{quota}{step}"), 0, 5).stored;
        for step in [
            "",
            "refuse = [4]",
            "reply = \"garbage\"",
            "hang = true\nstored = true",
        ] {
            assert_eq!(stored(step), [true, true, true, false, false], "{step}");
        }
        // Refused records use nothing up.
        assert_eq!(stored("refuse = [0, 1]"), [false, false, true, true, true]);
    }

    #[test]
    fn a_request_over_the_quota_fails_and_stores_nothing() {
        let scenario = Scenario::parse("[quota]\nrequests_per_second = 1").unwrap();
        let mut throttle = Throttle::new(scenario.quotas.clone());
        let call = Call::of("logs", ["a", "b"]);
        let mut decide = |ms| {
            let now = Duration::from_millis(ms);
            decide(&scenario, &mut throttle, now, 0, &call)
        };
        assert_eq!(decide(0).outcome, "accepted");
        let over = decide(0);
        assert_eq!(over.stored, [false; 2]);
        assert!(matches!(over.reply, Reply::Answer(503, _)));
        assert_eq!(decide(1_000).outcome, "accepted");
    }
}
