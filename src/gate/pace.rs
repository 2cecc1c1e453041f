//! Finds the rate that a delivery stream takes: it grows until the stream throttles, and falls
//! with what the stream refuses.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Bucket;

/// Bytes per second; none as long as the stream never throttled.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Option<Limit>,
    /// What a call may carry while it is not known whether the stream throttles: it doubles with
    /// each call that is accepted.
    opening: usize,
    /// What was accepted lately, to have a rate to begin with.
    accepted: VecDeque<(Instant, usize)>,
}

#[derive(Debug)]
struct Limit {
    bucket: Bucket,
    /// The rate at which the stream throttled last.
    ceiling: f64,
    lowered: Instant,
    grown: Instant,
}

/// Over which time the accepted rate is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// It never falls below this, a quarter of the smallest default quota: less is a matter of longer
/// pauses, which the gate makes where nothing is accepted.
const LOWEST: f64 = 256.0 * 1024.0;

/// A rate that was not throttled for a while is no limit anymore.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// How much of a second's rate one call should carry: small enough that little is sent in vain
/// when the stream refuses, large enough to keep calls few.
const CALL_SECONDS: f64 = 0.25;

/// Half of what the smallest default quota takes in a second.
const OPENING: usize = 512 * 1024;

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            limit: None,
            opening: OPENING,
            accepted: VecDeque::new(),
        }
    }

    /// The bytes that a call should carry at most.
    pub(super) fn call_bytes(&self) -> usize {
        match &self.limit {
            Some(limit) => (limit.bucket.rate() * CALL_SECONDS) as usize,
            None => self.opening,
        }
    }

    /// Bytes per second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.limit.as_ref().map(|limit| limit.bucket.rate())
    }

    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        let Some(limit) = &mut self.limit else {
            return Duration::ZERO;
        };
        limit.bucket.wait(now)
    }

    pub(super) fn take(&mut self, bytes: usize) {
        if let Some(limit) = &mut self.limit {
            limit.bucket.take(bytes);
        }
    }

    /// A call was accepted as a whole.
    pub(super) fn accepted(&mut self, now: Instant, bytes: usize) {
        self.note(now, bytes);
        let Some(limit) = &mut self.limit else {
            self.opening = self.opening.saturating_mul(2);
            return;
        };
        if now.duration_since(limit.lowered) > FORGOTTEN {
            self.limit = None;
            return;
        }
        limit.grow(now);
    }

    /// A call that began at `began` was refused in part or as a whole.
    pub(super) fn throttled(&mut self, now: Instant, began: Instant, accepted: usize, sent: usize) {
        self.note(now, accepted);
        let share = accepted as f64 / sent.max(1) as f64;
        let measured = self.measured();
        let Some(limit) = &mut self.limit else {
            if accepted == 0 {
                // It tells of no rate that would do.
                return;
            }
            // What went through in the last second is the best guess.
            let rate = measured.max(OPENING as f64);
            self.limit = Some(Limit {
                bucket: Bucket::new(rate, now),
                ceiling: rate,
                lowered: now,
                grown: now,
            });
            return;
        };
        // Calls that were under way at the last fall tell of the rate before it.
        if began < limit.lowered {
            return;
        }
        let rate = limit.bucket.rate();
        limit.ceiling = rate;
        limit.lowered = now;
        limit.grown = now;
        // From a tenth less, where nearly all was accepted, to half, where nothing was.
        let lower = rate * (0.5 + 0.4 * share);
        limit.bucket.set_rate(lower.max(LOWEST), now);
    }

    fn note(&mut self, now: Instant, bytes: usize) {
        self.accepted.push_back((now, bytes));
        while let Some(&(at, _)) = self.accepted.front()
            && now.duration_since(at) > WINDOW
        {
            self.accepted.pop_front();
        }
    }

    fn measured(&self) -> f64 {
        let bytes: usize = self.accepted.iter().map(|(_, bytes)| bytes).sum();
        bytes as f64 / WINDOW.as_secs_f64()
    }
}

impl Limit {
    /// Quickly back to where it was throttled, slowly through there, quickly on if nothing comes.
    fn grow(&mut self, now: Instant) {
        let rate = self.bucket.rate();
        let a_second = if rate < 0.85 * self.ceiling {
            0.25
        } else if rate < 1.15 * self.ceiling {
            0.04
        } else {
            0.2
        };
        // Idle time is no sign that the stream would have taken more.
        let seconds = now.duration_since(self.grown).as_secs_f64().min(1.0);
        self.grown = now;
        self.bucket.set_rate(rate * (1.0 + a_second * seconds), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that takes so many bytes a second, and saves up a second's worth.
    struct Stream {
        quota: f64,
        tokens: f64,
        filled: Instant,
    }

    impl Stream {
        fn accept(&mut self, bytes: usize) -> usize {
            let seconds = self.filled.elapsed().as_secs_f64();
            self.filled = Instant::now();
            self.tokens = (self.tokens + seconds * self.quota).min(self.quota);
            let accepted = (self.tokens.max(0.0) as usize).min(bytes);
            self.tokens -= accepted as f64;
            accepted
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_backlog_drains_near_the_quota_with_little_sent_in_vain() {
        for quota in [300_000.0, 1_048_576.0, 5_242_880.0] {
            let start = Instant::now();
            let mut stream = Stream {
                quota,
                tokens: quota,
                filled: start,
            };
            let mut pace = Pace::new();
            let backlog = (quota * 30.0) as usize;
            let (mut left, mut sent) = (backlog, 0);
            while left > 0 {
                tokio::time::sleep(pace.wait(Instant::now())).await;
                let bytes = pace.call_bytes().min(4_194_304).min(left);
                pace.take(bytes);
                let began = Instant::now();
                tokio::time::sleep(Duration::from_millis(20)).await;
                let accepted = stream.accept(bytes);
                sent += bytes;
                left -= accepted;
                if accepted == bytes {
                    pace.accepted(Instant::now(), bytes);
                } else {
                    pace.throttled(Instant::now(), began, accepted, bytes);
                }
            }
            let own_time = backlog as f64 / quota;
            let time = start.elapsed().as_secs_f64() / own_time;
            let payload = sent as f64 / backlog as f64;
            assert!(time < 1.2, "quota {quota}: {time} of its own time");
            assert!(
                payload < 1.2,
                "quota {quota}: {payload} of the payload sent"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_never_throttles_is_never_limited() {
        let mut pace = Pace::new();
        for _ in 0..1000 {
            assert_eq!(pace.wait(Instant::now()), Duration::ZERO);
            pace.take(4_194_304);
            pace.accepted(Instant::now(), 4_194_304);
        }
        assert!(pace.call_bytes() > 4_194_304);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_before_the_fall_do_not_lower_it_again() {
        let mut pace = Pace::new();
        let began = Instant::now();
        pace.accepted(began, 1_000_000);
        tokio::time::advance(Duration::from_millis(10)).await;
        pace.throttled(Instant::now(), began, 1, 1_000_000);
        let bytes = pace.call_bytes();
        tokio::time::advance(Duration::from_millis(10)).await;
        pace.throttled(Instant::now(), began, 0, 1_000_000);
        assert_eq!(pace.call_bytes(), bytes);
        pace.throttled(Instant::now(), Instant::now(), 0, 1_000_000);
        assert!(pace.call_bytes() < bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_refused_as_a_whole_tells_of_no_rate() {
        let mut pace = Pace::new();
        pace.throttled(Instant::now(), Instant::now(), 0, 1_000_000);
        assert!(pace.limit.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_limit_is_forgotten() {
        let mut pace = Pace::new();
        pace.throttled(Instant::now(), Instant::now(), 1, 1_000_000);
        assert_eq!(pace.call_bytes(), (OPENING as f64 * CALL_SECONDS) as usize);
        tokio::time::advance(FORGOTTEN + Duration::from_secs(1)).await;
        pace.accepted(Instant::now(), 1);
        assert!(pace.limit.is_none());
    }
}
