//! The way to the service: past a proxy, or by it.

use fake_firehose::Settings;

use crate::authority::{Asked as AskedForCredentials, Authority, Holdings};
use crate::proxy::{Asked, Proxy};
use crate::sandbox::{Sandbox, assert_says, service, settings};
use crate::support::service::Service;

/// A service with TLS, a proxy in front of it, and a sandbox that is set up to go there directly.
fn behind_proxy() -> (Service, Proxy, Sandbox) {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("proxy");
    let service = service(&key);
    let proxy = Proxy::to(service.fake.address());
    sandbox.set_credentials(&key).send_to(&service);
    (service, proxy, sandbox)
}

fn tunnel(service: &Service, authorization: Option<&str>) -> Asked {
    Asked {
        method: "CONNECT".to_owned(),
        target: format!("localhost:{}", service.fake.address().port()),
        authorization: authorization.map(str::to_owned),
    }
}

#[test]
fn https_goes_through_a_tunnel() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (service, proxy, mut sandbox) = behind_proxy();
        sandbox.set(variable, proxy.url());
        sandbox.delivers_to(&service);
        assert_eq!(proxy.asked(), [tunnel(&service, None)], "{variable}");
    }
}

#[test]
fn the_user_of_the_proxy_is_sent_to_it_and_to_no_log() {
    let (service, proxy, mut sandbox) = behind_proxy();
    let password = sandbox.secret("pass/word@EXAMPLE");
    let encoded = sandbox.secret("pass%2Fword%40EXAMPLE");
    let user = sandbox.secret(base64_simd::STANDARD.encode_to_string(format!("logs:{password}")));
    sandbox.set("HTTPS_PROXY", proxy.url_with_user("logs", &encoded));
    sandbox.delivers_to(&service);
    let authorization = format!("Basic {user}");
    assert_eq!(proxy.asked(), [tunnel(&service, Some(&authorization))]);

    // The proxy is gone: what is told of it must not have its user either.
    drop(proxy);
    service.fake.reset();
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "check network, DNS, proxy");
}

#[test]
fn what_no_proxy_names_is_called_directly() {
    for (variable, value) in [
        ("NO_PROXY", "localhost"),
        ("no_proxy", "internal.test, localhost"),
        ("NO_PROXY", "*"),
    ] {
        let (service, proxy, mut sandbox) = behind_proxy();
        sandbox.set("HTTPS_PROXY", proxy.url()).set(variable, value);
        sandbox.delivers_to(&service);
        assert_eq!(proxy.asked(), [], "{variable}={value}");
    }
}

#[test]
fn the_proxy_of_the_other_scheme_is_not_used() {
    let (service, proxy, mut sandbox) = behind_proxy();
    sandbox.set("HTTP_PROXY", proxy.url());
    sandbox.delivers_to(&service);
    assert_eq!(proxy.asked(), []);
}

#[test]
fn http_is_handed_to_the_proxy() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let mut sandbox = Sandbox::new();
        let key = sandbox.session("plain");
        let service = Service::start(Settings {
            tls: false,
            ..settings(&key)
        });
        let proxy = Proxy::to(service.fake.address());
        sandbox
            .set_credentials(&key)
            .set(variable, proxy.url())
            .send_to(&service)
            .option("endpoint", "http://firehose.test:8080");
        let log = sandbox.delivers_to(&service);
        assert_says(&log, "is plain http: logs cross the network unencrypted");
        let expected = Asked {
            method: "POST".to_owned(),
            target: "http://firehose.test:8080/".to_owned(),
            authorization: None,
        };
        assert_eq!(proxy.asked(), [expected], "{variable}");
    }
}

#[test]
fn http_without_a_proxy() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("plain");
    let service = Service::start(Settings {
        tls: false,
        ..settings(&key)
    });
    sandbox.set_credentials(&key).send_to(&service);
    let log = sandbox.delivers_to(&service);
    assert!(!log.contains("unencrypted"), "{log}");
}

#[test]
fn the_endpoint_of_the_environment_and_before_it_that_of_the_option() {
    for variable in ["AWS_ENDPOINT_URL_FIREHOSE", "AWS_ENDPOINT_URL"] {
        let (service, _, mut sandbox) = behind_proxy();
        sandbox
            .without("endpoint")
            .set(variable, service.fake.url());
        sandbox.delivers_to(&service);

        let (service, _, mut sandbox) = behind_proxy();
        sandbox.set(variable, "https://localhost:1");
        sandbox.delivers_to(&service);
    }
}

#[test]
fn sts_is_called_by_the_proxy_too() {
    const ROLE: &str = "arn:aws:iam::000000000000:role/logs";
    let mut sandbox = Sandbox::new();
    let (base, key) = (sandbox.session("base"), sandbox.session("assumed"));
    let service = service(&key);
    let authority = Authority::start(Holdings {
        roles: [(ROLE.to_owned(), key)].into(),
        ..Holdings::default()
    });
    let proxy = Proxy::to(authority.address());
    sandbox
        .set_credentials(&base)
        .set("HTTP_PROXY", proxy.url())
        .option("role_arn", ROLE)
        .option("sts_endpoint", "http://sts.test")
        .send_to(&service);
    sandbox.delivers_to(&service);
    assert!(matches!(
        authority.asked()[..],
        [AskedForCredentials::AssumeRole { .. }]
    ));
    assert_eq!(proxy.asked().len(), 1);
}
