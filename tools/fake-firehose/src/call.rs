//! A PutRecordBatch request body, read and checked.

use std::borrow::Cow;

use base64_simd::STANDARD;
use serde::Deserialize;

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
        let not_readable = |message| ServiceError::bad_request("SerializationException", message);
        let input: Input<'_> =
            serde_json::from_slice(body).map_err(|error| not_readable(error.to_string()))?;
        limits::check_stream_name(&input.delivery_stream_name)?;
        limits::check_record_count(input.records.len())?;

        let mut call = Call {
            stream: input.delivery_stream_name.into_owned(),
            data: Vec::with_capacity(body.len() / 4 * 3),
            ends: Vec::with_capacity(input.records.len()),
        };
        for (index, record) in input.records.iter().enumerate() {
            let start = call.data.len();
            STANDARD
                .decode_append(record.data.as_bytes(), &mut call.data)
                .map_err(|_| not_readable(format!("Data of record {index} is not base64")))?;
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

/// The request as it is in JSON. Text stays in the body unless it holds escapes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Cow<'a, str>,
    #[serde(borrow)]
    records: Vec<InputRecord<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InputRecord<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut bodies = [
            "",
            "null",
            r#"{"Records":[{"Data":""}]}"#,
            r#"{"DeliveryStreamName":"logs"}"#,
            r#"{"DeliveryStreamName":5,"Records":[{"Data":""}]}"#,
            r#"{"DeliveryStreamName":"logs","Records":{"Data":""}}"#,
            r#"{"DeliveryStreamName":"logs","Records":[{"Data":""},{}]}"#,
            r#"{"DeliveryStreamName":"logs","Records":[{"Data":[1]}]}"#,
            r#"{"DeliveryStreamName":"logs","Records":[{"Data":"YQ=="}]} trailing"#,
        ]
        .map(str::to_owned)
        .to_vec();
        // Base64 must be canonical.
        for data in ["YQ", "YQ=", "Y Q==", "YQ==\\n", "YR==", "Y-_=", "YQ==YQ=="] {
            bodies.push(format!(
                r#"{{"DeliveryStreamName":"logs","Records":[{{"Data":"{data}"}}]}}"#
            ));
        }
        for body in bodies {
            let error = Call::parse(body.as_bytes()).expect_err(&body);
            assert_eq!(error.kind, "SerializationException", "{body}");
        }
    }

    #[test]
    fn each_limit_of_a_call_holds_the_value_itself_and_refuses_the_next() {
        let refusal = |sizes: &[usize]| {
            let data = sizes
                .iter()
                .map(|&size| STANDARD.encode_to_string(vec![0; size]));
            let records: Vec<String> = data.map(|data| format!(r#"{{"Data":"{data}"}}"#)).collect();
            let records = records.join(",");
            let body = format!(r#"{{"DeliveryStreamName":"logs","Records":[{records}]}}"#);
            let error = Call::parse(body.as_bytes()).err();
            error.map(|error| error.kind.into_owned())
        };
        for sizes in [&[0][..], &[1; 500], &[1_024_000], &[524_288; 8]] {
            assert_eq!(refusal(sizes), None);
        }
        let validation = Some("ValidationException".to_owned());
        for sizes in [&[][..], &[1; 501], &[1_024_001]] {
            assert_eq!(refusal(sizes), validation);
        }
        let too_large = [&[524_288; 8][..], &[1]].concat();
        let invalid = Some("InvalidArgumentException".to_owned());
        assert_eq!(refusal(&too_large), invalid);
    }

    #[test]
    fn retain_keeps_exactly_the_accepted_records() {
        let mut call = Call::of("logs", ["a", "bb", "ccc", "", "dddd"]);
        call.retain(&[false, true, false, true, true]);
        assert_eq!(call.data, b"bbdddd");
        assert_eq!(call.ends, [2, 2, 6]);
    }
}
