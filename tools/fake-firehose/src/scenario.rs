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
//! | `max_bytes`, `only_records_at_most` | a call of more bytes (before base64) or records is refused as over the 4 MB limit, whatever else the step says |
//! | `reply = "..."` | an answer with status 200 that is `truncated`, `garbage`, has `short_responses` or a `wrong_count` |
//! | `delay_ms`, `drip_ms` | milliseconds before the answer, or before each byte of its body |
//! | `close = true` | the connection ends after the answer, which does not say so |
//!
//! Beside its steps a file may have:
//!
//! | key | what happens |
//! |---|---|
//! | `poison = "text"` | a call with a record that holds this text is refused with an InvalidArgumentException, whatever its step says |
//! | `[quota]` | `bytes_per_second` (before base64), `records_per_second`, `requests_per_second`: what each stream takes, with a burst of `burst_seconds` (default 1.0). Requests beyond it fail with 503; records beyond it are refused in the answer, the first ones taken. Both say `ServiceUnavailableException`, `Slow down.` |
//! | `counts_refused = true` | in `[quota]`: what is refused uses the quota up, too, as far as any is left, and no record is taken by more than is left (one over a burst: when nothing of the burst is used up); default: refusals cost nothing |
//! | `[quota.NAME]` | the same keys for the stream of this name, in place of `[quota]` |
//!
//! A file may also say what a test sends (`[send]`, see [`Send`]) and what it then expects
//! (`[expect]`, see [`Expect`]): the service itself does not read these.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::quota::Quotas;

/// A list of steps; a request takes the next one, and after the last all is accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Chooses the records that `refuse_share` refuses.
    pub seed: u64,
    pub steps: Vec<Step>,
    /// A call with a record that holds this text is refused as invalid.
    pub poison: Option<String>,
    pub quotas: Quotas,
    pub send: Option<Send>,
    pub expect: Option<Expect>,
}

/// What happens to one request, or to several in a row, once the service has found it valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub repeat: Repeat,
    /// A call of more bytes (before base64) is refused as over the 4 MB limit.
    pub max_bytes: Option<usize>,
    /// A call of more records is refused as over the 4 MB limit.
    pub only_records_at_most: Option<usize>,
    pub fault: Fault,
    pub reply: ReplyShape,
    /// Passes between the decision and the answer: what the step stores is stored before it.
    pub delay: Duration,
    /// The answer's body comes one byte at a time, with this much time between two.
    pub drip: Option<Duration>,
    /// The connection is closed after the answer, which does not announce it.
    pub close: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    Times(u64),
    Forever,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// None: all is accepted.
    Accept,
    /// Some records are refused, the others stored.
    Refuse {
        which: Which,
        code: String,
        message: String,
    },
    /// The call is answered with an error; its records may have been stored all the same.
    Fail {
        status: u16,
        kind: String,
        message: String,
        stored: bool,
    },
    /// No answer, until the client goes.
    Hang { stored: bool },
    /// The TCP connection is reset: before the body is read, or once the records are stored.
    Reset(When),
}

/// The records that are refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    All,
    /// Those at these indexes, from zero; an index past the last record refuses nothing.
    At(Vec<usize>),
    /// Each with this probability (0 to 1), by the scenario's seed.
    Share(f64),
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

/// Says what is wrong with a scenario file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(String);

// === impl Scenario ===

impl Scenario {
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let file: File = toml::from_str(text).map_err(|error| ScenarioError(error.to_string()))?;
        if file.poison.as_deref() == Some("") {
            return Err(ScenarioError("`poison` must not be empty".to_owned()));
        }
        let mut steps: Vec<Step> = Vec::with_capacity(file.step.len());
        for (index, keys) in file.step.into_iter().enumerate() {
            let number = index + 1;
            if steps
                .last()
                .is_some_and(|step| step.repeat == Repeat::Forever)
            {
                return Err(ScenarioError(format!(
                    "step {number} is never reached: step {index} repeats forever"
                )));
            }
            let step = keys
                .into_step()
                .map_err(|problem| ScenarioError(format!("step {number}: {problem}")))?;
            steps.push(step);
        }
        Ok(Scenario {
            seed: file.seed,
            steps,
            poison: file.poison,
            quotas: Quotas::parse(file.quota).map_err(ScenarioError)?,
            send: file.send,
            expect: file.expect,
        })
    }

    /// The step for a request, counted from zero; none once all steps are used up.
    pub(crate) fn step(&self, mut request: u64) -> Option<&Step> {
        self.steps.iter().find(|step| match step.repeat {
            Repeat::Forever => true,
            Repeat::Times(times) if request < times => true,
            Repeat::Times(times) => {
                request -= times;
                false
            }
        })
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

// === the file's own form ===

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    step: Vec<StepKeys>,
    poison: Option<String>,
    #[serde(default)]
    quota: toml::Table,
    send: Option<Send>,
    expect: Option<Expect>,
}

/// A step as written: every key by itself, before it is known which go together.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StepKeys {
    repeat: Option<toml::Value>,
    accept: Option<bool>,
    refuse: Option<toml::Value>,
    refuse_share: Option<f64>,
    code: Option<String>,
    status: Option<u16>,
    r#type: Option<String>,
    message: Option<String>,
    stored: Option<bool>,
    hang: Option<bool>,
    reset: Option<When>,
    reply: Option<ReplyShape>,
    delay_ms: u64,
    drip_ms: Option<u64>,
    close: bool,
    max_bytes: Option<usize>,
    only_records_at_most: Option<usize>,
}

impl StepKeys {
    fn into_step(self) -> Result<Step, String> {
        for (key, value) in [("accept", self.accept), ("hang", self.hang)] {
            if value == Some(false) {
                return Err(format!("`{key}` can only be true; leave it out instead"));
            }
        }
        let fault = self.fault()?;
        let answers_200 = matches!(fault, Fault::Accept | Fault::Refuse { .. });
        if self.reply.is_some() && !answers_200 {
            return Err(
                "`reply` shapes an answer with status 200: it goes with `accept`, \
                        `refuse` or `refuse_share` only"
                    .to_owned(),
            );
        }
        let answers = answers_200 || matches!(fault, Fault::Fail { .. });
        if !answers && (self.delay_ms > 0 || self.drip_ms.is_some() || self.close) {
            return Err(
                "`delay_ms`, `drip_ms` and `close` need an answer: `hang` and `reset` \
                        send none"
                    .to_owned(),
            );
        }
        Ok(Step {
            repeat: self.repeat.as_ref().map_or(Ok(Repeat::Times(1)), repeat)?,
            max_bytes: self.max_bytes,
            only_records_at_most: self.only_records_at_most,
            fault,
            reply: self.reply.unwrap_or_default(),
            delay: Duration::from_millis(self.delay_ms),
            drip: self.drip_ms.map(Duration::from_millis),
            close: self.close,
        })
    }

    /// At most one fault, with no key that belongs to another.
    fn fault(&self) -> Result<Fault, String> {
        let faults = [
            ("accept", self.accept.is_some()),
            ("refuse", self.refuse.is_some()),
            ("refuse_share", self.refuse_share.is_some()),
            ("status", self.status.is_some()),
            ("hang", self.hang.is_some()),
            ("reset", self.reset.is_some()),
        ];
        let mut given = faults.iter().filter(|(_, is_given)| *is_given);
        let chosen = given.next().map_or("accept", |(key, _)| *key);
        if let Some((other, _)) = given.next() {
            return Err(format!("`{chosen}` and `{other}` exclude each other"));
        }
        let details = [
            ("code", self.code.is_some(), &["refuse", "refuse_share"][..]),
            ("type", self.r#type.is_some(), &["status"]),
            (
                "message",
                self.message.is_some(),
                &["refuse", "refuse_share", "status"],
            ),
            ("stored", self.stored.is_some(), &["status", "hang"]),
        ];
        for (key, is_given, owners) in details {
            if is_given && !owners.contains(&chosen) {
                return Err(format!(
                    "`{key}` goes with `{}` only",
                    owners.join("` or `")
                ));
            }
        }

        let stored = self.stored.unwrap_or(false);
        match (&self.refuse, self.refuse_share, self.status, self.reset) {
            (Some(value), ..) => Ok(self.refusal(which(value)?)),
            (_, Some(share), ..) if (0.0..=1.0).contains(&share) => {
                Ok(self.refusal(Which::Share(share)))
            }
            (_, Some(share), ..) => Err(format!(
                "`refuse_share` must be from 0.0 to 1.0, not {share}"
            )),
            (_, _, Some(status @ 400..=599), _) => Ok(Fault::Fail {
                status,
                kind: self
                    .r#type
                    .clone()
                    .ok_or("`status` needs a `type`, such as \"InternalFailure\"")?,
                message: self.message.clone().unwrap_or_default(),
                stored,
            }),
            (_, _, Some(status), _) => Err(format!(
                "`status` must be an error's, from 400 to 599, not {status}"
            )),
            (.., Some(when)) => Ok(Fault::Reset(when)),
            _ if self.hang.is_some() => Ok(Fault::Hang { stored }),
            _ => Ok(Fault::Accept),
        }
    }

    fn refusal(&self, which: Which) -> Fault {
        let or = |text: &Option<String>, default: &str| {
            text.clone().unwrap_or_else(|| default.to_owned())
        };
        Fault::Refuse {
            which,
            code: or(&self.code, "ServiceUnavailableException"),
            message: or(&self.message, "Slow down."),
        }
    }
}

fn repeat(value: &toml::Value) -> Result<Repeat, String> {
    match value {
        toml::Value::Integer(times @ 1..) => Ok(Repeat::Times(times.unsigned_abs())),
        toml::Value::String(text) if text == "forever" => Ok(Repeat::Forever),
        other => Err(format!(
            "`repeat` must be a number from 1 on or \"forever\", not {other}"
        )),
    }
}

fn which(value: &toml::Value) -> Result<Which, String> {
    let wrong =
        || format!("`refuse` must be \"all\" or a list of record indexes from 0 on, not {value}");
    match value {
        toml::Value::String(text) if text == "all" => Ok(Which::All),
        toml::Value::Array(indexes) => indexes
            .iter()
            .map(|index| index.as_integer().and_then(|index| index.try_into().ok()))
            .collect::<Option<_>>()
            .map(Which::At)
            .ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
