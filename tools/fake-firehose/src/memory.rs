//! What the service remembers: the records it accepted, a line for each request, and sums.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::call::Call;
use crate::limits;

/// How much is remembered of the accepted records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Every byte, in the order of acceptance.
    #[default]
    Records,
    /// Only the sums of [`Stats`]: for benchmarks, whose data would not fit in memory.
    Counts,
}

/// One accepted record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedRecord {
    pub stream: String,
    /// The record's data, base64 decoded.
    pub data: Bytes,
}

/// The accepted records of one call, end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedCall {
    pub stream: String,
    pub data: Bytes,
}

/// Sums since the start or the last reset. All sizes are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections that carried at least one request for the API.
    pub connections: u64,
    /// Requests for the API, whatever became of them.
    pub requests: u64,
    /// The most requests that were under way at the same moment.
    pub max_concurrent_requests: u64,
    /// Requests by [`Outcome`].
    pub calls: BTreeMap<String, u64>,
    /// Bytes of all request bodies that were read to their end.
    pub body_bytes: u64,
    /// Accepted records.
    pub records: u64,
    /// Accepted documents: lines of the accepted records that are not empty.
    pub documents: u64,
    /// Bytes of the accepted records, before base64.
    pub raw_bytes: u64,
    /// The same with each record rounded up to [`limits::BILLING_UNIT`].
    pub billed_bytes: u64,
    /// By the name of the stream; of calls that could be read.
    pub streams: BTreeMap<String, StreamStats>,
}

/// Sums of one stream. All sizes are bytes of records before base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamStats {
    pub requests: u64,
    /// What the calls carried, accepted or not.
    pub sent_bytes: u64,
    pub accepted_bytes: u64,
    pub accepted_records: u64,
    /// Milliseconds from the service's start to the first call that stored a record.
    pub first_accepted_ms: Option<u64>,
    /// The same of the last one.
    pub last_accepted_ms: Option<u64>,
}

/// One request for the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestLog {
    /// Counts from zero, in the order in which the requests' headers arrived; the scenario's
    /// steps are given out by it.
    pub number: u64,
    /// Which connection carried it; counts from zero.
    pub connection: u64,
    /// Milliseconds from the service's start to the decision.
    pub decided_ms: u64,
    pub outcome: Outcome,
    /// The stream named in the body; empty where no valid call could be read.
    pub stream: String,
    /// Records in the call; zero where no valid call could be read.
    pub records: u64,
    /// Of those, the records that were stored, be it that the client was told or not.
    pub accepted: u64,
    /// Whether the client was told which records were stored, if it stayed for the answer. Where
    /// it was not and some were, sending them again makes duplicates.
    pub told: bool,
    /// Bytes of the call's records before base64.
    pub raw_bytes: u64,
    /// Bytes of the HTTP request body; zero where it was not read to its end.
    pub body_bytes: u64,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 200, no record refused.
    Accepted,
    /// Answered with 200, some or all records refused.
    Refused,
    /// Answered with an error of this type.
    Error(String),
    /// Never answered, as the scenario demands.
    Hung,
    /// The connection was reset, as the scenario demands.
    Reset,
    /// The client went away before it had sent the whole request.
    Disconnected,
}

/// The memory itself, shared by all connections.
pub(crate) struct Memory {
    keep: Keep,
    state: Mutex<State>,
    logged: Condvar,
}

#[derive(Default)]
struct State {
    stats: Stats,
    concurrent_requests: u64,
    requests: Vec<RequestLog>,
    kept: Vec<Kept>,
}

struct Kept {
    call: AcceptedCall,
    ends: Vec<usize>,
}

/// A request under way; it is counted as such until this is dropped.
pub(crate) struct UnderWay<'a> {
    memory: &'a Memory,
    pub(crate) number: u64,
}

// === impl Outcome ===

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
            Outcome::Error(kind) => kind,
            Outcome::Hung => "hung",
            Outcome::Reset => "reset",
            Outcome::Disconnected => "disconnected",
        })
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl Memory ===

impl Memory {
    pub(crate) fn new(keep: Keep) -> Memory {
        Memory {
            keep,
            state: Mutex::default(),
            logged: Condvar::new(),
        }
    }

    /// Counts a request in and numbers it.
    pub(crate) fn begin(&self, first_on_connection: bool) -> UnderWay<'_> {
        let mut state = self.lock();
        let number = state.stats.requests;
        state.stats.requests += 1;
        state.stats.connections += u64::from(first_on_connection);
        state.concurrent_requests += 1;
        state.stats.max_concurrent_requests = state
            .stats
            .max_concurrent_requests
            .max(state.concurrent_requests);
        UnderWay {
            memory: self,
            number,
        }
    }

    /// Logs a request, and remembers the records that it stored: `stored` holds those only.
    pub(crate) fn log(&self, request: RequestLog, stored: Option<Call>) {
        let sums = stored.as_ref().map(Sums::of).unwrap_or_default();
        let mut state = self.lock();
        let stats = &mut state.stats;
        *stats.calls.entry(request.outcome.to_string()).or_default() += 1;
        stats.body_bytes += request.body_bytes;
        stats.records += request.accepted;
        stats.documents += sums.documents;
        stats.raw_bytes += sums.raw_bytes;
        stats.billed_bytes += sums.billed_bytes;
        if !request.stream.is_empty() {
            let stream = stats.streams.entry(request.stream.clone()).or_default();
            stream.add(&request, sums.raw_bytes);
        }
        state.requests.push(request);
        if let (Keep::Records, Some(call)) = (self.keep, stored) {
            state.kept.push(Kept {
                call: AcceptedCall {
                    stream: call.stream,
                    data: call.data.into(),
                },
                ends: call.ends,
            });
        }
        drop(state);
        self.logged.notify_all();
    }

    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        *state = State {
            concurrent_requests: state.concurrent_requests,
            ..State::default()
        };
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }

    pub(crate) fn requests(&self) -> Vec<RequestLog> {
        self.lock().requests.clone()
    }

    /// What each call that stored any records stored, but for the first `skipped` of them.
    pub(crate) fn calls(&self, skipped: usize) -> Vec<AcceptedCall> {
        let state = self.lock();
        let kept = state.kept.iter().skip(skipped);
        kept.map(|kept| kept.call.clone()).collect()
    }

    pub(crate) fn records(&self) -> Vec<AcceptedRecord> {
        let state = self.lock();
        let mut records = Vec::new();
        for kept in &state.kept {
            let mut start = 0;
            for &end in &kept.ends {
                records.push(AcceptedRecord {
                    stream: kept.call.stream.clone(),
                    data: kept.call.data.slice(start..end),
                });
                start = end;
            }
        }
        records
    }

    /// Waits until `count` requests are logged; false when that took longer than `at_most`.
    pub(crate) fn wait_for_requests(&self, count: usize, at_most: Duration) -> bool {
        let state = self.lock();
        let (state, _) = self
            .logged
            .wait_timeout_while(state, at_most, |state| state.requests.len() < count)
            .expect("no thread panics while it holds the memory");
        state.requests.len() >= count
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no thread panics while it holds the memory")
    }
}

impl StreamStats {
    fn add(&mut self, request: &RequestLog, accepted_bytes: u64) {
        self.requests += 1;
        self.sent_bytes += request.raw_bytes;
        self.accepted_bytes += accepted_bytes;
        self.accepted_records += request.accepted;
        if request.accepted > 0 {
            self.first_accepted_ms.get_or_insert(request.decided_ms);
            self.last_accepted_ms = Some(request.decided_ms);
        }
    }
}

#[derive(Default)]
struct Sums {
    documents: u64,
    raw_bytes: u64,
    billed_bytes: u64,
}

impl Sums {
    fn of(stored: &Call) -> Sums {
        let mut start = 0;
        let mut billed_bytes = 0;
        for &end in &stored.ends {
            billed_bytes += limits::billed_bytes(end - start);
            start = end;
        }
        Sums {
            documents: count_documents(&stored.data),
            raw_bytes: stored.data.len() as u64,
            billed_bytes,
        }
    }
}

/// Lines that end and are not empty: some producers end their aggregates in an empty one.
fn count_documents(data: &[u8]) -> u64 {
    let mut start = 0;
    let mut count = 0;
    for end in memchr::memchr_iter(b'\n', data) {
        count += u64::from(end > start);
        start = end + 1;
    }
    count
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.memory.lock().concurrent_requests -= 1;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn empty_lines_are_no_documents() {
        for (data, documents) in [
            ("", 0),
            ("\n", 0),
            ("a\n", 1),
            ("a\n\nb\n\n", 2),
            ("\na", 0),
        ] {
            assert_eq!(
                super::count_documents(data.as_bytes()),
                documents,
                "{data:?}"
            );
        }
    }
}
