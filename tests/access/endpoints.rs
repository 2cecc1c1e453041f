//! Where calls go: to an endpoint as it is named, and what somebody else answers there.

use std::io::{BufReader, Write};

use fake_firehose::Settings;

use crate::authority::{Authority, Holdings};
use crate::http::{Request, Server, answer};
use crate::proxy::{HTML, Proxy};
use crate::sandbox::{Sandbox, assert_says, service, settings};
use crate::support::each_at_once;
use crate::support::service::Service;

const ROLE: &str = "arn:aws:iam::000000000000:role/logs";

/// These ask AWS's rules for another endpoint than the one that is named.
const OTHER_ENDPOINTS: [&str; 2] = ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"];

#[test]
fn one_that_is_named_is_taken_as_it_is() {
    for other in OTHER_ENDPOINTS {
        for variable in ["", "AWS_ENDPOINT_URL_FIREHOSE", "AWS_ENDPOINT_URL"] {
            let mut sandbox = Sandbox::new();
            let key = sandbox.session("caller");
            let service = service(&key);
            sandbox
                .set_credentials(&key)
                .set(other, "true")
                .send_to(&service);
            if !variable.is_empty() {
                sandbox
                    .without("endpoint")
                    .set(variable, service.fake.url());
            }
            sandbox.delivers_to(&service);
        }
    }
}

#[test]
fn that_of_sts_too() {
    for other in OTHER_ENDPOINTS {
        for variable in ["", "AWS_ENDPOINT_URL_STS"] {
            let mut sandbox = Sandbox::new();
            let (base, key) = (sandbox.session("base"), sandbox.session("assumed"));
            let service = service(&key);
            let authority = Authority::start(Holdings {
                roles: [(ROLE.to_owned(), key)].into(),
                ..Holdings::default()
            });
            sandbox
                .set_credentials(&base)
                .set(other, "true")
                .option("role_arn", ROLE)
                .send_to(&service);
            match variable {
                "" => sandbox.option("sts_endpoint", authority.url()),
                _ => sandbox.set(variable, authority.url()),
            };
            sandbox.delivers_to(&service);
        }
    }
}

#[test]
fn that_of_sts_for_a_web_identity_too() {
    for other in OTHER_ENDPOINTS {
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
            .set(other, "true")
            .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
            .set("AWS_ROLE_ARN", ROLE)
            .set("AWS_ENDPOINT_URL_STS", authority.url())
            .send_to(&service);
        sandbox.delivers_to(&service);
    }
}

/// What somebody who is not Firehose answers to every request.
fn stranger(status: &'static str, headers: &'static str, body: &'static str) -> Server {
    Server::start(move |client| {
        let mut reader = BufReader::new(client);
        if Request::read(&mut reader).is_some() {
            let answer = answer(status, headers, body);
            // A client that has gone needs no answer.
            drop(reader.into_inner().write_all(answer.as_bytes()));
        }
    })
}

/// The log of an output that calls a stranger.
fn log_of(stranger: &Server) -> String {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("caller");
    sandbox
        .set_credentials(&key)
        .option("delivery_stream", "logs")
        .option("endpoint", stranger.url())
        .option("flush_timeout", "1s");
    sandbox.ends_with_failure()
}

const OF_AWS: &str = "x-amzn-RequestId: 0\r\ncontent-type: application/x-amz-json-1.1\r\n";
const UNKNOWN_OPERATION: &str = r#"{"__type":"UnknownOperationException"}"#;

#[test]
fn what_is_not_firehose_is_told_and_the_data_is_kept() {
    let cases = [
        ("400 Bad Request", OF_AWS, UNKNOWN_OPERATION),
        ("400 Bad Request", HTML, "<html></html>"),
        ("403 Forbidden", HTML, "<html></html>"),
        ("404 Not Found", HTML, "<html></html>"),
        (
            "302 Found",
            "location: /login\r\nserver: nginx\r\ncontent-type: text/html\r\n",
            "",
        ),
        ("407 Proxy Authentication Required", HTML, ""),
        ("500 Internal Server Error", HTML, "<html></html>"),
        ("200 OK", HTML, "<html></html>"),
        (
            "204 No Content",
            "server: nginx\r\ncontent-type: text/html\r\n",
            "",
        ),
    ];
    each_at_once(cases, |(status, headers, body)| {
        let log = log_of(&stranger(status, headers, body));
        assert_says(&log, "this is not Firehose: check endpoint");
        assert_says(&log, &format!("HTTP status {}", &status[..3]));
        if headers != OF_AWS {
            assert_says(&log, "server nginx, content-type text/html");
        }
        assert_says(&log, "asked to hand the chunk over again");
        assert_says(&log, "documents ambiguous: 0");
        assert_says(&log, "events dropped: 0");
    });
}

/// Smaller calls may pass.
#[test]
fn a_proxy_that_takes_no_call_for_its_length_is_told_and_the_data_is_kept() {
    let log = log_of(&stranger("413 Content Too Large", HTML, "<html></html>"));
    assert_says(&log, "none was accepted since: all are kept");
    assert_says(
        &log,
        "HTTP status 413, server nginx, content-type text/html",
    );
    assert_says(&log, "asked to hand the chunk over again");
    assert_says(&log, "documents ambiguous: 0");
    assert_says(&log, "events dropped: 0");
}

#[test]
fn a_proxy_that_takes_no_long_bodies_gets_all_in_shorter_ones() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("caller");
    let service = Service::start(Settings {
        tls: false,
        ..settings(&key)
    });
    // One document has room, two have not.
    let proxy = Proxy::limited(service.fake.address(), 150);
    sandbox
        .set_credentials(&key)
        .set("HTTP_PROXY", proxy.url())
        .send_to(&service)
        .option("endpoint", "http://firehose.test");
    let log = sandbox.delivers_to(&service);
    assert_eq!(service.fake.stats().requests, 3, "{log}");
    assert!(proxy.asked().len() > 3, "{log}");
}

/// It speaks for a service that does not answer.
#[test]
fn a_balancer_in_front_of_the_service_is_taken_for_it() {
    let cases = [
        ("502 Bad Gateway", "the service failed"),
        ("503 Service Unavailable", "quota is used up"),
        ("504 Gateway Timeout", "the service failed"),
    ];
    each_at_once(cases, |(status, expected)| {
        let log = log_of(&stranger(status, HTML, "<html></html>"));
        assert_says(&log, expected);
    });
}

#[test]
fn an_error_that_is_not_known_stores_nothing_and_keeps_the_data() {
    let body = r#"{"__type":"AccountSuspendedException","message":"Call us."}"#;
    let log = log_of(&stranger("400 Bad Request", OF_AWS, body));
    assert_says(&log, "AccountSuspendedException: Call us:");
    assert_says(&log, "fix that; data is kept");
    assert_says(&log, "documents ambiguous: 0");
}

#[test]
fn a_request_that_has_expired_is_told_as_the_clock() {
    const LONG_AGO: &str = "x-amzn-RequestId: 0\r\ncontent-type: application/x-amz-json-1.1\r\n\
                            date: Mon, 01 Jan 2001 00:00:00 GMT\r\n";
    let body = r#"{"__type":"RequestExpired"}"#;
    let log = log_of(&stranger("400 Bad Request", LONG_AGO, body));
    assert_says(&log, " s ahead of the service's: RequestExpired");
    assert_says(&log, "set the clock");
}

/// It takes connections, and says nothing on them.
#[test]
fn a_call_that_never_gets_a_connection_is_not_ambiguous() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("caller");
    let silent = Server::start(|client| {
        let mut reader = BufReader::new(client);
        // Until the client goes.
        while std::io::BufRead::fill_buf(&mut reader).is_ok_and(|bytes| !bytes.is_empty()) {
            let read = reader.buffer().len();
            std::io::BufRead::consume(&mut reader, read);
        }
    });
    sandbox
        .set_credentials(&key)
        .option("delivery_stream", "logs")
        .option("endpoint", format!("https://{}", silent.address()))
        .option("request_timeout", "200ms")
        .option("flush_timeout", "1s");
    let log = sandbox.ends_with_failure();
    assert_says(&log, "no connection within");
    assert_says(&log, "check network, DNS, proxy");
    assert_says(&log, "documents ambiguous: 0");

    // In the clear the request goes out.
    sandbox.option("endpoint", silent.url());
    let log = sandbox.ends_with_failure();
    assert_says(&log, "no answer within");
    assert_says(&log, "a duplicate is possible");
    assert!(!log.contains("documents ambiguous: 0"), "{log}");
}
