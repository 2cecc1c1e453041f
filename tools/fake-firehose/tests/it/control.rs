//! The control API.

use fake_firehose::{FakeFirehose, Scenario, Settings};
use serde_json::json;

use crate::client::{Client, Request};

#[test]
fn it_shows_what_is_remembered_and_resets_it() {
    let fake = FakeFirehose::start(Settings {
        scenario: Scenario::parse("[[step]]\nrefuse = [1]").unwrap(),
        ..Settings::default()
    })
    .unwrap();
    let mut client = Client::connect(fake.address());
    let request = Request::put(&["a\n", "b\n"]);
    client.call(&request).unwrap();
    client.call(&Request::put(&["c\n"])).unwrap();

    // The control API's own connections and requests count for nothing.
    let mut control = Client::connect(fake.address());
    let stats = control.control("GET", "/_fake/stats").unwrap();
    assert_eq!(stats.header("content-type"), Some("application/json"));
    let body_bytes = request.body.len() + Request::put(&["c\n"]).body.len();
    let mut stats = stats.json();
    let stream = stats["streams"]["logs"].take();
    assert_eq!(
        stats,
        json!({
            "connections": 1, "requests": 2, "max_concurrent_requests": 1,
            "calls": {"accepted": 1, "refused": 1}, "body_bytes": body_bytes,
            "records": 2, "documents": 2, "raw_bytes": 4, "billed_bytes": 10_240,
            "streams": {"logs": null},
        })
    );
    let moment = |key| stream[key].as_u64().unwrap();
    assert!(moment("first_accepted_ms") <= moment("last_accepted_ms"));
    assert_eq!(
        stream,
        json!({
            "requests": 2, "sent_bytes": 6, "accepted_bytes": 4, "accepted_records": 2,
            "first_accepted_ms": moment("first_accepted_ms"),
            "last_accepted_ms": moment("last_accepted_ms"),
        })
    );
    let requests = control.control("GET", "/_fake/requests").unwrap().json();
    assert_eq!(
        requests[0],
        json!({
            "decided_ms": moment("first_accepted_ms"),
            "number": 0, "connection": 0, "outcome": "refused", "stream": "logs",
            "records": 2, "accepted": 1, "told": true, "raw_bytes": 4, "body_bytes": request.body.len(),
        })
    );
    assert_eq!(requests[1]["outcome"], "accepted");
    let documents = control.control("GET", "/_fake/documents").unwrap();
    assert_eq!(documents.body, b"a\nc\n");

    assert_eq!(control.control("DELETE", "/_fake").unwrap().status, 200);
    let documents = control.control("GET", "/_fake/documents").unwrap();
    assert_eq!(documents.body, b"");
    let requests = control.control("GET", "/_fake/requests").unwrap();
    assert_eq!(requests.json(), json!([]));
    assert_eq!(client.call(&request).unwrap().json()["FailedPutCount"], 1);

    assert_eq!(control.control("GET", "/_fake/other").unwrap().status, 404);
    assert_eq!(control.control("POST", "/_fake/stats").unwrap().status, 404);
}
