//! What an error of the service means, and what to do about it: the one table for it.

use std::fmt;

/// Why a call, or one record of it, was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The delivery stream takes no more at the moment.
    Throttled,
    /// The service failed; after a whole call it is unknown what it stored.
    Server,
    /// No connection came about: DNS, TCP, TLS, a proxy.
    Network,
    /// The call went out and no whole answer came: a reset, a time-out.
    Unanswered,
    /// The clocks disagree.
    Clock,
    /// No credentials, or not the right ones.
    Credentials,
    /// No region was found.
    Region,
    /// No such delivery stream in this account and region.
    NoStream,
    /// The stream's KMS key can't be used.
    Kms,
    /// The payload is refused and would be again.
    Payload,
    /// The stream takes no direct PUTs.
    WrongSource,
    /// The service can't read what was sent.
    Serialization,
    /// Somebody else answered.
    NotFirehose,
    /// The service refuses the call for a reason that is not known here.
    Refused,
    /// The plugin or the SDK failed.
    Bug,
}

/// What to do with the records of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send them again later.
    Retry,
    /// Send them again in two halves; a document that is refused alone, while another is accepted,
    /// is dropped.
    Split,
}

impl Cause {
    /// Each at the place of its number.
    pub const ALL: [Self; 15] = [
        Self::Throttled,
        Self::Server,
        Self::Network,
        Self::Unanswered,
        Self::Clock,
        Self::Credentials,
        Self::Region,
        Self::NoStream,
        Self::Kms,
        Self::Payload,
        Self::WrongSource,
        Self::Serialization,
        Self::NotFirehose,
        Self::Refused,
        Self::Bug,
    ];

    /// Classifies by the error's code first, as HTTP statuses are shared by unlike errors.
    ///
    /// Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>
    /// and its common errors.
    pub fn classify(code: Option<&str>, status: u16) -> Self {
        match code.unwrap_or_default() {
            "ServiceUnavailableException"
            | "ServiceUnavailable"
            | "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "LimitExceededException"
            | "SlowDown" => Self::Throttled,
            "RequestExpired" | "RequestTimeTooSkewed" => Self::Clock,
            "ExpiredToken"
            | "ExpiredTokenException"
            | "UnrecognizedClientException"
            | "UnrecognizedClient"
            | "InvalidSignatureException"
            | "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "InvalidClientTokenId"
            | "AccessDenied"
            | "AccessDeniedException"
            | "NotAuthorized"
            | "OptInRequired" => Self::Credentials,
            "ResourceNotFoundException" => Self::NoStream,
            "InvalidKMSResourceException" => Self::Kms,
            "InvalidArgumentException" | "ValidationException" | "ValidationError" => Self::Payload,
            "InvalidSourceException" => Self::WrongSource,
            "SerializationException" => Self::Serialization,
            "UnknownOperationException" | "UnknownOperation" | "InvalidAction" => Self::NotFirehose,
            _ => match status {
                413 => Self::Payload,
                429 | 503 => Self::Throttled,
                401 | 403 => Self::Credentials,
                // Not knowing an error is no reason to give data up.
                300..=499 => Self::Refused,
                _ => Self::Server,
            },
        }
    }

    pub fn action(self) -> Action {
        match self {
            Self::Throttled
            | Self::Server
            | Self::Network
            | Self::Unanswered
            | Self::Clock
            | Self::Credentials
            | Self::Region
            | Self::NoStream
            | Self::Kms
            | Self::WrongSource
            | Self::NotFirehose
            | Self::Refused
            | Self::Bug => Action::Retry,
            // What can't be read of one document must not take the others with it.
            Self::Payload | Self::Serialization => Action::Split,
        }
    }

    /// Whether a call that was sent and failed may have been stored all the same.
    pub fn is_ambiguous(self) -> bool {
        matches!(self, Self::Server | Self::Unanswered | Self::Bug)
    }

    /// Whether a new connection may be all it takes.
    pub fn is_of_connection(self) -> bool {
        matches!(self, Self::Network | Self::Unanswered)
    }

    /// Whether nothing is delivered until somebody mends something.
    pub fn needs_operator(self) -> bool {
        matches!(
            self,
            Self::Credentials
                | Self::Region
                | Self::NoStream
                | Self::Kms
                | Self::WrongSource
                | Self::NotFirehose
                | Self::Refused
        )
    }

    /// The name under which its log lines are rationed and its calls are counted.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Network => "network",
            Self::Unanswered => "unanswered",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::Region => "region",
            Self::NoStream => "no_stream",
            Self::Kms => "kms",
            Self::Payload => "payload",
            Self::WrongSource => "wrong_source",
            Self::Serialization => "serialization",
            Self::NotFirehose => "not_firehose",
            Self::Refused => "refused",
            Self::Bug => "bug",
        }
    }

    /// What an operator should know and do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Throttled => {
                "the delivery stream's quota is used up: sent again later; if it lasts, ask AWS for a higher quota"
            }
            Self::Server => "the service failed: sent again; a duplicate is possible",
            Self::Network => {
                "no connection to the endpoint, so nothing was stored: sent again; check network, DNS, proxy and certificates (ca_file)"
            }
            Self::Unanswered => "the answer was lost: sent again; a duplicate is possible",
            Self::Clock => "this machine's clock and the service's disagree: set the clock",
            Self::Credentials => {
                "AWS credentials are missing, expired or may not call firehose:PutRecordBatch on this stream"
            }
            Self::Region => "set region, AWS_REGION or a profile's region; data is kept",
            Self::NoStream => {
                "no such delivery stream: check delivery_stream, region and the account; data is kept"
            }
            Self::Kms => {
                "the stream's KMS key can't be used: check the key and its policy; data is kept"
            }
            Self::Payload => "the service refuses this data",
            Self::WrongSource => {
                "the delivery stream takes no direct PUTs: create one with the source Direct PUT; data is kept"
            }
            Self::Serialization => {
                "the service can't read the request: please report this as a bug"
            }
            Self::NotFirehose => {
                "this is not Firehose: check endpoint, AWS_ENDPOINT_URL and the proxy's variables; data is kept"
            }
            Self::Refused => {
                "the service refuses calls for the reason that it names: mend that; data is kept"
            }
            Self::Bug => {
                "a bug of the plugin or the AWS SDK: please report it (standard error may say more; take secrets out); sent again"
            }
        }
    }
}

/// A call that was not answered with what became of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    pub cause: Cause,
    /// For the log: the service's code and the first line of its message.
    pub text: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.cause.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_and_the_status_only_without_one() {
        let cases = [
            (Some("ServiceUnavailableException"), 500, Cause::Throttled),
            (Some("ThrottlingException"), 400, Cause::Throttled),
            (Some("InternalFailure"), 500, Cause::Server),
            (Some("ExpiredTokenException"), 400, Cause::Credentials),
            (Some("AccessDeniedException"), 400, Cause::Credentials),
            (Some("RequestExpired"), 400, Cause::Clock),
            (Some("ResourceNotFoundException"), 400, Cause::NoStream),
            (Some("InvalidKMSResourceException"), 400, Cause::Kms),
            (Some("InvalidArgumentException"), 400, Cause::Payload),
            (Some("InvalidSourceException"), 400, Cause::WrongSource),
            (Some("SerializationException"), 400, Cause::Serialization),
            (Some("UnknownOperationException"), 400, Cause::NotFirehose),
            (Some("SomethingNew"), 400, Cause::Refused),
            (Some("SomethingNew"), 500, Cause::Server),
            (Some("SomethingNew"), 502, Cause::Server),
            (None, 413, Cause::Payload),
            (None, 429, Cause::Throttled),
            (None, 503, Cause::Throttled),
            (None, 403, Cause::Credentials),
            (None, 504, Cause::Server),
            (None, 200, Cause::Server),
        ];
        for (code, status, expected) in cases {
            assert_eq!(Cause::classify(code, status), expected, "{code:?} {status}");
        }
    }
}
