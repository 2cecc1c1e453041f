//! Reads the sample: each line that is a JSON object is a document.

use std::path::Path;

use sample_lines::MAX_LINE_BYTES;
use serde_json::Value;

use crate::seen::{LineNumber, Sample};

/// How many lines that were passed over are told one by one.
const MAX_TOLD: usize = 10;

/// Lines that are no documents.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    count: u64,
    /// The first of them, each with its reason.
    told: Vec<(LineNumber, String)>,
}

pub(crate) fn read(path: &Path) -> Result<(Sample, Skipped), String> {
    let mut lines = sample_lines::open(path)?;
    let mut sample = Sample::default();
    let mut skipped = Skipped::default();
    while let Some(line) = lines.next_line()? {
        match line.text.map(document) {
            Some(Ok(Some(object))) => sample.add(&object, line.number),
            Some(Ok(None)) => {}
            Some(Err(reason)) => skipped.add(line.number, reason),
            None => skipped.add(line.number, format!("longer than {MAX_LINE_BYTES} bytes")),
        }
    }
    if sample.root.is_empty() {
        let mut sentence = format!("no line of {} is a JSON object with a key", lines.name());
        for reason in skipped.sentences() {
            sentence += &format!("\n{reason}");
        }
        return Err(sentence);
    }
    Ok((sample, skipped))
}

/// None for an empty line. An error is the reason why it is no document.
fn document(line: &[u8]) -> Result<Option<serde_json::Map<String, Value>>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    // What is not UTF-8 is replaced, as the plugin does.
    match serde_json::from_str(&String::from_utf8_lossy(line)) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err("JSON, but no object".to_owned()),
        Err(error) => {
            let reason = error.to_string();
            // The line of the sample is told anyway.
            Err(format!(
                "not JSON: {}",
                reason.replace(" at line 1 column ", " at column ")
            ))
        }
    }
}

// === impl Skipped ===

impl Skipped {
    fn add(&mut self, line: LineNumber, reason: String) {
        self.count += 1;
        if self.told.len() < MAX_TOLD {
            self.told.push((line, reason));
        }
    }

    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self
            .told
            .iter()
            .map(|(line, reason)| format!("line {line} was passed over: {reason}"))
            .collect();
        let more = self.count - self.told.len() as u64;
        if more > 0 {
            sentences.push(format!("{more} more lines were passed over"));
        }
        sentences
    }
}

#[cfg(test)]
pub(crate) fn sample(lines: &[&str]) -> Sample {
    let mut sample = Sample::default();
    for (line, number) in lines.iter().zip(1..) {
        if let Some(object) = document(line.as_bytes()).unwrap() {
            sample.add(&object, number);
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_document_has_a_reason() {
        let deep = "[".repeat(200);
        for (line, expected) in [
            ("[1]", "JSON, but no object"),
            ("3", "JSON, but no object"),
            ("nope", "not JSON: expected ident at column 2"),
            (
                "{\"a\":1",
                "not JSON: EOF while parsing an object at column 6",
            ),
            ("{} {}", "not JSON: trailing characters at column 4"),
            (&deep, "not JSON: recursion limit exceeded at column 128"),
        ] {
            assert_eq!(document(line.as_bytes()).unwrap_err(), expected, "{line}");
        }
    }

    #[test]
    fn nesting_has_a_limit_below_which_it_is_taken() {
        let nested = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        assert!(document(nested(127).as_bytes()).unwrap().is_some());
        let reason = document(nested(128).as_bytes()).unwrap_err();
        assert!(reason.contains("recursion limit exceeded"), "{reason}");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced() {
        let object = document(b"{\"a\":\"\xff\"}").unwrap().unwrap();
        assert_eq!(object["a"], "\u{fffd}");
        assert_eq!(document(b" \t").unwrap(), None);
    }

    #[test]
    fn only_the_first_lines_that_were_passed_over_are_told() {
        let mut skipped = Skipped::default();
        for line in 1..=12 {
            skipped.add(line, "no".to_owned());
        }
        let sentences = skipped.sentences();
        assert_eq!(sentences.len(), 11);
        assert_eq!(sentences[9], "line 10 was passed over: no");
        assert_eq!(sentences[10], "2 more lines were passed over");
    }
}
