//! The HTTP client below the SDK: its trust store, its proxy, its pool of connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
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

use super::ca;
use crate::service::Sent;
use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::options::Access;

use super::environment::Environment;
use super::head::Head;
use super::reply::{self, Fates};

/// Shorter than the idle time after which the service closes a connection, so that a call rarely
/// meets one that is about to be closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The most bytes of a reply that are read: several times what the service writes of 500 records.
/// A reply is in memory as a whole, and a byte for each of its entries.
const MAX_REPLY: usize = 500 * 1024;

/// Where distributions keep the certificates of the system.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How connections are made: whom to trust, and by which proxy.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    tls: TlsContext,
    http_proxy: ProxyConfig,
    https_proxy: ProxyConfig,
}

impl Transport {
    /// Reads files.
    pub(super) fn new(access: &Access, environment: &Environment) -> Result<Self, CallError> {
        const HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        Ok(Self {
            tls: tls_context(access, environment)?,
            http_proxy: proxy(&HTTP, environment)?,
            https_proxy: proxy(&HTTPS, environment)?,
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
            let new = || {
                let sleep = components.sleep_impl();
                let connectors = Connectors::new(&transport, settings.clone(), sleep);
                SharedHttpConnector::new(Bounded(connectors))
            };
            made.entry(key).or_insert_with(new).clone()
        })
    }

    /// For calls to an endpoint. It has read all files that it needs.
    pub(super) fn for_calls(&self, config: &SdkConfig, endpoint: Option<&str>) -> SharedHttpClient {
        let times = config.timeout_config();
        let connect = times.and_then(TimeoutConfig::connect_timeout);
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(connect);
        let connectors = Connectors::new(self, settings.build(), config.sleep_impl());
        connectors.to(endpoint.unwrap_or("https:"));
        let connector = SharedHttpConnector::new(Bounded(connectors));
        http_client_fn(move |_, _| connector.clone())
    }
}

/// A connector for http and one for https, as each has a proxy of its own.
#[derive(Debug)]
struct Connectors {
    transport: Transport,
    settings: HttpConnectorSettings,
    sleep: Option<SharedAsyncSleep>,
    http: OnceLock<Connector>,
    https: OnceLock<Connector>,
}

impl Connectors {
    fn new(
        transport: &Transport,
        settings: HttpConnectorSettings,
        sleep: Option<SharedAsyncSleep>,
    ) -> Self {
        Self {
            transport: transport.clone(),
            settings,
            sleep,
            http: OnceLock::new(),
            https: OnceLock::new(),
        }
    }

    /// The one for a URL.
    fn to(&self, url: &str) -> &Connector {
        let transport = &self.transport;
        match url.starts_with("http:") {
            true => self.http.get_or_init(|| self.make(&transport.http_proxy)),
            false => self.https.get_or_init(|| self.make(&transport.https_proxy)),
        }
    }

    fn make(&self, proxy: &ProxyConfig) -> Connector {
        let mut builder = Connector::builder()
            .connector_settings(self.settings.clone())
            .enable_tcp_nodelay(true)
            .pool_idle_timeout(POOL_IDLE)
            .proxy_config(proxy.clone());
        builder.set_sleep_impl(self.sleep.clone());
        builder
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(self.transport.tls.clone())
            .build()
    }
}

/// Breaks a reply off that is longer than any can be, and reads what Firehose says of records.
#[derive(Debug)]
struct Bounded(Connectors);

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
        let reply = self.0.to(request.uri()).call(request);
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
fn tls_context(access: &Access, environment: &Environment) -> Result<TlsContext, CallError> {
    let named = |name: &'static str| Some((name, PathBuf::from(environment.get(name)?)));
    let file = match &access.ca_file {
        Some(path) => Some(("ca_file", path.clone())),
        None => named("AWS_CA_BUNDLE").or_else(|| misread(environment)),
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

/// The file of the system's certificates where the library that looks for them would take an empty
/// SSL_CERT_FILE, or the blanks around its path, for part of a path.
fn misread(environment: &Environment) -> Option<(&'static str, PathBuf)> {
    const NAME: &str = "SSL_CERT_FILE";
    let raw = std::env::var(NAME).ok()?;
    match environment.get(NAME) {
        Some(path) if path == raw => None,
        Some(path) => Some((NAME, PathBuf::from(path))),
        None => {
            let mut bundles = SYSTEM_BUNDLES.iter().map(Path::new);
            let bundle = bundles.find(|bundle| bundle.exists())?;
            Some(("the system's", bundle.to_owned()))
        }
    }
}

/// The proxy that the first of these variables names.
fn proxy(names: &[&str], environment: &Environment) -> Result<ProxyConfig, CallError> {
    let Some((name, url)) = environment.first(names) else {
        return Ok(ProxyConfig::disabled());
    };
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    // The URL is not shown, nor what is wrong with it: it may have a password in it.
    let proxy = ProxyConfig::all(url).map_err(|_| {
        network(format!(
            "{name} is not the URL of a proxy, such as http://proxy:3128"
        ))
    })?;
    Ok(match environment.first(&["NO_PROXY", "no_proxy"]) {
        Some((_, hosts)) => proxy.no_proxy(hosts),
        None => proxy,
    })
}

fn network(error: impl std::fmt::Display) -> CallError {
    CallError {
        cause: Cause::Network,
        text: error.to_string(),
    }
}
