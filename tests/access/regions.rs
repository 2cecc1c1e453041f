//! The region that calls are signed for: the endpoint, a bare address of loopback, names none.

use fake_firehose::{Credentials, Settings};

use crate::authority::{Authority, Holdings, Instance};
use crate::sandbox::{Sandbox, assert_says, profile, settings};
use crate::support::service::Service;

/// Not the region of a new sandbox.
const REGION: &str = "ap-northeast-2";

fn service(accepted: &Credentials) -> Service {
    Service::start(Settings {
        region: Some(REGION.to_owned()),
        ..settings(accepted)
    })
}

#[test]
fn of_the_option_before_all_others() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("region");
    let service = service(&key);
    sandbox.file(".aws/config", "[default]\nregion = us-west-2\n");
    sandbox
        .set_credentials(&key)
        .set("AWS_REGION", "us-east-2")
        .option("region", REGION)
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn of_the_environment_before_that_of_the_profile() {
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        let mut sandbox = Sandbox::new();
        let key = sandbox.session("region");
        let service = service(&key);
        sandbox.file(".aws/config", "[default]\nregion = us-west-2\n");
        sandbox
            .set_credentials(&key)
            .unset("AWS_REGION")
            .set(variable, REGION)
            .send_to(&service);
        sandbox.delivers_to(&service);
    }
}

#[test]
fn of_the_profile_that_the_option_names() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("region");
    let service = service(&key);
    let profiles = format!("[default]\nregion = us-west-2\n[profile logs]\nregion = {REGION}\n");
    sandbox.file(".aws/config", profiles);
    sandbox.file(".aws/credentials", profile("logs", &key));
    sandbox
        .unset("AWS_REGION")
        .option("profile", "logs")
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn of_the_ec2_instance() {
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
        .unset("AWS_REGION")
        .unset("AWS_EC2_METADATA_DISABLED")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", authority.url())
        .send_to(&service);
    sandbox.delivers_to(&service);
}

#[test]
fn none_at_all_keeps_the_data_and_tells_what_to_set() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("region");
    let service = service(&key);
    sandbox
        .set_credentials(&key)
        .unset("AWS_REGION")
        .send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "no AWS region");
    assert_says(&log, "set region, AWS_REGION or a profile's region");
    assert_says(&log, "asked to hand the chunk over again");
}

#[test]
fn one_that_comes_later_is_used() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.session("region");
    let service = service(&key);
    sandbox
        .set_credentials(&key)
        .unset("AWS_REGION")
        .send_to(&service);
    let mut host = sandbox.start(&[]);
    host.logs("no AWS region");
    sandbox.file(".aws/config", format!("[default]\nregion = {REGION}\n"));
    host.delivers_to(&service);
}
