//! The body of a PutRecordBatch call, written once, straight from the records' bytes.

use crate::json;

/// `stream` holds no character that JSON escapes: its option's check allows none.
pub fn put_record_batch(stream: &str, records: &[&[u8]]) -> Vec<u8> {
    const RECORD: usize = r#"{"Data":""},"#.len();
    let data: usize = records
        .iter()
        .map(|record| record.len().div_ceil(3) * 4 + RECORD)
        .sum();
    let mut body = Vec::with_capacity(data + stream.len() + 64);
    body.extend_from_slice(b"{\"DeliveryStreamName\":\"");
    body.extend_from_slice(stream.as_bytes());
    body.extend_from_slice(b"\",\"Records\":[");
    for (number, record) in records.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"Data\":");
        json::push_base64(&mut body, record);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

#[cfg(test)]
mod tests {
    use aws_sdk_firehose::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_firehose::primitives::Blob;
    use aws_sdk_firehose::types::Record;
    use aws_smithy_http_client::test_util::capture_request;

    /// What the SDK itself would send.
    async fn serialized_by_the_sdk(stream: &str, records: &[&[u8]]) -> Vec<u8> {
        let (http, captured) = capture_request(None);
        let config = aws_sdk_firehose::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http)
            .build();
        let record = |data: &&[u8]| Record::builder().data(Blob::new(*data)).build().unwrap();
        _ = aws_sdk_firehose::Client::from_conf(config)
            .put_record_batch()
            .delivery_stream_name(stream)
            .set_records(Some(records.iter().map(record).collect()))
            .send()
            .await;
        captured.expect_request().body().bytes().unwrap().to_vec()
    }

    #[tokio::test]
    async fn equals_what_the_sdk_would_send() {
        let batches: [&[&[u8]]; 4] = [
            &[],
            &[b""],
            &[b"{\"a\":1}\n"],
            &[b"a", b"ab", b"abc", b"\x00\xff\xfe\xfd", &[7; 5000]],
        ];
        for records in batches {
            let ours = super::put_record_batch("my-stream_1.x", records);
            let theirs = serialized_by_the_sdk("my-stream_1.x", records).await;
            assert_eq!(ours, theirs, "{} records", records.len());
        }
    }
}
