//! What the head of a reply tells: whether Firehose wrote it, and what time it is there.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// The service refuses a signature whose time is farther from its own.
const LARGEST_SKEW: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    /// It has what all of Firehose's replies have.
    is_of_aws: bool,
    server: Option<String>,
    content_type: Option<String>,
    /// How far this machine's clock is from the other side's, and on which side of it.
    skew: Option<(Duration, &'static str)>,
}

impl Head {
    pub(super) fn of(reply: &HttpResponse) -> Self {
        let header = |name: &str| reply.headers().get(name);
        let date = header("date").and_then(|text| DateTime::from_str(text, Format::HttpDate).ok());
        let date = date.and_then(|date| SystemTime::try_from(date).ok());
        let content_type = header("content-type");
        Self {
            status: reply.status().as_u16(),
            is_of_aws: header("x-amzn-requestid").is_some()
                || content_type.is_some_and(|kind| kind.starts_with("application/x-amz-json")),
            server: header("server").map(shown),
            content_type: content_type.map(shown),
            skew: date.map(|date| match date.duration_since(SystemTime::now()) {
                Ok(far) => (far, "behind"),
                Err(error) => (error.duration(), "ahead of"),
            }),
        }
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether somebody else answered: a proxy, or a server that is not Firehose. A balancer in
    /// front of a service answers for it when the service does not.
    pub(super) fn is_foreign(&self) -> bool {
        !self.is_of_aws && !matches!(self.status, 502..=504)
    }

    /// A sentence about the clocks, if they are too far from each other.
    pub(super) fn skew(&self) -> Option<String> {
        let (far, side) = self.skew?;
        let seconds = far.as_secs();
        let sentence = || format!("this machine's clock is {seconds} s {side} the service's");
        (far > LARGEST_SKEW).then(sentence)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)?;
        for (name, value) in [
            ("server", &self.server),
            ("content-type", &self.content_type),
        ] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

/// As much of a header as belongs into a log line.
fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let letters = value.chars().filter(|letter| !letter.is_control());
    letters.take(LONGEST).collect()
}
