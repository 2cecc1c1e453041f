//! The HTTP client below the SDK: its trust store, its proxy, its pool of connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_firehose::config::{SharedAsyncSleep, SharedHttpClient};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::timeout::TimeoutConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::options::Access;

use crate::files;

use super::call::Watched;
use super::environment::{self, Environment};
use super::error;

/// Shorter than the idle time after which the service closes a connection, so that a call rarely
/// meets one that is about to be closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

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

    /// For the few requests of a look-up, each with a connection of its own. It reads files.
    pub(super) fn for_look_ups(&self) -> SharedHttpClient {
        let transport = self.clone();
        http_client_fn(move |settings, components| {
            transport.connector(settings.clone(), components.sleep_impl())
        })
    }

    /// For calls, which share a pool of connections. It has read all files that it needs, so that
    /// no call is blocked by one.
    pub(super) fn for_calls(&self, config: &SdkConfig) -> SharedHttpClient {
        let times = config.timeout_config();
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(times.and_then(TimeoutConfig::connect_timeout));
        let connector = self.connector(settings.build(), config.sleep_impl());
        http_client_fn(move |_, _| connector.clone())
    }

    /// It may read the system's certificates.
    fn connector(
        &self,
        settings: HttpConnectorSettings,
        sleep: Option<SharedAsyncSleep>,
    ) -> SharedHttpConnector {
        let by = |proxy: &ProxyConfig| {
            let mut builder = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(self.tls.clone())
                .proxy_config(proxy.clone())
                .connector_settings(settings.clone())
                .enable_tcp_nodelay(true)
                .pool_idle_timeout(POOL_IDLE);
            builder.set_sleep_impl(sleep.clone());
            builder.build()
        };
        let (http, https) = (by(&self.http_proxy), by(&self.https_proxy));
        SharedHttpConnector::new(Watched { http, https })
    }
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
            let pem =
                read_ca(&path).map_err(|why| error::of(Cause::Network, format!("{name} {why}")))?;
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let context = TlsContext::builder().with_trust_store(trust).build();
    context.map_err(|why| error::of(Cause::Network, why.to_string()))
}

/// The file of the system's certificates where the library that looks for them would take an empty
/// SSL_CERT_FILE, or the blanks around its path, for part of a path.
fn misread(environment: &Environment) -> Option<(&'static str, PathBuf)> {
    const NAME: &str = "SSL_CERT_FILE";
    let raw = std::env::var(NAME).ok()?;
    match environment.get(NAME) {
        Some(path) if *path == raw => None,
        Some(path) => Some((NAME, PathBuf::from(path))),
        None => {
            let mut bundles = SYSTEM_BUNDLES.iter().map(Path::new);
            let bundle = bundles.find(|bundle| bundle.exists())?;
            Some(("the system's", bundle.to_owned()))
        }
    }
}

/// The proxy that the first of these variables names.
fn proxy(names: &[&'static str], environment: &Environment) -> Result<ProxyConfig, CallError> {
    let Some((name, url)) = environment::first(environment, names) else {
        return Ok(ProxyConfig::disabled());
    };
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    // The URL is not shown, nor what is wrong with it: it may have a password in it.
    let wrong = format!("{name} is not the URL of a proxy, such as http://proxy:3128");
    let proxy = ProxyConfig::all(url).map_err(|_| error::of(Cause::Network, wrong))?;
    Ok(
        match environment::first(environment, &["NO_PROXY", "no_proxy"]) {
            Some((_, hosts)) => proxy.no_proxy(hosts),
            None => proxy,
        },
    )
}

/// Whether the file can be used; else a sentence. To open one on a mount that is gone, or a pipe, may
/// last for ever: so it is read on a thread of its own, and waited for no longer than the limit.
pub(super) fn check_ca(path: &Path, limit: Duration) -> Result<(), String> {
    files::in_time(path, limit, |path| read_ca(path).map(drop))
}

/// The file's PEM text, known to hold certificates that TLS can use; else a sentence.
fn read_ca(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| files::unread(path, error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        // The error would show the section's name as a list of bytes.
        let certificate = certificate
            .map_err(|_| format!("`{shown}` holds a PEM section that is cut or no base64"))?;
        roots.add(certificate).map_err(|error| {
            format!("`{shown}` holds a certificate that can not be used: {error}")
        })?;
    }
    if roots.is_empty() {
        return Err(format!("`{shown}` holds no PEM certificate"));
    }
    Ok(pem)
}
