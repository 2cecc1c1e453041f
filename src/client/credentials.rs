//! Who calls Firehose, and from which region: the SDK's chain, and the roles assumed from it.

use std::error::Error as _;
use std::time::Duration;

use aws_config::meta::{ProviderAttempt, ProviderChainError};
use aws_config::sts::{AssumeRoleProvider, AssumeRoleProviderBuilder};
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_firehose::config::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;

use super::error;
use crate::config::Access;
use crate::failure::Cause;
use crate::service::CallError;

const SESSION: &str = "fluent-bit-firehose";

/// What a look-up found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) config: SdkConfig,
    pub(super) credentials: Credentials,
    /// Where Firehose is, if that is not where AWS has it.
    pub(super) endpoint: Option<String>,
}

/// Looks everything up anew: files may have changed since the last time. A call of another service
/// takes so long at most.
pub(super) async fn look_up(
    access: &Access,
    http: SharedHttpClient,
    limit: Duration,
) -> Result<Found, CallError> {
    let means = Means {
        access,
        http,
        limit,
    };
    let config = means.loader().load().await;
    if config.region().is_none() {
        return Err(CallError {
            cause: Cause::Region,
            text: "no AWS region".to_owned(),
        });
    }
    Ok(Found {
        credentials: means.credentials(&config).await?,
        endpoint: match &access.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => configured_endpoint(&config, "Firehose"),
        },
        config,
    })
}

/// What there is to look up with.
struct Means<'m> {
    access: &'m Access,
    http: SharedHttpClient,
    limit: Duration,
}

impl Means<'_> {
    fn loader(&self) -> ConfigLoader {
        let mut loader = self.bare_loader();
        if let Some(region) = &self.access.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.access.profile {
            loader = loader.profile_name(profile);
        }
        loader
    }

    fn bare_loader(&self) -> ConfigLoader {
        let app = AppName::new(SESSION).expect("the name has no character that is not allowed");
        let times = TimeoutConfig::builder().operation_timeout(self.limit);
        aws_config::defaults(BehaviorVersion::latest())
            .app_name(app)
            .http_client(self.http.clone())
            .timeout_config(times.build())
    }

    /// The chain's credentials; from them, in this order, the role that AWS's Go plugin reads
    /// from the environment, then `role_arn`.
    async fn credentials(&self, config: &SdkConfig) -> Result<Credentials, CallError> {
        let chain = config.credentials_provider();
        let chain = chain.expect("the SDK's defaults include its chain of credentials");
        let found = chain.provide_credentials().await;
        let mut credentials = found.map_err(|error| error::of_credentials(&error))?;
        let sts = match &self.access.sts_endpoint {
            // It is set before loading: set later it would yield to AWS_ENDPOINT_URL_STS.
            Some(endpoint) => {
                &self
                    .bare_loader()
                    .no_credentials()
                    .endpoint_url(endpoint)
                    .region(config.region().cloned())
                    .load()
                    .await
            }
            None => config,
        };
        if let Ok(role) = std::env::var("EKS_POD_EXECUTION_ROLE")
            && !role.is_empty()
        {
            let role = AssumeRoleProvider::builder(role);
            credentials = assume(role, sts, credentials).await?;
        }
        if let Some(role) = &self.access.role_arn {
            let mut role = AssumeRoleProvider::builder(role);
            if let Some(id) = &self.access.external_id {
                role = role.external_id(id);
            }
            credentials = assume(role, sts, credentials).await?;
        }
        Ok(credentials)
    }
}

async fn assume(
    role: AssumeRoleProviderBuilder,
    sts: &SdkConfig,
    caller: Credentials,
) -> Result<Credentials, CallError> {
    let role = role.configure(sts).session_name(SESSION);
    let role = role.build_from_provider(caller).await;
    let found = role.provide_credentials().await;
    found.map_err(|error| error::of_credentials(&error))
}

/// The endpoint that the environment or a profile names for a service.
fn configured_endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let key = key.expect("all of the key is set");
    let own = config.service_config().and_then(|all| all.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Where credentials were looked for, and why there are none.
pub(super) fn places(error: &ProviderChainError<CredentialsError>) -> String {
    let place = |attempt: &ProviderAttempt<CredentialsError>| {
        let reason = attempt.error().source();
        match reason.and_then(|reason| error::causes(reason).last()) {
            Some(reason) => format!("{} ({reason})", attempt.name()),
            None => attempt.name().to_owned(),
        }
    };
    let places: Vec<String> = error.attempts().iter().map(place).collect();
    format!("no credentials in {}", places.join(", "))
}
