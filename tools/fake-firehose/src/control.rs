//! The control API, by which another process reads what the service remembers.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;

use crate::memory::Memory;
use crate::wire::ReplyBody;

/// Paths from here on belong to the control API, not to the service.
pub(crate) const PREFIX: &str = "/_fake";

pub(crate) fn answer<B>(memory: &Memory, request: &Request<B>) -> Response<ReplyBody> {
    let (status, body) = match request.uri().path() {
        "/_fake/stats" => (StatusCode::OK, json(&memory.stats())),
        "/_fake/requests" => (StatusCode::OK, json(&memory.requests())),
        "/_fake/documents" => (StatusCode::OK, memory.documents()),
        _ => (
            StatusCode::NOT_FOUND,
            b"GET /_fake/stats, /_fake/requests or /_fake/documents\n".to_vec(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is remembered can be written as JSON")
}
