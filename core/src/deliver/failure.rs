//! What an error of the service means, and what to do about it: the one table for it.

use std::fmt;

/// Each cause with its topic and its advice.
macro_rules! causes {
    ($(#[doc = $doc:literal] $cause:ident $topic:literal $advice:literal,)*) => {
        /// Why a call, or one record of it, was not accepted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $(#[doc = $doc] $cause,)*
        }

        impl Cause {
            /// Each at the place of its number.
            pub const ALL: [Self; [$($topic),*].len()] = [$(Self::$cause),*];

            /// The name under which its log lines are rationed and its calls are counted.
            pub fn topic(self) -> &'static str {
                match self { $(Self::$cause => $topic,)* }
            }

            /// What an operator should know and do.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$cause => $advice,)* }
            }
        }
    };
}

causes! {
    /// The delivery stream takes no more at the moment.
    Throttled "throttled"
        "the delivery stream's quota is used up: sent again later; if it lasts, ask AWS for a higher quota",
    /// The service failed; after a whole call it is unknown what it stored.
    Server "server"
        "the service failed: sent again; a duplicate is possible",
    /// No connection came about: DNS, TCP, TLS, a proxy.
    Network "network"
        "no connection to the endpoint, so nothing was stored: sent again; check network, DNS, proxy and certificates (ca_file)",
    /// The call went out and no whole answer came: a reset, a time-out.
    Unanswered "unanswered"
        "the answer was lost: sent again; a duplicate is possible",
    /// The clocks disagree.
    Clock "clock"
        "this machine's clock and the service's disagree: set the clock",
    /// No credentials, or not the right ones.
    Credentials "credentials"
        "AWS credentials are missing, expired or may not call firehose:PutRecordBatch on this stream",
    /// No region was found.
    Region "region"
        "set region, AWS_REGION or a profile's region; data is kept",
    /// No such delivery stream in this account and region.
    NoStream "no_stream"
        "no such delivery stream: check delivery_stream, region and the account; data is kept",
    /// The stream's KMS key can't be used.
    Kms "kms"
        "the stream's KMS key can't be used: check the key and its policy; data is kept",
    /// The payload is refused and would be again.
    Payload "payload"
        "the service refuses this data",
    /// The stream takes no direct PUTs.
    WrongSource "wrong_source"
        "the delivery stream takes no direct PUTs: create one with the source Direct PUT; data is kept",
    /// The service can't read what was sent.
    Serialization "serialization"
        "the service can't read the request: please report this as a bug",
    /// Somebody else answered.
    NotFirehose "not_firehose"
        "this is not Firehose: check endpoint, AWS_ENDPOINT_URL and the proxy's variables; data is kept",
    /// The service refuses the call for a reason that is not known here.
    Refused "refused"
        "the service refuses calls for the reason that it names: fix that; data is kept",
    /// The plugin or the SDK failed.
    Bug "bug"
        "a bug of the plugin or the AWS SDK: please report it (standard error may say more; take secrets out); sent again",
}

impl Cause {
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

    /// Whether the data is refused. Not all documents need be bad, so they are sent again in two
    /// halves. One that is refused alone, while another is accepted, is dropped.
    pub fn is_of_data(self) -> bool {
        matches!(self, Self::Payload | Self::Serialization)
    }

    /// Whether a call that was sent and failed may have been stored all the same.
    pub fn is_ambiguous(self) -> bool {
        matches!(self, Self::Server | Self::Unanswered | Self::Bug)
    }

    /// Whether a new connection may be all it takes.
    pub fn is_of_connection(self) -> bool {
        matches!(self, Self::Network | Self::Unanswered)
    }

    /// Whether nothing is delivered until somebody fixes something: then one call at a time finds
    /// out whether that was done. The alert `FirehoseNeedsOperator` names these causes, and more.
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
