//! The Firehose client. This module alone names the AWS SDK.

mod ca;
mod connection;
mod credentials;
mod environment;
mod error;
mod head;
mod look_up;
mod reply;
mod transport;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::service::{Answer, Sent, Service};
use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::options::wrong_ca_file;
use firehose_core::options::{self, Access, Config};

use head::Head;
use look_up::LookUp;
use reply::Fates;

/// Looks whether the files that options name can be used.
pub fn with_files(config: Config) -> Result<Config, options::Error> {
    if let Some(path) = &config.access.ca_file {
        ca::read(path).map_err(|why| wrong_ca_file(path, &why))?;
    }
    Ok(config)
}

/// One output's way to its delivery stream. It is found by the first call that can find it, so
/// that what is missing at start (a region, a role, the network) may still come.
#[derive(Debug)]
pub struct Firehose {
    delivery_stream: String,
    look_up: LookUp,
}

impl Firehose {
    /// A look-up of credentials takes so long at most.
    pub fn new(delivery_stream: String, access: Access, credentials_timeout: Duration) -> Self {
        Self {
            delivery_stream,
            look_up: LookUp::new(access, credentials_timeout),
        }
    }
}

impl Drop for Firehose {
    fn drop(&mut self) {
        self.look_up.abort();
    }
}

impl Service for Firehose {
    fn is_ready(&self) -> bool {
        self.look_up.is_ready()
    }

    async fn ready(&self) {
        self.look_up.ready().await;
    }

    async fn put(&self, body: Bytes, records: usize, sent: Sent) -> Answer {
        let connection = self.look_up.connection()?;
        let length = body.len().to_string();
        let call = async {
            let request = connection
                .client
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
                let caller = &connection.credentials;
                let error = error::of_call(&error, head.as_ref(), sent.is_set(), caller);
                if error.cause == Cause::Credentials {
                    self.look_up.refused(&connection);
                }
                Err(error)
            }
        }
    }

    fn credentials_time(&self) -> Option<SystemTime> {
        self.look_up.time()
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

    /// What a panic says may hold anything.
    const PANIC: &str = "session-token-EXAMPLE";

    #[tokio::test]
    async fn a_panic_is_an_error_that_asks_for_a_report() {
        let error = caught(async { panic!("{PANIC}") }).await;
        let error = error.map(|(): ()| ()).expect_err("it panicked");
        assert_eq!(error.cause, Cause::Bug);
        let line = error.to_string();
        assert!(line.contains("please report it"), "{line}");
        assert!(line.contains("take secrets out"), "{line}");
        assert!(!line.contains(PANIC), "{line}");
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }
}
