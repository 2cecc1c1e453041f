//! Credentials that are not there yet, or no longer good.

use fake_firehose::{Scenario, Settings};

use crate::authority::{Asked, Authority, CONTAINER_PATH, Holdings, Instance};
use crate::sandbox::{REGION, Sandbox, assert_says, profile, service, settings};
use crate::support::service::Service;

#[test]
fn none_at_all_keeps_the_data_and_tells_where_was_looked() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("nowhere");
    let service = service(&key);
    sandbox.send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "AWS credentials are missing");
    for place in [
        "Environment",
        "Profile",
        "WebIdentityToken",
        "EcsContainer",
        "Ec2InstanceMetadata",
    ] {
        assert_says(&log, place);
    }
    assert_says(&log, "asked to hand the chunk over again");
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("default");
    let service = service(&key);
    sandbox.file(".aws/credentials", profile("default", &key));
    sandbox.option("profile", "lgos").send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "profile `lgos` was not defined");
}

#[test]
fn a_file_that_comes_later_is_used() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.key_pair("late");
    let service = service(&key);
    sandbox.option("flush_timeout", "1s").send_to(&service);
    let mut host = sandbox.start(&[]);
    host.logs("AWS credentials are missing");
    sandbox.file(".aws/credentials", profile("default", &key));
    host.delivers_to(&service);
}

#[test]
fn keys_that_are_replaced_in_the_file_are_used() {
    let mut sandbox = Sandbox::new();
    let (old, new) = (sandbox.key_pair("old"), sandbox.key_pair("new"));
    let service = service(&new);
    sandbox.file(".aws/credentials", profile("default", &old));
    sandbox.send_to(&service);
    let mut host = sandbox.start(&[]);
    host.logs("UnrecognizedClientException");
    sandbox.file(".aws/credentials", profile("default", &new));
    host.delivers_to(&service);
}

/// They say that they are good for long, and are not: revoked, or cached too long by the agent.
#[test]
fn temporary_ones_that_are_refused_are_fetched_anew() {
    let mut sandbox = Sandbox::new();
    let (old, new) = (sandbox.session("old"), sandbox.session("new"));
    let service = service(&new);
    let authority = Authority::start(Holdings {
        container: vec![old, new],
        ..Holdings::default()
    });
    let url = authority.url() + CONTAINER_PATH;
    sandbox
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        .send_to(&service);
    let log = sandbox.delivers_to(&service);
    assert_says(&log, "UnrecognizedClientException");
    assert_eq!(authority.asked().len(), 2);
}

#[test]
fn ones_that_the_service_calls_expired_are_tried_again() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("expired");
    let scenario = r#"
        [[step]]
        repeat = 2
        status = 400
        type = "ExpiredTokenException"
        message = "The security token included in the request is expired"
    "#;
    let service = Service::start(Settings {
        scenario: Scenario::parse(scenario).expect("the scenario is well-formed"),
        ..settings(&key)
    });
    sandbox.set_credentials(&key).send_to(&service);
    let log = sandbox.delivers_to(&service);
    assert_says(&log, "ExpiredTokenException");
}

/// The story of the scenario file, with credentials that are given out anew when they are asked
/// for again: by IMDS, and by STS for a web identity.
#[test]
fn ones_that_expire_mid_run_are_fetched_anew() {
    let story = include_str!("../scenarios/expired-credentials.toml");
    const ROLE: &str = "arn:aws:iam::000000000000:role/web";
    for is_instance in [true, false] {
        let mut sandbox = Sandbox::new();
        let key = sandbox.session("expiring");
        let token = sandbox.secret("token-of-the-authority-EXAMPLE");
        let service = Service::start(Settings {
            scenario: Scenario::parse(story).expect("the scenario is well-formed"),
            ..settings(&key)
        });
        let instance = Instance {
            credentials: key.clone(),
            region: REGION.to_owned(),
            token: token.clone(),
        };
        let authority = Authority::start(Holdings {
            instance: is_instance.then_some(instance),
            roles: [(ROLE.to_owned(), key)].into(),
            ..Holdings::default()
        });
        if is_instance {
            sandbox
                .unset("AWS_EC2_METADATA_DISABLED")
                .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", authority.url());
        } else {
            let file = sandbox.file("token", &token);
            sandbox
                .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
                .set("AWS_ROLE_ARN", ROLE)
                .set("AWS_ENDPOINT_URL_STS", authority.url());
        }
        // A chunk, and a call, for each event: chunks that wait together would share one.
        sandbox.option("workers", "1").send_to(&service);
        let host = sandbox.start(&["--chunk-size", "1"]);
        let log = host.delivers_to(&service);
        assert_says(&log, "ExpiredTokenException");
        let asked = authority.asked();
        let vended = |asked: &&Asked| match asked {
            Asked::Instance { path } => path.contains("/security-credentials/logs-"),
            Asked::AssumeRoleWithWebIdentity { .. } => true,
            _ => false,
        };
        let fetched = asked.iter().filter(vended).count();
        assert!(fetched >= 2, "{asked:?}");
    }
}

/// A service that refuses them for long does not lead to a storm of requests for new ones.
#[test]
fn ones_that_stay_refused_are_not_fetched_for_every_call() {
    let mut sandbox = Sandbox::new();
    let (refused, accepted) = (sandbox.session("refused"), sandbox.session("accepted"));
    let service = service(&accepted);
    let authority = Authority::start(Holdings {
        container: vec![refused],
        ..Holdings::default()
    });
    let url = authority.url() + CONTAINER_PATH;
    sandbox
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        .send_to(&service);
    sandbox.delivers_nothing_to(&service);
    // At the start, and once after the first refusal.
    let (calls, fetched) = (service.fake.stats().requests, authority.asked().len());
    assert!(fetched <= 2, "fetched {fetched} times for {calls} calls");
}

/// The service says by its Date what time it is.
#[test]
fn signatures_that_come_too_late_or_too_early_are_made_anew_by_the_service_s_clock() {
    for clock_offset_seconds in [-3_600, 3_600] {
        let mut sandbox = Sandbox::new();
        let key = sandbox.key_pair("clock");
        let service = Service::start(Settings {
            clock_offset_seconds,
            ..settings(&key)
        });
        sandbox.set_credentials(&key).send_to(&service);
        let log = sandbox.delivers_to(&service);
        let how = match clock_offset_seconds {
            ..0 => "ahead of",
            _ => "behind",
        };
        assert_says(&log, "this machine's clock is 3");
        assert_says(&log, &format!(" s {how} the service's: "));
        assert_says(&log, "set the clock");
        assert!(!log.contains("AWS credentials are missing"), "{log}");
    }
}
