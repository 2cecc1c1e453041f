//! The configurations of `fluent-bit/` as files: every host accepts them, and both forms say the
//! same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::configurations::{command, prepared};
use crate::host::Host;
use crate::image::{self, Image};
use crate::sidecar::{LONG, ended_well, text};
use crate::support::child::Process;
use crate::support::environment::{self, CREDENTIALS};
use crate::support::service::Service;

/// Each passes the host's own check, with the image's own variables.
pub(crate) fn dry_run(host: &Host, form: &str) -> Result<(), String> {
    let service = Service::plain();
    let image = prepared(host, &service);
    let configurations = image.configurations(form);
    if configurations.is_empty() {
        return Err(format!("there is no configuration that ends with {form}"));
    }
    for file in configurations {
        let mut command = command(host, &image, &file);
        command.arg("--dry-run");
        let mut process = Process::start(command, &image.path("/output"));
        ended_well(&mut process)?;
        if !process
            .output()
            .contains("configuration test is successful")
        {
            return Err(process.failure(&format!("{file} is not accepted")));
        }
    }
    Ok(())
}

/// The commands of the page on configuration, in their order, in the project's folder.
pub(crate) fn documented(host: &Host) -> Result<(), String> {
    let page = include_str!("../../docs/configuration.md");
    let blocks = page.split("```sh\n").skip(1);
    let commands: String = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    if !commands.contains("fluent-bit --dry-run") {
        return Err("the page has no such command any more".to_owned());
    }
    let mut command = environment::command(Path::new("/bin/sh"), CREDENTIALS.as_ref());
    let folder = TempDir::new().expect("a temporary folder can be made");
    let folder = folder.path();
    symlink(&host.program, folder.join("fluent-bit")).expect("a link can be made");
    let path = format!("{}:/usr/bin:/bin", text(folder));
    command
        .env("PATH", path)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["-euc", &commands]);
    let mut process = Process::start(command, &folder.join("output"));
    ended_well(&mut process)?;
    if process
        .output()
        .contains("configuration test is successful")
    {
        return Ok(());
    }
    Err(process.failure("the configuration is not accepted"))
}

/// The host's support report shows every instance with its properties: both forms give the same.
pub(crate) fn equal_forms(host: &Host) -> Result<(), String> {
    let service = Service::plain();
    let image = prepared(host, &service);
    let report = |file: &str| -> Result<String, String> {
        let mut command = command(host, &image, file);
        command.arg("--sosreport");
        let mut process = Process::start(command, &image.path("/output"));
        // Its exit code is 1 after a report, too.
        process.wait(LONG)?;
        let output = process.output();
        let (_, report) = output
            .split_once("[SERVER] Runtime configuration")
            .ok_or_else(|| process.failure("there is no report"))?;
        Ok(report.to_owned())
    };
    for yaml in image.configurations(".yaml") {
        let classic = report(&yaml.replace(".yaml", ".conf"))?;
        let yaml_report = report(&yaml)?;
        if !classic.contains("delivery_stream") || classic != yaml_report {
            return Err(format!(
                "{yaml} differs from its classic form:\n{yaml_report}\nand\n{classic}"
            ));
        }
    }
    Ok(())
}

/// The Dockerfile's variables are those of `defaults.env`.
pub(crate) fn same_defaults() -> Result<(), String> {
    let (image, defaults) = (image::environment(), image::defaults());
    if image == defaults {
        return Ok(());
    }
    Err(format!(
        "the image has {image:#?}, defaults.env {defaults:#?}"
    ))
}

/// What the report leaves out, such as storage and workers: both forms of each file have the same
/// keys and values.
pub(crate) fn same_values() -> Result<(), String> {
    let image = Image::new();
    let read = |file: &str| fs::read_to_string(image.path(&format!("/fluent-bit/etc/{file}")));
    for yaml in image.files(".yaml") {
        let classic = yaml.replace(".yaml", ".conf");
        let sides = [
            of_classic(&read(&classic).map_err(|error| format!("{classic}: {error}"))?),
            of_yaml(&read(&yaml).map_err(|error| format!("{yaml}: {error}"))?),
        ];
        if sides[0].is_empty() || sides[0] != sides[1] {
            return Err(format!("{classic} and {yaml} differ: {sides:#?}"));
        }
    }
    Ok(())
}

/// The lines `key value` of a classic configuration, sorted.
fn of_classic(content: &str) -> Vec<String> {
    let lines = content.lines().filter(|line| line.starts_with("    "));
    let mut values: Vec<String> = lines
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    values.sort();
    values
}

/// The same of the project's YAML, in which a list under a key stands for the key many times.
fn of_yaml(content: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut list = "";
    for line in content.lines().map(str::trim) {
        let item = line.strip_prefix("- ");
        let pair = item.unwrap_or(line).split_once(": ");
        match (item, pair) {
            _ if line.starts_with('#') => {}
            (_, Some((key, value))) => values.push(format!("{key} {}", value.trim_matches('"'))),
            (Some(_), None) if list == "includes" => {}
            (Some(item), None) => values.push(format!("{list} {item}")),
            (None, None) => list = line.trim_end_matches(':'),
        }
    }
    values.sort();
    values
}
