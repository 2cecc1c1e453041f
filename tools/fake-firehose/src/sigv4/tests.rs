//! AWS's own published examples, and what `verify` refuses.

use hyper::header::{HeaderName, HeaderValue};
use time::macros::datetime;

use super::*;

/// The secret of AWS's signing examples and test suite.
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// SHA-256 of nothing.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const NOW: OffsetDateTime = datetime!(2015-08-30 12:36:00 UTC);

/// Names and values.
type Headers = &'static [(&'static str, &'static str)];
/// What a case does to a right request.
type Change = Box<dyn FnOnce(&mut HeaderMap)>;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::try_from(*name).unwrap(),
            HeaderValue::try_from(*value).unwrap(),
        );
    }
    headers
}

fn scope(service: &str) -> Scope<'_> {
    Scope {
        date: "20150830",
        region: "us-east-1",
        service,
        terminator: "aws4_request",
    }
}

fn signature(request: &Request<'_>, signed: &[&str], service: &str) -> String {
    let scope = scope(service);
    let canonical = canonical_request(request, signed);
    let to_sign = string_to_sign(&canonical, "20150830T123600Z", &scope);
    hex(&hmac(
        &signing_key(SUITE_SECRET, &scope),
        to_sign.as_bytes(),
    ))
}

/// "Examples of how to derive a signing key", AWS General Reference.
#[test]
fn the_documented_signing_key_is_derived() {
    assert_eq!(
        hex(&signing_key(SUITE_SECRET, &scope("iam"))),
        "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    );
}

/// The ListUsers example of the AWS General Reference, step by step.
#[test]
fn the_documented_request_is_signed() {
    let headers = headers(&[
        ("host", "iam.amazonaws.com"),
        (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        ("x-amz-date", "20150830T123600Z"),
    ]);
    let request = Request {
        method: "GET",
        path: "/",
        query: "Action=ListUsers&Version=2010-05-08",
        headers: &headers,
        body_hash: EMPTY_HASH,
    };
    let signed = ["content-type", "host", "x-amz-date"];
    let canonical = canonical_request(&request, &signed);
    assert_eq!(
        hex(&Sha256::digest(canonical.as_bytes())),
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
    );
    assert_eq!(
        signature(&request, &signed, "iam"),
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
}

/// Cases of the published signing test suite (aws-sig-v4-test-suite), by their names there.
#[test]
fn the_published_suite_s_requests_are_signed() {
    let form = hex(&Sha256::digest(b"Param1=value1"));
    let cases: [(&str, &str, Headers, &str, &str); 5] = [
        (
            "get-vanilla",
            "GET",
            &[],
            EMPTY_HASH,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "post-vanilla",
            "POST",
            &[],
            EMPTY_HASH,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "get-header-value-trim",
            "GET",
            &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            EMPTY_HASH,
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "get-header-key-duplicate",
            "GET",
            &[
                ("my-header1", "value2"),
                ("my-header1", "value2"),
                ("my-header1", "value1"),
            ],
            EMPTY_HASH,
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            &[("content-type", "application/x-www-form-urlencoded")],
            &form,
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ];
    for (name, method, more, body_hash, expected) in cases {
        let basic = [
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let headers = headers(&[&basic[..], more].concat());
        let mut signed: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
        signed.sort_unstable();
        let request = Request {
            method,
            path: "/",
            query: "",
            headers: &headers,
            body_hash,
        };
        assert_eq!(signature(&request, &signed, "service"), expected, "{name}");
    }
}

// === verify ===

/// The suite's post-vanilla, with what a case changes of it; the error's type and message.
fn verdict(
    change: impl FnOnce(&mut HeaderMap),
    demand: impl FnOnce(&mut Demands<'_>),
) -> Result<(), (String, String)> {
    let mut headers = headers(&[
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        (
            "authorization",
            &authorization(
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ),
    ]);
    change(&mut headers);
    let known = [Credentials {
        access_key: "AKIDEXAMPLE".to_owned(),
        secret_key: SUITE_SECRET.to_owned(),
        session_token: None,
    }];
    let mut demands = Demands {
        service: "service",
        region: None,
        credentials: &known,
        now: NOW,
    };
    demand(&mut demands);
    verify(
        &Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body_hash: EMPTY_HASH,
        },
        &demands,
    )
    .map_err(|error| (error.kind.into_owned(), error.message.into_owned()))
}

fn authorization(signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders={signed_headers}, Signature={signature}"
    )
}

fn set(name: &'static str, value: &str) -> impl FnOnce(&mut HeaderMap) + use<> {
    let value = HeaderValue::try_from(value).unwrap();
    move |headers| {
        headers.insert(name, value);
    }
}

#[test]
fn a_right_signature_passes_with_or_without_spaces_after_its_commas() {
    assert_eq!(verdict(|_| {}, |_| {}), Ok(()));
    let tight = authorization(
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    )
    .replace(", ", ",");
    assert_eq!(verdict(set("authorization", &tight), |_| {}), Ok(()));
}

#[test]
fn a_wrong_request_is_refused_for_its_own_reason() {
    let right = authorization(
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    );
    let with = |old: &str, new: &str| set("authorization", &right.replacen(old, new, 1));
    let invalid = "InvalidSignatureException";
    let incomplete = "IncompleteSignatureException";
    let cases: [(Change, &str, &str); 17] = [
        (
            Box::new(|headers| drop(headers.remove("authorization"))),
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        (Box::new(with("SHA256", "SHA1")), incomplete, "algorithm"),
        (
            Box::new(with("Signature=", "Sign=")),
            incomplete,
            "'Signature'",
        ),
        (
            Box::new(with("Credential=", "Cred=")),
            incomplete,
            "'Credential'",
        ),
        (
            Box::new(with("/us-east-1", "")),
            incomplete,
            "5 slash-delimited",
        ),
        (
            Box::new(|headers| drop(headers.remove("x-amz-date"))),
            incomplete,
            "X-Amz-Date",
        ),
        (
            Box::new(set("x-amz-date", "20150830 12:36")),
            incomplete,
            "ISO-8601",
        ),
        (
            Box::new(with("aws4_request", "aws5")),
            invalid,
            "terminator",
        ),
        (
            Box::new(with("/service/", "/iam/")),
            invalid,
            "correct service: 'service'",
        ),
        (Box::new(with("20150830", "20150829")), invalid, "YYYYMMDD"),
        (
            Box::new(with("AKIDEXAMPLE", "AKIDOTHER")),
            "UnrecognizedClientException",
            "security token",
        ),
        (
            Box::new(set("x-amz-security-token", "unexpected")),
            "UnrecognizedClientException",
            "security token",
        ),
        (
            Box::new(with("host;x-amz-date", "x-amz-date")),
            invalid,
            "'host'",
        ),
        (
            Box::new(with("host;x-amz-date", "x-amz-date;host")),
            invalid,
            "sorted",
        ),
        (
            Box::new(with("host;", "host;x-absent;")),
            invalid,
            "'x-absent'",
        ),
        (
            Box::new(set("x-amz-target", "unsigned")),
            invalid,
            "'x-amz-target'",
        ),
        (
            Box::new(set("host", "other.amazonaws.com")),
            invalid,
            "does not match the signature",
        ),
    ];
    for (change, kind, words) in cases {
        let (actual, message) = verdict(change, |_| {}).expect_err(words);
        assert_eq!(actual, kind, "{message}");
        assert!(message.contains(words), "{message:?} lacks {words:?}");
    }
}

#[test]
fn each_character_of_the_signature_counts() {
    let right = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
    for index in 0..right.len() {
        let mut wrong = right.to_owned();
        let digit = if &right[index..=index] == "0" {
            "1"
        } else {
            "0"
        };
        wrong.replace_range(index..=index, digit);
        let authorization = authorization("host;x-amz-date", &wrong);
        assert!(verdict(set("authorization", &authorization), |_| {}).is_err());
    }
    let short = authorization("host;x-amz-date", &right[..63]);
    assert!(verdict(set("authorization", &short), |_| {}).is_err());
}

#[test]
fn the_clock_may_differ_by_five_minutes_and_no_second_more() {
    for minutes in [-5, 5] {
        let at = move |seconds: i64| {
            verdict(
                |_| {},
                move |demands| {
                    demands.now = NOW + Duration::minutes(minutes) + Duration::seconds(seconds)
                },
            )
        };
        assert_eq!(at(0), Ok(()));
        let (kind, message) = at(minutes.signum()).unwrap_err();
        assert_eq!(kind, "InvalidSignatureException");
        let words = if minutes > 0 {
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
             (20150830T124101Z - 5 min.)"
        } else {
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
             (20150830T123059Z + 5 min.)"
        };
        assert_eq!(message, words);
    }
}

#[test]
fn the_region_is_checked_where_one_is_demanded() {
    assert_eq!(
        verdict(|_| {}, |demands| demands.region = Some("us-east-1")),
        Ok(())
    );
    let (kind, message) =
        verdict(|_| {}, |demands| demands.region = Some("ap-northeast-2")).unwrap_err();
    assert_eq!(kind, "InvalidSignatureException");
    assert!(message.contains("'us-east-1'"), "{message}");
}
