//! The JSON that the service answers with.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::json;

use crate::decide::mix;
use crate::error::ServiceError;
use crate::scenario::ReplyShape;

/// Characters of a record's id: the real ones have about as many.
const RECORD_ID_LENGTH: usize = 220;

/// Bytes of a reply that is garbage: enough to hurt a client that reads whatever comes.
const GARBAGE_BYTES: usize = 5_000_000;

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
        return garbage();
    }
    let refused = json!({"ErrorCode": code, "ErrorMessage": message}).to_string();
    let filler = "A".repeat(RECORD_ID_LENGTH - 32);
    let mut entries = stored.len();
    let mut failed = stored.iter().filter(|&&stored| !stored).count();
    match shape {
        ReplyShape::ShortResponses => entries = entries.saturating_sub(1),
        ReplyShape::WrongCount => failed += 1,
        _ => {}
    }

    let mut text = String::with_capacity(64 + stored.len() * (RECORD_ID_LENGTH + 16));
    write!(
        text,
        r#"{{"Encrypted":false,"FailedPutCount":{failed},"RequestResponses":["#
    )
    .expect(WRITABLE);
    for (index, &stored) in stored.iter().take(entries).enumerate() {
        if index > 0 {
            text.push(',');
        }
        if stored {
            write!(
                text,
                r#"{{"RecordId":"{filler}{request:016x}{index:016x}"}}"#
            )
            .expect(WRITABLE);
        } else {
            text.push_str(&refused);
        }
    }
    text.push_str("]}");
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

/// A request's id, in the form of a UUID.
pub(crate) fn request_id(request: u64) -> String {
    let (high, low) = (mix(request), mix(!request));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn garbage() -> Bytes {
    (0..GARBAGE_BYTES as u64 / 8)
        .flat_map(|index| mix(index).to_le_bytes())
        .collect()
}

const WRITABLE: &str = "a String takes all that is written to it";
