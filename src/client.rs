//! The Firehose client. This module alone names the AWS SDK.

mod credentials;
mod error;
mod head;
mod reply;
mod transport;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_firehose::config::StalledStreamProtectionConfig;
use aws_sdk_firehose::config::retry::RetryConfig;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::Access;
use crate::failure::Cause;
use crate::service::{CallError, Sent, Service};

use credentials::{Dated, Fetched};
use head::Head;
use reply::Fates;

/// Credentials that are refused are looked for anew, but not more often than this: each time may
/// cost calls of STS.
const RENEWAL: Duration = Duration::from_secs(5);

/// One output's way to its delivery stream. It is built by the first call that can be, so that
/// what is missing at start (a region, a role, the network) may still come.
#[derive(Debug)]
pub struct Firehose {
    delivery_stream: String,
    access: Access,
    connection: Mutex<Connection>,
    credentials: Fetched,
}

#[derive(Debug, Default)]
struct Connection {
    client: Option<aws_sdk_firehose::Client>,
    /// When a client was last given up for its credentials.
    renewed: Option<Instant>,
}

impl Firehose {
    pub fn new(delivery_stream: String, access: Access) -> Self {
        Self {
            delivery_stream,
            access,
            connection: Mutex::default(),
            credentials: Fetched::default(),
        }
    }

    async fn client(&self) -> Result<aws_sdk_firehose::Client, CallError> {
        let mut connection = self.connection.lock().await;
        if let Some(client) = &connection.client {
            return Ok(client.clone());
        }
        let client = self.connect().await?;
        connection.client = Some(client.clone());
        Ok(client)
    }

    /// Has the next call build a new client. A client reads files of credentials only once, found
    /// or not, and keeps what it fetched until that says itself that it has expired.
    async fn renew_credentials(&self) {
        let mut connection = self.connection.lock().await;
        if connection.renewed.is_none_or(|at| at.elapsed() >= RENEWAL) {
            *connection = Connection {
                client: None,
                renewed: Some(Instant::now()),
            };
        }
    }

    async fn connect(&self) -> Result<aws_sdk_firehose::Client, CallError> {
        let access = &self.access;
        let shared = load(access).await?;
        let mut config = aws_sdk_firehose::config::Builder::from(&shared)
            // A flush retries by itself and knows which records are left to send.
            .retry_config(RetryConfig::disabled())
            // Each call has a time-out as a whole.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .credentials_provider(Dated {
                provider: credentials::provider(access, &shared).await,
                fetched: self.credentials.clone(),
            });
        if let Some(endpoint) = &access.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(aws_sdk_firehose::Client::from_conf(config.build()))
    }
}

impl Service for Firehose {
    async fn put(
        &self,
        body: Bytes,
        records: usize,
        sent: Sent,
    ) -> Result<Vec<Result<(), Cause>>, CallError> {
        let client = self.client().await?;
        let length = body.len().to_string();
        let call = async {
            let request = client
                .put_record_batch()
                .delivery_stream_name(&self.delivery_stream)
                .set_records(Some(Vec::new()))
                .customize()
                .mutate_request(move |request| {
                    *request.body_mut() = SdkBody::from(body.clone());
                    request
                        .headers_mut()
                        .insert("content-length", length.clone());
                });
            request.send().await
        };
        let (answer, head, fates) = caught(transport::with_reply(call, sent.clone())).await?;
        match answer {
            Ok(_) => checked(fates, records, head.as_ref()),
            Err(error) => {
                let error = error::of_call(&error, head.as_ref(), sent.is_set());
                if error.cause == Cause::Credentials {
                    self.renew_credentials().await;
                }
                Err(error)
            }
        }
    }

    fn credentials_time(&self) -> Option<SystemTime> {
        self.credentials.time()
    }
}

async fn load(access: &Access) -> Result<SdkConfig, CallError> {
    let app =
        AppName::new("fluent-bit-firehose").expect("the name has no character that is not allowed");
    let mut loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest())
        .app_name(app)
        .http_client(transport::client(access)?);
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    let config = loader.load().await;
    match config.region() {
        Some(_) => Ok(config),
        None => Err(CallError {
            cause: Cause::Region,
            text: "no AWS region".to_owned(),
        }),
    }
}

/// A panic of the SDK is an error like others: its lane makes other calls.
async fn caught<F: Future>(call: F) -> Result<F::Output, CallError> {
    let mut call = pin!(call);
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)));
        polled.map_or_else(
            // What it says is on standard error, and may hold a secret.
            |_| {
                Poll::Ready(Err(CallError {
                    cause: Cause::Bug,
                    text: "the call ended by a panic".to_owned(),
                }))
            },
            |polled| polled.map(Ok),
        )
    })
    .await
}

/// The service names each record's fate; anything else is no answer.
fn checked(fates: Option<Fates>, records: usize, head: Option<&Head>) -> Result<Fates, CallError> {
    let (cause, text) = match (fates, head) {
        (Some(fates), _) if fates.len() == records => return Ok(fates),
        (_, Some(head)) if head.is_foreign() => (Cause::NotFirehose, head.to_string()),
        (Some(fates), _) => (
            Cause::Server,
            format!(
                "the answer speaks of {} records, not of {records}",
                fates.len()
            ),
        ),
        (None, _) => (Cause::Server, "the answer can not be read".to_owned()),
    };
    Err(CallError { cause, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_that_asks_for_a_report() {
        let error = caught(async { panic!("secret") }).await;
        let error = error.map(|(): ()| ()).expect_err("it panicked");
        assert_eq!(error.cause, Cause::Bug);
        let line = error.to_string();
        assert!(line.contains("please report it"), "{line}");
        assert!(!line.contains("secret"), "{line}");
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }
}
