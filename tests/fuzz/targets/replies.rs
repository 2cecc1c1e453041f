//! What an endpoint answers to a call: the plugin's client, against a server on loopback that
//! says whatever the input makes it say, and then closes the connection.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use arbitrary::Unstructured;
use bytes::Bytes;
use firehose::aws::Firehose;
use firehose::service::{Sent, Service};
use firehose_core::options::Access;
use serde_json::Value;
use tokio::runtime::Runtime;

/// In each call.
pub(crate) const RECORDS: usize = 3;

/// An answer is whole when it is written, and the connection then closed: a call that takes this
/// long waits for what can't come.
const FOREVER: Duration = Duration::from_secs(60);

const STATUSES: [u16; 8] = [200, 200, 200, 400, 403, 413, 500, 503];

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    /// More bytes than there are.
    Longer,
    /// Fewer bytes than there are.
    Shorter,
    /// The body ends with the connection.
    Close,
    Chunks,
    /// Without the last chunk.
    CutChunks,
}

const FRAMINGS: [Framing; 6] = [
    Framing::Length,
    Framing::Longer,
    Framing::Shorter,
    Framing::Close,
    Framing::Chunks,
    Framing::CutChunks,
];

/// What is written to the connection.
struct Reply {
    bytes: Vec<u8>,
    claim: Claim,
}

/// What a client may take an answer for.
enum Claim {
    Failure,
    /// A success with this body.
    Success(Vec<u8>),
    /// The input brought its own HTTP: whatever its author likes.
    Unknown,
}

pub(crate) fn run(data: &[u8]) {
    let Some(reply) = reply(data) else {
        return;
    };
    let Some(accepted) = Endpoint::shared().put(reply.bytes) else {
        return;
    };
    assert_eq!(accepted.len(), RECORDS);
    let body = match reply.claim {
        Claim::Failure => panic!("an answer that is none was taken"),
        Claim::Success(body) => body,
        Claim::Unknown => return,
    };
    let body: Value = serde_json::from_str(&blanked(&body)).unwrap_or_else(|error| {
        let body = body.escape_ascii();
        panic!("an answer that is no JSON was taken: {error}: {body}")
    });
    let entries = body["RequestResponses"].as_array();
    let entries = entries.expect("an answer without entries was taken");
    assert_eq!(entries.len(), RECORDS);
    for (entry, is_accepted) in entries.iter().zip(accepted) {
        let says_so = entry["RecordId"].is_string() && entry["ErrorCode"].is_null();
        assert!(!is_accepted || says_so, "{entry} was taken as accepted");
    }
}

/// The SDK takes strings with control characters in them, which harm nobody.
fn blanked(body: &[u8]) -> String {
    String::from_utf8_lossy(body).replace(|c: char| c.is_ascii_control(), " ")
}

/// An input's end says how the rest of it goes over the wire, so that JSON is a good input as it
/// is.
fn reply(data: &[u8]) -> Option<Reply> {
    let (body, mut options) = super::split(data);
    build(body, &mut options).ok()
}

fn build(body: &[u8], options: &mut Unstructured<'_>) -> arbitrary::Result<Reply> {
    if options.ratio(1_u8, 8_u8)? {
        // No head is added: the input brings its own, or is no HTTP.
        return Ok(Reply {
            bytes: body.to_vec(),
            claim: Claim::Unknown,
        });
    }
    let status = match options.ratio(1_u8, 8_u8)? {
        true => options.int_in_range(100..=999)?,
        false => *options.choose(&STATUSES)?,
    };
    let framing = *options.choose(&FRAMINGS)?;
    let mut bytes = format!("HTTP/1.1 {status} x\r\n").into_bytes();
    if options.ratio(1_u8, 4_u8)? {
        bytes.extend_from_slice(b"x-amzn-errortype: ");
        let kind = options.bytes(4)?;
        bytes.extend(kind.iter().filter(|byte| !b"\r\n".contains(byte)));
        bytes.extend_from_slice(b"\r\n");
    }
    let mut read = Some(body);
    match framing {
        Framing::Length => push_body(&mut bytes, body.len(), body),
        Framing::Longer => {
            push_body(&mut bytes, body.len() + 1, body);
            read = None;
        }
        Framing::Shorter => {
            let length = body.len().saturating_sub(1);
            push_body(&mut bytes, length, body);
            read = body.get(..length);
        }
        Framing::Close => {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(body);
        }
        Framing::Chunks | Framing::CutChunks => {
            bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(50) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            if framing == Framing::Chunks {
                bytes.extend_from_slice(b"0\r\n\r\n");
            } else {
                read = None;
            }
        }
    }
    let claim = match read {
        Some(body) if (200..300).contains(&status) => Claim::Success(body.to_vec()),
        _ => Claim::Failure,
    };
    Ok(Reply { bytes, claim })
}

fn push_body(bytes: &mut Vec<u8>, length: usize, body: &[u8]) {
    bytes.extend(format!("content-length: {length}\r\n\r\n").into_bytes());
    bytes.extend_from_slice(body);
}

/// The client and the server it calls: one of each, as a client takes long to make.
pub(crate) struct Endpoint {
    runtime: Runtime,
    firehose: Firehose,
    reply: Arc<Mutex<Arc<Vec<u8>>>>,
}

impl Endpoint {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Endpoint> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        set_environment();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr();
        let address: SocketAddr = address.expect("a bound socket has an address");
        let reply = Arc::new(Mutex::new(Arc::new(Vec::new())));
        let replies = Arc::clone(&reply);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Not locked while it is written: a client that reads no further is only told to
                // go on by the next call, which sets the next reply.
                let reply = Arc::clone(&replies.lock().unwrap_or_else(PoisonError::into_inner));
                answer(stream, &reply);
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            runtime: runtime.expect("a runtime starts"),
            firehose: Firehose::new(
                Access {
                    endpoint: Some(format!("http://{address}")),
                    region: Some("us-east-1".to_owned()),
                    ..Access::default()
                },
                FOREVER,
            ),
            reply,
        }
    }

    /// One call that is answered with these bytes: which of its records count as accepted, or
    /// none if the answer is no answer.
    pub(crate) fn put(&self, reply: Vec<u8>) -> Option<Vec<bool>> {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(reply);
        let body = Bytes::from_static(b"{\"DeliveryStreamName\":\"logs\",\"Records\":[]}");
        let put = async {
            self.firehose.ready().await;
            self.firehose.put(body, RECORDS, Sent::default()).await
        };
        let call = async { tokio::time::timeout(FOREVER, put).await };
        let answer = self.runtime.block_on(call).expect("a call never returned");
        match answer {
            Ok(results) => Some(results.iter().map(Result::is_ok).collect()),
            Err(error) => {
                let text = error.to_string();
                assert!(!text.contains('\n'), "{text:?} is two lines");
                assert!(text.len() < 4000, "a line of {} bytes", text.len());
                None
            }
        }
    }
}

/// Reads one request and answers it. A client that breaks off is its own affair.
fn answer(stream: TcpStream, reply: &[u8]) {
    let mut reader = BufReader::new(&stream);
    if read_request(&mut reader).is_some() {
        drop((&stream).write_all(reply));
    }
    drop(stream.shutdown(Shutdown::Both));
}

fn read_request(reader: &mut impl BufRead) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    Some(())
}

/// Credentials of nobody, and no way off loopback.
fn set_environment() {
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("NO_PROXY", "127.0.0.1"),
    ] {
        // SAFETY: all that reads the environment in this process is Rust's own library, which
        // locks it.
        unsafe { env::set_var(name, value) };
    }
}
