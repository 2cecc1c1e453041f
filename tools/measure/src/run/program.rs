//! What the programs that run Fluent Bit have in common: their help, signals and exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

/// Why a program did not do all it should. Each has an exit code.
pub(crate) enum Failure {
    /// Something needed is missing; nothing was run. Exit code 2.
    CannotStart(String),
    /// Something that was run did not do well. Exit code 1.
    Failed(String),
    /// Exit code 130.
    Interrupted,
    /// Exit code 1.
    Io(io::Error),
}

/// Does the task that the command line asks for, unless it is wrong (exit code 2) or asks for the
/// usage, which is None. The task may look at the flag to see whether SIGINT or SIGTERM has come.
pub(crate) fn run<A>(
    program: &str,
    args: Result<Option<A>, impl fmt::Display>,
    usage: &str,
    task: impl FnOnce(&A, &AtomicBool) -> Result<(), Failure>,
) -> ExitCode {
    let args = match args {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{usage}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{program}: {error}; --help tells more");
            return ExitCode::from(2);
        }
    };
    let done = interrupted().map_err(Failure::Io);
    let (sentence, code) = match done.and_then(|interrupted| task(&args, &interrupted)) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::CannotStart(sentence)) => (sentence, 2),
        Err(Failure::Failed(sentence)) => (sentence, 1),
        Err(Failure::Interrupted) => ("interrupted".to_owned(), 130),
        Err(Failure::Io(error)) => (error.to_string(), 1),
    };
    eprintln!("{program}: {sentence}");
    ExitCode::from(code)
}

fn interrupted() -> io::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

// === impl Failure ===

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}
