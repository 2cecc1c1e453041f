//! A delivery stream: what it accepts of a call. AWS documents neither how its quotas are metered
//! nor what refused data costs, so there are several forms.

use fastrand::Rng;

/// Microseconds of the model's time.
pub(crate) type Time = u64;
pub(crate) const SECOND: Time = 1_000_000;

/// How a quota is metered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// A token bucket of one second.
    Bucket,
    /// So much within each second of the stream's clock.
    Window,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Bytes,
    Records,
    Calls,
}

/// How a record is refused for a cause of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Code {
    InternalFailure,
    /// Nothing tells it from throttling.
    ServiceUnavailable,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) unit: Unit,
    /// A second's; infinite if nothing throttles.
    pub(crate) quota: f64,
    pub(crate) form: Form,
    /// Whether what is refused uses the quota up too.
    pub(crate) counts_refused: bool,
    /// The share of the records that is refused for a cause of its own.
    pub(crate) faulty: f64,
    pub(crate) code: Code,
}

pub(crate) struct Stream {
    pub(crate) rules: Rules,
    /// Nothing gets through until then.
    pub(crate) back_at: Time,
    rng: Rng,
    left: f64,
    filled: Time,
}

/// What became of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Answered { accepted: usize, throttled: usize },
    Throttled,
    Lost,
}

impl Stream {
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self {
            rules,
            back_at: 0,
            rng: Rng::with_seed(seed),
            left: rules.quota,
            filled: 0,
        }
    }

    /// Takes a call of so many records of one size.
    pub(crate) fn take(&mut self, now: Time, records: usize, record_bytes: usize) -> Verdict {
        if now < self.back_at {
            return Verdict::Lost;
        }
        self.fill(now);
        if let Unit::Calls = self.rules.unit
            && !self.use_up(1.0)
        {
            return Verdict::Throttled;
        }
        let (mut accepted, mut throttled) = (0, 0);
        for _ in 0..records {
            if self.rng.f64() < self.rules.faulty {
                self.use_up_refused(record_bytes);
                throttled += usize::from(self.rules.code == Code::ServiceUnavailable);
                continue;
            }
            let is_accepted = match self.rules.unit {
                Unit::Bytes => self.use_up(record_bytes as f64),
                Unit::Records => self.use_up(1.0),
                Unit::Calls => true,
            };
            accepted += usize::from(is_accepted);
            throttled += usize::from(!is_accepted);
        }
        Verdict::Answered {
            accepted,
            throttled,
        }
    }

    fn fill(&mut self, now: Time) {
        let quota = self.rules.quota;
        match self.rules.form {
            Form::Bucket => {
                let seconds = (now - self.filled) as f64 / SECOND as f64;
                self.left = (self.left + seconds * quota).min(quota);
            }
            Form::Window if now / SECOND > self.filled / SECOND => self.left = quota,
            Form::Window => {}
        }
        self.filled = now;
    }

    fn use_up(&mut self, amount: f64) -> bool {
        if self.left >= amount {
            self.left -= amount;
            return true;
        }
        if self.rules.counts_refused {
            self.left = (self.left - amount).max(0.0);
        }
        false
    }

    fn use_up_refused(&mut self, record_bytes: usize) {
        if self.rules.counts_refused {
            let amount = match self.rules.unit {
                Unit::Bytes => record_bytes as f64,
                Unit::Records => 1.0,
                Unit::Calls => 0.0,
            };
            self.left = (self.left - amount).max(0.0);
        }
    }
}
