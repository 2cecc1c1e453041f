//! Scenario files: how the service misbehaves, one step for each request, as TOML.
//!
//! ```toml
//! # The service refuses a record of each of two calls, then fails one, then is well.
//! [[step]]
//! repeat = 2
//! refuse = [0]
//!
//! [[step]]
//! status = 500
//! type = "InternalFailure"
//! stored = true
//! ```
//!
//! A step has at most one of these; without any it accepts all:
//!
//! | key | what happens |
//! |---|---|
//! | `accept = true` | nothing out of the ordinary |
//! | `refuse = "all"` or `[0, 3]` | these records are refused; `code` and `message` default to `ServiceUnavailableException`, `Slow down.` |
//! | `refuse_share = 0.3` | each record is refused with this probability, 0.0 to 1.0, by the file's `seed` (default 0); `code` and `message` as above |
//! | `status = 500`, `type = "..."` | the call fails, 400 to 599; optional `message`; with `stored = true` its records are stored all the same |
//! | `hang = true` | no answer until the client goes; optional `stored = true` |
//! | `reset = "before"` or `"after"` | a TCP reset before the body is read, or once the records are stored |
//!
//! And any of these:
//!
//! | key | what happens |
//! |---|---|
//! | `repeat = 20` or `"forever"` | the step is for so many requests, default 1; after the last step all is accepted |
//! | `stream = "..."` | only requests to this stream take the step, which must be repeated `"forever"` |
//! | `max_bytes` | a call of more bytes (before base64) is refused as over the 4 MB limit, whatever else the step says |
//! | `reply = "..."` | an answer with status 200 that is `truncated`, `garbage`, has `short_responses` or a `wrong_count` |
//! | `delay_ms`, `drip_ms` | milliseconds before the answer, or before each byte of its body |
//! | `close = true` | the connection ends after the answer, which does not say so |
//!
//! Beside its steps a file may have:
//!
//! | key | what happens |
//! |---|---|
//! | `[quota]` | `bytes_per_second` (before base64), `records_per_second`, `requests_per_second`: what each stream takes, with a burst of `burst_seconds` (default 1.0). Requests beyond it fail with 503; records beyond it are refused in the answer, the first ones taken. Both say `ServiceUnavailableException`, `Slow down.` |
//! | `counts_refused = true` | in `[quota]`: what is refused uses the quota up, too, as far as any is left, and no record is taken by more than is left (one over a burst: when nothing of the burst is used up); default: refusals cost nothing |
//! | `[quota.NAME]` | the same keys for the stream of this name, in place of `[quota]` |
//!
//! A file may also say what a test sends (`[send]`, see [`Send`]) and what it then expects
//! (`[expect]`, see [`Expect`]): the service itself does not read these.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::Deserialize;

use crate::quota::Quotas;

/// A list of steps; a request takes the next one, and after the last all is accepted.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Chooses the records that `refuse_share` refuses.
    pub seed: u64,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    #[serde(rename = "quota")]
    pub quotas: Quotas,
    pub send: Option<Send>,
    pub expect: Option<Expect>,
}

/// What happens to one request, or to several in a row, once the service has found it valid: the
/// keys of the table above.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    pub repeat: Repeat,
    pub stream: Option<String>,
    pub accept: bool,
    pub refuse: Option<Refuse>,
    pub refuse_share: Option<f64>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub status: Option<u16>,
    pub r#type: Option<String>,
    pub stored: bool,
    pub hang: bool,
    pub reset: Option<When>,
    pub max_bytes: Option<usize>,
    pub reply: ReplyShape,
    pub delay_ms: u64,
    pub drip_ms: Option<u64>,
    pub close: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "`repeat` must be a number from 1 on or \"forever\""
)]
pub enum Repeat {
    Times(NonZeroU64),
    Forever(Forever),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forever {
    Forever,
}

/// The records that are refused: all, or those at these indexes, from zero. An index past the last
/// record refuses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "`refuse` must be \"all\" or a list of record indexes from 0 on"
)]
pub enum Refuse {
    At(Vec<usize>),
    All(All),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum All {
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    Before,
    After,
}

/// What an answer with status 200 looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyShape {
    #[default]
    Whole,
    /// JSON that ends half-way; the HTTP message is whole.
    Truncated,
    /// 5 MB that are not JSON.
    Garbage,
    /// `RequestResponses` lacks its last entry.
    ShortResponses,
    /// `FailedPutCount` is one more than the entries say.
    WrongCount,
}

/// What a test of this scenario sends. It does so in rounds: in each, all chunks that are not
/// delivered yet are handed over side by side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub documents: u64,
    /// Bytes of one document, its newline included.
    pub document_bytes: u64,
    /// The chunks of equal size in which they come.
    #[serde(default = "one")]
    pub chunks: u64,
    /// Options of the output, beside those that lead it to the service.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Nobody listens in so many of the first rounds.
    #[serde(default)]
    pub down_rounds: u64,
    /// After this round the output is stopped and started again.
    pub restart_after_round: Option<u64>,
}

/// What a test of this scenario expects of a client that does everything right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// What the flushes of the last round answer.
    pub outcome: ExpectedOutcome,
    /// Distinct documents that the service holds in the end.
    pub delivered: u64,
    /// Documents, at most, that it holds beyond those.
    #[serde(default)]
    pub duplicates: u64,
    pub requests: Option<Range>,
    /// Rounds until the outcome is there.
    #[serde(default = "one_round")]
    pub rounds: Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedOutcome {
    Ok,
    Retry,
}

/// Bounds, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub at_least: u64,
    pub at_most: u64,
}

fn one() -> u64 {
    1
}

fn one_round() -> Range {
    Range {
        at_least: 1,
        at_most: 1,
    }
}

// === impl Scenario ===

impl Scenario {
    /// Or what is wrong with the file, and where.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| error.to_string())?;
        for (index, step) in scenario.steps.iter().enumerate() {
            let number = index + 1;
            step.check()
                .map_err(|problem| format!("step {number}: {problem}"))?;
            let is_forever = matches!(step.repeat, Repeat::Forever(_));
            if step.stream.is_some() && !is_forever {
                return Err(format!(
                    "step {number}: `stream` needs `repeat = \"forever\"`"
                ));
            }
            if is_forever && step.stream.is_none() && number < scenario.steps.len() {
                return Err(format!("the steps after step {number} are never reached"));
            }
        }
        scenario.quotas.check()?;
        Ok(scenario)
    }

    /// The step for a request to a stream, counted from zero; none once all steps are used up.
    pub(crate) fn step(&self, mut request: u64, stream: &str) -> Option<&Step> {
        let is_its = |step: &&Step| step.stream.as_deref().is_none_or(|its| its == stream);
        self.steps
            .iter()
            .filter(is_its)
            .find(|step| match step.repeat {
                Repeat::Forever(_) => true,
                Repeat::Times(times) if request < times.get() => true,
                Repeat::Times(times) => {
                    request -= times.get();
                    false
                }
            })
    }
}

impl Step {
    /// At most one fault, with no key that belongs to another.
    fn check(&self) -> Result<(), String> {
        let faults = [
            ("accept", self.accept),
            ("refuse", self.refuse.is_some()),
            ("refuse_share", self.refuse_share.is_some()),
            ("status", self.status.is_some()),
            ("hang", self.hang),
            ("reset", self.reset.is_some()),
        ];
        let mut given = faults.iter().filter(|(_, is_given)| *is_given);
        let fault = given.next().map_or("accept", |(key, _)| *key);
        if let Some((other, _)) = given.next() {
            return Err(format!("`{fault}` and `{other}` exclude each other"));
        }
        let refusals = &["refuse", "refuse_share"][..];
        let answered = &["accept", "refuse", "refuse_share", "status"][..];
        for (key, is_given, faults) in [
            ("code", self.code.is_some(), refusals),
            ("message", self.message.is_some(), &answered[1..]),
            ("type", self.r#type.is_some(), &["status"]),
            ("stored", self.stored, &["status", "hang"]),
            ("reply", self.reply != ReplyShape::Whole, &answered[..3]),
            ("delay_ms", self.delay_ms > 0, answered),
            ("drip_ms", self.drip_ms.is_some(), answered),
            ("close", self.close, answered),
        ] {
            if is_given && !faults.contains(&fault) {
                return Err(format!("`{key}` does not go with `{fault}`"));
            }
        }
        if self.status.is_some() != self.r#type.is_some() {
            return Err("`status` needs a `type`, such as \"InternalFailure\"".to_owned());
        }
        match (self.status, self.refuse_share) {
            (Some(status), _) if !(400..600).contains(&status) => Err(format!(
                "`status` must be an error's, from 400 to 599, not {status}"
            )),
            (_, Some(share)) if !(0.0..=1.0).contains(&share) => Err(format!(
                "`refuse_share` must be from 0.0 to 1.0, not {share}"
            )),
            _ => Ok(()),
        }
    }
}

impl Default for Repeat {
    fn default() -> Repeat {
        Repeat::Times(NonZeroU64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_given_out_one_a_request_until_they_run_out() {
        let given = |text: &str, request| {
            let scenario = Scenario::parse(text).unwrap();
            scenario.step(request, "logs").map(|step| step.delay_ms)
        };
        let text = "[[step]]\ndelay_ms = 1\n[[step]]\nrepeat = 2\ndelay_ms = 2\n[[step]]";
        let taken = [0, 1, 2, 3, 4].map(|request| given(text, request));
        assert_eq!(taken, [Some(1), Some(2), Some(2), Some(0), None]);
        let forever = "[[step]]\n[[step]]\nrepeat = \"forever\"\ndelay_ms = 9";
        assert_eq!(
            [0, u64::MAX].map(|request| given(forever, request)),
            [Some(0), Some(9)]
        );
        for (stream, expected) in [("logs", Some(1)), ("other", None)] {
            let text =
                format!("[[step]]\nstream = \"{stream}\"\nrepeat = \"forever\"\ndelay_ms = 1");
            assert_eq!(given(&text, 7), expected);
        }
    }

    #[test]
    fn a_wrong_file_is_told_what_is_wrong() {
        for (text, words) in [
            ("step = 1", "step"),
            ("[[step]]\nrefuze = [0]", "unknown field `refuze`"),
            ("[expect]\ndelivered = 1", "missing field `outcome`"),
            ("[[step]]\nreset = \"during\"", "during"),
            ("[[step]]\nrepeat = 0", "`repeat` must be"),
            ("[[step]]\nrefuse = \"some\"", "`refuse` must be"),
            ("[[step]]\nrefuse = [-1]", "`refuse` must be"),
            ("[[step]]\nrefuse_share = 1.1", "0.0 to 1.0, not 1.1"),
            ("[[step]]\nrefuse_share = nan", "0.0 to 1.0, not NaN"),
            ("[[step]]\nstatus = 200\ntype = \"x\"", "400 to 599"),
            ("[[step]]\n[[step]]\nstatus = 500", "step 2: `status` needs"),
            ("[[step]]\ntype = \"x\"", "`type` does not go with `accept`"),
            ("[[step]]\nhang = true\ndelay_ms = 1", "`delay_ms`"),
            ("[[step]]\nhang = true\nreset = \"after\"", "exclude each"),
            ("[[step]]\nrepeat = \"forever\"\n[[step]]", "never reached"),
            ("[[step]]\nstream = \"a\"", "`stream` needs"),
            ("[quota]\nbytes_per_second = 0", "`0`"),
            ("[quota]\nbytes_per_minute = 1", "quota"),
            ("[quota]\nburst_seconds = 0.0", "above 0.0, not 0"),
            ("[quota.logs]\nburst_seconds = inf", "above 0.0, not inf"),
            ("[quota.logs]\nrate = 1", "unknown field `rate`"),
        ] {
            let message = Scenario::parse(text).expect_err(text);
            assert!(message.contains(words), "{message:?} lacks {words:?}");
        }
    }
}
