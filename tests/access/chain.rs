//! Which of several credentials is taken.

use crate::sandbox::{Sandbox, profile, service};

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
