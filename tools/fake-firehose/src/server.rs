//! The service's own runtime: binds, accepts, and stops with its handle.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
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

/// A running service. Dropping it ends every connection and frees the port.
pub struct FakeFirehose {
    address: SocketAddr,
    ca_pem: Option<String>,
    service: Arc<Service>,
    acceptor: Option<TlsAcceptor>,
    /// None while it is down. It ends all that runs on it when it is dropped.
    runtime: Option<Runtime>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Settings {
        Settings {
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
    /// Starts the service on a free port and a runtime of its own, or says why not.
    pub fn start(settings: Settings) -> Result<FakeFirehose, String> {
        for name in &settings.streams {
            limits::check_stream_name(name).map_err(|error| error.message)?;
        }
        let tls = settings
            .tls
            .then(Tls::generate)
            .transpose()
            .map_err(|error| format!("cannot make a certificate: {error}"))?;
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
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            ca_pem,
            service,
            acceptor,
            runtime: None,
        };
        fake.come_up()?;
        Ok(fake)
    }

    /// Frees the port and ends every connection: whoever connects is refused. What is remembered
    /// stays.
    pub fn go_down(&mut self) {
        self.runtime = None;
    }

    /// Listens again on the same port, with the same certificate, after
    /// [`FakeFirehose::go_down`].
    pub fn come_up(&mut self) -> Result<(), String> {
        let failed = |error| format!("cannot listen on {}: {error}", self.address);
        let listener = StdListener::bind(self.address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        self.address = listener.local_addr().map_err(failed)?;
        let runtime = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
        runtime.spawn(accept(
            self.service.clone(),
            listener,
            self.acceptor.clone(),
        ));
        self.runtime = Some(runtime);
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
        self.service.memory.documents()
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

async fn accept(service: Arc<Service>, listener: StdListener, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(service.clone(), stream, acceptor.clone()));
            }
            // The client has left already, or descriptors have run out: let some come free.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(
    service: Arc<Service>,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
) -> std::io::Result<()> {
    // An answer must not wait for the client's acknowledgement of the one before.
    stream.set_nodelay(true)?;
    let socket = stream.as_fd().try_clone_to_owned()?;
    match acceptor {
        None => wire::serve(service, stream, socket).await,
        // A client that does not trust the certificate goes, and nothing is lost.
        Some(acceptor) => wire::serve(service, acceptor.accept(stream).await?, socket).await,
    }
    Ok(())
}
