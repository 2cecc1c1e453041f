//! Whatever goes wrong, no access key, secret, token or password is written: every sandbox searches
//! all that its process wrote for those it knows.

use std::io::{BufReader, Write};

use fake_firehose::{Credentials, Scenario, Settings};

use crate::authority::{Authority, CONTAINER_PATH, Holdings};
use crate::http::{Request, Server, answer};
use crate::sandbox::{Sandbox, assert_says, profile, service, settings};
use crate::support::each_at_once;
use crate::support::service::Service;
use crate::variables::printed;

const ROLE: &str = "arn:aws:iam::000000000000:role/logs";

/// A sandbox whose keys a service does not know, and what the process wrote there.
fn log_of(prepare: impl FnOnce(&mut Sandbox, &Credentials)) -> String {
    let mut sandbox = Sandbox::new();
    let (key, other) = (sandbox.session("caller"), sandbox.session("known"));
    let service = service(&other);
    sandbox.send_to(&service).option("flush_timeout", "1s");
    prepare(&mut sandbox, &key);
    sandbox.ends_with_failure()
}

/// Answers with the request, as a proxy may that shows what it refuses, and on the first line of
/// the message.
fn mirror() -> Server {
    Server::start(|client| {
        let mut reader = BufReader::new(client);
        if let Some(request) = Request::read(&mut reader) {
            let headers = request.headers.iter();
            let shown: Vec<String> = headers
                .map(|(name, value)| format!("{name}={}", value.replace('"', "'")))
                .collect();
            let body = format!(
                r#"{{"__type":"IncompleteSignatureException","message":"{}"}}"#,
                shown.join(" ")
            );
            let of_aws = "content-type: application/x-amz-json-1.1\r\nx-amzn-requestid: 0\r\n";
            let answer = answer("403 Forbidden", of_aws, &body);
            // A client that has gone needs no answer.
            drop(reader.into_inner().write_all(answer.as_bytes()));
        }
    })
}

#[test]
fn of_a_service_that_repeats_what_it_was_sent() {
    let mirror = mirror();
    let log = log_of(|sandbox, key| {
        sandbox
            .set_credentials(key)
            .option("endpoint", mirror.url());
    });
    assert_says(&log, "IncompleteSignatureException: ");
    assert_says(&log, "Credential=***/");
}

#[test]
fn of_a_service_that_says_what_should_have_been_signed() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("caller");
    let token = key.session_token.as_deref().unwrap_or_default();
    let scenario = format!(
        "[[step]]\nrepeat = \"forever\"\nstatus = 403\ntype = \"InvalidSignatureException\"\n\
         message = \"The signature does not match.\\n\\nx-amz-security-token:{token}\\n\""
    );
    let service = Service::start(Settings {
        scenario: Scenario::parse(&scenario).expect("the scenario is well-formed"),
        ..settings(&key)
    });
    sandbox.set_credentials(&key).send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "The signature does not match");
}

#[test]
fn of_a_web_identity_that_is_refused() {
    let authority = Authority::start(Holdings::default());
    let log = log_of(|sandbox, _| {
        let token = sandbox.secret("header.claims-of-the-pod.signature-EXAMPLE");
        let file = sandbox.file("token", &token);
        sandbox
            .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
            .set("AWS_ROLE_ARN", ROLE)
            .set("AWS_ENDPOINT_URL_STS", authority.url());
    });
    assert_says(&log, "AccessDenied");
}

#[test]
fn of_a_container_s_token_that_is_refused() {
    let authority = Authority::start(Holdings {
        container_token: Some("another".to_owned()),
        ..Holdings::default()
    });
    let log = log_of(|sandbox, _| {
        let token = sandbox.secret("authorization-of-the-task-EXAMPLE");
        sandbox
            .set(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                authority.url() + CONTAINER_PATH,
            )
            .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", token);
    });
    assert_says(&log, "HTTP credential provider");
}

#[test]
fn of_helpers_that_fail() {
    // It says more than it should, prints something else, and prints a half.
    let helpers = [
        "cat printed >&2; exit 1",
        "cat .aws/credentials",
        "head -c 100 printed",
    ];
    each_at_once(helpers, |helper| {
        let log = log_of(|sandbox, key| {
            sandbox.file("printed", printed(key));
            sandbox.file(".aws/credentials", profile("other", key));
            let config = format!("[default]\ncredential_process = {helper}\n");
            sandbox.file(".aws/config", config);
        });
        assert_says(&log, "AWS credentials are missing");
    });
}

#[test]
fn of_files_that_are_torn() {
    let log = log_of(|sandbox, key| {
        let text = format!("[default\naws_secret_access_key {}\n", key.secret_key);
        sandbox.file(".aws/credentials", text);
    });
    assert_says(&log, "AWS credentials are missing");
    let log = log_of(|sandbox, key| {
        let text = profile("default", key).replace(" = ", " ");
        sandbox.file(".aws/credentials", text);
    });
    assert_says(&log, "AWS credentials are missing");
}

#[test]
fn of_a_proxy_s_user() {
    for url in [
        "http://logs:password-EXAMPLE@[proxy",
        "http://logs:password-EXAMPLE@127.0.0.1:1",
    ] {
        let log = log_of(|sandbox, key| {
            sandbox.secret("password-EXAMPLE");
            sandbox.set_credentials(key).set("HTTPS_PROXY", url);
        });
        assert_says(&log, "check network, DNS, proxy");
    }
}

#[test]
fn of_an_endpoint_s_user() {
    let log = log_of(|sandbox, key| {
        sandbox.secret("password-EXAMPLE");
        sandbox
            .set_credentials(key)
            .set(
                "AWS_ENDPOINT_URL",
                "http://logs:password-EXAMPLE@127.0.0.1:1",
            )
            .without("endpoint");
    });
    assert_says(&log, "AWS_ENDPOINT_URL has a user name in it");
}

/// What can not be sent there, the SDK would show.
#[test]
fn of_a_web_identity_for_an_endpoint_that_is_none() {
    let urls = [
        "localhost:8000",
        "logs:password-EXAMPLE@127.0.0.1:1",
        "http://logs:password-EXAMPLE@127.0.0.1:1",
    ];
    each_at_once(urls, |url| {
        each_at_once(
            ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", ""],
            |variable| {
                let log = log_of(|sandbox, _| {
                    sandbox.secret("password-EXAMPLE");
                    let token = sandbox.secret("header.claims-of-the-pod.signature-EXAMPLE");
                    let file = sandbox.file("token", &token);
                    sandbox
                        .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
                        .set("AWS_ROLE_ARN", ROLE)
                        // Nobody is asked beyond this machine.
                        .set("HTTPS_PROXY", "http://127.0.0.1:1");
                    match variable {
                        "" => {
                            let config = format!("[default]\nendpoint_url = {url}\n");
                            sandbox.file(".aws/config", config);
                        }
                        _ => {
                            sandbox.set(variable, url);
                        }
                    }
                });
                assert_says(&log, "documents ambiguous: 0");
            },
        );
    });
}
