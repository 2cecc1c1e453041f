//! One look-up's outcome: a client of Firehose with the credentials that were found.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_firehose::config::retry::RetryConfig;
use aws_sdk_firehose::config::{IdentityCache, StalledStreamProtectionConfig};
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::oneshot::Sender;

use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::options::Access;

use super::credentials::{self, configured_endpoint};
use super::environment::Environment;
use super::error;
use super::transport::Transport;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: aws_sdk_firehose::Client,
    pub(super) credentials: Credentials,
    /// When they were found.
    pub(super) time: SystemTime,
}

/// Looks up on the calling thread, which may be blocked, until nobody waits for it anymore.
pub(super) fn look_up(
    access: &Access,
    limit: Duration,
    mut told: Sender<Result<Connection, CallError>>,
) {
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
        let environment = Environment::read();
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
