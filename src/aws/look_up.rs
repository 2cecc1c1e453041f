//! Looks credentials up: once for all calls that wait for them, and again before they expire.
//!
//! A look-up reads files, which may lie on a mount that is gone. So it has a thread of its own.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_firehose::config::retry::RetryConfig;
use aws_sdk_firehose::config::{IdentityCache, StalledStreamProtectionConfig};
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::oneshot::Sender;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::options::Access;

use super::credentials::{self, configured_endpoint};
use super::transport::Transport;
use super::{environment, error};

/// If credentials are refused or not found, the next look-up begins no sooner than this: each one
/// may cost calls of STS.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long before the old credentials expire new ones are looked up; at half of their life if that
/// is later.
const EARLY: Duration = Duration::from_secs(300);

/// A look-up that takes longer than it may counts as failed, but is not given up before this: its
/// helper would go on beside the next look-up's.
const GIVEN_UP: Duration = Duration::from_secs(600);

/// What all calls of an output share.
#[derive(Debug)]
pub(super) struct LookUp(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    access: Access,
    /// How long calls wait for a look-up.
    limit: Duration,
    /// Runs a look-up on a thread of its own.
    start: fn(Box<dyn FnOnce() + Send>) -> io::Result<()>,
    state: Mutex<State>,
    /// A look-up ended, or is given up.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// The service does not take these credentials.
    is_refused: bool,
    /// When new ones are to be looked up.
    renewal: Option<Instant>,
    /// Why the last look-up found none.
    failure: Option<CallError>,
    /// No look-up begins before this time.
    earliest: Option<Instant>,
    running: Option<AbortHandle>,
    /// The look-up takes longer than calls wait for it.
    is_late: bool,
}

impl LookUp {
    pub(super) fn new(access: Access, limit: Duration) -> Self {
        Self(Arc::new(Shared {
            access,
            limit,
            start: |look_up| {
                let thread = thread::Builder::new().name("firehose".to_owned());
                thread.spawn(look_up).map(drop)
            },
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Returns when calls need not wait.
    pub(super) async fn ready(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.is_ready() {
                return;
            }
            changed.await;
        }
    }

    /// Begins a look-up if one is due. Returns whether calls need not wait for it: there are
    /// credentials, or it is known why there are none.
    pub(super) fn is_ready(&self) -> bool {
        let mut state = self.0.state();
        let now = Instant::now();
        let is_due = state.connection.is_none()
            || state.is_refused
            || state.renewal.is_some_and(|renewal| renewal <= now);
        let may_begin = state.earliest.is_none_or(|earliest| earliest <= now);
        if is_due && may_begin && state.running.is_none() {
            if state.connection.is_some() {
                state.earliest = Some(now + RENEWAL);
            }
            let run = Arc::clone(&self.0).run();
            state.running = Some(tokio::spawn(run).abort_handle());
        }
        let is_waited_for = state.running.is_some() && !state.is_late;
        !is_waited_for || (state.connection.is_some() && !state.is_refused)
    }

    /// What calls are to be made with now.
    pub(super) fn connection(&self) -> Result<Arc<Connection>, CallError> {
        let state = self.0.state();
        match (&state.connection, &state.failure) {
            // A look-up that failed found no better ones, which need not mean that these are bad.
            (Some(connection), failure) if failure.is_none() || !state.is_refused => {
                Ok(Arc::clone(connection))
            }
            (_, Some(failure)) => Err(failure.clone()),
            (_, None) => {
                let text = "they are still being looked up";
                Err(error::of(Cause::Credentials, text))
            }
        }
    }

    pub(super) fn refused(&self, connection: &Arc<Connection>) {
        let mut state = self.0.state();
        let current = state.connection.as_ref();
        if current.is_some_and(|current| Arc::ptr_eq(current, connection)) {
            state.is_refused = true;
        }
    }

    pub(super) fn time(&self) -> Option<SystemTime> {
        let state = self.0.state();
        state.connection.as_ref().map(|connection| connection.time)
    }
}

impl Drop for LookUp {
    /// Gives up what is under way.
    fn drop(&mut self) {
        if let Some(running) = self.0.state().running.take() {
            running.abort();
        }
    }
}

impl Shared {
    async fn run(self: Arc<Self>) {
        let (told, mut found) = oneshot::channel();
        let (running, ended) = oneshot::channel::<Infallible>();
        let (access, limit) = (self.access.clone(), self.limit);
        let look_up = move || {
            look_up(&access, limit, told);
            drop(running);
        };
        // Not one of the runtime's threads: where none can be started, the runtime panics.
        if let Err(why) = (self.start)(Box::new(look_up)) {
            let text = format!(
                "no thread can be started to look credentials up, the process is out of threads \
                 or memory: {why}"
            );
            self.fail(error::of(Cause::Credentials, text));
            return self.end();
        }
        let mut in_time = timeout(limit, &mut found).await;
        if in_time.is_err() {
            let text = format!("none found within credentials_timeout ({limit:?})");
            self.fail(error::of(Cause::Credentials, text));
            in_time = timeout(GIVEN_UP, &mut found).await;
        }
        match in_time {
            Ok(Ok(Ok(connection))) => self.succeed(connection),
            Ok(Ok(Err(error))) => self.fail(error),
            Ok(Err(_)) => {
                // What it says is on standard error, and may hold a secret.
                let text = "the look-up of credentials ended by a panic";
                self.fail(error::of(Cause::Bug, text));
            }
            Err(_) => {}
        }
        // Its thread can not be ended from here. While it runs, no second look-up begins.
        drop(found);
        _ = ended.await;
        self.end();
    }

    fn succeed(&self, connection: Connection) {
        let now = Instant::now();
        let mut state = self.state();
        state.renewal = connection.credentials.expiry().and_then(|expiry| {
            let life = expiry.duration_since(connection.time).unwrap_or_default();
            now.checked_add((life / 2).max(life.saturating_sub(EARLY)))
        });
        state.connection = Some(Arc::new(connection));
        state.is_refused = false;
        state.failure = None;
    }

    /// Calls wait no longer.
    fn fail(&self, error: CallError) {
        let mut state = self.state();
        state.failure = Some(error);
        state.earliest = Some(Instant::now() + RENEWAL);
        state.is_late = true;
        drop(state);
        self.changed.notify_waiters();
    }

    fn end(&self) {
        let mut state = self.state();
        state.running = None;
        state.is_late = false;
        drop(state);
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look-up found: a client of Firehose with its credentials.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: aws_sdk_firehose::Client,
    pub(super) credentials: Credentials,
    /// When they were found.
    pub(super) time: SystemTime,
}

/// Looks up on the calling thread, which may be blocked, until nobody waits for it anymore.
fn look_up(access: &Access, limit: Duration, mut told: Sender<Result<Connection, CallError>>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            let text = format!("they can not be looked up: {why}");
            // Who no longer waits needs no answer, here and below.
            _ = told.send(Err(error::of(Cause::Credentials, text)));
            return;
        }
    };
    let found = runtime.block_on(async {
        let mut found = pin!(Connection::look_up(access, limit));
        let or_given_up = poll_fn(|context| match told.poll_closed(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => found.as_mut().poll(context).map(Some),
        });
        or_given_up.await
    });
    // A look-up of a name that hangs would be waited for.
    runtime.shutdown_background();
    if let Some(found) = found {
        _ = told.send(found);
    }
}

impl Connection {
    async fn look_up(access: &Access, limit: Duration) -> Result<Self, CallError> {
        let environment = environment::read();
        let transport = Transport::new(access, &environment)?;
        let http = transport.for_look_ups();
        let (config, credentials) = credentials::look_up(access, environment, http, limit).await?;
        let endpoint = access.endpoint.clone();
        let endpoint = endpoint.or_else(|| configured_endpoint(&config, "Firehose"));
        let mut builder = aws_sdk_firehose::config::Builder::from(&config)
            // A flush retries by itself and knows which records are left to send.
            .retry_config(RetryConfig::disabled())
            // Each call has a time-out as a whole, which is the flush's matter, and its connector
            // has one for a connection.
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(transport.for_calls(&config))
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(credentials.clone());
        if let Some(endpoint) = endpoint {
            // It is taken as it is: that of a VPC may be one for FIPS, or dual-stack, itself.
            builder = builder
                .endpoint_url(endpoint)
                .use_fips(false)
                .use_dual_stack(false);
        }
        Ok(Self {
            client: aws_sdk_firehose::Client::from_conf(builder.build()),
            credentials,
            time: SystemTime::now(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks up twice, with a pause, as nothing of the first time may be left. Nobody may wait: that
    /// would stop all outputs of the stream.
    async fn fails(start: fn(Box<dyn FnOnce() + Send>) -> io::Result<()>) -> CallError {
        let mut look_up = LookUp::new(Access::default(), Duration::from_secs(1));
        let shared = Arc::get_mut(&mut look_up.0).expect("nobody else has it");
        shared.start = start;
        for _ in 0..2 {
            let ready = timeout(GIVEN_UP, look_up.ready()).await;
            ready.expect("calls wait no longer");
            look_up.connection().expect_err("there are no credentials");
            while look_up.0.state().running.is_some() {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(RENEWAL).await;
        }
        look_up.connection().expect_err("there are no credentials")
    }

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_can_not_be_started_is_told() {
        let no_thread = |_| {
            // No machine has room for such a stack.
            let thread = thread::Builder::new().stack_size(1 << 62);
            thread.spawn(|| ()).map(drop)
        };
        let error = fails(no_thread).await;
        assert_eq!(error.cause, Cause::Credentials);
        assert!(error.text.contains("out of threads or memory"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_told_without_what_it_says() {
        let panics = |look_up: Box<dyn FnOnce() + Send>| {
            let thread = thread::spawn(move || {
                let _look_up = look_up;
                panic!("session-token-EXAMPLE");
            });
            // The paused clock does not wait for other threads.
            thread.join().expect_err("it panicked");
            Ok(())
        };
        let error = fails(panics).await;
        assert_eq!(error.cause, Cause::Bug);
        let line = error.to_string();
        assert!(line.contains("ended by a panic"), "{line}");
        assert!(line.contains("please report it"), "{line}");
        assert!(!line.contains("EXAMPLE"), "{line}");
    }
}
