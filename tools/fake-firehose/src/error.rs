//! A refused call, as the service words it.

use std::borrow::Cow;

/// An HTTP status, an error type and a message: what an SDK sees of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
}

impl ServiceError {
    pub(crate) fn bad_request(
        kind: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> ServiceError {
        ServiceError {
            status: 400,
            kind: kind.into(),
            message: message.into(),
        }
    }

    /// A value outside its constraint, in the words the service's validator uses.
    pub(crate) fn validation(value: &str, constraint: &str) -> ServiceError {
        ServiceError::bad_request(
            "ValidationException",
            format!(
                "1 validation error detected: {value} failed to satisfy constraint: {constraint}"
            ),
        )
    }
}
