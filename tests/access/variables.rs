//! Values as they come out of secrets, templates and shells: empty, or with a newline at the end.

use fake_firehose::Credentials;

use crate::authority::{Authority, CONTAINER_PATH, Holdings};
use crate::proxy::Proxy;
use crate::sandbox::{REGION, Sandbox, assert_says, profile, service};
use crate::support::each_at_once;

const ROLE: &str = "arn:aws:iam::000000000000:role/logs";

/// As `echo` ends it.
fn line(value: &str) -> String {
    format!("{value}\n")
}

/// What a helper, a container's endpoint or a metadata service writes in JSON.
fn lines(credentials: &Credentials) -> Credentials {
    let line = |value: &str| format!("{value}\\n");
    Credentials {
        access_key: line(&credentials.access_key),
        secret_key: line(&credentials.secret_key),
        session_token: credentials.session_token.as_deref().map(line),
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("default");
    let service = service(&key);
    sandbox.file(".aws/credentials", profile("default", &key));
    sandbox.file(".aws/config", format!("[default]\nregion = {REGION}\n"));
    for variable in [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_FIREHOSE",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CA_BUNDLE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "EKS_POD_EXECUTION_ROLE",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        sandbox.set(variable, "");
    }
    sandbox.send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn an_empty_region_is_told_as_none() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("environment");
    let service = service(&key);
    sandbox
        .set_credentials(&key)
        .set("AWS_REGION", "")
        .set("AWS_DEFAULT_REGION", " ")
        .send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "no AWS region");
}

/// Each hides one that is set.
#[test]
fn an_empty_variable_does_not_hide_another_one() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("task");
    let token = sandbox.secret("authorization-of-the-task-EXAMPLE");
    let service = service(&key);
    let authority = Authority::start(Holdings {
        container: vec![key],
        container_token: Some(token.clone()),
        ..Holdings::default()
    });
    let proxy = Proxy::to(service.fake.address());
    sandbox
        .set("AWS_REGION", "")
        .set("AWS_DEFAULT_REGION", REGION)
        .set("AWS_ENDPOINT_URL_FIREHOSE", "")
        .set("AWS_ENDPOINT_URL", service.fake.url())
        .set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
        .set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            authority.url() + CONTAINER_PATH,
        )
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
        .set("HTTPS_PROXY", "")
        .set("https_proxy", proxy.url())
        .send_to(&service)
        .without("endpoint");
    sandbox.delivers_to(&service);
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn a_newline_at_the_end_of_a_variable_is_not_part_of_its_value() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("environment");
    let service = service(&key);
    let proxy = Proxy::to(service.fake.address());
    sandbox
        .set("AWS_ACCESS_KEY_ID", line(&key.access_key))
        .set("AWS_SECRET_ACCESS_KEY", line(&key.secret_key))
        .set(
            "AWS_SESSION_TOKEN",
            line(key.session_token.as_deref().unwrap_or_default()),
        )
        .set("AWS_REGION", line(REGION))
        .set("AWS_ENDPOINT_URL", line(&service.fake.url()))
        .set("HTTPS_PROXY", line(&proxy.url()))
        .send_to(&service)
        .without("endpoint");
    sandbox.delivers_to(&service);
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn a_newline_at_the_end_of_a_profile_s_name_is_not_part_of_it() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("chosen");
    let service = service(&key);
    let file = sandbox.file("keys", profile("chosen", &key));
    sandbox
        .set("AWS_PROFILE", "chosen\n")
        .set("AWS_CONFIG_FILE", "/dev/null\n")
        .set(
            "AWS_SHARED_CREDENTIALS_FILE",
            line(file.to_str().expect("temporary paths are UTF-8")),
        )
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn newlines_in_what_a_container_s_endpoint_gives_and_takes() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("pod");
    let token = sandbox.secret("identity-of-the-pod-EXAMPLE");
    let service = service(&key);
    let authority = Authority::start(Holdings {
        container: vec![lines(&key)],
        container_token: Some(token.clone()),
        ..Holdings::default()
    });
    let file = sandbox.file("eks-pod-identity-token", line(&token));
    sandbox
        .set(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            authority.url() + CONTAINER_PATH,
        )
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn newlines_in_what_a_helper_prints() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("process");
    let service = service(&key);
    sandbox.file("printed", printed(&lines(&key)));
    sandbox.file(
        ".aws/config",
        "[default]\ncredential_process = cat printed\n",
    );
    sandbox.send_to(&service);
    sandbox.delivers_to(&service);
}

/// What a helper prints.
pub(crate) fn printed(credentials: &Credentials) -> String {
    format!(
        r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"{}"}}"#,
        credentials.access_key,
        credentials.secret_key,
        credentials.session_token.as_deref().unwrap_or_default()
    )
}

#[test]
fn a_key_that_can_not_be_sent_is_told_by_its_name() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("environment");
    let service = service(&key);
    let two = sandbox.secret("AKIAONEEXAMPLE\nAKIATWOEXAMPLE");
    sandbox
        .set_credentials(&key)
        .set("AWS_ACCESS_KEY_ID", two)
        .send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "the access key ID has a blank");
    assert_says(&log, "AWS credentials are missing");

    let two = sandbox.secret("session token of two words");
    sandbox.set_credentials(&key).set("AWS_SESSION_TOKEN", two);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "the session token has a blank");
}

#[test]
fn a_url_or_region_that_is_none_is_told_by_its_name() {
    let cases = [
        (
            "AWS_REGION",
            "eu west 1",
            "`eu west 1` is no name of an AWS region",
        ),
        (
            "AWS_REGION",
            "Ireland",
            "`Ireland` is no name of an AWS region",
        ),
        (
            "AWS_ENDPOINT_URL_FIREHOSE",
            "localhost:1",
            "AWS_ENDPOINT_URL_FIREHOSE is not a URL",
        ),
        ("AWS_ENDPOINT_URL", "vpce", "AWS_ENDPOINT_URL is not a URL"),
        (
            "AWS_ENDPOINT_URL_STS",
            "localhost:2",
            "AWS_ENDPOINT_URL_STS is not a URL",
        ),
        (
            "HTTPS_PROXY",
            "http://user:pass word@proxy",
            "HTTPS_PROXY is not the URL of a proxy",
        ),
    ];
    each_at_once(cases, |(variable, value, expected)| {
        let mut sandbox = Sandbox::new();
        sandbox.secret("pass word");
        let key = sandbox.session("environment");
        let service = service(&key);
        sandbox
            .set_credentials(&key)
            .set(variable, value)
            .send_to(&service);
        if variable.starts_with("AWS_ENDPOINT_URL") {
            sandbox.without("endpoint");
        }
        let log = sandbox.delivers_nothing_to(&service);
        assert_says(&log, expected);
    });
}

/// The applications beside Fluent Bit have the same environment.
#[test]
fn a_url_by_which_nobody_is_called_need_not_be_one() {
    for (variable, is_assumed) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", false),
        ("AWS_ENDPOINT_URL_FIREHOSE", false),
        ("AWS_ENDPOINT_URL", false),
        ("AWS_ENDPOINT_URL", true),
        ("AWS_ENDPOINT_URL_STS", true),
    ] {
        let mut sandbox = Sandbox::new();
        let (base, key) = (sandbox.session("base"), sandbox.session("assumed"));
        let service = service(if is_assumed { &key } else { &base });
        let authority = Authority::start(Holdings {
            roles: [(ROLE.to_owned(), key)].into(),
            ..Holdings::default()
        });
        sandbox
            .set_credentials(&base)
            .set(variable, "localhost:8000")
            .send_to(&service);
        if is_assumed {
            sandbox
                .option("role_arn", ROLE)
                .option("sts_endpoint", authority.url());
        }
        sandbox.delivers_to(&service);
    }
}

/// `endpoint` is for Firehose alone.
#[test]
fn a_url_by_which_a_role_is_asked_for_has_to_be_one() {
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"] {
        let mut sandbox = Sandbox::new();
        let key = sandbox.session("base");
        let service = service(&key);
        sandbox
            .set_credentials(&key)
            .set(variable, "localhost:8000")
            .option("role_arn", ROLE)
            .send_to(&service);
        let log = sandbox.delivers_nothing_to(&service);
        assert_says(&log, &format!("{variable} is not a URL"));
    }
}
