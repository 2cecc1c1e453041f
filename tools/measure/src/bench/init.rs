//! How long FLBPluginInit takes, each time in a new process.

use std::env;
use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use crate::run::{End, Files, Process, REGION};

use crate::bench::setup::{Error, Setup};
use crate::bench::summary::Spread;

const TIMES: usize = 7;
const LIMIT: Duration = Duration::from_secs(60);

/// In milliseconds, with the system's trusted certificates as in operation.
pub(crate) fn run(setup: &Setup<'_>) -> Result<Spread, Error> {
    let times: Result<Vec<f64>, Error> = (0..TIMES).map(|_| once(setup)).collect();
    Ok(Spread::of(times?.into_iter()).expect("it was run"))
}

fn once(setup: &Setup<'_>) -> Result<f64, Error> {
    let files = Files::new(&setup.directory("init")?);
    let mut command = files.command(&env::current_exe()?)?;
    command
        .arg("load")
        .arg(setup.plugin)
        .arg("delivery_stream=logs")
        .arg(format!("region={REGION}"))
        .stdout(Stdio::piped());
    let mut process = Process::spawn(&mut command)?;
    let mut stdout = process.take_stdout().expect("it is piped");
    let status = match process.wait(LIMIT, setup.interrupted)? {
        End::Exited(status, _) => status.to_string(),
        End::Interrupted => return Err(Error::Interrupted),
        End::TimedOut => format!("no end within {LIMIT:?}"),
    };
    let mut text = String::new();
    stdout.read_to_string(&mut text)?;
    let microseconds: Result<f64, _> = text.trim().parse();
    match microseconds {
        Ok(microseconds) => Ok(microseconds / 1000.0),
        Err(_) => {
            let sentence = format!("the loaded plugin told no time ({status})");
            Err(Error::Failed(files.with_log(&sentence)))
        }
    }
}
