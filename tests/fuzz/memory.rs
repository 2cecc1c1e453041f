//! What hostile input costs in memory: never what it claims, and no more than a few times what it
//! is. Counted is what the test's own thread allocates, on which the client runs too.

use allocation_counter::measure;
use firehose_core::options::Config;
use firehose_core::pack::batch::Batch;
use firehose_core::pack::packer::{OneChunk, Packer};

use crate::targets::packed;
use crate::targets::replies::Endpoint;

const SIZE: usize = 1_000_000;
/// What a client and its buffers cost by themselves, whatever they carry.
const OWN: usize = 1_000_000;
/// The tables of keys that a formatter has, whatever its chunk.
const TABLES: usize = 50_000;

/// The factors come of a control character, which has one byte in msgpack and six in JSON, and of
/// a level of depth, which has one byte and takes eight to remember, and sixteen more to cut its
/// document; a buffer that grows by doubling holds twice that, and while it moves three times.
#[test]
fn chunks_cost_a_few_times_their_size() {
    let claims: Vec<Vec<u8>> = [0xdb, 0xc6, 0xc9, 0xdd, 0xdf]
        .map(|head| {
            [
                b"\x92\x01\x81\xa1a",
                &[head, 0xff, 0xff, 0xff, 0xff][..],
                &[0; 100],
            ]
            .concat()
        })
        .into();
    for claim in claims {
        assert_cost(&claim, 100, "a claim of 4 GiB");
    }
    let event = |body: &[u8]| [b"\x92\x01", body].concat();
    let long = |head: u8, size: usize| [&[head][..], &(size as u32).to_be_bytes()].concat();
    let arrays = [vec![0x91; SIZE], vec![0xc0]].concat();
    let maps = [vec![0x81; SIZE / 2], vec![0xc0; SIZE / 2 + 1]].concat();
    let cases = [
        ("depth", event(&[b"\x81\xa1a", &arrays[..]].concat())),
        ("depth of keys", event(&maps)),
        ("depth of no event", arrays.clone()),
        ("depth without an end", vec![0x91; SIZE]),
        (
            "control characters",
            event(&[b"\x81\xa1a", &long(0xdb, SIZE)[..], &[1; SIZE]].concat()),
        ),
        (
            "bytes that are no text",
            event(&[b"\x81\xa1a", &long(0xdb, SIZE)[..], &[0xff; SIZE]].concat()),
        ),
        (
            "control characters in a key's key",
            event(&[b"\x81\x91", &long(0xdb, SIZE)[..], &[1; SIZE], b"\x01"].concat()),
        ),
        (
            "small values",
            event(&[b"\x81\xa1a", &long(0xdd, SIZE)[..], &[0xc2; SIZE]].concat()),
        ),
        (
            "keys twice at every depth",
            event(&[&b"\x82\xa0\xc0\xa0".repeat(SIZE / 4)[..], b"\xc0"].concat()),
        ),
        (
            "the same key again and again",
            event(&[&long(0xdf, SIZE / 2)[..], &b"\x01".repeat(SIZE)].concat()),
        ),
        ("many keys", {
            let pairs = (0..SIZE as u32 / 6).flat_map(|key| {
                let [a, b, c, d] = key.to_be_bytes();
                [0xce, a, b, c, d, 0xc2]
            });
            event(&[long(0xdf, SIZE / 6), pairs.collect()].concat())
        }),
        ("empty events", b"\x92\x01\x80".repeat(SIZE / 3)),
        ("small strangers", vec![0xc0; SIZE]),
    ];
    for (what, bytes) in cases {
        assert_cost(&bytes, 40, what);
    }
}

fn assert_cost(bytes: &[u8], factor: usize, what: &str) {
    let config = Config::parse(|key| (key == "delivery_stream").then(|| "logs".to_owned()));
    let config = config.expect("the options are right");
    let cost = peak_of(|| {
        _ = packed::batches(bytes, &config.delivery.format, packed::PLAIN, None, |_| {})
    });
    let allowed = TABLES + factor * bytes.len();
    println!("{what}: {} bytes cost {cost}", bytes.len());
    assert!(
        cost <= allowed,
        "{what}: {} bytes cost {cost} bytes",
        bytes.len()
    );
}

/// What one giant document took to be written is not kept for those that follow.
#[test]
fn giants_are_not_kept() {
    const TEXT: usize = 100_000_000;
    const KEPT: i64 = 8_000_000;
    let head = [&b"\x92\x01\x81\xa1a\xdb"[..], &(TEXT as u32).to_be_bytes()].concat();
    let chunk = [&head[..], &vec![b'x'; TEXT]].concat();
    for options in [
        &[][..],
        &["simple_aggregation"],
        &["simple_aggregation", "compression"],
    ] {
        let config = Config::parse(|key| match key {
            "delivery_stream" => Some("logs".to_owned()),
            "compression" => options.contains(&key).then(|| "gzip".to_owned()),
            _ => options.contains(&key).then(|| "true".to_owned()),
        });
        let config = config.expect("the options are right");
        let mut left = None;
        let cost = measure(|| {
            let mut packer = Packer::new(&config.delivery_stream, config.packing);
            let mut batch = Batch::default();
            let mut source = OneChunk::new(&chunk);
            let format = &config.delivery.format;
            packer.pack(format, &mut source, packed::ROOM, &mut batch);
            assert_eq!(batch.documents(), 1);
            left = Some((packer, batch));
        });
        let kept = cost.bytes_current;
        drop(left);
        println!("a document of {TEXT} bytes leaves {kept} with {options:?}");
        assert!(kept <= KEPT, "{options:?} keep {kept} bytes");
    }
}

/// An answer of any length costs no more than the longest one that is read, of 512,000 bytes, and
/// what is found in it, which takes no more than the answer itself.
#[test]
fn replies_cost_no_more_than_what_is_read() {
    const GARBAGE: usize = 5_000_000;
    const READ: usize = 512_000;
    let endpoint = Endpoint::start();
    let mut random = fastrand::Rng::with_seed(1);
    let noise: Vec<u8> = (0..GARBAGE).map(|_| random.u8(..)).collect();
    let text = [
        b"{\"RequestResponses\":[{\"RecordId\":\"",
        &[b'x'; GARBAGE][..],
    ]
    .concat();
    let entries = |bytes: usize| {
        let entries = b"{},".repeat(bytes / 3 - 10);
        [b"{\"RequestResponses\":[", &entries[..], b"{}]}"].concat()
    };
    for (what, body) in [
        ("noise", noise),
        ("blanks", vec![b' '; GARBAGE]),
        ("brackets", vec![b'['; GARBAGE]),
        ("text", text),
        ("entries", entries(GARBAGE)),
        ("as many entries as are read", entries(READ)),
    ] {
        for status in [200, 500] {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n");
            let cost = cost_of_reply(&endpoint, [head.as_bytes(), &body].concat());
            println!("{status} with {length} bytes of {what} costs {cost}");
            assert!(cost <= OWN + 2 * READ, "{status} {what} costs {cost} bytes");
        }
    }
    // A length of 1 TiB, and nothing behind it.
    let claim = b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n{}";
    let cost = cost_of_reply(&endpoint, claim.to_vec());
    assert!(cost <= OWN, "a claimed length costs {cost} bytes");
}

fn cost_of_reply(endpoint: &Endpoint, reply: Vec<u8>) -> usize {
    // Lets go of the reply before, and, the first time, makes what is made once.
    endpoint.put(Vec::new());
    peak_of(|| assert_eq!(endpoint.put(reply), None))
}

/// The most bytes allocated at a time beyond those before.
fn peak_of(work: impl FnOnce()) -> usize {
    measure(work).bytes_max as usize
}
