//! An HTTP proxy that leads every request to one address, whatever host it names, so that tests
//! need no names that resolve.

use std::io::{BufReader, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::http::{Request, Server, answer};

/// The headers of what a proxy answers by itself.
pub(crate) const HTML: &str = "server: nginx\r\ncontent-type: text/html\r\n";

/// What a client asked the proxy for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
}

pub(crate) struct Proxy {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Proxy {
    pub(crate) fn to(destination: SocketAddr) -> Self {
        Self::limited(destination, usize::MAX)
    }

    /// One that takes bodies of up to so many bytes.
    pub(crate) fn limited(destination: SocketAddr, max_body: usize) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let server = Server::start(move |client| serve(client, destination, max_body, &log));
        Self { server, asked }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The URL with a user in it, as operators write it.
    pub(crate) fn url_with_user(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}", self.server.address())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

/// One request for a connection: then it is a tunnel, or ends with the answer.
fn serve(client: TcpStream, destination: SocketAddr, max_body: usize, log: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(client);
    let Some(request) = Request::read(&mut reader) else {
        return;
    };
    lock(log).push(Asked {
        method: request.method.clone(),
        target: request.target.clone(),
        authorization: request.header("proxy-authorization").map(str::to_owned),
    });
    let mut client = reader.into_inner();
    if request.body.len() > max_body {
        let refusal = answer("413 Content Too Large", HTML, "<html></html>");
        // A client that has gone needs no answer.
        return drop(client.write_all(refusal.as_bytes()));
    }
    let Ok(mut upstream) = TcpStream::connect(destination) else {
        return;
    };
    let begun = if request.method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")
    } else {
        upstream.write_all(forwarded(&request).as_bytes())
    };
    if begun.is_ok() {
        relay(client, upstream);
    }
}

/// The request as its destination shall see it, which is to end the connection after its answer.
fn forwarded(request: &Request) -> String {
    const OF_THIS_CONNECTION: [&str; 3] = ["connection", "proxy-authorization", "proxy-connection"];
    let authority = request.target.trim_start_matches("http://");
    let path = authority.find('/').map_or("/", |slash| &authority[slash..]);
    let mut text = format!(
        "{} {path} HTTP/1.1\r\nconnection: close\r\n",
        request.method
    );
    for (name, value) in &request.headers {
        if !OF_THIS_CONNECTION.contains(&name.as_str()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text + "\r\n" + &request.body
}

/// Copies both ways until either side has ended.
fn relay(mut client: TcpStream, mut upstream: TcpStream) {
    let copied = |socket: &TcpStream| socket.try_clone().expect("a socket can be copied");
    let (mut from_client, mut to_upstream) = (copied(&client), copied(&upstream));
    let up = thread::spawn(move || {
        // A side that has gone ends the copying, which is all there is to do then.
        drop(copy(&mut from_client, &mut to_upstream));
        drop(to_upstream.shutdown(Shutdown::Both));
    });
    drop(copy(&mut upstream, &mut client));
    drop(client.shutdown(Shutdown::Both));
    drop(up.join());
}

fn lock(asked: &Mutex<Vec<Asked>>) -> MutexGuard<'_, Vec<Asked>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}
