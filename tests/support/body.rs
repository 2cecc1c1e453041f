//! What stands in the body of a PutRecordBatch call.

use base64_simd::STANDARD;
use serde_json::Value;

/// The data of the records in the body of a PutRecordBatch call.
pub(crate) fn datas(body: &[u8]) -> Vec<Vec<u8>> {
    let call: Value = serde_json::from_slice(body).expect("a body is JSON");
    let records = call["Records"].as_array().expect("a body has records");
    let data = |record: &Value| {
        let text = record["Data"].as_str().expect("a record has data");
        STANDARD.decode_to_vec(text).expect("data is base64")
    };
    records.iter().map(data).collect()
}
