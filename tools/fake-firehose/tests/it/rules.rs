//! The service's own rules: limits, signatures, operations; and what it remembers of valid calls.

use std::time::Duration;

use fake_firehose::limits::{MAX_CALL_BYTES, MAX_RECORD_BYTES, MAX_RECORDS};
use fake_firehose::{Credentials, FakeFirehose, Keep, Outcome, Settings};
use time::OffsetDateTime;

use crate::client::{Client, PATIENCE, Request, Response, Signer};

fn start() -> (FakeFirehose, Client) {
    let fake = FakeFirehose::start(Settings::default()).unwrap();
    let client = Client::connect(fake.address());
    (fake, client)
}

fn records(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    vec![vec![b'x'; bytes]; count]
}

/// Records that fill a call to its limit, and `more` bytes.
fn full_call(more: usize) -> Vec<Vec<u8>> {
    let mut records = records(4, MAX_RECORD_BYTES);
    records.push(vec![b'x'; MAX_CALL_BYTES - 4 * MAX_RECORD_BYTES + more]);
    records
}

#[test]
fn what_is_sent_is_what_is_remembered() {
    let (fake, mut client) = start();
    let every_byte: Vec<u8> = (0..=255).collect();
    let first = client
        .call(&Request::put(&[&b"a\n"[..], b"", b"b\nc\n", &every_byte]))
        .unwrap();
    assert_eq!(first.status, 200);
    assert_eq!(first.json()["FailedPutCount"], 0);
    assert_eq!(first.json()["Encrypted"], false);
    assert_eq!(
        first.json()["RequestResponses"].as_array().unwrap().len(),
        4
    );
    let second = client.call(&Request::put(&["d\n"])).unwrap();
    for response in [&first, &second] {
        let id = response.json()["RequestResponses"][0]["RecordId"].clone();
        assert_eq!(id.as_str().unwrap().len(), 220);
        assert_eq!(response.header("x-amzn-requestid").unwrap().len(), 36);
    }
    assert_ne!(
        first.header("x-amzn-requestid"),
        second.header("x-amzn-requestid")
    );

    let data: Vec<_> = fake.records().into_iter().map(|kept| kept.data).collect();
    assert_eq!(data, [&b"a\n"[..], b"", b"b\nc\n", &every_byte, b"d\n"]);
    assert!(fake.records().iter().all(|kept| kept.stream == "logs"));
    assert_eq!(fake.documents(), data.concat());
    let stats = fake.stats();
    assert_eq!(stats.connections, 1);
    assert_eq!(stats.requests, 2);
    assert_eq!(stats.records, 5);
    assert_eq!(stats.documents, 5, "one of the 256 bytes is a newline, too");
    assert_eq!(stats.raw_bytes, 2 + 4 + 256 + 2);
    assert_eq!(
        stats.billed_bytes,
        4 * 5_120,
        "an empty record costs nothing"
    );
    assert_eq!(stats.calls["accepted"], 2);
    let log = fake.requests();
    assert_eq!(
        (log[0].records, log[0].accepted, log[0].raw_bytes),
        (4, 4, 262)
    );
    assert_eq!(
        (log[1].records, log[1].accepted, log[1].raw_bytes),
        (1, 1, 2)
    );

    fake.reset();
    assert_eq!(fake.stats(), fake_firehose::Stats::default());
    assert!(fake.requests().is_empty() && fake.records().is_empty());
}

#[test]
fn each_limit_holds_the_value_itself_and_refuses_the_next() {
    let (fake, mut client) = start();
    let mut error = |request: &Request| {
        let response = client.call(request).unwrap();
        assert_eq!(
            response.header("content-type").unwrap(),
            "application/x-amz-json-1.1"
        );
        (response.status != 200).then(|| {
            assert_eq!(response.status, 400);
            let message = response.json()["message"].as_str().unwrap().to_owned();
            (response.error(), message)
        })
    };
    assert_eq!(error(&Request::put(&records(MAX_RECORDS, 1))), None);
    assert_eq!(error(&Request::put(&records(1, MAX_RECORD_BYTES))), None);
    assert_eq!(error(&Request::put(&full_call(0))), None);
    let held = fake.stats();
    assert_eq!(held.records, 500 + 1 + 5);

    let mut refused = |request: Request, kind: &str, words: &str| {
        let (actual, message) = error(&request).expect(words);
        assert_eq!(actual, kind);
        assert!(message.contains(words), "{message}");
    };
    let validation = "ValidationException";
    let none: [&str; 0] = [];
    refused(
        Request::put(&none),
        validation,
        "greater than or equal to 1",
    );
    refused(
        Request::put(&records(MAX_RECORDS + 1, 1)),
        validation,
        "less than or equal to 500",
    );
    refused(
        Request::put(&records(1, MAX_RECORD_BYTES + 1)),
        validation,
        "'records.1.member.data' failed to satisfy constraint: Member must have length less \
         than or equal to 1024000",
    );
    refused(
        Request::put(&full_call(1)),
        "InvalidArgumentException",
        "Records size exceeds 4 MB limit",
    );
    refused(
        Request::put_to("a b", &["x"]),
        validation,
        "[a-zA-Z0-9_.-]+",
    );
    refused(
        Request::put_to("logs2", &["x"]),
        "ResourceNotFoundException",
        "Firehose logs2 under account 000000000000 not found.",
    );
    refused(Request::of_json("{"), "SerializationException", "EOF");
    refused(
        Request::of_json(r#"{"DeliveryStreamName":"logs","Records":[{"Data":"Y"}]}"#),
        "SerializationException",
        "not base64",
    );
    let after = fake.stats();
    assert_eq!(after.records, held.records, "a refused call stores nothing");
    assert_eq!(after.calls[validation], 4);
    assert_eq!(fake.documents().len() as u64, held.raw_bytes);
}

#[test]
fn a_body_beyond_all_reason_is_refused_before_it_is_read() {
    let (fake, mut client) = start();
    let mut request = Request::put(&["x"]);
    request.body = vec![b' '; 17 * 1024 * 1024];
    client.send_head(&request).unwrap();
    assert_eq!(client.read_head().unwrap().status, 413);
    assert_eq!(fake.stats().body_bytes, 0);
}

#[test]
fn a_wrong_signature_is_refused_before_the_body_is_judged() {
    let (fake, mut client) = start();
    let not_json = b"not even JSON";
    let with = |change: fn(&mut Signer)| {
        let mut signer = Signer::default();
        change(&mut signer);
        let mut request = Request::unsigned(not_json);
        request.sign(&signer);
        request
    };
    let tampered = |change: fn(&mut Request)| {
        let mut request = with(|_| {});
        change(&mut request);
        request
    };
    let invalid = "InvalidSignatureException";
    for (request, kind) in [
        (
            Request::unsigned(not_json),
            "MissingAuthenticationTokenException",
        ),
        (
            with(|signer| signer.access_key = "AKIDUNKNOWN"),
            "UnrecognizedClientException",
        ),
        (
            with(|signer| signer.token = Some("t")),
            "UnrecognizedClientException",
        ),
        (with(|signer| signer.secret_key = "wrong"), invalid),
        (with(|signer| signer.service = "kinesis"), invalid),
        (
            with(|signer| signer.at -= Duration::from_secs(330)),
            invalid,
        ),
        (
            with(|signer| signer.at += Duration::from_secs(330)),
            invalid,
        ),
        (tampered(|request| request.body.push(b' ')), invalid),
        (tampered(|request| request.body[0] = b'N'), invalid),
        (tampered(|request| request.set("host", "other")), invalid),
        (
            tampered(|request| request.set("x-amz-more", "unsigned")),
            invalid,
        ),
        (
            tampered(|request| request.set("authorization", "Bearer x")),
            "IncompleteSignatureException",
        ),
        // Signed as it should be: only now is the body looked at.
        (with(|_| {}), "SerializationException"),
    ] {
        let response = client.call(&request).unwrap();
        assert_eq!(response.status, 400);
        assert_eq!(response.error(), kind, "{response:?}");
    }
    assert_eq!(fake.stats().records, 0);
}

#[test]
fn session_tokens_regions_and_clocks_are_as_set_up() {
    let fake = FakeFirehose::start(Settings {
        credentials: vec![Credentials {
            session_token: Some("token".to_owned()),
            ..Credentials::default()
        }],
        region: Some("ap-northeast-2".to_owned()),
        clock_offset_seconds: -3_600,
        ..Settings::default()
    })
    .unwrap();
    let mut client = Client::connect(fake.address());
    let mut call = |change: fn(&mut Signer)| -> Response {
        let mut signer = Signer {
            token: Some("token"),
            region: "ap-northeast-2",
            at: OffsetDateTime::now_utc() - Duration::from_secs(3_600),
            ..Signer::default()
        };
        change(&mut signer);
        let mut request = Request::put(&["x"]);
        request.headers.retain(|(name, _)| *name != "authorization");
        request.sign(&signer);
        client.call(&request).unwrap()
    };
    assert_eq!(call(|_| {}).status, 200);
    let unknown = "UnrecognizedClientException";
    assert_eq!(call(|signer| signer.token = None).error(), unknown);
    assert_eq!(call(|signer| signer.token = Some("old")).error(), unknown);
    let invalid = "InvalidSignatureException";
    assert_eq!(call(|signer| signer.region = "us-east-1").error(), invalid);
    let skewed = call(|signer| signer.at = OffsetDateTime::now_utc());
    assert_eq!(skewed.error(), invalid);
    // The clock by which a client can correct its own is the service's.
    let date = skewed.header("date").unwrap().to_owned();
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = time::PrimitiveDateTime::parse(&date, format).unwrap();
    let behind = OffsetDateTime::now_utc() - date.assume_utc();
    assert!((3_599..3_700).contains(&behind.whole_seconds()), "{behind}");
}

#[test]
fn only_put_record_batch_is_answered() {
    let (_fake, mut client) = start();
    for (header, value) in [
        ("x-amz-target", "Firehose_20150804.PutRecord"),
        ("content-type", "application/json"),
    ] {
        let mut request = Request::unsigned(b"{}");
        request.set(header, value);
        request.sign(&Signer::default());
        let response = client.call(&request).unwrap();
        assert_eq!(response.status, 400);
        assert_eq!(response.error(), "UnknownOperationException");
    }
}

#[test]
fn counts_are_the_same_when_no_bytes_are_kept() {
    let [kept, counted] = [Keep::Records, Keep::Counts].map(|keep| {
        let fake = FakeFirehose::start(Settings {
            keep,
            ..Settings::default()
        })
        .unwrap();
        let mut client = Client::connect(fake.address());
        client.call(&Request::put(&["a\nb\n", "c\n"])).unwrap();
        fake
    });
    let counts = |fake: &FakeFirehose| {
        let mut stats = fake.stats();
        for stream in stats.streams.values_mut() {
            // Two services are not called in the same millisecond.
            stream.first_accepted_ms = None;
            stream.last_accepted_ms = None;
        }
        stats
    };
    assert_eq!(counts(&kept), counts(&counted));
    assert_eq!(kept.documents(), b"a\nb\nc\n");
    assert!(counted.documents().is_empty() && counted.records().is_empty());
}

#[test]
fn latency_passes_before_every_answer_and_after_its_records_are_stored() {
    let fake = FakeFirehose::start(Settings {
        latency: Duration::from_secs(3_600),
        ..Settings::default()
    })
    .unwrap();
    let mut clients = [(); 2].map(|()| Client::connect(fake.address()));
    clients[0].send(&Request::put(&["a\n"])).unwrap();
    assert!(fake.wait_for_requests(1, PATIENCE));
    clients[1]
        .send(&Request::put_to("other", &["b\n"]))
        .unwrap();
    assert!(fake.wait_for_requests(2, PATIENCE));
    // The control API is not the service, and answers at once.
    let mut control = Client::connect(fake.address());
    let documents = control.control("GET", "/_fake/documents").unwrap();
    assert_eq!(documents.body, b"a\n");
    assert!(clients.iter_mut().all(Client::is_silent));
}

#[test]
fn streams_are_kept_apart_and_connections_counted() {
    let fake = FakeFirehose::start(Settings {
        streams: vec!["one".to_owned(), "two".to_owned()],
        ..Settings::default()
    })
    .unwrap();
    for stream in ["one", "two"] {
        let mut client = Client::connect(fake.address());
        for _ in 0..2 {
            let response = client.call(&Request::put_to(stream, &[stream])).unwrap();
            assert_eq!(response.status, 200);
        }
    }
    let streams: Vec<_> = fake.records().into_iter().map(|kept| kept.stream).collect();
    assert_eq!(streams, ["one", "one", "two", "two"]);
    assert_eq!(fake.stats().connections, 2);
    assert_eq!(fake.stats().max_concurrent_requests, 1);
    let refused = Client::connect(fake.address())
        .call(&Request::put(&["x"]))
        .unwrap();
    assert_eq!(refused.error(), "ResourceNotFoundException");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_is_noted() {
    let (fake, mut client) = start();
    client.send_head(&Request::put(&["x"])).unwrap();
    drop(client);
    assert!(fake.wait_for_requests(1, PATIENCE));
    assert_eq!(fake.requests()[0].outcome, Outcome::Disconnected);
    assert_eq!(fake.requests()[0].body_bytes, 0);
}

#[test]
fn tls_is_trusted_by_its_authority_for_each_loopback_name() {
    let fake = FakeFirehose::start(Settings {
        tls: true,
        ..Settings::default()
    })
    .unwrap();
    assert!(fake.url().starts_with("https://localhost:"));
    let ca_pem = fake.ca_pem().unwrap();
    for name in ["localhost", "127.0.0.1"] {
        let mut client = Client::connect_tls(fake.address(), name, ca_pem);
        for _ in 0..2 {
            assert_eq!(
                client.call(&Request::put(&full_call(0))).unwrap().status,
                200
            );
        }
    }
    assert_eq!(fake.stats().connections, 2);

    let other = FakeFirehose::start(Settings {
        tls: true,
        ..Settings::default()
    })
    .unwrap();
    for (name, ca_pem) in [
        ("example.com", ca_pem),
        ("localhost", other.ca_pem().unwrap()),
    ] {
        let mut client = Client::connect_tls(fake.address(), name, ca_pem);
        let error = client.call(&Request::put(&["x"])).unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[test]
fn the_service_stops_when_dropped() {
    let (fake, mut client) = start();
    client.call(&Request::put(&["x"])).unwrap();
    let address = fake.address();
    drop(fake);
    assert!(client.call(&Request::put(&["x"])).is_err());
    // The port is free for another, as after a restart.
    let again = FakeFirehose::start(Settings {
        port: address.port(),
        ..Settings::default()
    })
    .unwrap();
    assert_eq!(again.address(), address);
    assert_eq!(again.url(), format!("http://{address}"));
    let occupied = FakeFirehose::start(Settings {
        port: address.port(),
        ..Settings::default()
    });
    let message = occupied.err().unwrap().to_string();
    assert!(message.contains(&address.port().to_string()), "{message}");
}

#[test]
fn a_stream_that_could_not_exist_is_refused_at_the_start() {
    let settings = Settings {
        streams: vec!["a b".to_owned()],
        ..Settings::default()
    };
    let message = FakeFirehose::start(settings).err().unwrap().to_string();
    assert!(message.contains("'a b'"), "{message}");
}
