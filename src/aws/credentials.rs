//! Who calls Firehose, and from which region: the SDK's chain, and the roles assumed from it.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_firehose::config::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use http::Uri;

use super::environment::{self, Environment};
use super::error;
use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::options::{Access, value};

const SESSION: &str = "fluent-bit-firehose";

/// Looks everything up anew: files may have changed since the last time. `limit` bounds a call of
/// another service.
pub(super) async fn look_up(
    access: &Access,
    mut environment: Environment,
    http: SharedHttpClient,
    limit: Duration,
) -> Result<(SdkConfig, Credentials), CallError> {
    check_endpoints(access, &mut environment)?;
    let means = Means {
        access,
        environment: &environment,
        http,
        limit,
    };
    let config = means.loader().load().await;
    check_region(&config)?;
    let credentials = means.credentials(&config).await?;
    Ok((config, credentials))
}

/// What there is to look up with.
struct Means<'m> {
    access: &'m Access,
    environment: &'m Environment,
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
            .env(environment::for_sdk(self.environment))
            .app_name(app)
            .http_client(self.http.clone())
            .timeout_config(times.build())
    }

    /// The chain's credentials; from them, in this order, the role that AWS's Go plugin reads
    /// from the environment, then `role_arn`.
    async fn credentials(&self, config: &SdkConfig) -> Result<Credentials, CallError> {
        let config = match configured_endpoint(config, "STS") {
            // As with Firehose's own, an endpoint is taken as it is.
            Some(_) => &as_it_is(self.loader()).load().await,
            None => config,
        };
        let chain = config.credentials_provider();
        let chain = chain.expect("the SDK's defaults include its chain of credentials");
        let found = chain.provide_credentials().await.and_then(clean);
        let mut credentials = found.map_err(|error| error::of_credentials(&error, None))?;
        let sts = match &self.access.sts_endpoint {
            // It is set before loading: set later, AWS_ENDPOINT_URL_STS would go before it.
            Some(endpoint) => {
                let loader = as_it_is(self.bare_loader()).no_credentials();
                let loader = loader.endpoint_url(endpoint);
                &loader.region(config.region().cloned()).load().await
            }
            None => config,
        };
        let pod_role = self.environment.get("EKS_POD_EXECUTION_ROLE");
        let pod_role = pod_role.map(AssumeRoleProvider::builder);
        let role = self.access.role_arn.as_ref().map(|role| {
            let role = AssumeRoleProvider::builder(role);
            match &self.access.external_id {
                Some(id) => role.external_id(id),
                None => role,
            }
        });
        for role in pod_role.into_iter().chain(role) {
            let role = role.configure(sts).session_name(SESSION);
            let role = role.build_from_provider(credentials.clone()).await;
            let found = role.provide_credentials().await.and_then(clean);
            credentials =
                found.map_err(|error| error::of_credentials(&error, Some(&credentials)))?;
        }
        Ok(credentials)
    }
}

/// The SDK refuses to look for another kind of endpoint where one is named.
fn as_it_is(loader: ConfigLoader) -> ConfigLoader {
    loader.use_fips(false).use_dual_stack(false)
}

/// Takes the blanks around a value away, because the SDK would sign with them. Refuses what can not
/// stand in a header, because the SDK would end in a panic.
fn clean(found: Credentials) -> Result<Credentials, CredentialsError> {
    let key = found.access_key_id().trim();
    let token = found.session_token().map(str::trim);
    let token_text = token.unwrap_or_default();
    for (name, value) in [("access key ID", key), ("session token", token_text)] {
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialsError::invalid_configuration(format!(
                "the {name} has a blank, a control character or one that is not ASCII in it"
            )));
        }
    }
    let mut clean = Credentials::builder()
        .access_key_id(key)
        .secret_access_key(found.secret_access_key().trim())
        .provider_name(SESSION);
    clean.set_session_token(token.map(str::to_owned));
    clean.set_expiry(found.expiry());
    clean.set_account_id(found.account_id().cloned());
    Ok(clean.build())
}

/// The endpoint that the environment or a profile names for a service.
pub(super) fn configured_endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let key = key.expect("all of the key is set");
    let own = config.service_config().and_then(|all| all.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Checks the environment's URLs. The SDK would leave out one that can not be read, or call it all
/// the same. A wrong one that an option replaces is removed.
fn check_endpoints(access: &Access, environment: &mut Environment) -> Result<(), CallError> {
    let [has_endpoint, has_sts_endpoint, has_role] =
        [&access.endpoint, &access.sts_endpoint, &access.role_arn].map(Option::is_some);
    let is_role_asked_for = has_role || environment.contains_key("EKS_POD_EXECUTION_ROLE");
    let has_all = has_endpoint && (has_sts_endpoint || !is_role_asked_for);
    for (name, is_replaced) in [
        ("AWS_ENDPOINT_URL", has_all),
        ("AWS_ENDPOINT_URL_FIREHOSE", has_endpoint),
        ("AWS_ENDPOINT_URL_STS", has_sts_endpoint),
        ("AWS_ENDPOINT_URL_SSO", false),
        ("AWS_ENDPOINT_URL_SSO_OIDC", false),
    ] {
        let url = environment.get(name);
        match url.and_then(|url| mistake_in_endpoint(url)) {
            Some(_) if is_replaced => _ = environment.remove(name),
            Some(what) => return Err(error::of(Cause::NotFirehose, format!("{name} {what}"))),
            None => {}
        }
    }
    Ok(())
}

fn mistake_in_endpoint(url: &str) -> Option<&'static str> {
    let uri: Option<Uri> = url.parse().ok();
    let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    if !uri.is_some_and(|uri| is_http(&uri) && uri.host().is_some()) {
        return Some("is not a URL that begins with http:// or https://");
    }
    // Not shown: what stands before the @ may be a password.
    url.contains('@').then_some("has a user name in it")
}

/// A region becomes a part of a host's name.
fn check_region(config: &SdkConfig) -> Result<(), CallError> {
    let text = match config.region() {
        Some(region) if value::is_region(region.as_ref()) => return Ok(()),
        Some(region) => format!("`{region}` is no name of an AWS region"),
        None => "no AWS region".to_owned(),
    };
    Err(error::of(Cause::Region, text))
}
