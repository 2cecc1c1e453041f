//! Reads an output's properties from a Fluent Bit configuration file in the classic format.

use std::collections::HashMap;

/// The keys and values of the first `[OUTPUT]` section whose `Name` is `plugin`, without `Name`.
///
/// `${VARIABLE}` is replaced by an `@SET` of the file, else by the environment, else by nothing,
/// as Fluent Bit does. Other sections are skipped; `@INCLUDE` is not followed.
pub fn output_section(
    text: &str,
    plugin: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, String> {
    let mut set = HashMap::new();
    let mut section: Option<Vec<(String, String)>> = None;
    let mut outputs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(assignment) = line.strip_prefix("@SET ") {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| format!("line {}: @SET needs key=value", number + 1))?;
            set.insert(key.trim().to_owned(), value.trim().to_owned());
        } else if line.starts_with('[') {
            outputs.extend(section.take());
            section = line.eq_ignore_ascii_case("[OUTPUT]").then(Vec::new);
        } else if let Some(pairs) = &mut section {
            let (key, value) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("line {}: {line:?} has no value", number + 1))?;
            let value = expand(value.trim(), |name| {
                set.get(name).cloned().or_else(|| environment(name))
            });
            pairs.push((key.to_owned(), value));
        }
    }
    outputs.extend(section);
    let is_name = |key: &str| key.eq_ignore_ascii_case("name");
    let mut pairs = outputs
        .into_iter()
        .find(|pairs| {
            pairs
                .iter()
                .any(|(key, value)| is_name(key) && value.eq_ignore_ascii_case(plugin))
        })
        .ok_or_else(|| format!("there is no [OUTPUT] section with the Name {plugin}"))?;
    pairs.retain(|(key, _)| !is_name(key));
    Ok(pairs)
}

fn expand(value: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        expanded.push_str(before);
        expanded.push_str(&variable(name).unwrap_or_default());
        rest = tail;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
@SET region=eu-west-1
[SERVICE]
    Flush 5
[INPUT]
    Name tail
    Path /var/log/app.log
[OUTPUT]
    Name  null
    Match *
[Output]
    # the stream
    name             firehose
    Match            app.*
    delivery_stream  ${STREAM}-logs
    region           ${region}
    time_key_format  %Y-%m-%d %H:%M:%S ${UNKNOWN}Z
[FILTER]
    Name grep
";

    fn environment(name: &str) -> Option<String> {
        (name == "STREAM").then(|| "orders".to_owned())
    }

    #[test]
    fn the_named_output_with_its_variables() {
        let pairs = output_section(FILE, "firehose", environment).unwrap();
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("Match", "app.*"),
                ("delivery_stream", "orders-logs"),
                ("region", "eu-west-1"),
                ("time_key_format", "%Y-%m-%d %H:%M:%S Z"),
            ]
        );
    }

    #[test]
    fn mistakes_are_sentences() {
        let missing = output_section(FILE, "kinesis", environment).unwrap_err();
        assert_eq!(
            missing,
            "there is no [OUTPUT] section with the Name kinesis"
        );
        let bare = output_section("[OUTPUT]\nName", "firehose", environment).unwrap_err();
        assert_eq!(bare, "line 2: \"Name\" has no value");
    }

    #[test]
    fn an_open_brace_stays() {
        assert_eq!(expand("a${b", |_| None), "a${b");
    }
}
