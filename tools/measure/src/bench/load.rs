//! How long FLBPluginInit takes, each time in a new process.

use std::env;
use std::error::Error as StdError;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use firehose_host::{HostVersion, Plugin};

use super::summary::Spread;
use crate::error::Error;
use crate::folder::Folder;
use crate::output::REGION;
use crate::setup::Setup;

const TIMES: usize = 7;

/// In milliseconds, with the system's trusted certificates as in operation.
pub(super) fn run(setup: &Setup) -> Result<Spread, Error> {
    let times: Result<Vec<f64>, Error> = (0..TIMES).map(|_| once(setup)).collect();
    Ok(Spread::of(times?).expect("it was run"))
}

fn once(setup: &Setup) -> Result<f64, Error> {
    setup.check()?;
    let folder = Folder::new()?;
    let mut command = folder.command(&env::current_exe()?)?;
    command.arg("load").arg(&setup.plugin);
    command.args(["delivery_stream=logs", &format!("region={REGION}")]);
    let output = command.stdout(Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let microseconds: Result<f64, _> = text.trim().parse();
    match microseconds {
        Ok(microseconds) => Ok(microseconds / 1000.0),
        Err(_) => {
            let sentence = format!("the plugin's Init told no time ({})", output.status);
            Err(Error::Failed(folder.with_log(&sentence)))
        }
    }
}

/// Loads a plugin, initialises one output, and prints how many microseconds FLBPluginInit took.
pub(crate) fn load(plugin: &Path, options: &[String]) -> Result<(), Error> {
    let failed = |error: Box<dyn StdError>| Error::Failed(error.to_string());
    let microseconds = time_init(plugin, options).map_err(failed)?;
    println!("{microseconds}");
    Ok(())
}

fn time_init(plugin: &Path, options: &[String]) -> Result<u128, Box<dyn StdError>> {
    firehose_host::print_logs();
    let pairs: Option<Vec<(&str, &str)>> =
        options.iter().map(|pair| pair.split_once('=')).collect();
    let pairs = pairs.ok_or("an option is KEY=VALUE")?;
    let plugin = Plugin::load(plugin, HostVersion::V5_1)?;
    let started = Instant::now();
    let instance = plugin.init(&pairs)?;
    let took = started.elapsed();
    instance.exit();
    plugin.unregister()?;
    Ok(took.as_micros())
}
