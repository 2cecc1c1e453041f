//! Reads the sample: each line that is a JSON object is a document.

use std::path::Path;

use firehose_core::limits::MAX_RECORD_BYTES;
use serde_json::{Map, Value};

use crate::lines::Lines;
use crate::schema::seen::Sample;

/// How many lines that were passed over are told one by one.
const MAX_TOLD: usize = 10;

/// The sample, and a sentence for each line that was passed over.
pub(crate) fn read(path: &Path) -> Result<(Sample, Vec<String>), String> {
    let mut lines = Lines::open(path)?;
    let mut sample = Sample::default();
    let mut skipped = Vec::new();
    let mut more = 0;
    while let Some((number, text)) = lines.next_line()? {
        match document(text) {
            Ok(object) => sample.add(&object, number),
            Err(reason) if skipped.len() < MAX_TOLD => {
                skipped.push(format!("line {number} was passed over: {reason}"));
            }
            Err(_) => more += 1,
        }
    }
    if more > 0 {
        skipped.push(format!("{more} more lines were passed over"));
    }
    if sample.root.is_empty() {
        let sentence = format!("no line of {} is a JSON object with a key", lines.name);
        skipped.insert(0, sentence);
        return Err(skipped.join("\n"));
    }
    Ok((sample, skipped))
}

/// An error is the reason why it is no document.
fn document(line: Option<&[u8]>) -> Result<Map<String, Value>, String> {
    let line = line.ok_or_else(|| format!("longer than {MAX_RECORD_BYTES} bytes"))?;
    // What is not UTF-8 is replaced, as the plugin does.
    match serde_json::from_str(&String::from_utf8_lossy(line)) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("JSON, but no object".to_owned()),
        Err(error) => {
            let reason = format!("not JSON: {error}");
            // The line of the sample is told anyway.
            Err(reason.replace(" at line 1 column ", " at column "))
        }
    }
}
