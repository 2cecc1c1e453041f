//! A token bucket that may run into debt: it lets through whole what does not fit, and the next one
//! waits until that is paid off.

use std::time::{Duration, Instant};

/// Bytes, records or calls per second.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

/// How long an idle bucket saves up. Short, so that a rate is kept from one moment to the next
/// and not only on average.
const BURST_SECONDS: f64 = 0.25;

impl Bucket {
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate * BURST_SECONDS,
            filled: now,
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Instant {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + seconds * self.rate).min(self.rate * BURST_SECONDS);
        if self.tokens > 0.0 {
            return now;
        }
        // A little more than nothing: rounding must never wake a waiter too early.
        now + Duration::from_secs_f64((-self.tokens + 1e-3) / self.rate) + Duration::from_millis(1)
    }

    pub(super) fn take(&mut self, amount: usize) {
        self.tokens -= amount as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_rate_whatever_is_taken_at_once_and_saves_up_for_a_moment_only() {
        for amount in [1, 100, 5_000] {
            let start = Instant::now();
            let mut now = start;
            let mut bucket = Bucket::new(1_000.0, start);
            let mut taken = 0;
            while taken < 20_000 {
                now = now.max(bucket.due(now));
                assert_eq!(bucket.due(now), now);
                bucket.take(amount);
                taken += amount;
            }
            let rate = (taken - amount) as f64 / (now - start).as_secs_f64();
            assert!((900.0..1_100.0).contains(&rate), "{amount}: {rate}");
            now += Duration::from_secs(100);
            assert_eq!(bucket.due(now), now);
            bucket.take(251);
            assert!(bucket.due(now) > now);
        }
    }
}
