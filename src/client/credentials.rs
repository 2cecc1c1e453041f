//! Who calls Firehose: the SDK's chain, and the roles assumed from it.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::config::Access;

const SESSION: &str = "fluent-bit-firehose";

/// The chain's credentials; from them, in this order, the role that AWS's Go plugin reads from
/// the environment, then `role_arn`.
pub(super) async fn provider(access: &Access, shared: &SdkConfig) -> SharedCredentialsProvider {
    let mut provider = shared
        .credentials_provider()
        .expect("the SDK's defaults include its chain of credentials");
    let sts = match &access.sts_endpoint {
        Some(endpoint) => shared.to_builder().endpoint_url(endpoint).build(),
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

async fn assume(
    role: aws_config::sts::AssumeRoleProviderBuilder,
    sts: &SdkConfig,
    base: SharedCredentialsProvider,
) -> SharedCredentialsProvider {
    let role = role.configure(sts).session_name(SESSION);
    SharedCredentialsProvider::new(role.build_from_provider(base).await)
}
