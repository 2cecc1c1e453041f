//! Credentials of the SDK's chain, from each place where it looks.

use crate::authority::{Asked, Authority, CONTAINER_PATH, Holdings, Instance};
use crate::sandbox::{REGION, Sandbox, profile, service};

#[test]
fn keys_in_the_environment() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("environment");
    let service = service(&key);
    sandbox.set_credentials(&key).send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn keys_in_the_environment_with_a_session_token() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("environment");
    let service = service(&key);
    sandbox.set_credentials(&key).send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn the_default_profile_of_the_credentials_file() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("default");
    let service = service(&key);
    sandbox.file(".aws/credentials", profile("default", &key));
    sandbox.send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn files_that_are_elsewhere() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("elsewhere");
    let service = service(&key);
    let credentials = sandbox.file("mounted/keys", profile("logs", &key));
    sandbox
        .set("AWS_SHARED_CREDENTIALS_FILE", credentials)
        .set("AWS_CONFIG_FILE", "/dev/null")
        .set("AWS_PROFILE", "logs")
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn the_profile_that_the_environment_names() {
    let mut sandbox = Sandbox::new();
    let (other, key) = (sandbox.key_pair("default"), sandbox.session("chosen"));
    let service = service(&key);
    let profiles = profile("default", &other) + &profile("chosen", &key);
    sandbox.file(".aws/credentials", profiles);
    sandbox.set("AWS_PROFILE", "chosen").send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn the_profile_of_the_option_before_that_of_the_environment() {
    let mut sandbox = Sandbox::new();
    let (other, key) = (sandbox.key_pair("other"), sandbox.session("chosen"));
    let service = service(&key);
    let profiles = profile("profile other", &other) + &profile("profile chosen", &key);
    sandbox.file(".aws/config", profiles);
    sandbox
        .set("AWS_PROFILE", "other")
        .option("profile", "chosen")
        .send_to(&service);
    sandbox.delivers_to(&service);
}

/// As in Fluent Bit's own plugin.
#[test]
fn keys_in_the_environment_before_a_profile() {
    let mut sandbox = Sandbox::new();
    let (other, key) = (sandbox.key_pair("other"), sandbox.session("environment"));
    let service = service(&key);
    sandbox.file(".aws/credentials", profile("other", &other));
    sandbox
        .set_credentials(&key)
        .option("profile", "other")
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn a_process_that_prints_them() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("process");
    let service = service(&key);
    let printed = format!(
        r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"{}"}}"#,
        key.access_key,
        key.secret_key,
        key.session_token.as_deref().unwrap_or_default()
    );
    let printed = sandbox.file("printed", printed);
    let program = format!(
        "[default]\ncredential_process = /bin/cat {}\n",
        printed.display()
    );
    sandbox.file(".aws/config", program);
    sandbox.send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn a_web_identity() {
    const ROLE: &str = "arn:aws:iam::000000000000:role/web";
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("web");
    let token = sandbox.secret("header.claims-of-the-pod.signature-EXAMPLE");
    let service = service(&key);
    let authority = Authority::start(Holdings {
        roles: [(ROLE.to_owned(), key)].into(),
        ..Holdings::default()
    });
    let file = sandbox.file("token", &token);
    sandbox
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
        .set("AWS_ROLE_ARN", ROLE)
        .set("AWS_ROLE_SESSION_NAME", "the-pod")
        .set("AWS_ENDPOINT_URL_STS", authority.url())
        .send_to(&service);
    sandbox.delivers_to(&service);
    let expected = Asked::AssumeRoleWithWebIdentity {
        role: ROLE.to_owned(),
        session: "the-pod".to_owned(),
        token,
    };
    assert_eq!(authority.asked(), [expected]);
}

#[test]
fn the_endpoint_of_an_ecs_task() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("task");
    let token = sandbox.secret("authorization-of-the-task-EXAMPLE");
    let service = service(&key);
    let authority = Authority::start(Holdings {
        container: vec![key],
        container_token: Some(token.clone()),
        ..Holdings::default()
    });
    let url = authority.url() + CONTAINER_PATH;
    sandbox
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
        .send_to(&service);
    sandbox.delivers_to(&service);
    assert_eq!(authority.asked(), [Asked::Container]);
}

#[test]
fn the_agent_of_an_eks_pod_identity() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("pod");
    let token = sandbox.secret("identity-of-the-pod-EXAMPLE");
    let service = service(&key);
    let authority = Authority::start(Holdings {
        container: vec![key],
        container_token: Some(token.clone()),
        ..Holdings::default()
    });
    let url = authority.url() + CONTAINER_PATH;
    let file = sandbox.file("eks-pod-identity-token", token);
    sandbox
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
        .send_to(&service);
    sandbox.delivers_to(&service);
    assert_eq!(authority.asked(), [Asked::Container]);
}

#[test]
fn the_role_of_an_ec2_instance() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("instance");
    let token = sandbox.secret("token-of-the-metadata-service-EXAMPLE");
    let service = service(&key);
    let authority = Authority::start(Holdings {
        instance: Some(Instance {
            credentials: key,
            region: REGION.to_owned(),
            token,
        }),
        ..Holdings::default()
    });
    sandbox
        .unset("AWS_EC2_METADATA_DISABLED")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", authority.url())
        .send_to(&service);
    sandbox.delivers_to(&service);
}
