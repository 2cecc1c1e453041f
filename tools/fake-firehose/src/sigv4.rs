//! Signature Version 4, checked from first principles.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

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

/// What of a request goes into its signature.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// SHA-256 of the body, in lower-case hexadecimal.
    pub(crate) body_hash: &'a str,
}

/// What the service demands of a signature, besides being right.
pub(crate) struct Demands<'a> {
    pub(crate) service: &'a str,
    /// None where any region will do.
    pub(crate) region: Option<&'a str>,
    pub(crate) credentials: &'a [Credentials],
    pub(crate) now: OffsetDateTime,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const MAX_SKEW: Duration = Duration::minutes(5);
const DATE_TIME: StaticFormatDescription =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Accepts a request that is signed by a known key, for this service and region, now.
pub(crate) fn verify(request: &Request<'_>, demands: &Demands<'_>) -> Result<(), ServiceError> {
    let authorization = header(request.headers, "authorization").ok_or_else(|| {
        ServiceError::bad_request(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })?;
    let authorization = Authorization::parse(authorization)?;
    let date_time = header(request.headers, "x-amz-date").ok_or_else(|| {
        incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        )
    })?;
    authorization.scope.check(demands, date_time)?;
    let credentials = known_credentials(&authorization, request.headers, demands.credentials)?;
    check_date(date_time, demands.now)?;
    check_signed_headers(&authorization, request.headers)?;
    if let Some(claimed) = header(request.headers, "x-amz-content-sha256")
        && claimed != request.body_hash
    {
        return Err(mismatch("x-amz-content-sha256 is not the hash of the body"));
    }

    let canonical = canonical_request(request, &authorization.signed_headers);
    let to_sign = string_to_sign(&canonical, date_time, &authorization.scope);
    let key = signing_key(&credentials.secret_key, &authorization.scope);
    let expected = hex(&hmac(&key, to_sign.as_bytes()));
    if expected != authorization.signature {
        return Err(mismatch(&format!(
            "The Canonical String for this request should have been\n'{canonical}'\n\n\
             The String-to-Sign should have been\n'{to_sign}'"
        )));
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes all that is written to it");
    }
    text
}

/// The `Authorization` header, taken apart.
#[derive(Debug)]
struct Authorization<'a> {
    access_key: &'a str,
    scope: Scope<'a>,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

/// What a signing key is good for.
#[derive(Debug)]
struct Scope<'a> {
    date: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Result<Authorization<'a>, ServiceError> {
        let (algorithm, rest) = header.split_once(' ').unwrap_or((header, ""));
        if algorithm != ALGORITHM {
            return Err(incomplete(format!(
                "Unsupported AWS 'algorithm': '{algorithm}'."
            )));
        }
        let parameter = |name: &str| {
            rest.split(',')
                .filter_map(|parameter| parameter.trim().split_once('='))
                .find_map(|(key, value)| (key == name).then_some(value))
                .ok_or_else(|| {
                    incomplete(format!("Authorization header requires '{name}' parameter."))
                })
        };
        let credential = parameter("Credential")?;
        let elements: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, terminator] = elements[..] else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{credential}'"
            )));
        };
        Ok(Authorization {
            access_key,
            scope: Scope {
                date,
                region,
                service,
                terminator,
            },
            signed_headers: parameter("SignedHeaders")?.split(';').collect(),
            signature: parameter("Signature")?,
        })
    }
}

impl Scope<'_> {
    fn check(&self, demands: &Demands<'_>, date_time: &str) -> Result<(), ServiceError> {
        let problem = if self.terminator != "aws4_request" {
            format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
                self.terminator
            )
        } else if self.service != demands.service {
            format!(
                "Credential should be scoped to correct service: '{}'.",
                demands.service
            )
        } else if demands.region.is_some_and(|region| region != self.region) {
            format!(
                "Credential should be scoped to a valid region, not '{}'.",
                self.region
            )
        } else if !date_time.starts_with(self.date) || self.date.len() != 8 {
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{}', from '{date_time}'.",
                self.date,
                date_time.get(..8).unwrap_or(date_time),
            )
        } else {
            return Ok(());
        };
        Err(invalid(problem))
    }

    fn text(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.date, self.region, self.service, self.terminator
        )
    }
}

fn known_credentials<'a>(
    authorization: &Authorization<'_>,
    headers: &HeaderMap,
    known: &'a [Credentials],
) -> Result<&'a Credentials, ServiceError> {
    let token = header(headers, "x-amz-security-token");
    known
        .iter()
        .find(|credentials| {
            credentials.access_key == authorization.access_key
                && credentials.session_token.as_deref() == token
        })
        .ok_or_else(|| {
            ServiceError::bad_request(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        })
}

fn check_date(date_time: &str, now: OffsetDateTime) -> Result<(), ServiceError> {
    let signed = PrimitiveDateTime::parse(date_time, DATE_TIME)
        .map_err(|_| {
            incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{date_time}'."
            ))
        })?
        .assume_utc();
    let show = |moment: OffsetDateTime| {
        moment
            .format(DATE_TIME)
            .expect("every moment of this format can be written")
    };
    if signed < now - MAX_SKEW {
        return Err(invalid(format!(
            "Signature expired: {date_time} is now earlier than {} ({} - 5 min.)",
            show(now - MAX_SKEW),
            show(now)
        )));
    }
    if signed > now + MAX_SKEW {
        return Err(invalid(format!(
            "Signature not yet current: {date_time} is still later than {} ({} + 5 min.)",
            show(now + MAX_SKEW),
            show(now)
        )));
    }
    Ok(())
}

/// The host, the content type and every `x-amz-` header must be covered by the signature.
fn check_signed_headers(
    authorization: &Authorization<'_>,
    headers: &HeaderMap,
) -> Result<(), ServiceError> {
    if !authorization.signed_headers.is_sorted() {
        return Err(invalid("SignedHeaders must be sorted.".to_owned()));
    }
    for name in authorization.signed_headers.iter() {
        if !headers.contains_key(*name) {
            return Err(invalid(format!(
                "'{name}' is in SignedHeaders but not in the request."
            )));
        }
    }
    let must_be_signed =
        |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
    for name in headers.keys().map(|name| name.as_str()) {
        if must_be_signed(name) && !authorization.signed_headers.contains(&name) {
            return Err(invalid(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
    }
    if !headers.contains_key("host") {
        return Err(invalid(
            "'host' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    Ok(())
}

fn canonical_request(request: &Request<'_>, signed_headers: &[&str]) -> String {
    let mut text = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for name in signed_headers {
        let values: Vec<String> = request
            .headers
            .get_all(*name)
            .iter()
            .map(|value| single_spaced(&String::from_utf8_lossy(value.as_bytes())))
            .collect();
        text += &format!("{name}:{}\n", values.join(","));
    }
    text + &format!("\n{}\n{}", signed_headers.join(";"), request.body_hash)
}

fn string_to_sign(canonical: &str, date_time: &str, scope: &Scope<'_>) -> String {
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    format!("{ALGORITHM}\n{date_time}\n{}\n{hash}", scope.text())
}

fn signing_key(secret_key: &str, scope: &Scope<'_>) -> [u8; 32] {
    let elements = [scope.date, scope.region, scope.service, scope.terminator];
    let secret = format!("AWS4{secret_key}");
    let date_key = hmac(secret.as_bytes(), elements[0].as_bytes());
    elements[1..]
        .iter()
        .fold(date_key, |key, element| hmac(&key, element.as_bytes()))
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn single_spaced(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
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

fn mismatch(why: &str) -> ServiceError {
    invalid(format!(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.\n\n{why}"
    ))
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

#[cfg(test)]
mod tests;
