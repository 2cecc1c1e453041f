//! Why the program did not do all it should. Each has an exit code.

use std::fmt;
use std::io;

#[derive(Debug)]
pub(crate) enum Error {
    /// Something needed is missing; nothing was run.
    CannotStart(String),
    /// What went wrong, as sentences and log lines.
    Failed(String),
    Interrupted,
}

impl Error {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::CannotStart(_) => 2,
            Error::Failed(_) => 1,
            Error::Interrupted => 130,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Error::CannotStart(sentence) | Error::Failed(sentence) => sentence,
            Error::Interrupted => "interrupted",
        })
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Failed(error.to_string())
    }
}

/// Such as of a service that can't begin.
impl From<String> for Error {
    fn from(sentence: String) -> Error {
        Error::Failed(sentence)
    }
}
