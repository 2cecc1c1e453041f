//! Each fault of a scenario, seen from a socket.

use std::io::ErrorKind;

use fake_firehose::{FakeFirehose, Outcome, Scenario, Settings};

use crate::client::{Client, PATIENCE, Request, Response};

/// The default keep-alive connection, and a service with these steps.
fn start(steps: &str) -> (FakeFirehose, Client) {
    let fake = FakeFirehose::start(Settings {
        scenario: Scenario::parse(steps).unwrap(),
        ..Settings::default()
    })
    .unwrap();
    let client = Client::connect(fake.address());
    (fake, client)
}

fn put(client: &mut Client) -> Response {
    client.call(&Request::put(&["a\n", "b\n", "c\n"])).unwrap()
}

fn outcomes(fake: &FakeFirehose) -> Vec<Outcome> {
    let requests = fake.requests().into_iter();
    requests.map(|request| request.outcome).collect()
}

#[test]
fn steps_go_one_to_each_request_and_then_all_is_well() {
    let (fake, mut client) = start(
        "[[step]]\nrefuse = [1]\n[[step]]\nrepeat = 2\nstatus = 503\ntype = \"T\"\nmessage = \"m\"",
    );
    let refused = put(&mut client);
    assert_eq!(refused.status, 200);
    assert_eq!(refused.json()["FailedPutCount"], 1);
    for _ in 0..2 {
        let failed = put(&mut client);
        assert_eq!(failed.status, 503);
        assert_eq!(failed.error(), "T");
        assert_eq!(failed.json()["message"], "m");
        assert!(failed.header("x-amzn-requestid").is_some());
    }
    assert_eq!(put(&mut client).json()["FailedPutCount"], 0);
    assert_eq!(fake.documents(), b"a\nc\na\nb\nc\n");
    let failed = Outcome::Error("T".to_owned());
    assert_eq!(
        outcomes(&fake),
        [Outcome::Refused, failed.clone(), failed, Outcome::Accepted]
    );
    let accepted: Vec<_> = fake.requests().iter().map(|log| log.accepted).collect();
    assert_eq!(accepted, [2, 0, 0, 3]);

    fake.reset();
    assert_eq!(put(&mut client).json()["FailedPutCount"], 1, "begun anew");
}

#[test]
fn an_invalid_request_never_succeeds_and_uses_up_its_step() {
    let (fake, mut client) = start("[[step]]\naccept = true\n[[step]]\nrefuse = \"all\"");
    let invalid = client.call(&Request::put_to("other", &["x"])).unwrap();
    assert_eq!(invalid.error(), "ResourceNotFoundException");
    assert_eq!(put(&mut client).json()["FailedPutCount"], 3);
    assert_eq!(fake.stats().records, 0);
}

#[test]
fn an_error_can_hide_that_the_records_were_stored() {
    let (fake, mut client) =
        start("[[step]]\nstatus = 500\ntype = \"InternalFailure\"\nstored = true");
    assert_eq!(put(&mut client).status, 500);
    assert_eq!(fake.documents(), b"a\nb\nc\n");
    assert_eq!(fake.requests()[0].accepted, 3);
}

#[test]
fn a_lower_limit_is_answered_like_the_service_s_own() {
    let (fake, mut client) = start("[[step]]\nrepeat = \"forever\"\nmax_bytes = 5");
    let refused = put(&mut client);
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error(), "InvalidArgumentException");
    assert_eq!(refused.json()["message"], "Records size exceeds 4 MB limit");
    let held = client.call(&Request::put(&["a\n", "b\n"])).unwrap();
    assert_eq!(held.status, 200);
    assert_eq!(fake.documents(), b"a\nb\n");
}

#[test]
fn a_hung_request_stays_silent_while_others_are_answered() {
    let (fake, mut hung) = start("[[step]]\nhang = true\n[[step]]\nhang = true\nstored = true");
    hung.send(&Request::put(&["lost\n"])).unwrap();
    assert!(fake.wait_for_requests(1, PATIENCE));
    let mut kept = Client::connect(fake.address());
    kept.send(&Request::put(&["kept\n"])).unwrap();
    assert!(fake.wait_for_requests(2, PATIENCE));
    assert_eq!(put(&mut Client::connect(fake.address())).status, 200);

    assert!(hung.is_silent() && kept.is_silent());
    assert_eq!(fake.documents(), b"kept\na\nb\nc\n");
    assert_eq!(
        outcomes(&fake),
        [Outcome::Hung, Outcome::Hung, Outcome::Accepted]
    );
    assert_eq!(fake.stats().max_concurrent_requests, 3);
    // The service stops although two requests are open.
    drop(fake);
    assert!(!hung.is_silent() && !kept.is_silent());
}

#[test]
fn a_delayed_answer_comes_after_the_records_are_stored() {
    let (fake, mut client) =
        start("[[step]]\ndelay_ms = 3600000\n[[step]]\ndelay_ms = 1\nrefuse = [0]");
    client.send(&Request::put(&["early\n"])).unwrap();
    assert!(fake.wait_for_requests(1, PATIENCE));
    assert_eq!(fake.documents(), b"early\n");
    let answered = put(&mut Client::connect(fake.address()));
    assert_eq!(answered.json()["FailedPutCount"], 1);
    assert!(client.is_silent());
}

#[test]
fn a_reset_before_does_not_wait_for_the_body() {
    let (fake, mut client) = start("[[step]]\nreset = \"before\"");
    client.send_head(&Request::put(&["lost\n"])).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(put(&mut Client::connect(fake.address())).status, 200);
    assert_eq!(fake.documents(), b"a\nb\nc\n");
    assert_eq!(outcomes(&fake), [Outcome::Reset, Outcome::Accepted]);
}

#[test]
fn a_reset_after_leaves_the_records_stored() {
    let (fake, mut client) = start("[[step]]\nreset = \"after\"");
    client.send(&Request::put(&["kept\n"])).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(fake.documents(), b"kept\n");
    assert_eq!(outcomes(&fake), [Outcome::Reset]);
}

#[test]
fn a_reset_under_tls_is_one_of_the_tcp_connection() {
    let fake = FakeFirehose::start(Settings {
        tls: true,
        scenario: Scenario::parse("[[step]]\nreset = \"after\"").unwrap(),
        ..Settings::default()
    })
    .unwrap();
    let mut client = Client::connect_tls(fake.address(), "localhost", fake.ca_pem().unwrap());
    client.send(&Request::put(&["kept\n"])).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(fake.documents(), b"kept\n");
}

#[test]
fn a_dripping_answer_comes_a_byte_at_a_time() {
    let (fake, mut client) =
        start("[[step]]\ndrip_ms = 3600000\n[[step]]\nrefuse = \"all\"\ndrip_ms = 1");
    client.send(&Request::put(&["kept\n"])).unwrap();
    assert_eq!(client.read_head().unwrap().status, 200);
    let mut buffer = [0; 1024];
    assert_eq!(client.read(&mut buffer).unwrap(), 1);
    assert_eq!(buffer[0], b'{');

    let dripped = put(&mut Client::connect(fake.address()));
    assert_eq!(dripped.json()["FailedPutCount"], 3);
    assert!(client.is_silent());
}

#[test]
fn a_closed_connection_was_not_announced() {
    for steps in [
        "[[step]]\nclose = true",
        "[[step]]\nclose = true\ndrip_ms = 1",
    ] {
        let (fake, mut client) = start(steps);
        let answer = client.call(&Request::put(&["a\n"])).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["FailedPutCount"], 0);
        assert_eq!(answer.header("connection"), None);
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "an orderly end");
        assert_eq!(put(&mut Client::connect(fake.address())).status, 200);
        assert_eq!(fake.stats().connections, 2);
    }
}

#[test]
fn a_misshapen_reply_is_whole_http() {
    let (fake, mut client) = start(
        "[[step]]\nreply = \"truncated\"\n[[step]]\nreply = \"garbage\"\n\
         [[step]]\nreply = \"short_responses\"\n[[step]]\nreply = \"wrong_count\"",
    );
    for expected_bytes in [100..1_000, 5_000_000..5_000_001] {
        let reply = put(&mut client);
        assert_eq!(reply.status, 200);
        assert!(expected_bytes.contains(&reply.body.len()));
        assert!(serde_json::from_slice::<serde_json::Value>(&reply.body).is_err());
    }
    let short = put(&mut client).json();
    assert_eq!(short["RequestResponses"].as_array().unwrap().len(), 2);
    let wrong = put(&mut client).json();
    assert_eq!(wrong["RequestResponses"].as_array().unwrap().len(), 3);
    assert_eq!(wrong["FailedPutCount"], 1);
    assert_eq!(fake.stats().records, 12, "all of them are stored");
    assert_eq!(fake.stats().connections, 1);
}

#[test]
fn a_quota_holds_for_each_stream_until_all_begins_anew() {
    // The first record overdraws the quota by more than a day.
    let fake = FakeFirehose::start(Settings {
        streams: vec!["slow".to_owned(), "free".to_owned()],
        scenario: Scenario::parse("[quota.slow]\nbytes_per_second = 1").unwrap(),
        ..Settings::default()
    })
    .unwrap();
    let mut client = Client::connect(fake.address());
    let long = "x".repeat(100_000);
    let mut put = |stream| {
        let request = Request::put_to(stream, &[&long, "b\n"]);
        client.call(&request).unwrap().json()["FailedPutCount"].clone()
    };
    assert_eq!([put("slow"), put("slow"), put("free")], [1, 2, 0]);
    let stats = fake.stats().streams;
    let sums = ["slow", "free"].map(|stream| {
        let stream = &stats[stream];
        (stream.requests, stream.sent_bytes, stream.accepted_bytes)
    });
    assert_eq!(sums, [(2, 200_004, 100_000), (1, 100_002, 100_002)]);

    fake.reset();
    assert_eq!(put("slow"), 1, "begun anew");
}

#[test]
fn refusals_of_a_quota_are_free_unless_it_counts_them() {
    let fake = FakeFirehose::start(Settings {
        streams: vec!["free".to_owned(), "counted".to_owned()],
        scenario: Scenario::parse(
            "[quota]\nbytes_per_second = 1000\n\
             [quota.counted]\nbytes_per_second = 1000\ncounts_refused = true",
        )
        .unwrap(),
        ..Settings::default()
    })
    .unwrap();
    let mut client = Client::connect(fake.address());
    let records = [600, 600, 300].map(|bytes| "x".repeat(bytes));
    let records = records.each_ref().map(String::as_str);
    for (stream, accepted_bytes) in [("free", 1_200), ("counted", 600)] {
        client.call(&Request::put_to(stream, &records)).unwrap();
        let sums = &fake.stats().streams[stream];
        assert_eq!(
            (sums.sent_bytes, sums.accepted_bytes),
            (1_500, accepted_bytes)
        );
    }
}

#[test]
fn a_service_that_is_down_refuses_connections_and_comes_back_with_its_memory() {
    let mut fake = FakeFirehose::start(Settings {
        tls: true,
        ..Settings::default()
    })
    .unwrap();
    let pem = fake.ca_pem().unwrap().to_owned();
    let connect = |address| Client::connect_tls(address, "localhost", &pem);
    let address = fake.address();
    let mut before = connect(address);
    assert_eq!(put(&mut before).status, 200);

    fake.go_down();
    assert!(before.call(&Request::put(&["lost\n"])).is_err());
    let refused = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    fake.come_up().unwrap();
    assert_eq!(put(&mut connect(address)).status, 200);
    assert_eq!(fake.stats().documents, 6);
}
