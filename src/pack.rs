//! Packs documents into Firehose records.

use std::ops::Range;

use crate::chunk::Documents;
use crate::compress::Compression;
use crate::limits::MAX_RECORD_BYTES;

/// How documents become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// None: one document is one record.
    pub aggregation: Option<Aggregation>,
    pub compression: Option<Compression>,
}

/// How large a record of several documents may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Bytes of the record, after compression.
    pub max_bytes: usize,
    pub max_documents: usize,
}

/// Records, one behind the other in one buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// One Firehose record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its bytes in the buffer.
    data: Range<usize>,
    /// The numbers of the documents it holds.
    pub documents: Range<usize>,
}

impl Packed {
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    pub fn data(&self, record: &Record) -> &[u8] {
        &self.bytes[record.data.clone()]
    }
}

impl Packing {
    /// Packs the documents of these numbers, which are in order and apart.
    pub fn pack(&self, documents: Documents, wanted: &[Range<usize>]) -> Packed {
        let aggregation = self.aggregation.unwrap_or(Aggregation {
            max_bytes: MAX_RECORD_BYTES,
            max_documents: 1,
        });
        match self.compression {
            None => aggregation.pack_plain(documents, wanted),
            Some(compression) => aggregation.pack_compressed(&documents, wanted, compression),
        }
    }
}

impl Aggregation {
    /// Without compression the records are the documents' own bytes: nothing is copied.
    fn pack_plain(&self, documents: Documents, wanted: &[Range<usize>]) -> Packed {
        let mut records = Vec::new();
        for run in wanted {
            let mut start = run.start;
            while start < run.end {
                let end = self.fill(&documents, start..run.end, self.max_bytes);
                records.push(Record {
                    data: documents.span(start..end),
                    documents: start..end,
                });
                start = end;
            }
        }
        Packed {
            bytes: documents.into_bytes(),
            records,
        }
    }

    /// How many bytes will compress to `max_bytes` is only known afterwards: the first record
    /// tries all documents, the next ones what the record before would have held.
    fn pack_compressed(
        &self,
        documents: &Documents,
        wanted: &[Range<usize>],
        compression: Compression,
    ) -> Packed {
        let mut bytes = Vec::new();
        let mut records = Vec::new();
        let mut goal = usize::MAX;
        for run in wanted {
            let mut start = run.start;
            while start < run.end {
                let data_start = bytes.len();
                let mut end = self.fill(documents, start..run.end, goal);
                loop {
                    let plain = &documents.bytes()[documents.span(start..end)];
                    compression.append(plain, &mut bytes);
                    let compressed = bytes.len() - data_start;
                    // A sixteenth less than the ratio says, as no two stretches compress alike.
                    goal = (plain.len() * self.max_bytes / compressed.max(1)) / 16 * 15;
                    if compressed <= self.max_bytes || end - start == 1 {
                        break;
                    }
                    bytes.truncate(data_start);
                    end = self.fill(documents, start..run.end, goal).min(end - 1);
                }
                records.push(Record {
                    data: data_start..bytes.len(),
                    documents: start..end,
                });
                start = end;
            }
        }
        Packed { bytes, records }
    }

    /// The end of the first documents of a run that fit into `max_bytes`; at least one does.
    fn fill(&self, documents: &Documents, run: Range<usize>, max_bytes: usize) -> usize {
        let last = run.end.min(run.start.saturating_add(self.max_documents));
        let mut end = run.start + 1;
        while end < last && documents.span(run.start..end + 1).len() <= max_bytes {
            end += 1;
        }
        end
    }
}
