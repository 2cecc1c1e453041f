//! The project's scenario files: each that a client alone can meet is met, as written, by one that
//! does what is right.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use fake_firehose::limits::{MAX_CALL_BYTES, MAX_RECORDS};
use fake_firehose::scenario::ExpectedOutcome;
use fake_firehose::{FakeFirehose, Scenario, Settings};
use serde_json::Value;

use crate::client::{Client, Request, Response};

/// Requests after which the client below gives up.
const MAX_REQUESTS: u64 = 100;

#[test]
fn scenario_files_can_be_met_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{name} begins with its story");
        let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        meet(name, scenario);
    }
}

fn meet(name: &str, scenario: Scenario) {
    let (send, expect) = (scenario.send.clone().unwrap(), scenario.expect.unwrap());
    // Time-outs, stops and starts, and flushes side by side are an output's.
    if !send.options.is_empty() || send.chunks > 1 {
        return;
    }
    let documents: Vec<String> = (0..send.documents)
        .map(|number| {
            let width = send.document_bytes as usize - r#"{"n":""}"#.len() - 1;
            format!("{{\"n\":\"{number:0width$}\"}}\n")
        })
        .collect();
    assert!(
        documents
            .iter()
            .all(|line| line.len() as u64 == send.document_bytes)
    );

    let fake = FakeFirehose::start(Settings {
        scenario,
        ..Settings::default()
    })
    .unwrap();
    let mut sender = Sender {
        fake: &fake,
        client: Client::connect(fake.address()),
        requests: 0,
    };
    let outcome = sender.deliver(&documents);
    assert_eq!(outcome, expect.outcome, "{name}");

    let mut held: HashMap<Vec<u8>, u64> = HashMap::new();
    for record in fake.records() {
        *held.entry(record.data.to_vec()).or_default() += 1;
    }
    assert_eq!(held.len() as u64, expect.delivered, "{name}");
    assert!(documents.len() >= held.len());
    let duplicates = fake.stats().documents - expect.delivered;
    assert!(duplicates <= expect.duplicates, "{name}: {duplicates}");
    let range = expect.requests.unwrap();
    let requests = fake.stats().requests;
    assert!(
        (range.at_least..=range.at_most).contains(&requests),
        "{name}: {requests} requests"
    );
}

/// Sends one document a record, one batch after another, each until it is all accepted.
struct Sender<'a> {
    fake: &'a FakeFirehose,
    client: Client,
    requests: u64,
}

/// What a batch's answer asks of the client.
enum Next {
    /// Send these again, by their indexes.
    Again(Vec<usize>),
    Split,
    GiveUp,
}

impl Sender<'_> {
    fn deliver(&mut self, documents: &[String]) -> ExpectedOutcome {
        let per_batch = MAX_RECORDS.min(MAX_CALL_BYTES / documents[0].len());
        let mut batches: Vec<Vec<&String>> = documents
            .chunks(per_batch)
            .map(|batch| batch.iter().collect())
            .collect();
        while let Some(batch) = batches.pop() {
            if batch.is_empty() {
                continue;
            }
            if self.requests == MAX_REQUESTS {
                return ExpectedOutcome::Retry;
            }
            self.requests += 1;
            match next(self.send(&batch), batch.len()) {
                Next::Again(indexes) => {
                    batches.push(indexes.into_iter().map(|index| batch[index]).collect());
                }
                Next::Split => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    batches.push(second.to_vec());
                    batches.push(first.to_vec());
                }
                Next::GiveUp => return ExpectedOutcome::Retry,
            }
        }
        ExpectedOutcome::Ok
    }

    /// On failure the next request goes over a new connection.
    fn send(&mut self, batch: &[&String]) -> io::Result<Response> {
        let request = Request::put(batch);
        let mut response = self.client.call(&request);
        if self.fake.stats().requests < self.requests {
            // A keep-alive connection that the service had closed: it never saw the request.
            self.client = Client::connect(self.fake.address());
            response = self.client.call(&request);
        }
        if response.is_err() {
            self.client = Client::connect(self.fake.address());
        }
        response
    }
}

fn next(response: io::Result<Response>, records: usize) -> Next {
    let all = || Next::Again((0..records).collect());
    let Ok(response) = response else {
        return all();
    };
    let Ok(reply) = serde_json::from_slice::<Value>(&response.body) else {
        return all();
    };
    match reply["__type"].as_str() {
        Some("InvalidArgumentException") => return Next::Split,
        Some("ResourceNotFoundException") => return Next::GiveUp,
        Some(_) => return all(),
        None => {}
    }
    let entries = reply["RequestResponses"].as_array().unwrap();
    if entries.len() != records {
        return all();
    }
    let refused = entries.iter().enumerate();
    Next::Again(
        refused
            .filter_map(|(index, entry)| entry["RecordId"].is_null().then_some(index))
            .collect(),
    )
}
