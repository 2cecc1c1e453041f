//! What carries calls out: Firehose, or a test's model of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use firehose_core::deliver::failure::{CallError, Cause};

pub trait Service: Send + Sync + 'static {
    /// Whether calls can be made, or it is known why not.
    fn is_ready(&self) -> bool {
        true
    }

    /// Returns when it is ready.
    fn ready(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// One PutRecordBatch call with a body of so many records. The answer has one entry for each.
    /// `sent` is set before anything goes out.
    fn put(&self, body: Bytes, records: usize, sent: Sent) -> impl Future<Output = Answer> + Send;
}

/// What became of each record of a call, or of the call as a whole.
pub type Answer = Result<Vec<Result<(), Cause>>, CallError>;

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
