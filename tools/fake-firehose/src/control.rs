//! The control API, by which another process reads and resets what the service remembers.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::body::ReplyBody;
use crate::wire::Service;

/// Paths from here on belong to the control API, not to the service.
pub(crate) const PREFIX: &str = "/_fake";

pub(crate) fn answer<B>(service: &Service, request: &Request<B>) -> Response<ReplyBody> {
    let memory = &service.memory;
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/_fake/stats") => json(&memory.stats()),
        (&Method::GET, "/_fake/requests") => json(&memory.requests()),
        (&Method::GET, "/_fake/documents") => reply("application/octet-stream", documents(service)),
        (&Method::DELETE, "/_fake") => {
            service.reset();
            json(&memory.stats())
        }
        _ => {
            let mut response = reply(
                "text/plain",
                vec![Bytes::from_static(
                    b"GET /_fake/stats, /_fake/requests, /_fake/documents or DELETE /_fake\n",
                )],
            );
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn documents(service: &Service) -> Vec<Bytes> {
    let calls = service.memory.calls(0);
    calls.into_iter().map(|call| call.data).collect()
}

fn json(value: &impl Serialize) -> Response<ReplyBody> {
    let text = serde_json::to_vec(value).expect("what is remembered can be written as JSON");
    reply("application/json", vec![text.into()])
}

fn reply(content_type: &'static str, pieces: Vec<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::new(pieces));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
