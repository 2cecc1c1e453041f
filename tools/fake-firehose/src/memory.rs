//! What the service remembers: the records it accepted, a line for each request, and sums.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

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
    /// Requests for the API, whatever became of them.
    pub requests: u64,
    /// The most requests that were under way at the same moment.
    pub max_concurrent_requests: u64,
    /// Requests by [`RequestLog::outcome`].
    pub calls: BTreeMap<String, u64>,
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
    /// Milliseconds from the service's start to the last call that stored a record.
    pub last_accepted_ms: Option<u64>,
}

/// One request for the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestLog {
    /// Milliseconds from the service's start to the decision.
    pub decided_ms: u64,
    /// `accepted`, or `refused` where some or all records were, for an answer with status 200; an
    /// error's type; or why there was no answer: `hung`, `reset`, `disconnected`.
    pub outcome: Cow<'static, str>,
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

// === impl RequestLog ===

impl RequestLog {
    /// Of a request of which nothing else is known.
    pub(crate) fn of(outcome: impl Into<Cow<'static, str>>) -> RequestLog {
        RequestLog {
            outcome: outcome.into(),
            ..RequestLog::default()
        }
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
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        let mut state = self.lock();
        let number = state.stats.requests;
        state.stats.requests += 1;
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
        let stored = stored.filter(|call| call.records() > 0);
        // Counted before the lock is taken: it takes as long as there are bytes.
        let counts = stored.as_ref().map(|call| {
            let billed = call.iter().map(|record| limits::billed_bytes(record.len()));
            (count_documents(&call.data), billed.sum::<u64>())
        });
        let (documents, billed_bytes) = counts.unwrap_or_default();
        let mut state = self.lock();
        let stats = &mut state.stats;
        *stats.calls.entry(request.outcome.to_string()).or_default() += 1;
        stats.records += request.accepted;
        stats.documents += documents;
        stats.raw_bytes += stored.as_ref().map_or(0, |call| call.data.len() as u64);
        stats.billed_bytes += billed_bytes;
        if !request.stream.is_empty() {
            let stream = stats.streams.entry(request.stream.clone()).or_default();
            stream.requests += 1;
            stream.sent_bytes += request.raw_bytes;
            if request.accepted > 0 {
                stream.last_accepted_ms = Some(request.decided_ms);
            }
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

    /// The bytes of all accepted records, end to end.
    pub(crate) fn documents(&self) -> Vec<u8> {
        let state = self.lock();
        let data: Vec<&[u8]> = state.kept.iter().map(|kept| &kept.call.data[..]).collect();
        data.concat()
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
