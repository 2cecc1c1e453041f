//! A call of PutRecordBatch as the HTTP client has it, below the SDK: whether it was sent, and what
//! was answered.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fmt, mem};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use http_body_util::{BodyExt, Limited};
use serde::de::{Deserialize, Deserializer};

use crate::service::{Answer, Sent};
use firehose_core::deliver::failure::Cause;

use super::error;

/// The most bytes of a reply that are read: several times what the service writes of 500 records.
/// A reply is in memory as a whole, and a byte for each of its entries.
const MAX_REPLY: usize = 500 * 1024;

/// What is left for the SDK to read of a reply.
const NO_RECORDS: &str = r#"{"FailedPutCount":0,"RequestResponses":[]}"#;

/// What is learnt of a call. It travels with the call's request, where the connector finds it.
#[derive(Debug)]
pub(super) struct Call {
    sent: Sent,
    reply: Mutex<Reply>,
}

/// What was answered, as far as it came.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) head: Option<Head>,
    fates: Option<Fates>,
}

impl Call {
    pub(super) fn new(sent: Sent) -> Arc<Self> {
        let reply = Mutex::default();
        Arc::new(Self { sent, reply })
    }

    /// What was answered. It is only there once.
    pub(super) fn take_reply(&self) -> Reply {
        mem::take(&mut self.reply())
    }

    fn reply(&self) -> MutexGuard<'_, Reply> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when the request goes out: its body is only read for a connection that is there.
    fn watch(&self, request: &mut HttpRequest) {
        let sent = self.sent.clone();
        let body = request.take_body().map_frame(move |frame| {
            sent.set();
            frame
        });
        *request.body_mut() = SdkBody::from_body_1_x(body);
    }

    /// Reads what the reply says of records, and takes that out of it.
    async fn read(&self, reply: &mut HttpResponse) -> Result<(), ConnectorError> {
        self.reply().head = Some(Head::of(reply));
        if reply.status().is_success() {
            let body = mem::replace(reply.body_mut(), SdkBody::from(NO_RECORDS));
            let body = whole(body).await.map_err(ConnectorError::io)?;
            self.reply().fates = read(&body).ok();
        }
        Ok(())
    }
}

impl Reply {
    /// The service names each record's fate; anything else is no answer.
    pub(super) fn fates_of(self, records: usize) -> Answer {
        let (cause, text) = match (self.fates, self.head) {
            (Some(fates), _) if fates.len() == records => return Ok(fates),
            (_, Some(head)) if head.is_foreign() => (Cause::NotFirehose, head.to_string()),
            (Some(fates), _) => {
                let told = fates.len();
                let text = format!("the answer speaks of {told} records, not of {records}");
                (Cause::Server, text)
            }
            (None, _) => (Cause::Server, "the answer can not be read".to_owned()),
        };
        Err(error::of(cause, text))
    }
}

/// Breaks off a reply that is longer than any can be, and learns what the SDK would not tell of
/// calls.
#[derive(Debug)]
pub(super) struct Watched {
    /// Each has a proxy of its own.
    pub(super) http: Connector,
    pub(super) https: Connector,
}

impl HttpConnector for Watched {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let call = request.extension::<Arc<Call>>().cloned();
        if let Some(call) = &call {
            call.watch(&mut request);
        }
        let url = request.uri().to_owned();
        let scheme = url.split(':').next().unwrap_or_default();
        let reply = match scheme.eq_ignore_ascii_case("http") {
            true => self.http.call(request),
            false => self.https.call(request),
        };
        HttpConnectorFuture::new(async move {
            let reply = reply.await.map_err(|error| error::at_host(&url, error))?;
            let mut reply = reply.map(|body| SdkBody::from_body_1_x(Limited::new(body, MAX_REPLY)));
            if let Some(call) = call {
                let read = call.read(&mut reply).await;
                read.map_err(|error| error::at_host(&url, error))?;
            }
            Ok(reply)
        })
    }
}

/// Each frame is let go of at once, so that the connection reads the next one to the same memory.
async fn whole(mut body: SdkBody) -> Result<Vec<u8>, BoxError> {
    let length = body.content_length().unwrap_or_default();
    let mut bytes = Vec::with_capacity(length.min(MAX_REPLY as u64) as usize);
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame?.into_data().unwrap_or_default());
    }
    Ok(bytes)
}

/// The service refuses a signature whose time is farther from its own than this.
const LARGEST_SKEW: Duration = Duration::from_secs(300);

/// What the head of a reply tells: whether Firehose wrote it, and what time Firehose has.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// It has what all of Firehose's replies have.
    is_of_aws: bool,
    server: Option<String>,
    content_type: Option<String>,
    /// A sentence about the clocks, if they are too far from each other.
    pub(super) skew: Option<String>,
}

impl Head {
    pub(super) fn of(reply: &HttpResponse) -> Self {
        let header = |name: &str| reply.headers().get(name);
        let date = header("date").and_then(|text| DateTime::from_str(text, Format::HttpDate).ok());
        let date = date.and_then(|date| SystemTime::try_from(date).ok());
        let content_type = header("content-type");
        Self {
            status: reply.status().as_u16(),
            is_of_aws: header("x-amzn-requestid").is_some()
                || content_type.is_some_and(|kind| kind.starts_with("application/x-amz-json")),
            server: header("server").map(shown),
            content_type: content_type.map(shown),
            skew: date.and_then(skew),
        }
    }

    /// Whether somebody else answered: a proxy, or a server that is not Firehose. A balancer in
    /// front of a service answers for it when the service does not.
    pub(super) fn is_foreign(&self) -> bool {
        !self.is_of_aws && !matches!(self.status, 502..=504)
    }
}

fn skew(date: SystemTime) -> Option<String> {
    let (far, side) = match date.duration_since(SystemTime::now()) {
        Ok(far) => (far, "behind"),
        Err(error) => (error.duration(), "ahead of"),
    };
    let seconds = far.as_secs();
    let sentence = || format!("this machine's clock is {seconds} s {side} the service's");
    (far > LARGEST_SKEW).then(sentence)
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)?;
        if let Some(server) = &self.server {
            write!(f, ", server {server}")?;
        }
        if let Some(content_type) = &self.content_type {
            write!(f, ", content-type {content_type}")?;
        }
        Ok(())
    }
}

/// Returns as much of a header as belongs into a log line.
fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let letters = value.chars().filter(|letter| !letter.is_control());
    letters.take(LONGEST).collect()
}

/// The fate of each record, in the order of the call. They are read here, in place, and not by the
/// SDK, which would make a string of 220 letters for each record that was accepted.
type Fates = Vec<Result<(), Cause>>;

fn read(body: &[u8]) -> Result<Fates, serde_json::Error> {
    let body: Body = serde_json::from_slice(body)?;
    // Collected in place: this allocates nothing.
    let fates = body.request_responses.into_iter();
    Ok(fates.map(|fate| fate.0).collect())
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    request_responses: Vec<Fate>,
}

struct Fate(Result<(), Cause>);

impl<'r> Deserialize<'r> for Fate {
    /// Only an entry that names the record's new ID says that it was accepted.
    fn deserialize<D: Deserializer<'r>>(reply: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry<'r> {
            #[serde(borrow)]
            record_id: Option<Text<'r>>,
            #[serde(borrow)]
            error_code: Option<Text<'r>>,
        }
        /// Borrowed where it has no escapes, which serde leaves to a field of this very type.
        #[derive(serde::Deserialize)]
        struct Text<'r>(#[serde(borrow)] Cow<'r, str>);
        let entry = Entry::deserialize(reply)?;
        Ok(Self(match (entry.error_code, entry.record_id) {
            (None, Some(_)) => Ok(()),
            (code, _) => Err(Cause::classify(code.as_ref().map(|code| &*code.0), 500)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_a_fate() {
        let body = br#"{"FailedPutCount":2,"Encrypted":false,"RequestResponses":[
            {"RecordId":"a"},
            {"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},
            {"RecordId":"b\u0041","ErrorCode":null,"Later":[1,{}]},
            {"ErrorCode":"InternalFailure"},
            {"RecordId":"c","ErrorCode":"InternalFailure"},
            {}]}"#;
        let expected = [
            Ok(()),
            Err(Cause::Throttled),
            Ok(()),
            Err(Cause::Server),
            Err(Cause::Server),
            Err(Cause::Server),
        ];
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for body in ["", "{}", "null", "[]", r#"{"RequestResponses":null}"#] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        // An ID that is no text says nothing of a record.
        for id in ["1", "true", "{}", "[]", "[97]", r#""\ud83d""#] {
            let body = format!(r#"{{"RequestResponses":[{{"RecordId":{id}}}]}}"#);
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        let torn = b"{\"RequestResponses\":[{\"RecordId\":\"a\xffb\"}]}";
        assert!(read(torn).is_err());
        let cut = r#"{"RequestResponses":[{"RecordId":"a"}"#;
        assert!(read(cut.as_bytes()).is_err());
    }
}
