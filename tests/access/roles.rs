//! Roles that are assumed, one from another, and what STS is asked for.

use fake_firehose::Credentials;

use crate::authority::{Asked, Authority, Holdings};
use crate::sandbox::{REGION, Sandbox, assert_says, profile, service};

const FIRST: &str = "arn:aws:iam::000000000000:role/pod/first";
const SECOND: &str = "arn:aws:iam::000000000000:role/logs/second";
/// The plugin's own name of the sessions it asks for.
const SESSION: &str = "fluent-bit-firehose";

fn sts<const N: usize>(roles: [(&str, &Credentials); N]) -> Authority {
    let roles = roles.map(|(role, credentials)| (role.to_owned(), credentials.clone()));
    Authority::start(Holdings {
        roles: roles.into(),
        ..Holdings::default()
    })
}

fn assumed(role: &str, external_id: Option<&str>, caller: &Credentials) -> Asked {
    Asked::AssumeRole {
        role: role.to_owned(),
        session: SESSION.to_owned(),
        external_id: external_id.map(str::to_owned),
        caller: caller.access_key.clone(),
        region: REGION.to_owned(),
    }
}

#[test]
fn the_role_of_the_option_with_its_external_id() {
    let mut sandbox = Sandbox::new();
    let (base, key) = (sandbox.key_pair("base"), sandbox.session("assumed"));
    let service = service(&key);
    let authority = sts([(SECOND, &key)]);
    sandbox
        .set_credentials(&base)
        .option("role_arn", SECOND)
        .option("external_id", "tenant:1/logs")
        .option("sts_endpoint", authority.url())
        .send_to(&service);
    sandbox.delivers_to(&service);
    let expected = assumed(SECOND, Some("tenant:1/logs"), &base);
    assert_eq!(authority.asked(), [expected]);
}

#[test]
fn the_endpoint_of_the_option_before_that_of_the_environment() {
    let mut sandbox = Sandbox::new();
    let (base, key) = (sandbox.session("base"), sandbox.session("assumed"));
    let service = service(&key);
    let authority = sts([(SECOND, &key)]);
    let other = sts([(SECOND, &base)]);
    sandbox
        .set_credentials(&base)
        .set("AWS_ENDPOINT_URL_STS", other.url())
        .option("role_arn", SECOND)
        .option("sts_endpoint", authority.url())
        .send_to(&service);
    sandbox.delivers_to(&service);
    assert_eq!(authority.asked(), [assumed(SECOND, None, &base)]);
    assert_eq!(other.asked(), []);
}

/// Set where AWS's own plugin runs in EKS.
#[test]
fn the_role_of_the_environment() {
    let mut sandbox = Sandbox::new();
    let (base, key) = (sandbox.session("base"), sandbox.session("assumed"));
    let service = service(&key);
    let authority = sts([(FIRST, &key)]);
    sandbox
        .set_credentials(&base)
        .set("EKS_POD_EXECUTION_ROLE", FIRST)
        .option("sts_endpoint", authority.url())
        .send_to(&service);
    sandbox.delivers_to(&service);
    assert_eq!(authority.asked(), [assumed(FIRST, None, &base)]);
}

/// The endpoint of STS is the environment's this time.
#[test]
fn the_role_of_the_option_from_the_one_of_the_environment() {
    let mut sandbox = Sandbox::new();
    let base = sandbox.session("base");
    let (first, key) = (sandbox.session("first"), sandbox.session("second"));
    let service = service(&key);
    let authority = sts([(FIRST, &first), (SECOND, &key)]);
    sandbox
        .set_credentials(&base)
        .set("EKS_POD_EXECUTION_ROLE", FIRST)
        .set("AWS_ENDPOINT_URL_STS", authority.url())
        .option("role_arn", SECOND)
        .option("external_id", "tenant")
        .send_to(&service);
    sandbox.delivers_to(&service);
    let expected = [
        assumed(FIRST, None, &base),
        assumed(SECOND, Some("tenant"), &first),
    ];
    assert_eq!(authority.asked(), expected);
}

#[test]
fn the_role_of_the_option_from_a_web_identity() {
    let mut sandbox = Sandbox::new();
    let (pod, key) = (sandbox.session("pod"), sandbox.session("assumed"));
    let token = sandbox.secret("header.claims-of-the-pod.signature-EXAMPLE");
    let service = service(&key);
    let authority = sts([(FIRST, &pod), (SECOND, &key)]);
    let file = sandbox.file("token", &token);
    sandbox
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
        .set("AWS_ROLE_ARN", FIRST)
        .set("AWS_ROLE_SESSION_NAME", "the-pod")
        .set("AWS_ENDPOINT_URL_STS", authority.url())
        .option("role_arn", SECOND)
        .send_to(&service);
    sandbox.delivers_to(&service);
    let identified = Asked::AssumeRoleWithWebIdentity {
        role: FIRST.to_owned(),
        session: "the-pod".to_owned(),
        token,
    };
    assert_eq!(authority.asked(), [identified, assumed(SECOND, None, &pod)]);
}

#[test]
fn the_role_of_a_profile_from_another_profile() {
    let mut sandbox = Sandbox::new();
    let (base, key) = (sandbox.key_pair("base"), sandbox.session("assumed"));
    let service = service(&key);
    let authority = sts([(FIRST, &key)]);
    sandbox.file(".aws/credentials", profile("base", &base));
    let role = format!(
        "[profile logs]\nrole_arn = {FIRST}\nsource_profile = base\nexternal_id = tenant\n\
         role_session_name = {SESSION}\n"
    );
    sandbox.file(".aws/config", role);
    sandbox
        .set("AWS_ENDPOINT_URL_STS", authority.url())
        .option("profile", "logs")
        .send_to(&service);
    sandbox.delivers_to(&service);
    assert_eq!(authority.asked(), [assumed(FIRST, Some("tenant"), &base)]);
}

/// STS answers with what should have been signed, session token included.
#[test]
fn a_role_that_is_refused_is_told_with_the_reason_alone() {
    let mut sandbox = Sandbox::new();
    let base = sandbox.session("base");
    let service = service(&base);
    let authority = sts([]);
    sandbox
        .set_credentials(&base)
        .option("role_arn", SECOND)
        .option("sts_endpoint", authority.url())
        .send_to(&service);
    let log = sandbox.delivers_nothing_to(&service);
    assert_says(&log, "SignatureDoesNotMatch");
    assert_says(&log, "AWS credentials are missing");
}
