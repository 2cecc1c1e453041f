//! What the service answers to PutRecordBatch: the fate of each record, in the order of the call.
//!
//! It is read here, in place, and not by the SDK, which would make a string of 220 letters for
//! each record that was accepted.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer};

use firehose_core::deliver::failure::Cause;

pub(super) type Fates = Vec<Result<(), Cause>>;

/// Reads a reply's body.
pub(super) fn read(body: &[u8]) -> Result<Fates, serde_json::Error> {
    let body: Body = serde_json::from_slice(body)?;
    // Collected in place: this allocates nothing.
    let fates = body.request_responses.into_iter();
    Ok(fates.map(|fate| fate.0).collect())
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    request_responses: Vec<Fate>,
}

struct Fate(Result<(), Cause>);

impl<'r> Deserialize<'r> for Fate {
    /// Only an entry that names the record's new ID says that it was accepted.
    fn deserialize<D: Deserializer<'r>>(reply: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry<'r> {
            #[serde(borrow)]
            record_id: Option<Text<'r>>,
            #[serde(borrow)]
            error_code: Option<Text<'r>>,
        }
        /// Borrowed where it has no escapes, which serde leaves to a field of this very type.
        #[derive(serde::Deserialize)]
        struct Text<'r>(#[serde(borrow)] Cow<'r, str>);
        let entry = Entry::deserialize(reply)?;
        Ok(Self(match (entry.error_code, entry.record_id) {
            (None, Some(_)) => Ok(()),
            (code, _) => Err(Cause::classify(code.as_ref().map(|code| &*code.0), 500)),
        }))
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
        for id in ["1", "true", "{}", "[]", "[97]", r#""\ud83d""#] {
            let body = format!(r#"{{"RequestResponses":[{{"RecordId":{id}}}]}}"#);
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        let torn = b"{\"RequestResponses\":[{\"RecordId\":\"a\xffb\"}]}";
        assert!(read(torn).is_err());
        let cut = r#"{"RequestResponses":[{"RecordId":"a"}"#;
        assert!(read(cut.as_bytes()).is_err());
    }
}
