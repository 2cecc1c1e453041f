//! Signature Version 4: whether a request has the signature that AWS's own signer gives it.

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hyper::HeaderMap;
use hyper::http::request::Parts;

use crate::error::ServiceError;

/// A key pair that the service knows, and the session token that must come with it, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: Option<String>,
}

/// The access key of AWS's own documentation examples; it opens nothing.
pub const EXAMPLE_ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// The secret key of AWS's own documentation examples; it opens nothing.
pub const EXAMPLE_SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// What the service demands of a signature, besides being right.
pub(crate) struct Demands<'a> {
    /// None where any region will do.
    pub(crate) region: Option<&'a str>,
    pub(crate) credentials: &'a [Credentials],
    pub(crate) now: DateTime<Utc>,
}

const SERVICE: &str = "firehose";
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);
const DATE_TIME: &str = "%Y%m%dT%H%M%SZ";

/// Accepts a request that is signed by a known key, for this service and region, now.
pub(crate) fn verify(head: &Parts, body: &[u8], demands: &Demands<'_>) -> Result<(), ServiceError> {
    let authorization = header(&head.headers, "authorization").ok_or_else(|| {
        ServiceError::bad_request(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })?;
    let credential = parameter(authorization, "Credential")?;
    let (access_key, scope) = credential.split_once('/').unwrap_or((credential, ""));
    let credentials = known_credentials(access_key, &head.headers, demands.credentials)?;
    let signed_at = signed_at(&head.headers, demands.now)?;
    let claimed_region = scope.split('/').nth(1).unwrap_or_default();
    let region = demands.region.unwrap_or(claimed_region);
    let expected_scope = format!(
        "{}/{region}/{SERVICE}/aws4_request",
        signed_at.format("%Y%m%d")
    );
    if scope != expected_scope {
        return Err(invalid(format!(
            "Credential should be scoped to '{expected_scope}', not '{scope}'."
        )));
    }

    let signed_headers: Vec<&str> = parameter(authorization, "SignedHeaders")?
        .split(';')
        .collect();
    // AWS wants these signed. Whoever left one out signed another request than this one.
    let must_be_signed =
        |name: &str| ["host", "content-type"].contains(&name) || name.starts_with("x-amz-");
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
        .filter(|(name, _)| signed_headers.contains(name) || must_be_signed(name));
    let url = format!("http://localhost{}", head.uri);
    let request = SignableRequest::new(
        head.method.as_str(),
        url,
        headers,
        SignableBody::Bytes(body),
    );
    let expected = request
        .ok()
        .and_then(|request| expected(request, credentials, region, signed_at.into()));
    let without_spaces = |text: &str| text.replace(", ", ",");
    if expected.is_none_or(|expected| without_spaces(&expected) != without_spaces(authorization)) {
        return Err(invalid(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details."
                .to_owned(),
        ));
    }
    Ok(())
}

/// The authorization that AWS's signer gives the request with all of its headers. None where it can't sign it.
fn expected(
    request: SignableRequest<'_>,
    credentials: &Credentials,
    region: &str,
    time: SystemTime,
) -> Option<String> {
    let identity = SigningCredentials::new(
        &credentials.access_key,
        &credentials.secret_key,
        credentials.session_token.clone(),
        None,
        "known to the service",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.excluded_headers = None;
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(time)
        .settings(settings)
        .build()
        .ok()?
        .into();
    let (instructions, _) = sign(request, &params).ok()?.into_parts();
    let mut headers = instructions.headers();
    let (_, authorization) = headers.find(|(name, _)| *name == "authorization")?;
    Some(authorization.to_owned())
}

/// What the `Authorization` header says of `name`.
fn parameter<'a>(authorization: &'a str, name: &str) -> Result<&'a str, ServiceError> {
    let mut parameters = authorization.split([' ', ',']);
    parameters
        .find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
        .ok_or_else(|| incomplete(format!("Authorization header requires '{name}' parameter.")))
}

fn known_credentials<'a>(
    access_key: &str,
    headers: &HeaderMap,
    known: &'a [Credentials],
) -> Result<&'a Credentials, ServiceError> {
    let token = header(headers, "x-amz-security-token");
    let is_claimed = |credentials: &&Credentials| {
        credentials.access_key == access_key && credentials.session_token.as_deref() == token
    };
    known.iter().find(is_claimed).ok_or_else(|| {
        ServiceError::bad_request(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    })
}

/// When the request was signed: not long ago, and not in a while.
fn signed_at(headers: &HeaderMap, now: DateTime<Utc>) -> Result<DateTime<Utc>, ServiceError> {
    let text = header(headers, "x-amz-date").unwrap_or_default();
    let signed = NaiveDateTime::parse_from_str(text, DATE_TIME)
        .map_err(|_| {
            incomplete(format!(
                "X-Amz-Date must be in ISO-8601 'basic format'. Got '{text}'."
            ))
        })?
        .and_utc();
    let show = |moment: DateTime<Utc>| moment.format(DATE_TIME);
    let (earliest, latest) = (now - MAX_SKEW, now + MAX_SKEW);
    if signed < earliest {
        return Err(invalid(format!(
            "Signature expired: {text} is now earlier than {} ({} - 5 min.)",
            show(earliest),
            show(now)
        )));
    }
    if signed > latest {
        return Err(invalid(format!(
            "Signature not yet current: {text} is still later than {} ({} + 5 min.)",
            show(latest),
            show(now)
        )));
    }
    Ok(signed)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn incomplete(message: String) -> ServiceError {
    ServiceError::bad_request("IncompleteSignatureException", message)
}

fn invalid(message: String) -> ServiceError {
    ServiceError::bad_request("InvalidSignatureException", message)
}

impl Default for Credentials {
    /// The example pair of AWS's documentation, without a session token.
    fn default() -> Credentials {
        Credentials {
            access_key: EXAMPLE_ACCESS_KEY.to_owned(),
            secret_key: EXAMPLE_SECRET_KEY.to_owned(),
            session_token: None,
        }
    }
}
