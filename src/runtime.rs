//! The embedded runtime: one for all outputs of the process, made by the first Init and joined by
//! the last Exit.

use std::io::Error;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{self, Handle};

/// How long the last Exit waits for a DNS look-up that hangs. It comes after `stop_timeout`.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// A share of the runtime. Dropping the last one joins its threads, so it must be dropped on a
/// thread of the host.
pub struct Runtime(Option<runtime::Runtime>);

impl Runtime {
    pub fn shared() -> Result<Arc<Self>, Error> {
        static SHARED: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            return Ok(runtime);
        }
        let build = || {
            runtime::Builder::new_multi_thread()
                // One thread formats, signs and encrypts hundreds of megabytes a second. A second
                // one cost more CPU and drained no faster (docs/performance.md).
                .worker_threads(1)
                .thread_name("firehose")
                .enable_all()
                .build()
        };
        // The builder panics if the system gives it no thread.
        let inner = catch_unwind(build)
            .unwrap_or_else(|_| Err(Error::other("the system gives no thread")))?;
        let runtime = Arc::new(Self(Some(inner)));
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    pub fn handle(&self) -> &Handle {
        let inner = self.0.as_ref().expect("it is only taken when dropped");
        inner.handle()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.shutdown_timeout(SHUTDOWN);
        }
    }
}
