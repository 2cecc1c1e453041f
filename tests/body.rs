//! The body that the packer writes, beside the one that the SDK would.

use aws_sdk_firehose::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use aws_smithy_http_client::test_util::capture_request;
use firehose_core::pack::batch::{Batch, ChunkId, Piece};

fn piece() -> Piece {
    Piece {
        chunk: ChunkId(1),
        range: 0..1,
    }
}

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
async fn the_body_equals_what_the_sdk_would_send() {
    let batches: [&[&[u8]]; 4] = [
        &[],
        &[b""],
        &[b"{\"a\":1}\n"],
        &[b"a", b"ab", b"abc", b"\x00\xff\xfe\xfd", &[7; 5000]],
    ];
    let mut batch = Batch::default();
    for records in batches {
        batch.begin("my-stream_1.x", 0);
        for data in records {
            batch.push(data, [piece()].into_iter());
        }
        let ours = batch.finish();
        let theirs = serialized_by_the_sdk("my-stream_1.x", records).await;
        assert_eq!(ours, theirs, "{} records", records.len());
    }
}
