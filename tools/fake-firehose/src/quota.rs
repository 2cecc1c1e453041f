//! Quotas: what a stream takes in a second, by token buckets that are told the time.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;

use crate::call::Call;
use crate::error::ServiceError;

/// The quotas of all streams. Each stream uses up its own: none takes from another.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Quotas {
    /// For every stream without a quota of its own.
    #[serde(flatten)]
    pub default: Quota,
    /// By the stream's name.
    #[serde(flatten)]
    pub streams: BTreeMap<String, Quota>,
}

/// What one stream takes; a rate that is None is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Bytes of records before base64.
    pub bytes_per_second: Option<NonZeroU64>,
    pub records_per_second: Option<NonZeroU64>,
    pub requests_per_second: Option<NonZeroU64>,
    /// A stream that was idle takes so many seconds' worth at once; above zero.
    pub burst_seconds: f64,
    /// Whether what is not stored uses the quota up, too. AWS does not say which it is.
    pub counts_refused: bool,
}

/// What the streams have left of their quotas.
pub(crate) struct Throttle {
    quotas: Quotas,
    streams: HashMap<String, Buckets>,
}

/// What one stream has left.
pub(crate) struct Buckets {
    bytes: Bucket,
    records: Bucket,
    requests: Bucket,
}

/// Tokens that come back with time.
///
/// Where refusals are free it gives while there is anything in it: what is taken last may overdraw
/// it, so that a record larger than a burst passes, too, and the rate still holds. Where they count
/// it gives what it has whole, and a refusal takes what is left: a client that sends too much
/// empties it again and again. A record larger than a burst passes when it is full.
struct Bucket {
    /// None: never empty.
    rate: Option<f64>,
    capacity: f64,
    tokens: f64,
    filled_at: Duration,
    counts_refused: bool,
}

// === impl Quotas ===

impl Quotas {
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut all = std::iter::once(&self.default).chain(self.streams.values());
        let is_burst = |seconds: f64| seconds.is_finite() && seconds > 0.0;
        match all.find(|quota| !is_burst(quota.burst_seconds)) {
            None => Ok(()),
            Some(Quota { burst_seconds, .. }) => Err(format!(
                "quota: `burst_seconds` must be above 0.0, not {burst_seconds}"
            )),
        }
    }

    fn of(&self, stream: &str) -> &Quota {
        self.streams.get(stream).unwrap_or(&self.default)
    }
}

// === impl Quota ===

impl Default for Quota {
    fn default() -> Quota {
        Quota {
            bytes_per_second: None,
            records_per_second: None,
            requests_per_second: None,
            burst_seconds: 1.0,
            counts_refused: false,
        }
    }
}

// === impl Throttle ===

impl Throttle {
    pub(crate) fn new(quotas: Quotas) -> Throttle {
        Throttle {
            quotas,
            streams: HashMap::new(),
        }
    }

    /// All streams have their whole burst again.
    pub(crate) fn reset(&mut self) {
        self.streams.clear();
    }

    /// The stream's buckets, filled up to now; `now` counts from any one moment.
    pub(crate) fn stream(&mut self, name: &str, now: Duration) -> &mut Buckets {
        let quota = self.quotas.of(name);
        let buckets = self
            .streams
            .entry(name.to_owned())
            .or_insert_with(|| Buckets::new(quota, now));
        buckets.fill(now);
        buckets
    }
}

// === impl Buckets ===

impl Buckets {
    fn new(quota: &Quota, now: Duration) -> Buckets {
        let bucket = |rate| Bucket::new(rate, quota, now);
        Buckets {
            bytes: bucket(quota.bytes_per_second),
            records: bucket(quota.records_per_second),
            requests: bucket(quota.requests_per_second),
        }
    }

    fn fill(&mut self, now: Duration) {
        for bucket in [&mut self.bytes, &mut self.records, &mut self.requests] {
            bucket.fill(now);
        }
    }

    /// One request, whatever becomes of its records.
    pub(crate) fn take_request(&mut self) -> Result<(), ServiceError> {
        let is_taken = self.requests.gives(1.0);
        self.requests.settle(1.0, is_taken);
        is_taken.then_some(()).ok_or_else(slow_down)
    }

    /// Takes the records that are to be stored, in order, and unsets those it has no more for.
    pub(crate) fn take_records(&mut self, call: &Call, stored: &mut [bool]) {
        for (record, stored) in call.iter().zip(stored) {
            let bytes = record.len() as f64;
            *stored = *stored && self.bytes.gives(bytes) && self.records.gives(1.0);
            self.bytes.settle(bytes, *stored);
            self.records.settle(1.0, *stored);
        }
    }
}

// === impl Bucket ===

impl Bucket {
    fn new(rate: Option<NonZeroU64>, quota: &Quota, now: Duration) -> Bucket {
        let rate = rate.map(|rate| rate.get() as f64);
        let capacity = rate.unwrap_or_default() * quota.burst_seconds;
        Bucket {
            rate,
            capacity,
            tokens: capacity,
            filled_at: now,
            counts_refused: quota.counts_refused,
        }
    }

    fn fill(&mut self, now: Duration) {
        // Threads may come here in another order than that in which they looked at the clock.
        let passed = now.saturating_sub(self.filled_at);
        let gained = self.rate.unwrap_or_default() * passed.as_secs_f64();
        self.tokens = (self.tokens + gained).min(self.capacity);
        self.filled_at = self.filled_at.max(now);
    }

    fn gives(&self, tokens: f64) -> bool {
        let has_enough = match self.counts_refused {
            false => self.tokens > 0.0,
            true => self.tokens >= tokens.min(self.capacity),
        };
        self.rate.is_none() || has_enough
    }

    fn settle(&mut self, tokens: f64, is_taken: bool) {
        if is_taken {
            self.tokens -= tokens;
        } else if self.counts_refused && self.tokens > 0.0 {
            // Never below empty: or a client that sends too much for long would be refused for long.
            self.tokens = (self.tokens - tokens).max(0.0);
        }
    }
}

/// What the service says of what is over a quota.
pub(crate) fn slow_down() -> ServiceError {
    ServiceError {
        status: 503,
        kind: "ServiceUnavailableException".into(),
        message: "Slow down.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(keys: &str) -> Throttle {
        Throttle::new(toml::from_str(keys).unwrap())
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// How many of so many records the stream takes.
    fn taken(throttle: &mut Throttle, stream: &str, now: Duration, bytes: &[usize]) -> Vec<bool> {
        let call = Call::of(stream, bytes.iter().map(|&bytes| vec![b'x'; bytes]));
        let mut stored = vec![true; bytes.len()];
        throttle
            .stream(stream, now)
            .take_records(&call, &mut stored);
        stored
    }

    fn count(throttle: &mut Throttle, stream: &str, now: Duration) -> usize {
        let taken = taken(throttle, stream, now, &[1; 100]);
        taken.into_iter().filter(|&taken| taken).count()
    }

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate_holds() {
        for key in ["bytes_per_second", "records_per_second"] {
            let mut throttle = throttle(&format!("{key} = 20\nburst_seconds = 2.0"));
            assert_eq!(count(&mut throttle, "logs", at(5_000)), 40, "{key}");
            assert_eq!(count(&mut throttle, "logs", at(5_000)), 0);
            assert_eq!(count(&mut throttle, "logs", at(5_500)), 10);
            // A clock that was read earlier neither gives nor takes.
            assert_eq!(count(&mut throttle, "logs", at(5_100)), 0);
            assert_eq!(count(&mut throttle, "logs", at(6_000)), 10);
            // However long it was idle, it takes no more than a burst.
            assert_eq!(count(&mut throttle, "logs", at(60_000)), 40);
        }
    }

    #[test]
    fn records_are_taken_in_order_while_there_are_tokens() {
        let mut throttle = throttle("bytes_per_second = 100");
        let bytes = [60, 30, 30, 1, 0];
        assert_eq!(
            taken(&mut throttle, "logs", at(0), &bytes),
            [true, true, true, false, false]
        );
        // 20 bytes were overdrawn: they are paid back first.
        assert_eq!(taken(&mut throttle, "logs", at(200), &[1]), [false]);
        assert_eq!(taken(&mut throttle, "logs", at(210), &[1000]), [true]);
        assert_eq!(taken(&mut throttle, "logs", at(10_100), &[1]), [false]);
    }

    #[test]
    fn refusals_are_free_or_use_up_what_is_left() {
        let [mut free, mut counted] = [false, true].map(|counts_refused| {
            let key = format!("counts_refused = {counts_refused}");
            throttle(&format!("bytes_per_second = 100\n{key}"))
        });
        let cases = [
            // Counted, the second record takes the 40 bytes that the third would have fitted in.
            (
                0,
                &[60, 60, 30][..],
                &[true, true, false][..],
                &[true, false, false][..],
            ),
            (400, &[30, 1], &[true, false], &[true, true]),
            // From here on each refusal takes what came back, and a byte is too much then.
            (600, &[40, 1], &[true, false], &[false, false]),
            (800, &[40, 1], &[false, false], &[false, false]),
            // What is larger than a burst passes when the bucket is full.
            (9_800, &[300, 1], &[true, false], &[true, false]),
        ];
        for (ms, bytes, when_free, when_counted) in cases {
            assert_eq!(taken(&mut free, "logs", at(ms), bytes), when_free, "{ms}");
            let counted = taken(&mut counted, "logs", at(ms), bytes);
            assert_eq!(counted, when_counted, "{ms}");
        }
    }

    #[test]
    fn where_refusals_count_so_do_those_of_a_step_and_of_requests() {
        let mut throttle =
            throttle("records_per_second = 2\nrequests_per_second = 2\ncounts_refused = true");
        let buckets = throttle.stream("logs", at(0));
        let call = Call::of("logs", ["a", "b", "c"]);
        let mut stored = [false, true, true];
        buckets.take_records(&call, &mut stored);
        assert_eq!(stored, [false, true, false]);
        let mut take = |ms| throttle.stream("logs", at(ms)).take_request().is_ok();
        assert_eq!([0, 0, 0].map(&mut take), [true, true, false]);
        // Half a request came back each time, and the first of the two refusals took it.
        assert_eq!([250, 500, 1_000].map(&mut take), [false, false, true]);
    }

    #[test]
    fn each_stream_has_its_own_quota_and_uses_up_its_own() {
        let mut throttle =
            throttle("records_per_second = 3\n[slow]\nrecords_per_second = 1\n[free]");
        let mut counts =
            |ms| ["slow", "one", "other", "free"].map(|name| count(&mut throttle, name, at(ms)));
        assert_eq!(counts(0), [1, 3, 3, 100]);
        assert_eq!(counts(0), [0, 0, 0, 100]);
        throttle.reset();
        assert_eq!(count(&mut throttle, "slow", at(0)), 1);
    }
}
