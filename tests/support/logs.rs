//! Structured HTTP logs, and whether they arrived: each once, and equal.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde_json::{Value, json};

/// One line of JSON for each number, which is its key `n`: request and response of an HTTP
/// service, with all that is hard to carry: non-ASCII text, escapes, floats, nesting, nulls.
pub(crate) fn http_logs(numbers: Range<u64>) -> Vec<String> {
    numbers.map(|number| http_log(number).to_string()).collect()
}

fn http_log(n: u64) -> Value {
    let hash = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let method = ["GET", "POST", "DELETE"][(n % 3) as usize];
    let status = [200, 201, 204, 404, 500][(n % 5) as usize];
    json!({
        "n": n,
        "context": "HTTP",
        "level": if status < 500 { "info" } else { "error" },
        "traceId": format!("{hash:016x}{n:016x}"),
        "method": method,
        "originalUrl": format!("/api/v1/주문/{n}?q=né%20\"x\"&path=C:\\temp"),
        "requestBody": {
            "items": [1, -2.5, null, true, {"이름": "漢字 🚀", "": []}],
            "note": "tab\tline\nreturn\r quote\" slash/ back\\ bell\u{7} del\u{7f}",
            "offset": -(n as i64),
        },
        "responseData": {
            "statusCode": status,
            "ms": (n % 1000) as f64 / 8.0,
            "data": "x".repeat((hash >> 56) as usize),
        },
    })
}

/// How what arrived differs from what was sent. The default: not at all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Lines that did not arrive.
    pub(crate) lost: usize,
    /// Arrivals of a line beyond its first.
    pub(crate) twice: usize,
    /// Documents with a sent line's number and another content.
    pub(crate) unequal: usize,
    /// Whatever else arrived.
    pub(crate) foreign: usize,
    /// The first unequal or foreign document.
    example: Option<String>,
}

impl Difference {
    /// Compares lines that have unique numbers as their key `n` with newline-ended documents.
    /// What is equal as text is equal; all else is compared as JSON, where the order of keys does
    /// not count.
    pub(crate) fn between(sent: &[String], arrived: &[u8]) -> Self {
        let places = sent.iter().map(String::as_bytes).zip(0..);
        let places: HashMap<&[u8], usize> = places.collect();
        let mut arrivals = vec![0_usize; sent.len()];
        let mut others = Vec::new();
        for document in arrived.split_inclusive(|byte| *byte == b'\n') {
            let line = document.strip_suffix(b"\n");
            match line.and_then(|line| places.get(line)) {
                Some(place) => arrivals[*place] += 1,
                None => others.push(document),
            }
        }
        let mut difference = Self::default();
        if !others.is_empty() {
            difference.compare_values(sent, &others, &mut arrivals);
        }
        difference.lost = arrivals.iter().filter(|times| **times == 0).count();
        difference.twice = arrivals.iter().map(|times| times.saturating_sub(1)).sum();
        difference
    }

    fn compare_values(&mut self, sent: &[String], documents: &[&[u8]], arrivals: &mut [usize]) {
        let lines: Vec<Value> = sent
            .iter()
            .map(|line| serde_json::from_str(line).expect("a sent line is JSON"))
            .collect();
        let places = lines.iter().map(|line| line["n"].as_u64()).zip(0..);
        let places: HashMap<Option<u64>, usize> = places.collect();
        for document in documents {
            let value: Option<Value> = document
                .strip_suffix(b"\n")
                .and_then(|line| serde_json::from_slice(line).ok());
            let number = value.as_ref().and_then(|value| value["n"].as_u64());
            match places.get(&number) {
                Some(place) if value.as_ref() == Some(&lines[*place]) => {
                    arrivals[*place] += 1;
                    continue;
                }
                Some(_) => self.unequal += 1,
                None => self.foreign += 1,
            }
            let text = String::from_utf8_lossy(document).into_owned();
            self.example.get_or_insert(text);
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lost {}, twice {}, unequal {}, foreign {}",
            self.lost, self.twice, self.unequal, self.foreign
        )?;
        match &self.example {
            Some(document) => write!(f, ", such as {document}"),
            None => Ok(()),
        }
    }
}

/// Fails the test unless every line arrived exactly once, equal to what was sent, and nothing
/// else did.
pub(crate) fn assert_exactly_once(sent: &[String], arrived: &[u8]) {
    let difference = Difference::between(sent, arrived);
    assert!(
        difference == Difference::default(),
        "of {} lines: {difference}",
        sent.len()
    );
}
