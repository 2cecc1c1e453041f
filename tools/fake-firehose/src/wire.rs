//! HTTP: one connection's requests, read, judged, answered - or not.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep_until;
use tokio_rustls::server::TlsStream;

use crate::body::{ReplyBody, Unread, read_whole};
use crate::call::Call;
use crate::decide::{Answer, Decision, Delivery, decide, failure};
use crate::error::ServiceError;
use crate::limits::MAX_BODY_BYTES;
use crate::memory::{Memory, Outcome, RequestLog};
use crate::quota::Throttle;
use crate::scenario::{Fault, Scenario, When};
use crate::sigv4::{self, Credentials};
use crate::{control, reply};

/// What all connections share.
pub(crate) struct Service {
    pub(crate) streams: Vec<String>,
    pub(crate) credentials: Vec<Credentials>,
    pub(crate) region: Option<String>,
    pub(crate) scenario: Scenario,
    pub(crate) throttle: Mutex<Throttle>,
    pub(crate) memory: Memory,
    pub(crate) started: Instant,
    pub(crate) latency: Duration,
    pub(crate) clock_offset: TimeDelta,
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve<S: Transport>(service: Arc<Service>, stream: S, number: u64) {
    let connection = Arc::new(Connection {
        service,
        number,
        carried_a_call: AtomicBool::new(false),
        closing: Arc::new(AtomicBool::new(false)),
    });
    let closing = connection.closing.clone();
    let mut http = http1::Builder::new().serve_connection(
        TokioIo::new(stream),
        service_fn(move |request| {
            let connection = connection.clone();
            Box::pin(async move { connection.answer(request).await })
        }),
    );
    let ended = poll_fn(|context| {
        loop {
            let polled = http.poll_without_shutdown(context);
            // Told only once an answer's head is out, so that the head announces nothing.
            if polled.is_pending() && closing.swap(false, Ordering::Relaxed) {
                Pin::new(&mut http).graceful_shutdown();
                continue;
            }
            return polled;
        }
    })
    .await;

    let mut stream = http.into_parts().io.into_inner();
    match ended {
        Err(error) if is_reset(&error) => stream.reset_on_close(),
        // Whichever side ended it, there is nobody left to tell of a failure.
        _ => drop(stream.shutdown().await),
    }
}

/// A byte stream over TCP whose connection can be reset.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the stream's end a TCP reset instead of an orderly close.
    fn reset_on_close(&self);
}

impl Transport for TcpStream {
    fn reset_on_close(&self) {
        self.set_zero_linger()
            .expect("an open socket takes the linger option");
    }
}

impl Transport for TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

struct Connection {
    service: Arc<Service>,
    number: u64,
    carried_a_call: AtomicBool,
    /// Set when the last byte of an answer is out after which the connection ends.
    closing: Arc<AtomicBool>,
}

/// Ends a connection without an answer.
#[derive(Debug)]
struct ResetConnection;

impl Connection {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, ResetConnection> {
        if request.uri().path().starts_with(control::PREFIX) {
            return Ok(control::answer(&self.service, &request));
        }
        let service = &*self.service;
        let first = !self.carried_a_call.swap(true, Ordering::Relaxed);
        let under_way = service.memory.begin(first);
        let step = service.scenario.step(under_way.number);
        let mut log = RequestLog {
            number: under_way.number,
            connection: self.number,
            decided_ms: 0,
            outcome: Outcome::Reset,
            stream: String::new(),
            records: 0,
            accepted: 0,
            told: false,
            raw_bytes: 0,
            body_bytes: 0,
        };
        if step.is_some_and(|step| step.fault == Fault::Reset(When::Before)) {
            service.log(log, None);
            return Err(ResetConnection);
        }

        let (head, body) = request.into_parts();
        let body = read_whole(body).await;
        // What judging takes here is no part of a distance.
        let asked = tokio::time::Instant::now();
        let decision = match body {
            Err(Unread::Disconnected) => {
                log.outcome = Outcome::Disconnected;
                service.log(log, None);
                return Err(ResetConnection);
            }
            Err(Unread::TooLarge) => service.conclude(log, Err(too_large())),
            Ok(body) => {
                log.body_bytes = body.len() as u64;
                let judged = service.judge(&head, &body);
                service.conclude(log, judged)
            }
        };
        match decision.delivery {
            Delivery::Reset => Err(ResetConnection),
            Delivery::Hang => std::future::pending().await,
            Delivery::Answer(answer) => {
                let wait = service.latency + answer.delay;
                if !wait.is_zero() {
                    sleep_until(asked + wait).await;
                }
                Ok(self.response(under_way.number, answer))
            }
        }
    }

    fn response(&self, request: u64, answer: Answer) -> Response<ReplyBody> {
        let mut body = ReplyBody::new([answer.body]);
        if let Some(pause) = answer.drip {
            body = body.dripping(pause);
        }
        if answer.close {
            body = body.telling_its_end(self.closing.clone());
        }
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(answer.status).expect("a scenario's status is within 400 to 599");
        let headers = response.headers_mut();
        let id = HeaderValue::try_from(reply::request_id(request)).expect("a UUID is ASCII");
        headers.insert("x-amzn-requestid", id);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(API_CONTENT_TYPE));
        headers.insert(DATE, http_date(self.service.now()));
        response
    }
}

const API_CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const API_TARGET: &str = "Firehose_20150804.PutRecordBatch";

impl Service {
    /// The service's own rules, before any scenario: operation, signature, limits, stream.
    fn judge(&self, head: &Parts, body: &[u8]) -> Result<Call, ServiceError> {
        check_operation(head)?;
        sigv4::verify(
            head,
            body,
            &sigv4::Demands {
                region: self.region.as_deref(),
                credentials: &self.credentials,
                now: self.now(),
            },
        )?;
        let call = Call::parse(body)?;
        if !self.streams.contains(&call.stream) {
            return Err(ServiceError::bad_request(
                "ResourceNotFoundException",
                format!(
                    "Firehose {} under account 000000000000 not found.",
                    call.stream
                ),
            ));
        }
        Ok(call)
    }

    /// Decides on a judged call, stores what it stores, and logs the request.
    fn conclude(&self, mut log: RequestLog, judged: Result<Call, ServiceError>) -> Decision {
        let mut call = match judged {
            Ok(call) => call,
            Err(error) => {
                let decision = failure(&error, Vec::new());
                log.outcome = decision.outcome.clone();
                log.told = decision.told;
                self.log(log, None);
                return decision;
            }
        };
        let decision = {
            let mut throttle = self.throttle();
            let now = self.started.elapsed();
            decide(&self.scenario, &mut throttle, now, log.number, &call)
        };
        log.outcome = decision.outcome.clone();
        log.told = decision.told;
        log.stream = call.stream.clone();
        log.records = call.records() as u64;
        log.raw_bytes = call.data.len() as u64;
        call.retain(&decision.stored);
        log.accepted = call.records() as u64;
        self.log(log, (call.records() > 0).then_some(call));
        decision
    }

    fn log(&self, log: RequestLog, stored: Option<Call>) {
        let decided = self.started.elapsed().as_millis();
        let log = RequestLog {
            decided_ms: decided.try_into().unwrap_or(u64::MAX),
            ..log
        };
        self.memory.log(log, stored);
    }

    /// Forgets everything and begins the scenario anew.
    pub(crate) fn reset(&self) {
        self.memory.reset();
        self.throttle().reset();
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle
            .lock()
            .expect("no thread panics while it holds the quotas")
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_offset
    }
}

fn check_operation(head: &Parts) -> Result<(), ServiceError> {
    let is = |name: &str, value: &str| {
        let found = head.headers.get(name);
        found.is_some_and(|found| found == value)
    };
    if head.method == Method::POST
        && head.uri == "/"
        && is("x-amz-target", API_TARGET)
        && is("content-type", API_CONTENT_TYPE)
    {
        return Ok(());
    }
    Err(ServiceError::bad_request(
        "UnknownOperationException",
        format!(
            "Only POST / with content-type {API_CONTENT_TYPE} and x-amz-target {API_TARGET} is \
             answered here"
        ),
    ))
}

fn too_large() -> ServiceError {
    ServiceError {
        status: 413,
        kind: "RequestEntityTooLargeException".into(),
        message: format!("The body is over {MAX_BODY_BYTES} bytes").into(),
    }
}

fn http_date(moment: DateTime<Utc>) -> HeaderValue {
    let text = moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::try_from(text).expect("a date is ASCII")
}

fn is_reset(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<ResetConnection>())
}

impl std::fmt::Display for ResetConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is to be reset")
    }
}

impl std::error::Error for ResetConnection {}
