//! What the service answers to PutRecordBatch: the fate of each record, in the order of the call.
//!
//! It is read here, in place, and not by the SDK, which would make a string of 220 letters for
//! each record that was accepted.

use std::borrow::Cow;

use serde::Deserialize;

use crate::failure::Cause;

pub(super) type Fates = Vec<Result<(), Cause>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply<'r> {
    #[serde(borrow)]
    request_responses: Vec<Entry<'r>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'r> {
    #[serde(borrow)]
    record_id: Option<Cow<'r, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'r, str>>,
}

/// Reads a reply's body.
pub(super) fn read(body: &[u8]) -> Result<Fates, serde_json::Error> {
    let reply: Reply<'_> = serde_json::from_slice(body)?;
    Ok(reply.request_responses.iter().map(Entry::fate).collect())
}

impl Entry<'_> {
    /// Only an entry that names the record's new ID says that it was accepted.
    fn fate(&self) -> Result<(), Cause> {
        match (&self.error_code, &self.record_id) {
            (None, Some(_)) => Ok(()),
            (code, _) => Err(Cause::classify(code.as_deref(), 500)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_a_fate() {
        let body = br#"{"FailedPutCount":2,"Encrypted":false,"RequestResponses":[
            {"RecordId":"a"},
            {"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},
            {"RecordId":"b\u0041","ErrorCode":null,"Later":[1,{}]},
            {"ErrorCode":"InternalFailure"},
            {"RecordId":"c","ErrorCode":"InternalFailure"},
            {}]}"#;
        let expected = [
            Ok(()),
            Err(Cause::Throttled),
            Ok(()),
            Err(Cause::Server),
            Err(Cause::Server),
            Err(Cause::Server),
        ];
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for body in ["", "{}", "null", "[]", r#"{"RequestResponses":null}"#] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        // An ID that is no text says nothing of a record.
        for id in ["1", "true", "{}", r#""\ud83d""#] {
            let body = format!(r#"{{"RequestResponses":[{{"RecordId":{id}}}]}}"#);
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        let cut = r#"{"RequestResponses":[{"RecordId":"a"}"#;
        assert!(read(cut.as_bytes()).is_err());
    }
}
