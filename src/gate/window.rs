//! How much may be under way: as much as the distance of the service asks for, and no more.
//!
//! Far away, many calls must be under way for a stream to be kept busy. Nearby, more of them only
//! wait for each other, here or there, and cost memory and time. Which of the two it is shows in
//! how long a call takes beside the quickest of late.

use std::time::Duration;

use tokio::time::Instant;

use super::pace::Call;

#[derive(Debug)]
pub(super) struct Window {
    bytes: usize,
    most: usize,
    /// Of this period, and of the one before.
    periods: [Period; 2],
}

#[derive(Clone, Copy, Debug)]
struct Period {
    began: Instant,
    /// The most bytes of a call.
    largest: usize,
    /// The least time of a call of about that size.
    quickest: Duration,
}

/// What the smallest default quota takes in a second, and a stream may have saved up.
const LEAST: usize = 1024 * 1024;

/// How long the quickest call is remembered, and at most twice as long.
const PERIOD: Duration = Duration::from_secs(30);

/// So many times as long as the quickest, and a call has waited for others.
const CROWDED: f64 = 1.5;

impl Window {
    pub(super) fn new(most: usize, now: Instant) -> Self {
        Self {
            bytes: most.min(LEAST),
            most,
            periods: [Period::new(now); 2],
        }
    }

    /// No call begins while calls with so many bytes are under way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A call was accepted, while so many bytes were under way, its own among them.
    pub(super) fn answered(&mut self, now: Instant, call: Call, under_way: usize) {
        let age = now.duration_since(self.periods[0].began);
        if age > PERIOD {
            let before = match age > 2 * PERIOD {
                true => Period::new(now),
                false => self.periods[0],
            };
            self.periods = [Period::new(now), before];
        }
        let took = now.duration_since(call.began);
        self.periods[0].note(call.bytes, took);
        let [this, before] = self.periods;
        let largest = this.largest.max(before.largest);
        if !is_about(call.bytes, largest) {
            return;
        }
        let quickest = match is_about(before.largest, largest) {
            true => this.quickest.min(before.quickest),
            false => this.quickest,
        };
        if took.as_secs_f64() > CROWDED * quickest.as_secs_f64() {
            let fewer = self.bytes.saturating_sub(call.bytes);
            self.bytes = fewer.max(self.most.min(LEAST));
        } else if under_way >= self.bytes / 2 {
            self.bytes = self.bytes.saturating_add(call.bytes).min(self.most);
        }
    }
}

impl Period {
    fn new(began: Instant) -> Self {
        Self {
            began,
            largest: 0,
            quickest: Duration::MAX,
        }
    }

    fn note(&mut self, bytes: usize, took: Duration) {
        if !is_about(self.largest, bytes) {
            self.quickest = Duration::MAX;
        }
        self.largest = self.largest.max(bytes);
        if is_about(bytes, self.largest) {
            self.quickest = self.quickest.min(took);
        }
    }
}

/// Whether a call is not much smaller than the largest: a smaller one is quicker by itself.
fn is_about(bytes: usize, largest: usize) -> bool {
    bytes >= largest / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 8 * LEAST;
    const CALL_BYTES: usize = 250_000;

    /// A window, and the time.
    struct Model(Window, Instant);

    impl Model {
        fn new() -> Self {
            let now = Instant::now();
            Self(Window::new(MOST, now), now)
        }

        /// As many calls as may be under way, over and over; a call takes so many milliseconds
        /// where so many are.
        fn rounds(&mut self, count: usize, millis: impl Fn(usize) -> u64) {
            for _ in 0..count {
                let calls = self.0.bytes().div_ceil(CALL_BYTES);
                self.calls(calls, CALL_BYTES, millis(calls));
            }
        }

        /// Calls under way together.
        fn calls(&mut self, calls: usize, bytes: usize, millis: u64) {
            let began = self.1;
            self.1 += Duration::from_millis(millis);
            for left in (1..=calls).rev() {
                let call = Call {
                    began,
                    bytes,
                    records: 1,
                    accepted_bytes: bytes,
                };
                self.0.answered(self.1, call, left * bytes);
            }
        }
    }

    #[test]
    fn opens_in_a_few_round_trips_where_calls_do_not_slow_each_other_down() {
        for (name, millis) in [
            ("far", (|_| 50) as fn(usize) -> u64),
            ("next door", |_| 1),
            ("a little slower under load", |calls| 50 + calls as u64 / 2),
        ] {
            let mut model = Model::new();
            model.rounds(8, millis);
            assert_eq!(model.0.bytes(), MOST, "{name}");
        }
    }

    #[test]
    fn stays_small_where_calls_wait_for_each_other() {
        for (name, millis) in [
            ("all the time", (|calls| calls as u64) as fn(usize) -> u64),
            ("beyond ten", |calls| {
                20 + 20 * (calls as u64).saturating_sub(10)
            }),
        ] {
            let mut model = Model::new();
            for _ in 0..100 {
                model.rounds(100, millis);
                assert!(model.0.bytes() < 3 * LEAST, "{name}: {:?}", model.0);
            }
        }
    }

    #[test]
    fn closes_when_calls_take_longer_and_opens_when_that_is_how_it_is() {
        let mut model = Model::new();
        model.rounds(10, |_| 20);
        model.rounds(20, |_| 100);
        assert_eq!(model.0.bytes(), LEAST);
        let rounds = 2 * PERIOD.as_millis() / 100;
        model.rounds(rounds as usize + 10, |_| 100);
        assert_eq!(model.0.bytes(), MOST);
    }

    #[test]
    fn what_was_before_a_pause_is_no_measure() {
        let mut model = Model::new();
        model.rounds(10, |_| 20);
        model.1 += 10 * PERIOD;
        model.rounds(1, |_| 100);
        assert_eq!(model.0.bytes(), MOST);
    }

    #[test]
    fn a_call_that_is_smaller_is_no_measure_of_others() {
        let mut model = Model::new();
        for _ in 0..10 {
            model.calls(1, CALL_BYTES / 2, 1);
            model.rounds(1, |_| 50);
        }
        assert_eq!(model.0.bytes(), MOST);
        for _ in 0..100 {
            model.calls(1, 2 * CALL_BYTES, 100);
        }
        assert_eq!(model.0.bytes(), MOST, "larger ones take longer");
    }

    #[test]
    fn opens_though_calls_on_new_connections_take_longer() {
        let mut model = Model::new();
        let mut connections = 0;
        for _ in 0..20 {
            let calls = model.0.bytes().div_ceil(CALL_BYTES);
            let new = calls.saturating_sub(connections);
            model.calls(calls - new, CALL_BYTES, 50);
            model.calls(new, CALL_BYTES, 150);
            connections += new;
        }
        assert_eq!(model.0.bytes(), MOST);
    }

    #[test]
    fn what_is_not_in_use_does_not_grow() {
        let mut model = Model::new();
        for _ in 0..100 {
            model.calls(1, CALL_BYTES, 50);
        }
        assert_eq!(model.0.bytes(), LEAST);
    }

    #[test]
    fn never_goes_beyond_what_was_asked_for() {
        let now = Instant::now();
        let mut model = Model(Window::new(100, now), now);
        model.calls(4, 50, 10);
        model.calls(4, 50, 10);
        assert_eq!(model.0.bytes(), 100);
        model.calls(4, 50, 100);
        assert_eq!(model.0.bytes(), 100);
    }
}
