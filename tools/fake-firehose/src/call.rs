//! A PutRecordBatch request body, read and checked.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::error::ServiceError;
use crate::limits;

/// One call's records: their bytes end to end, and where each ends.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) stream: String,
    pub(crate) data: Vec<u8>,
    pub(crate) ends: Vec<usize>,
}

impl Call {
    /// Reads a body, and refuses what the service would refuse whatever its streams are.
    pub(crate) fn parse(body: &[u8]) -> Result<Call, ServiceError> {
        let input: Input<'_> = serde_json::from_slice(body).map_err(|error| {
            ServiceError::bad_request("SerializationException", error.to_string())
        })?;
        let stream = input
            .stream
            .ok_or_else(|| missing("deliveryStreamName"))?
            .0
            .into_owned();
        limits::check_stream_name(&stream)?;
        let records = input.records.ok_or_else(|| missing("records"))?;
        limits::check_record_count(records.len())?;

        let mut call = Call {
            stream,
            data: Vec::with_capacity(body.len() / 4 * 3),
            ends: Vec::with_capacity(records.len()),
        };
        for (index, record) in records.iter().enumerate() {
            let start = call.data.len();
            let encoded = record
                .data
                .as_ref()
                .ok_or_else(|| missing(&format!("records.{}.member.data", index + 1)))?;
            STANDARD
                .decode_vec(encoded.0.as_bytes(), &mut call.data)
                .map_err(|error| {
                    ServiceError::bad_request(
                        "SerializationException",
                        format!("Data of record {index} is not base64: {error}"),
                    )
                })?;
            limits::check_record_bytes(index, call.data.len() - start)?;
            call.ends.push(call.data.len());
        }
        limits::check_call_bytes(call.data.len())?;
        Ok(call)
    }

    pub(crate) fn records(&self) -> usize {
        self.ends.len()
    }

    /// The data of each record.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(&start, &end)| &self.data[start..end])
    }

    /// Drops the records that `accepted` says no to; `accepted` has one entry for each record.
    pub(crate) fn retain(&mut self, accepted: &[bool]) {
        let ends = std::mem::take(&mut self.ends);
        let mut start = 0;
        let mut kept = 0;
        for (end, &accepted) in ends.into_iter().zip(accepted) {
            if accepted {
                self.data.copy_within(start..end, kept);
                kept += end - start;
                self.ends.push(kept);
            }
            start = end;
        }
        self.data.truncate(kept);
    }
}

#[cfg(test)]
impl Call {
    pub(crate) fn of(stream: &str, records: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Call {
        let mut call = Call {
            stream: stream.to_owned(),
            data: Vec::new(),
            ends: Vec::new(),
        };
        for record in records {
            call.data.extend_from_slice(record.as_ref());
            call.ends.push(call.data.len());
        }
        call
    }
}

/// The request as it is in JSON. The service reports an absent member itself, so that all are
/// optional here.
#[derive(serde::Deserialize)]
struct Input<'a> {
    #[serde(borrow, rename = "DeliveryStreamName")]
    stream: Option<Text<'a>>,
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<InputRecord<'a>>>,
}

#[derive(serde::Deserialize)]
struct InputRecord<'a> {
    #[serde(borrow, rename = "Data")]
    data: Option<Text<'a>>,
}

/// Text that stays in the body unless it holds escapes. (An `Option<Cow<str>>` would always be
/// copied.)
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

fn missing(member: &str) -> ServiceError {
    ServiceError::validation(
        &format!("Value null at '{member}'"),
        "Member must not be null",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (String, String) {
        let error = Call::parse(body.as_bytes()).expect_err(body);
        assert_eq!(error.status, 400);
        (error.kind.into_owned(), error.message.into_owned())
    }

    #[test]
    fn records_keep_their_order_and_bytes() {
        let body = r#"{"Records":[{"Data":"YQo="},{"Data":""},{"Data":"\u0059mI\u003d"}],
            "Unknown":[1,{}],"DeliveryStreamName":"logs"}"#;
        let call = Call::parse(body.as_bytes()).unwrap();
        assert_eq!(call.stream, "logs");
        assert_eq!(call.data, b"a\nbb");
        assert_eq!(call.ends, [2, 2, 4]);
    }

    #[test]
    fn what_is_not_the_api_s_json_does_not_deserialise() {
        for body in [
            "",
            "{",
            "[]",
            "null",
            r#"{"DeliveryStreamName":5,"Records":[{"Data":""}]}"#,
            r#"{"DeliveryStreamName":"logs","Records":{"Data":""}}"#,
            r#"{"DeliveryStreamName":"logs","Records":[{"Data":[1]}]}"#,
            r#"{"DeliveryStreamName":"logs","Records":[{"Data":"YQ=="}]} trailing"#,
        ] {
            assert_eq!(refusal(body).0, "SerializationException", "{body}");
        }
    }

    #[test]
    fn base64_must_be_canonical() {
        for data in ["YQ", "YQ=", "Y Q==", "YQ==\\n", "YR==", "Y-_=", "YQ==YQ=="] {
            let body =
                format!(r#"{{"DeliveryStreamName":"logs","Records":[{{"Data":"{data}"}}]}}"#);
            assert_eq!(refusal(&body).0, "SerializationException", "{data}");
        }
    }

    #[test]
    fn an_absent_member_is_named() {
        for (body, member) in [
            (r#"{"Records":[{"Data":""}]}"#, "'deliveryStreamName'"),
            (r#"{"DeliveryStreamName":"logs"}"#, "'records'"),
            (
                r#"{"DeliveryStreamName":"logs","Records":[{"Data":""},{}]}"#,
                "'records.2.member.data'",
            ),
        ] {
            let (kind, message) = refusal(body);
            assert_eq!(kind, "ValidationException");
            assert!(message.contains(member), "{message}");
        }
    }

    #[test]
    fn retain_keeps_exactly_the_accepted_records() {
        let mut call = Call {
            stream: "logs".to_owned(),
            data: b"abbcccdddd".to_vec(),
            ends: vec![1, 3, 6, 6, 10],
        };
        call.retain(&[false, true, false, true, true]);
        assert_eq!(call.data, b"bbdddd");
        assert_eq!(call.ends, [2, 2, 6]);
    }
}
