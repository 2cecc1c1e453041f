//! The limits that the service documents, and the refusals it answers with beyond them.

use crate::error::ServiceError;

/// Records in one PutRecordBatch call, at most; at least one.
///
/// Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>
pub(crate) const MAX_RECORDS: usize = 500;

/// Bytes of one record's data before base64, at most (1,000 KiB, inclusive).
///
/// Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html>
pub(crate) const MAX_RECORD_BYTES: usize = 1_024_000;

/// Bytes of one call, at most (4 MiB, inclusive). AWS does not say how it counts them; its own
/// producers count the data before base64, and so does this.
///
/// Source: <https://docs.aws.amazon.com/firehose/latest/dev/limits.html>
pub(crate) const MAX_CALL_BYTES: usize = 4_194_304;

/// Characters of a stream's name, at most; at least one, of `[a-zA-Z0-9_.-]`.
///
/// Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>
pub(crate) const MAX_STREAM_NAME: usize = 64;

/// Every record is billed as a multiple of this many bytes (5 KB).
///
/// Source: <https://aws.amazon.com/firehose/pricing/>
pub(crate) const BILLING_UNIT: usize = 5_120;

pub(crate) fn check_stream_name(name: &str) -> Result<(), ServiceError> {
    let constraint = if name.is_empty() {
        "Member must have length greater than or equal to 1".to_owned()
    } else if name.len() > MAX_STREAM_NAME {
        format!("Member must have length less than or equal to {MAX_STREAM_NAME}")
    } else if !name.bytes().all(is_name_byte) {
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+".to_owned()
    } else {
        return Ok(());
    };
    Err(ServiceError::validation(
        &format!("Value '{name}' at 'deliveryStreamName'"),
        &constraint,
    ))
}

pub(crate) fn check_record_count(count: usize) -> Result<(), ServiceError> {
    let constraint = if count == 0 {
        "Member must have length greater than or equal to 1".to_owned()
    } else if count > MAX_RECORDS {
        format!("Member must have length less than or equal to {MAX_RECORDS}")
    } else {
        return Ok(());
    };
    Err(ServiceError::validation("Value at 'records'", &constraint))
}

/// `index` counts from zero; the service's message counts from one.
pub(crate) fn check_record_bytes(index: usize, bytes: usize) -> Result<(), ServiceError> {
    if bytes <= MAX_RECORD_BYTES {
        return Ok(());
    }
    Err(ServiceError::validation(
        &format!("Value at 'records.{}.member.data'", index + 1),
        &format!("Member must have length less than or equal to {MAX_RECORD_BYTES}"),
    ))
}

pub(crate) fn check_call_bytes(bytes: usize) -> Result<(), ServiceError> {
    if bytes <= MAX_CALL_BYTES {
        return Ok(());
    }
    Err(call_too_large())
}

/// What the service says of a call that is over [`MAX_CALL_BYTES`].
pub(crate) fn call_too_large() -> ServiceError {
    ServiceError::bad_request(
        "InvalidArgumentException",
        "Records size exceeds 4 MB limit",
    )
}

/// What a record of this many bytes is billed as.
pub(crate) fn billed_bytes(record_bytes: usize) -> u64 {
    (record_bytes.div_ceil(BILLING_UNIT) * BILLING_UNIT) as u64
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_has_1_to_64_characters_of_the_pattern() {
        let longest = "a".repeat(64);
        for name in ["a", "Az09_.-", &longest] {
            assert!(check_stream_name(name).is_ok(), "{name}");
        }
        let too_long = "a".repeat(65);
        for name in ["", "a b", "a/b", "strëam", "a\n", &too_long] {
            let error = check_stream_name(name).expect_err(name);
            assert_eq!(error.kind, "ValidationException");
        }
    }

    #[test]
    fn billing_rounds_each_record_up_to_5_kb() {
        let billed = [0, 1, 5_119, 5_120, 5_121, 1_024_000].map(billed_bytes);
        assert_eq!(billed, [0, 5_120, 5_120, 5_120, 10_240, 1_024_000]);
    }
}
