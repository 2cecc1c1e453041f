//! Who calls Firehose: the SDK's chain, and the roles assumed from it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::meta::{ProviderAttempt, ProviderChainError};
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::error::causes;
use crate::config::Access;

const SESSION: &str = "fluent-bit-firehose";

/// The chain's credentials; from them, in this order, the role that AWS's Go plugin reads from
/// the environment, then `role_arn`.
pub(super) async fn provider(access: &Access, shared: &SdkConfig) -> SharedCredentialsProvider {
    let mut provider = shared
        .credentials_provider()
        .expect("the SDK's defaults include its chain of credentials");
    let sts = match &access.sts_endpoint {
        Some(endpoint) => sts_at(endpoint, shared).await,
        None => shared.clone(),
    };
    if let Ok(role) = std::env::var("EKS_POD_EXECUTION_ROLE")
        && !role.is_empty()
    {
        let role = AssumeRoleProvider::builder(role);
        provider = assume(role, &sts, provider).await;
    }
    if let Some(role) = &access.role_arn {
        let mut role = AssumeRoleProvider::builder(role);
        if let Some(id) = &access.external_id {
            role = role.external_id(id);
        }
        provider = assume(role, &sts, provider).await;
    }
    provider
}

/// The endpoint is set before loading: set later it would yield to AWS_ENDPOINT_URL_STS.
async fn sts_at(endpoint: &str, shared: &SdkConfig) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .no_credentials()
        .endpoint_url(endpoint)
        .region(shared.region().cloned());
    if let Some(client) = shared.http_client() {
        loader = loader.http_client(client);
    }
    if let Some(name) = shared.app_name() {
        loader = loader.app_name(name.clone());
    }
    loader.load().await
}

async fn assume(
    role: aws_config::sts::AssumeRoleProviderBuilder,
    sts: &SdkConfig,
    base: SharedCredentialsProvider,
) -> SharedCredentialsProvider {
    let role = role.configure(sts).session_name(SESSION);
    SharedCredentialsProvider::new(role.build_from_provider(base).await)
}

/// When credentials were last fetched; nothing before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetched(Arc<AtomicU64>);

impl Fetched {
    fn note(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.unwrap_or_default().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.0.store(millis, Ordering::Relaxed);
    }

    pub(super) fn time(&self) -> Option<SystemTime> {
        let millis = self.0.load(Ordering::Relaxed);
        (millis > 0).then(|| UNIX_EPOCH + Duration::from_millis(millis))
    }
}

/// Notes when credentials are fetched, which the SDK does before the last ones expire.
#[derive(Debug)]
pub(super) struct Dated {
    pub(super) provider: SharedCredentialsProvider,
    pub(super) fetched: Fetched,
}

impl ProvideCredentials for Dated {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let fetch = self.provider.provide_credentials();
        future::ProvideCredentials::new(async move {
            let credentials = fetch.await?;
            self.fetched.note();
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

/// Where credentials were looked for, and why there are none.
pub(super) fn places(error: &ProviderChainError<CredentialsError>) -> String {
    let place = |attempt: &ProviderAttempt<CredentialsError>| {
        let reason = attempt.error().source();
        match reason.and_then(|reason| causes(reason).last()) {
            Some(reason) => format!("{} ({reason})", attempt.name()),
            None => attempt.name().to_owned(),
        }
    };
    let places: Vec<String> = error.attempts().iter().map(place).collect();
    format!("no credentials in {}", places.join(", "))
}
