//! Loads a plugin, initialises one output, and prints how many microseconds FLBPluginInit took.
//!
//! `firehose-measure load PLUGIN [KEY=VALUE...]`, where the pairs are the output's options.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use firehose_host::{HostVersion, InstanceOptions, Plugin};

pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(microseconds) => {
            println!("{microseconds}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("firehose-measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u128, Box<dyn Error>> {
    firehose_host::print_logs();
    let mut arguments = env::args().skip(2);
    let path = arguments.next().ok_or("the plugin's path is missing")?;
    let options: Vec<String> = arguments.collect();
    let pairs: Option<Vec<(&str, &str)>> =
        options.iter().map(|pair| pair.split_once('=')).collect();
    let pairs = pairs.ok_or("an option is KEY=VALUE")?;
    let plugin = Plugin::load(path, HostVersion::V5_1)?;
    let started = Instant::now();
    let instance = plugin.init(&pairs, InstanceOptions::default())?;
    let took = started.elapsed();
    instance.exit();
    plugin.unregister()?;
    Ok(took.as_micros())
}
