//! Chunks that no host would write, through the C ABI, on the stack of a flush: none of them ends
//! the process, and what is whole beside them arrives.

use std::thread;

use firehose_host::{FLB_ERROR, FLB_OK, HostVersion, LogLevel, take_logs};

use crate::host::{Host, chunk, flush, with};
use crate::support::logs::{assert_exactly_once, http_logs};
use crate::support::service::Service;

const DEPTH: usize = 200_000;

/// Heads that claim the most that 32 bits can: strings, bytes, an ext, arrays, maps.
const CLAIMS: [&[u8]; 5] = [b"\xdb", b"\xc6", b"\xc9", b"\xdd", b"\xdf"];

#[test]
fn a_length_of_4_gib_ends_the_chunk_and_not_the_process() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("claims", &service.options("logs"));
    let lines = http_logs(0..75);
    let mut chunks = lines.chunks(5);
    // As a value among events, a head's time, its metadata, a body, a key, a value.
    let places: [&[u8]; 3] = [b"", b"\x92\x92\x01", b"\x92\x01\x82\xa1a\x01\xa1b"];
    for claim in CLAIMS {
        for place in places {
            let mut bytes = chunk(chunks.next().expect("there are lines for each case"));
            bytes.extend_from_slice(place);
            bytes.extend_from_slice(claim);
            bytes.extend_from_slice(&[0xff; 4]);
            bytes.extend_from_slice(&[0; 40]);
            assert_eq!(flush(&instance, &bytes), FLB_OK);
        }
    }
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn depth_is_survived_wherever_it_is() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let extra = [
        ("data_keys", "n,d"),
        ("time_key", "d"),
        ("replace_dots", "_"),
        ("simple_aggregation", "true"),
        ("linger", "100ms"),
    ];
    let instance = host.init("depth", &with(&extra, service.options("logs")));
    let arrays = [vec![0x91; DEPTH], vec![0xc0]].concat();
    let maps = [b"\x81\xa3a.b".repeat(DEPTH), vec![0xc0]].concat();
    let keys = [vec![0x81; DEPTH], vec![0xc0; DEPTH + 1]].concat();
    for deep in [&arrays, &maps, &keys] {
        let events = [
            // No event.
            deep.clone(),
            // An event's metadata, a group's attributes.
            [b"\x92\x92\x01", &deep[..], b"\x81\xa1n\x01"].concat(),
            [b"\x92\xff", &deep[..]].concat(),
            // A body, a value that is kept, one that is left out, one that the time replaces.
            [b"\x92\x01", &deep[..]].concat(),
            [b"\x92\x01\x81\xa1n", &deep[..]].concat(),
            [b"\x92\x01\x81\xa1x", &deep[..]].concat(),
            [b"\x92\x01\x81\xa1d", &deep[..]].concat(),
            // A key.
            [b"\x92\x01\x81", &deep[..], b"\x01"].concat(),
        ];
        assert_eq!(flush(&instance, &events.concat()), FLB_OK);
    }
    // Depth without an end, and nothing before it that is good.
    assert_eq!(flush(&instance, &vec![0x91; DEPTH]), FLB_ERROR);
    assert_eq!(flush(&instance, &chunk(&["{\"n\":7}".to_owned()])), FLB_OK);
    let documents = service.fake.documents();
    let last = documents.split_inclusive(|byte| *byte == b'\n').next_back();
    let last = String::from_utf8_lossy(last.expect("documents arrived"));
    assert!(last.starts_with("{\"n\":7,\"d\":\""), "{last}");
}

#[test]
fn text_that_is_not_utf_8_arrives_with_its_faults_marked() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("utf8", &service.options("logs"));
    // A byte that is never text, a cut character, a surrogate, an overlong slash.
    let bytes = b"\x92\x01\x83\xa2k\xff\x01\xa1s\xa9a\xff \xe6\x97 \xc0\xafz\xa1t\xa3\xed\xa0\x80";
    assert_eq!(flush(&instance, bytes), FLB_OK);
    let expected = "{\"k\u{fffd}\":1,\"s\":\"a\u{fffd} \u{fffd} \u{fffd}\u{fffd}z\",\
                    \"t\":\"\u{fffd}\u{fffd}\u{fffd}\"}\n";
    let documents = service.fake.documents();
    assert_eq!(String::from_utf8_lossy(&documents), expected);
}

#[test]
fn bytes_at_random_are_survived() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("noise", &service.options("logs"));
    let mut random = fastrand::Rng::with_seed(1);
    for length in 0..300 {
        let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        // Where nothing is good the host is told so.
        assert!([FLB_OK, FLB_ERROR].contains(&flush(&instance, &bytes)));
    }
}

/// Whoever sends logs may choose their tag.
#[test]
fn a_tag_makes_no_line_of_its_own() {
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let instance = host.init("forged", &service.options("logs"));
    let tag = "t\n[error] [output:firehose:forged] all is lost\r\u{1b}[2J\u{85}";
    let answer = instance.flush(b"\xc1", tag);
    assert_eq!(answer, FLB_ERROR);
    let lines = take_logs("[output:firehose:forged] ");
    assert!(lines.iter().any(|line| line.text.contains("all is lost")));
    for line in lines {
        assert!(!line.text.contains(char::is_control), "{:?}", line.text);
    }
}

/// These options go into host names, headers and files of others. What is refused at start is
/// refused with a line; what is taken ends no flush by a panic.
#[test]
fn values_that_are_no_names_end_nothing_by_a_panic() {
    const VALUES: [&str; 7] = [
        "a b",
        "a\nb",
        "서울",
        "a/../b",
        "a@b:1#",
        "\u{7f}",
        "a/..%/@b:1+",
    ];
    let service = Service::plain();
    let host = Host::start(HostVersion::V5_1);
    let keys = ["region", "profile", "role_arn", "external_id"];
    // Side by side, as those that are taken try again until their flush is out of time.
    let taken: Vec<(&str, &str)> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, value) in VALUES.into_iter().enumerate() {
            for key in keys {
                let (host, service) = (&host, &service);
                threads.push(scope.spawn(move || {
                    flush_with(host, service, number, key, value).then_some((key, value))
                }));
            }
        }
        let results = threads.into_iter().map(|thread| thread.join());
        results
            .filter_map(|result| result.expect("the flush's thread ends well"))
            .collect()
    });
    let expected = [
        ("profile", "a/../b"),
        ("role_arn", "a/../b"),
        ("external_id", "a/../b"),
        ("profile", "a/..%/@b:1+"),
    ];
    assert_eq!(taken, expected);
}

/// Whether the value was taken.
fn flush_with(
    host: &Host,
    service: &Service,
    number: usize,
    key: &'static str,
    value: &str,
) -> bool {
    let name = format!("odd-{key}-{number}");
    let role = match key {
        "role_arn" => format!("arn:aws:iam::000000000000:role/{value}"),
        _ => "arn:aws:iam::000000000000:role/logs".to_owned(),
    };
    let url = service.fake.url();
    let mut extra = vec![("sts_endpoint", url.as_str()), ("flush_timeout", "1s")];
    match key {
        "role_arn" => extra.push((key, &role)),
        "external_id" => extra.extend([(key, value), ("role_arn", &role)]),
        _ => extra.push((key, value)),
    }
    let options = with(&extra, service.options("logs"));
    let instance = host.try_init(&name, &options, LogLevel::Info);
    let is_taken = instance.is_ok();
    if let Ok(instance) = instance {
        flush(&instance, &chunk(&http_logs(0..1)));
        instance.exit();
    }
    let lines = take_logs(&format!("[output:firehose:{name}] "));
    let refused = format!("{key} ");
    for line in lines {
        let text = &line.text;
        assert!(!text.contains("panic"), "{key} {value:?}: {text}");
        assert!(
            is_taken || text.contains(&refused),
            "{key} {value:?}: {text}"
        );
    }
    is_taken
}
