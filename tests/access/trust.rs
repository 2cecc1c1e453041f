//! Whom the plugin trusts to be the service.

use std::path::PathBuf;

use crate::proxy::Proxy;
use crate::sandbox::{Sandbox, assert_says, service};
use crate::support::service::Service;

/// A service, a sandbox that sends there with the right credentials and knows no authority, and
/// the file of the one that vouches for the service.
fn stranger() -> (Service, Sandbox, PathBuf) {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("trust");
    let service = service(&key);
    sandbox
        .set_credentials(&key)
        .send_to(&service)
        .without("ca_file");
    let authority = sandbox.file("authority.pem", authority_of(&service));
    (service, sandbox, authority)
}

fn authority_of(service: &Service) -> &str {
    let pem = service.fake.ca_pem();
    pem.expect("a service with TLS has an authority")
}

/// A well-formed authority that vouches for another service.
fn other_authority(sandbox: &Sandbox) -> PathBuf {
    let other = Service::tls();
    sandbox.file("other.pem", authority_of(&other))
}

#[test]
fn the_authority_that_the_environment_names() {
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let (service, mut sandbox, authority) = stranger();
        sandbox.set(variable, authority);
        sandbox.delivers_to(&service);
    }
}

#[test]
fn nobody_unknown() {
    let (service, mut sandbox, _) = stranger();
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "invalid peer certificate: UnknownIssuer");
    let port = service.fake.address().port();
    assert_says(&log, &format!(" localhost:{port}: "));
    assert_eq!(service.fake.stats().requests, 0);
}

#[test]
fn the_option_before_the_environment() {
    let (service, mut sandbox, authority) = stranger();
    let other = other_authority(&sandbox);
    sandbox
        .set("AWS_CA_BUNDLE", &other)
        .set("SSL_CERT_FILE", &other)
        .option("ca_file", authority.display().to_string());
    sandbox.delivers_to(&service);

    let (service, mut sandbox, authority) = stranger();
    let other = other_authority(&sandbox);
    sandbox
        .set("AWS_CA_BUNDLE", &authority)
        .set("SSL_CERT_FILE", &authority)
        .option("ca_file", other.display().to_string());
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "invalid peer certificate");
}

#[test]
fn no_certificate_of_another_name() {
    let (service, mut sandbox, authority) = stranger();
    let proxy = Proxy::to(service.fake.address());
    sandbox
        .set("HTTPS_PROXY", proxy.url())
        .option("endpoint", "https://firehose.test")
        .option("ca_file", authority.display().to_string());
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "certificate not valid for name \"firehose.test\"");
    assert_eq!(service.fake.stats().requests, 0);
}

/// Where the system has no certificates, such as in a minimal image.
#[test]
fn nobody_where_no_certificates_are_found() {
    let (service, mut sandbox, _) = stranger();
    for file in ["missing.pem", "empty.pem"] {
        let path = sandbox.home().join(file);
        if file == "empty.pem" {
            sandbox.file(file, "");
        }
        sandbox.set("SSL_CERT_FILE", path);
        let log = sandbox.delivers_nothing_to(&service);
        assert_says(&log, "invalid peer certificate: UnknownIssuer");
    }
}

#[test]
fn a_bundle_that_can_not_be_used_is_named() {
    let (service, mut sandbox, _) = stranger();
    sandbox.set("AWS_CA_BUNDLE", sandbox.home().join("missing.pem"));
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "AWS_CA_BUNDLE");
    assert_says(&log, "missing.pem` can not be read");
}

#[test]
fn the_file_of_the_option_must_hold_certificates() {
    let (_service, mut sandbox, authority) = stranger();
    let whole = std::fs::read_to_string(&authority).expect("the authority's file is there");
    let (header, body) = whole.split_once('\n').expect("PEM has lines");
    // Still base64, no longer a certificate.
    let broken = format!("{header}\nAAAA{body}");
    let cut = &whole[..whole.len() / 2];
    let cases = [
        ("", "holds no PEM certificate"),
        ("not a certificate\n", "holds no PEM certificate"),
        (&broken, "can not be used"),
        (cut, "holds a PEM section that is cut"),
    ];
    for (content, expected) in cases {
        let path = sandbox.file("ca.pem", content).display().to_string();
        sandbox.option("ca_file", &path);
        let log = sandbox.ends_with_failure();
        assert_says(&log, &format!("ca_file `{path}`"));
        assert_says(&log, expected);
        assert_says(&log, "it takes a file of PEM certificates");
    }
    sandbox.option(
        "ca_file",
        sandbox.home().join("missing.pem").display().to_string(),
    );
    assert_says(&sandbox.ends_with_failure(), "missing.pem` can not be read");
}
