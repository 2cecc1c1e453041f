//! HTTP: one connection's requests, read, judged, answered - or not.

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

use crate::call::Call;
use crate::control;
use crate::decide::{Reply, decide, failure};
use crate::error::ServiceError;
use crate::memory::{Memory, RequestLog};
use crate::quota::Throttle;
use crate::scenario::{Scenario, Step, When};
use crate::sigv4::{self, Credentials};

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

pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, Infallible>;

const API_CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const API_TARGET: &str = "Firehose_20150804.PutRecordBatch";

/// Serves a connection, whose socket this is, until either side ends it.
pub(crate) async fn serve(
    service: Arc<Service>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    socket: OwnedFd,
) {
    // Told when the last byte of an answer is out after which the connection ends. Not sooner, so
    // that the answer's head announces nothing.
    let closing = Arc::new(Notify::new());
    let answers = service_fn(|request| answer(service.clone(), closing.clone(), request));
    let mut http = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), answers));
    let ended = loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => break ended,
            () = closing.notified() => http.as_mut().graceful_shutdown(),
        }
    };
    // An answer that is an error is none: the socket's end is a TCP reset then.
    if ended.is_err_and(|error| error.is_user()) {
        SockRef::from(&socket)
            .set_linger(Some(Duration::ZERO))
            .expect("an open socket takes the linger option");
    }
}

async fn answer(
    service: Arc<Service>,
    closing: Arc<Notify>,
    request: Request<Incoming>,
) -> io::Result<Response<ReplyBody>> {
    if request.uri().path().starts_with(control::PREFIX) {
        return Ok(control::answer(&service.memory, &request));
    }
    let reset = || Err(io::ErrorKind::ConnectionReset.into());
    let under_way = service.memory.begin();
    let number = under_way.number;
    let well = Step::default();
    let step = service.scenario.step(number, "").unwrap_or(&well);
    if step.reset == Some(When::Before) {
        service.log(RequestLog::of("reset"), None);
        return reset();
    }

    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        service.log(RequestLog::of("disconnected"), None);
        return reset();
    };
    // What judging takes here is no part of a distance.
    let asked = tokio::time::Instant::now();
    let judged = service.judge(&head, &body.to_bytes());
    let (status, text) = match service.conclude(number, judged) {
        Reply::Reset => return reset(),
        Reply::Hang => std::future::pending().await,
        Reply::Answer(status, text) => (status, text),
    };
    let wait = service.latency + Duration::from_millis(step.delay_ms);
    if !wait.is_zero() {
        sleep_until(asked + wait).await;
    }
    let length = text.len();
    let mut response = Response::new(reply_body(
        text,
        step.drip_ms.map(Duration::from_millis),
        step.close.then_some(closing),
    ));
    *response.status_mut() =
        StatusCode::from_u16(status).expect("a scenario's status is within 400 to 599");
    let date = service.now().format("%a, %d %b %Y %H:%M:%S GMT");
    let id = format!("00000000-0000-0000-0000-{number:012x}");
    for (name, value) in [
        (CONTENT_TYPE, API_CONTENT_TYPE.to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (DATE, date.to_string()),
        (HeaderName::from_static("x-amzn-requestid"), id),
    ] {
        let value = HeaderValue::try_from(value).expect("the values are ASCII");
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The text whole, or with this much time before each byte; tells when the last one is taken.
fn reply_body(text: Bytes, drip: Option<Duration>, at_end: Option<Arc<Notify>>) -> ReplyBody {
    let pieces = stream::unfold(text, move |mut text| {
        let at_end = at_end.clone();
        async move {
            if text.is_empty() {
                return None;
            }
            if let Some(pause) = drip {
                sleep(pause).await;
            }
            let piece = text.split_to(if drip.is_some() { 1 } else { text.len() });
            if let (true, Some(at_end)) = (text.is_empty(), at_end) {
                at_end.notify_one();
            }
            Some((Ok(Frame::data(piece)), text))
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

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
    fn conclude(&self, request: u64, judged: Result<Call, ServiceError>) -> Reply {
        let (decision, mut call) = match judged {
            Err(error) => (failure(&error, Vec::new()), None),
            Ok(call) => {
                let now = self.started.elapsed();
                let mut throttle = self.throttle();
                let decision = decide(&self.scenario, &mut throttle, now, request, &call);
                (decision, Some(call))
            }
        };
        let mut log = RequestLog {
            told: decision.told,
            ..RequestLog::of(decision.outcome)
        };
        if let Some(call) = &mut call {
            log.stream = call.stream.clone();
            log.records = call.records() as u64;
            log.raw_bytes = call.data.len() as u64;
            call.retain(&decision.stored);
            log.accepted = call.records() as u64;
        }
        self.log(log, call);
        decision.reply
    }

    fn log(&self, mut log: RequestLog, stored: Option<Call>) {
        let decided = self.started.elapsed().as_millis();
        log.decided_ms = decided.try_into().unwrap_or(u64::MAX);
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
