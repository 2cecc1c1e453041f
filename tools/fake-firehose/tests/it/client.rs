//! A client made by hand: signs with code of its own, and shows what comes over the socket.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_firehose::{DEFAULT_STREAM, EXAMPLE_ACCESS_KEY, EXAMPLE_SECRET_KEY};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring::default_provider,
};

/// The longest that a test waits for bytes that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
    tcp: TcpStream,
}

pub(crate) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A request as it goes over the wire.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// What a request is signed with.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) access_key: &'static str,
    pub(crate) secret_key: &'static str,
    pub(crate) token: Option<&'static str>,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) at: OffsetDateTime,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

// === impl Client ===

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream: BufReader::new(Box::new(tcp.try_clone().unwrap())),
            tcp,
        }
    }

    pub(crate) fn connect_tls(address: SocketAddr, name: &str, ca_pem: &str) -> Client {
        let plain = Client::connect(address);
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = name.to_owned().try_into().unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = StreamOwned::new(connection, plain.tcp.try_clone().unwrap());
        Client {
            stream: BufReader::new(Box::new(stream)),
            tcp: plain.tcp,
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn call(&mut self, request: &Request) -> io::Result<Response> {
        self.send(request)?;
        let mut response = self.read_head()?;
        response.body = vec![0; response.length()];
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        self.send_head(request)?;
        self.stream.get_mut().write_all(&request.body)
    }

    /// Sends all but the body.
    pub(crate) fn send_head(&mut self, request: &Request) -> io::Result<()> {
        let mut head = "POST / HTTP/1.1\r\n".to_owned();
        for (name, value) in &request.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", request.body.len());
        self.stream.get_mut().write_all(head.as_bytes())
    }

    /// A request of the control API, and its answer.
    pub(crate) fn control(&mut self, method: &str, path: &str) -> io::Result<Response> {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(head.as_bytes())?;
        let mut response = self.read_head()?;
        response.body = vec![0; response.length()];
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// Reads an answer's status and headers, and leaves its body where it is.
    pub(crate) fn read_head(&mut self) -> io::Result<Response> {
        let status = self.read_line()?;
        let status = status
            .strip_prefix("HTTP/1.1 ")
            .ok_or_else(|| io::Error::other(format!("not an answer: {status:?}")))?;
        let mut response = Response {
            status: status[..3].parse().unwrap(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(": ") else {
                return Ok(response);
            };
            let header = (name.to_ascii_lowercase(), value.to_owned());
            response.headers.push(header);
        }
    }

    /// Reads into the buffer, like a socket.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    /// Is there nothing to read, not even the connection's end?
    pub(crate) fn is_silent(&mut self) -> bool {
        assert!(
            self.stream.buffer().is_empty(),
            "unread bytes are not silence"
        );
        self.tcp.set_nonblocking(true).unwrap();
        let read = self.stream.read(&mut [0]);
        self.tcp.set_nonblocking(false).unwrap();
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

// === impl Request ===

impl Request {
    /// A signed PutRecordBatch of these records to the default stream.
    pub(crate) fn put<R: AsRef<[u8]>>(records: &[R]) -> Request {
        Request::put_to(DEFAULT_STREAM, records)
    }

    pub(crate) fn put_to<R: AsRef<[u8]>>(stream: &str, records: &[R]) -> Request {
        let records: Vec<Value> = records
            .iter()
            .map(|record| json!({"Data": STANDARD.encode(record)}))
            .collect();
        Request::of_json(&json!({"DeliveryStreamName": stream, "Records": records}).to_string())
    }

    /// A signed request with this body.
    pub(crate) fn of_json(body: &str) -> Request {
        let mut request = Request::unsigned(body.as_bytes());
        request.sign(&Signer::default());
        request
    }

    pub(crate) fn unsigned(body: &[u8]) -> Request {
        Request {
            headers: vec![
                ("host", "localhost".to_owned()),
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                (
                    "x-amz-target",
                    "Firehose_20150804.PutRecordBatch".to_owned(),
                ),
            ],
            body: body.to_vec(),
        }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
    }

    /// Signs the request as it is now, all of its headers included.
    pub(crate) fn sign(&mut self, signer: &Signer) {
        let date_time = signer
            .at
            .format(format_description!(
                "[year][month][day]T[hour][minute][second]Z"
            ))
            .unwrap();
        self.set("x-amz-date", &date_time);
        if let Some(token) = signer.token {
            self.set("x-amz-security-token", token);
        }
        self.headers.sort();
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let body_hash = hex(&Sha256::digest(&self.body));
        let canonical = format!("POST\n/\n\n{headers}\n{names}\n{body_hash}");
        let scope = [
            &date_time[..8],
            signer.region,
            signer.service,
            "aws4_request",
        ];
        let canonical_hash = hex(&Sha256::digest(canonical.as_bytes()));
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date_time}\n{}\n{canonical_hash}",
            scope.join("/")
        );
        let mut key = format!("AWS4{}", signer.secret_key).into_bytes();
        for part in scope.into_iter().chain([&*to_sign]) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={}",
            signer.access_key,
            scope.join("/"),
            hex(&key)
        );
        self.set("authorization", &authorization);
    }
}

impl Default for Signer {
    fn default() -> Signer {
        Signer {
            access_key: EXAMPLE_ACCESS_KEY,
            secret_key: EXAMPLE_SECRET_KEY,
            token: None,
            region: "us-east-1",
            service: "firehose",
            at: OffsetDateTime::now_utc(),
        }
    }
}

// === impl Response ===

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The type of the error that this is.
    pub(crate) fn error(&self) -> String {
        assert!(self.status >= 400, "no error: {}", self.status);
        self.json()["__type"].as_str().unwrap().to_owned()
    }

    fn length(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
