//! The service's own thread: binds, accepts, and stops with its handle.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::limits;
use crate::memory::{AcceptedCall, AcceptedRecord, Keep, Memory, RequestLog, Stats};
use crate::quota::Throttle;
use crate::scenario::Scenario;
use crate::sigv4::Credentials;
use crate::tls::Tls;
use crate::wire::{self, Service};

/// The stream that exists unless [`Settings::streams`] says otherwise.
pub const DEFAULT_STREAM: &str = "logs";

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Speak TLS, with a certificate that [`FakeFirehose::ca_pem`] vouches for.
    pub tls: bool,
    /// The delivery streams that exist.
    pub streams: Vec<String>,
    /// The key pairs that may sign.
    pub credentials: Vec<Credentials>,
    /// The only region that signatures may be for; None takes any.
    pub region: Option<String>,
    pub keep: Keep,
    pub scenario: Scenario,
    /// Passes between the end of a request and its answer; the call is stored at its beginning.
    pub latency: Duration,
    /// Seconds by which the service's clock is ahead of the machine's (behind, if negative).
    pub clock_offset_seconds: i32,
}

/// A running service. Dropping it ends every connection, frees the port and joins its threads.
pub struct FakeFirehose {
    address: SocketAddr,
    ca_pem: Option<String>,
    service: Arc<Service>,
    acceptor: Option<TlsAcceptor>,
    /// None while it is down.
    running: Option<Running>,
}

/// The thread that listens. Dropping it ends every connection, frees the port and joins it.
struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Says why the service did not start.
#[derive(Debug)]
pub struct StartError(String);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            port: 0,
            tls: false,
            streams: vec![DEFAULT_STREAM.to_owned()],
            credentials: vec![Credentials::default()],
            region: None,
            keep: Keep::default(),
            scenario: Scenario::default(),
            latency: Duration::ZERO,
            clock_offset_seconds: 0,
        }
    }
}

// === impl FakeFirehose ===

impl FakeFirehose {
    /// Starts the service on a thread and a runtime of its own: callers need neither.
    pub fn start(settings: Settings) -> Result<FakeFirehose, StartError> {
        for name in &settings.streams {
            limits::check_stream_name(name).map_err(|error| StartError(error.message.into()))?;
        }
        let listener = listen(settings.port).map_err(|error| {
            StartError(format!("cannot listen on port {}: {error}", settings.port))
        })?;
        let address = listener.local_addr().map_err(StartError::from_any)?;
        let tls = settings
            .tls
            .then(Tls::generate)
            .transpose()
            .map_err(StartError::from_any)?;
        let (acceptor, ca_pem) = tls.map(|tls| (tls.acceptor, tls.ca_pem)).unzip();
        let service = Arc::new(Service {
            streams: settings.streams,
            credentials: settings.credentials,
            region: settings.region,
            throttle: Mutex::new(Throttle::new(settings.scenario.quotas.clone())),
            scenario: settings.scenario,
            memory: Memory::new(settings.keep),
            started: Instant::now(),
            latency: settings.latency,
            clock_offset: TimeDelta::seconds(settings.clock_offset_seconds.into()),
        });

        let mut fake = FakeFirehose {
            address,
            ca_pem,
            service,
            acceptor,
            running: None,
        };
        fake.serve(listener)?;
        Ok(fake)
    }

    /// Frees the port and ends every connection: whoever connects is refused. What is remembered
    /// stays.
    pub fn go_down(&mut self) {
        self.running = None;
    }

    /// Listens again on the same port, with the same certificate, after
    /// [`FakeFirehose::go_down`].
    pub fn come_up(&mut self) -> Result<(), StartError> {
        let port = self.address.port();
        let listener = listen(port)
            .map_err(|error| StartError(format!("cannot listen on port {port} again: {error}")))?;
        self.serve(listener)
    }

    fn serve(&mut self, listener: StdListener) -> Result<(), StartError> {
        let runtime = Runtime::new().map_err(StartError::from_any)?;
        let (stop, stopped) = oneshot::channel();
        let (service, acceptor) = (self.service.clone(), self.acceptor.clone());
        let thread = std::thread::Builder::new()
            .name("fake-firehose".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(service, listener, acceptor) => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(StartError::from_any)?;
        self.running = Some(Running {
            stop: Some(stop),
            thread: Some(thread),
        });
        Ok(())
    }

    /// `http://127.0.0.1:PORT`, or with TLS `https://localhost:PORT`.
    pub fn url(&self) -> String {
        match self.ca_pem {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate authority to trust; None without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    pub fn stats(&self) -> Stats {
        self.service.memory.stats()
    }

    /// All requests that are decided, in the order in which they were.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.service.memory.requests()
    }

    /// The accepted records, in the order of acceptance; none with [`Keep::Counts`].
    pub fn records(&self) -> Vec<AcceptedRecord> {
        self.service.memory.records()
    }

    /// The bytes of [`FakeFirehose::records`] end to end, as the service would store them.
    pub fn documents(&self) -> Vec<u8> {
        let calls = self.accepted_calls(0);
        let data: Vec<_> = calls.into_iter().map(|call| call.data).collect();
        data.concat()
    }

    /// What each call stored, but for the first `skipped` of those that stored anything: for
    /// those who look again and again. None with [`Keep::Counts`].
    pub fn accepted_calls(&self, skipped: usize) -> Vec<AcceptedCall> {
        self.service.memory.calls(skipped)
    }

    /// Waits until `count` requests are decided; false when that takes longer than `at_most`.
    #[must_use]
    pub fn wait_for_requests(&self, count: usize, at_most: Duration) -> bool {
        self.service.memory.wait_for_requests(count, at_most)
    }

    /// Forgets everything and begins the scenario anew. Meant for when no request is under way.
    pub fn reset(&self) {
        self.service.reset();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The thread has gone already if it panicked; then there is nobody to tell.
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the service's thread does not panic");
            }
        }
    }
}

// === impl StartError ===

impl StartError {
    fn from_any(error: impl Into<Box<dyn Error + Send + Sync>>) -> StartError {
        StartError(error.into().to_string())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the fake Firehose did not start: {}", self.0)
    }
}

impl Error for StartError {}

fn listen(port: u16) -> std::io::Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn accept(service: Arc<Service>, listener: StdListener, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            // The client has left already, or descriptors have run out: let some come free.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        // An answer must not wait for the client's acknowledgement of the one before.
        drop(stream.set_nodelay(true));
        let service = service.clone();
        match acceptor.clone() {
            None => tokio::spawn(wire::serve(service, stream, number)),
            Some(acceptor) => tokio::spawn(async move {
                // A client that does not trust the certificate goes, and nothing is lost.
                if let Ok(stream) = acceptor.accept(stream).await {
                    wire::serve(service, stream, number).await;
                }
            }),
        };
    }
}
