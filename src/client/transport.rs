//! The HTTP client below the SDK: its trust store, its proxy, its pool of connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_firehose::config::{SharedAsyncSleep, SharedHttpClient};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use http_body_util::{BodyExt, Limited};
use tokio::task_local;

use crate::ca;
use crate::config::Access;
use crate::failure::Cause;
use crate::service::{CallError, Sent};

use super::head::Head;
use super::reply::{self, Fates};

/// Shorter than the idle time after which the service closes a connection, so that a call rarely
/// meets one that is about to be closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The most bytes of a reply that are read: several times what the service writes of 500 records.
/// A reply is in memory as a whole, and a byte for each of its entries.
const MAX_REPLY: usize = 500 * 1024;

/// How connections are made: whom to trust.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    tls: TlsContext,
}

impl Transport {
    /// Reads files.
    pub(super) fn new(access: &Access) -> Result<Self, CallError> {
        Ok(Self {
            tls: tls_context(access)?,
        })
    }

    /// One set of connectors, and so of pools, for each set of time-outs with which the SDK asks
    /// for credentials. They read files when they are needed first.
    pub(super) fn for_look_ups(&self) -> SharedHttpClient {
        let transport = self.clone();
        let made: Mutex<HashMap<[Option<Duration>; 2], SharedHttpConnector>> = Mutex::default();
        http_client_fn(move |settings, components| {
            let key = [settings.connect_timeout(), settings.read_timeout()];
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || connector(&transport, settings.clone(), components.sleep_impl());
            made.entry(key).or_insert_with(new).clone()
        })
    }

    /// For calls of Firehose. It has read all files that it needs.
    pub(super) fn for_calls(&self, config: &SdkConfig) -> SharedHttpClient {
        let times = config.timeout_config();
        let connect = times.and_then(TimeoutConfig::connect_timeout);
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(connect);
        let connector = connector(self, settings.build(), config.sleep_impl());
        http_client_fn(move |_, _| connector.clone())
    }
}

fn connector(
    transport: &Transport,
    settings: HttpConnectorSettings,
    sleep: Option<SharedAsyncSleep>,
) -> SharedHttpConnector {
    let mut builder = Connector::builder()
        .connector_settings(settings)
        .enable_tcp_nodelay(true)
        .pool_idle_timeout(POOL_IDLE)
        .proxy_config(ProxyConfig::from_env());
    builder.set_sleep_impl(sleep);
    let connector = builder
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(transport.tls.clone())
        .build();
    SharedHttpConnector::new(Bounded(connector))
}

/// Breaks a reply off that is longer than any can be, and reads what Firehose says of records.
#[derive(Debug)]
struct Bounded(Connector);

impl HttpConnector for Bounded {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target");
        let is_put = target.is_some_and(|target| target.ends_with(".PutRecordBatch"));
        if is_put && let Ok(sent) = CALL.try_with(|call| call.sent.clone()) {
            // A body is only read for a connection that is there.
            let body = request.take_body().map_frame(move |frame| {
                sent.set();
                frame
            });
            *request.body_mut() = SdkBody::from_body_1_x(body);
        }
        let reply = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let reply = reply.await?;
            let bounded = |body| SdkBody::from_body_1_x(Limited::new(body, MAX_REPLY));
            let mut reply = reply.map(bounded);
            if is_put {
                let head = Head::of(&reply);
                _ = CALL.try_with(|call| *call.head.borrow_mut() = Some(head));
            }
            if is_put && reply.status().is_success() {
                let body = std::mem::replace(reply.body_mut(), SdkBody::from(NO_RECORDS));
                let body = read(body).await.map_err(ConnectorError::io)?;
                let fates = reply::read(&body).ok();
                _ = CALL.try_with(|call| *call.fates.borrow_mut() = fates);
            }
            Ok(reply)
        })
    }
}

/// Each frame is let go of at once, so that the connection reads the next one to the same memory.
async fn read(mut body: SdkBody) -> Result<Vec<u8>, BoxError> {
    let length = body.content_length().unwrap_or_default();
    let mut bytes = Vec::with_capacity(length.min(MAX_REPLY as u64) as usize);
    while let Some(frame) = body.frame().await {
        bytes.extend_from_slice(&frame?.into_data().unwrap_or_default());
    }
    Ok(bytes)
}

/// What is left for the SDK to read of a reply.
const NO_RECORDS: &str = r#"{"FailedPutCount":0,"RequestResponses":[]}"#;

/// What is learnt of a call below the SDK.
#[derive(Debug, Default)]
struct Call {
    sent: Sent,
    head: RefCell<Option<Head>>,
    fates: RefCell<Option<Fates>>,
}

task_local! {
    /// Where that is left for who made the call.
    static CALL: Call;
}

/// A call, the head of its reply, and what the reply says of each record.
pub(super) async fn with_reply<C: Future>(
    call: C,
    sent: Sent,
) -> (C::Output, Option<Head>, Option<Fates>) {
    let call = async {
        let answer = call.await;
        CALL.with(|call| (answer, call.head.take(), call.fates.take()))
    };
    let known = Call {
        sent,
        ..Call::default()
    };
    CALL.scope(known, call).await
}

/// `ca_file`, else AWS_CA_BUNDLE, in place of the system's certificates; else those, or the file
/// that SSL_CERT_FILE names.
fn tls_context(access: &Access) -> Result<TlsContext, CallError> {
    let bundle = || std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    let file = match &access.ca_file {
        Some(path) => Some(("ca_file", path.clone())),
        None => bundle().map(|path| ("AWS_CA_BUNDLE", PathBuf::from(path))),
    };
    let trust = match file {
        None => TrustStore::default(),
        Some((name, path)) => {
            let pem = ca::read(&path).map_err(|error| network(format!("{name} {error}")))?;
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(network)
}

fn network(error: impl std::fmt::Display) -> CallError {
    CallError {
        cause: Cause::Network,
        text: error.to_string(),
    }
}
