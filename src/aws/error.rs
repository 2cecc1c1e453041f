//! What an error of the SDK means, and what may be said of it.

use std::error::Error;
use std::iter;

use aws_config::meta::{ProviderAttempt, ProviderChainError};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_firehose::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_firehose::operation::put_record_batch::PutRecordBatchError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::error::ErrorMetadata;
use http::Uri;
use http::uri::Authority;

use firehose_core::deliver::failure::{CallError, Cause};

use super::call::Head;

pub(super) fn of(cause: Cause, text: impl Into<String>) -> CallError {
    let text = text.into();
    CallError { cause, text }
}

/// What a call of PutRecordBatch ended with; `head` is that of the reply, if there was one.
pub(super) fn of_call(
    error: &SdkError<PutRecordBatchError, HttpResponse>,
    head: Option<&Head>,
    was_sent: bool,
    caller: &Credentials,
) -> CallError {
    let code = error.code();
    let status = head.map_or(0, |head| head.status);
    let cause = match head {
        // A proxy that takes no long bodies may take shorter ones.
        Some(head) if head.is_foreign() && status != 413 => Cause::NotFirehose,
        Some(_) if code.is_some() || !(200..300).contains(&status) => Cause::classify(code, status),
        _ if was_sent => Cause::Unanswered,
        _ if causes(error).any(|error| error.is::<ConnectorError>()) => Cause::Network,
        // The SDK's rules give no endpoint for this region with these options, such as FIPS.
        _ if causes(error).any(|error| error.to_string().starts_with("Invalid Configuration")) => {
            Cause::Region
        }
        _ => Cause::Bug,
    };
    let text = match (error, head) {
        (_, Some(head)) if head.is_foreign() || cause == Cause::NotFirehose => match code {
            Some(code) => format!("{code}, {head}"),
            None => head.to_string(),
        },
        (SdkError::ServiceError(service), _) => reason(service.err()),
        _ => chain(error),
    };
    let error = said(cause, text, Some(caller));
    let is_of_signatures = code.is_some_and(|code| {
        code.contains("Signature") && Cause::classify(Some(code), 403) == Cause::Credentials
    });
    let may_be_of_time = error.cause == Cause::Clock || is_of_signatures;
    match head.and_then(|head| head.skew.as_ref()) {
        Some(skew) if may_be_of_time => of(Cause::Clock, format!("{skew}: {}", error.text)),
        _ => error,
    }
}

/// What a look-up of credentials ended with; `caller` is who asked for a role.
pub(super) fn of_credentials(error: &CredentialsError, caller: Option<&Credentials>) -> CallError {
    said(Cause::Credentials, chain(error), caller)
}

/// As much of it as may be said, on one line.
fn said(cause: Cause, text: String, caller: Option<&Credentials>) -> CallError {
    // If a signature's time is wrong, AWS answers with the code of a wrong signature.
    const OF_TIME: [&str; 2] = ["Signature expired", "Signature not yet current"];
    let text = on_one_line(&without_secrets(text, caller));
    let is_of_time = OF_TIME.iter().any(|words| text.contains(words));
    of(if is_of_time { Cause::Clock } else { cause }, text)
}

/// Some of AWS's messages repeat what was sent.
fn without_secrets(text: String, caller: Option<&Credentials>) -> String {
    // Emulators take keys like `test`, which is a word of other sentences as well.
    const SHORTEST: usize = 8;
    let secrets = caller.into_iter().flat_map(|caller| {
        let token = caller.session_token().unwrap_or_default();
        [token, caller.secret_access_key(), caller.access_key_id()]
    });
    let secrets = secrets.filter(|secret| secret.len() >= SHORTEST);
    secrets.fold(text, |text, secret| text.replace(secret, "***"))
}

/// What an error says, beginning at the first cause that is not a wrapping of the SDK's.
fn chain(error: &(dyn Error + 'static)) -> String {
    const WRAPPING: [&str; 5] = [
        "dispatch failure",
        "other",
        "io error",
        "service error",
        "the credential provider was not enabled",
    ];
    let mut parts: Vec<String> = Vec::new();
    for error in causes(error) {
        let part = if let Some(error) = error.downcast_ref::<ErrorMetadata>() {
            reason(error)
        } else if let Some(error) = error.downcast_ref() {
            places(error)
        } else {
            first_line(&error.to_string()).to_owned()
        };
        let is_new = !parts.last().is_some_and(|last| last.contains(&part));
        let is_wrapping = WRAPPING.contains(&part.as_str()) || part.starts_with("unhandled error");
        if is_new && !is_wrapping {
            parts.push(part);
        }
    }
    parts.join(": ")
}

/// Where credentials were looked for, and why there are none.
fn places(error: &ProviderChainError<CredentialsError>) -> String {
    let place = |attempt: &ProviderAttempt<CredentialsError>| {
        let reasons = causes(attempt.error()).skip(1);
        match reasons.last() {
            Some(reason) => format!("{} ({reason})", attempt.name()),
            None => attempt.name().to_owned(),
        }
    };
    let places: Vec<String> = error.attempts().iter().map(place).collect();
    format!("no credentials in {}", places.join(", "))
}

/// An error and its causes, the first cause last.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// What a service answered instead of what it was asked for.
fn reason(error: &impl ProvideErrorMetadata) -> String {
    let code = error.code().unwrap_or("an error without a code");
    match error.message() {
        Some(message) => format!("{code}: {}", first_line(message)),
        None => code.to_owned(),
    }
}

/// AWS's message about a wrong signature goes on with the canonical request, session token
/// included: only its first line may be logged. What a credential_process wrote may be a secret.
/// Of an endpoint that is no URL the SDK shows the request, which has a token in it.
fn first_line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    if line.contains("failed to apply endpoint") {
        // The options and the variables were looked at before.
        return "a profile's endpoint_url is not a URL that begins with http:// or https://";
    }
    line.split(" Stderr: ").next().unwrap_or_default()
}

fn on_one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line: String = lines.join(" ").chars().take(LONGEST).collect();
    line.trim_end_matches(['.', ':', ' ']).to_owned()
}

/// The error of a connection, which does not say itself to where it was to be. It is of the same
/// kind, by which the SDK decides whether it looks credentials up again.
pub(super) fn at_host(url: &str, error: ConnectorError) -> ConnectorError {
    let (is_timeout, is_io, is_user) = (error.is_timeout(), error.is_io(), error.is_user());
    let kind = error.as_other();
    let text = format!("{}: {}", host(url), chain(&*error.into_source())).into();
    match () {
        () if is_timeout => ConnectorError::timeout(text),
        () if is_io => ConnectorError::io(text),
        () if is_user => ConnectorError::user(text),
        () => ConnectorError::other(text, kind),
    }
}

/// Without what may be a secret: a user name, a password, a path, a query.
fn host(url: &str) -> String {
    let uri: Uri = url.parse().unwrap_or_default();
    let authority = uri.authority().map_or("", Authority::as_str);
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::box_error::BoxError;
    use aws_smithy_types::retry::ErrorKind;

    use super::*;

    #[test]
    fn a_role_that_is_refused_for_its_time_is_told_as_the_clock() {
        let message = "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z";
        let error = of_credentials(&CredentialsError::provider_error(message), None);
        assert_eq!(error.cause, Cause::Clock);
        let error = of_credentials(&CredentialsError::provider_error("AccessDenied"), None);
        assert_eq!(error.cause, Cause::Credentials);
    }

    #[test]
    fn the_error_of_a_connection_names_the_host_and_nothing_secret() {
        let secrets = "https://name:secret@firehose.test:8443/secret?key=secret";
        for (url, host) in [
            (secrets, "firehose.test:8443"),
            ("http://169.254.170.2/secret", "169.254.170.2"),
            ("http://[::1]:80", "[::1]:80"),
        ] {
            let error = at_host(url, ConnectorError::io("reset by peer".into()));
            assert_eq!(chain(&error), format!("{host}: reset by peer"));
        }
    }

    #[test]
    fn the_error_of_a_connection_stays_what_it_was() {
        let at_host = |of: fn(BoxError) -> ConnectorError| at_host("http://a", of("b".into()));
        assert!(at_host(ConnectorError::timeout).is_timeout());
        assert!(at_host(ConnectorError::io).is_io());
        assert!(at_host(ConnectorError::user).is_user());
        const KIND: Option<ErrorKind> = Some(ErrorKind::TransientError);
        let other = at_host(|source| ConnectorError::other(source, KIND));
        assert_eq!(other.as_other(), KIND);
    }
}
