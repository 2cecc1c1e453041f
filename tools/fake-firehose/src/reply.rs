//! The JSON that the service answers with.

use std::iter::repeat_with;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::error::ServiceError;
use crate::scenario::ReplyShape;

/// Characters of a record's id: the real ones have about as many.
const RECORD_ID_LENGTH: usize = 220;

/// Bytes of a reply that is garbage: enough to hurt a client that reads whatever comes.
const GARBAGE_BYTES: usize = 5_000_000;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Success<'a> {
    encrypted: bool,
    failed_put_count: usize,
    request_responses: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    #[serde(rename_all = "PascalCase")]
    Stored { record_id: String },
    #[serde(rename_all = "PascalCase")]
    Refused {
        error_code: &'a str,
        error_message: &'a str,
    },
}

/// The answer with status 200: an entry for each record, in the request's order.
///
/// `code` and `message` are for the records that are not stored.
pub(crate) fn success(
    request: u64,
    stored: &[bool],
    (code, message): (&str, &str),
    shape: ReplyShape,
) -> Bytes {
    if shape == ReplyShape::Garbage {
        let mut random = fastrand::Rng::with_seed(0);
        return repeat_with(|| random.u8(..)).take(GARBAGE_BYTES).collect();
    }
    let filler = "A".repeat(RECORD_ID_LENGTH - 32);
    let entry = |(index, &stored)| match stored {
        true => Entry::Stored {
            record_id: format!("{filler}{request:016x}{index:016x}"),
        },
        false => Entry::Refused {
            error_code: code,
            error_message: message,
        },
    };
    let mut reply = Success {
        encrypted: false,
        failed_put_count: stored.iter().filter(|&&stored| !stored).count(),
        request_responses: stored.iter().enumerate().map(entry).collect(),
    };
    match shape {
        ReplyShape::ShortResponses => drop(reply.request_responses.pop()),
        ReplyShape::WrongCount => reply.failed_put_count += 1,
        _ => {}
    }
    let mut text = serde_json::to_vec(&reply).expect("text and numbers can be written as JSON");
    if shape == ReplyShape::Truncated {
        text.truncate(text.len() / 2);
    }
    text.into()
}

/// The answer with an error's status.
pub(crate) fn error(error: &ServiceError) -> Bytes {
    json!({"__type": error.kind, "message": error.message})
        .to_string()
        .into()
}
