//! What delivers batches: Firehose, or a test's model of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bytes::Bytes;

use crate::failure::Cause;

pub trait Service: Send + Sync + 'static {
    /// Returns when calls can be made, or when it is known why not.
    fn ready(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// One PutRecordBatch call with a body of so many records. The answer has one entry for each.
    /// `sent` is set before anything goes out.
    fn put(
        &self,
        body: Bytes,
        records: usize,
        sent: Sent,
    ) -> impl Future<Output = Result<Vec<Result<(), Cause>>, CallError>> + Send;

    /// When the credentials in use were fetched, where there are any.
    fn credentials_time(&self) -> Option<SystemTime> {
        None
    }
}

/// Whether anything of a call went out. If not, nothing of it was stored.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A call that was not answered with what became of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    pub cause: Cause,
    /// For the log: the service's code and the first line of its message.
    pub text: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.cause.advice())
    }
}
