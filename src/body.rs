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
