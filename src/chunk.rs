//! Makes the documents of a chunk.

use std::ops::Range;

use crate::document::{Format, Formatter, Written};
use crate::event::{self, Head};
use crate::msgpack::{Malformed, Reader};

/// Documents, one behind the other in one buffer. A document's number in its chunk is its name
/// from here on: the same chunk and options give the same numbers every time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Documents {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The numbers of all documents.
    pub fn all(&self) -> Range<usize> {
        0..self.len()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where the documents of a range of numbers lie in the buffer.
    pub fn span(&self, documents: Range<usize>) -> Range<usize> {
        let end_of = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        end_of(documents.start)..end_of(documents.end)
    }

    /// The documents one by one.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|number| &self.bytes[self.span(number..number + 1)])
    }
}

/// What a chunk came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Formatted {
    pub documents: Documents,
    /// Events that have no `log_key`.
    pub without_log_key: u64,
    /// Values that are no event, and events that are no map.
    pub not_events: u64,
    pub truncated: Option<Truncated>,
    pub corrupt: Option<Corrupt>,
}

/// Documents that had to be cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncated {
    pub documents: u64,
    /// The size of the largest before it was cut.
    pub largest: usize,
}

/// Where a chunk stops being msgpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Of the event that can't be read.
    pub offset: usize,
    /// The bytes from there to the end of the chunk.
    pub bytes: usize,
    pub cause: Malformed,
}

/// Formats all that can be read of a chunk.
pub fn format(chunk: &[u8], format: &Format) -> Formatted {
    let mut formatted = Formatted::default();
    // JSON spends a few more bytes on a value than msgpack does.
    formatted
        .documents
        .bytes
        .reserve(chunk.len() + chunk.len() / 4);
    let mut formatter = Formatter::new(format);
    let mut reader = Reader::new(chunk);
    while !reader.is_empty() {
        let start = reader;
        let length = formatted.documents.bytes.len();
        if let Err(cause) = next(&mut reader, &mut formatter, &mut formatted) {
            formatted.documents.bytes.truncate(length);
            formatted.corrupt = Some(Corrupt {
                offset: start.offset(),
                bytes: start.remaining(),
                cause,
            });
            break;
        }
    }
    formatted
}

fn next(
    reader: &mut Reader<'_>,
    formatter: &mut Formatter<'_>,
    formatted: &mut Formatted,
) -> Result<(), Malformed> {
    let time = match event::read_head(reader)? {
        Head::Event(time) => time,
        Head::GroupMarker => return reader.skip(),
        Head::Other => {
            reader.skip()?;
            formatted.not_events += 1;
            return Ok(());
        }
    };
    let documents = &mut formatted.documents;
    match formatter.write(time, reader, &mut documents.bytes)? {
        Written::NotAMap => formatted.not_events += 1,
        Written::NoLogKey => formatted.without_log_key += 1,
        Written::Whole => documents.ends.push(documents.bytes.len()),
        Written::Truncated(size) => {
            documents.ends.push(documents.bytes.len());
            let truncated = formatted.truncated.get_or_insert_default();
            truncated.documents += 1;
            truncated.largest = truncated.largest.max(size);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rmpv::Value;

    fn options() -> Format {
        Format {
            max_bytes: 1_024_000,
            ..Format::default()
        }
    }

    fn chunk(values: &[Value]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in values {
            rmpv::encode::write_value(&mut bytes, value).unwrap();
        }
        bytes
    }

    fn event(time: i64, body: Value) -> Value {
        Value::Array(vec![time.into(), body])
    }

    fn map(key: &str, value: i64) -> Value {
        Value::Map(vec![(key.into(), value.into())])
    }

    #[test]
    fn markers_and_strangers_are_passed_over() {
        let formatted = format(
            &chunk(&[
                event(-1, map("resource", 1)),
                event(5, map("a", 1)),
                7.into(),
                event(5, Value::from("no map")),
                event(6, map("b", 2)),
                event(-2, map("resource", 1)),
            ]),
            &options(),
        );
        assert_eq!(formatted.documents.bytes(), b"{\"a\":1}\n{\"b\":2}\n");
        assert_eq!(formatted.documents.len(), 2);
        assert_eq!(formatted.not_events, 2);
        assert_eq!(formatted.corrupt, None);
    }

    #[test]
    fn what_decodes_of_a_corrupt_chunk_is_kept() {
        let good = chunk(&[event(5, map("a", 1))]);
        let mut bytes = good.clone();
        bytes.extend(chunk(&[event(6, map("broken", 300))]));
        bytes.truncate(bytes.len() - 1);
        let formatted = format(&bytes, &options());
        assert_eq!(formatted.documents.bytes(), b"{\"a\":1}\n");
        let corrupt = formatted.corrupt.unwrap();
        assert_eq!(corrupt.offset, good.len());
        assert_eq!(corrupt.bytes, bytes.len() - good.len());
    }

    #[test]
    fn spans_name_the_documents() {
        let events: Vec<Value> = (0..3).map(|n| event(n, map("n", n * 100))).collect();
        let documents = format(&chunk(&events), &options()).documents;
        assert_eq!(
            &documents.bytes()[documents.span(1..3)],
            b"{\"n\":100}\n{\"n\":200}\n"
        );
        assert_eq!(documents.span(1..1), 8..8);
        assert_eq!(documents.iter().last(), Some(&b"{\"n\":200}\n"[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let formatted = format(&bytes, &options());
            if let Some(corrupt) = formatted.corrupt {
                prop_assert_eq!(corrupt.offset + corrupt.bytes, bytes.len());
            }
            for document in formatted.documents.iter() {
                prop_assert!(document.ends_with(b"\n"));
                serde_json::from_slice::<serde_json::Value>(document).unwrap();
            }
        }
    }
}
