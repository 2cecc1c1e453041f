//! What the service stored, and what it is excused for having stored twice.

use std::collections::BTreeMap;

use super::script::Id;

#[derive(Default)]
pub(crate) struct Stored {
    /// How often each document was accepted.
    accepted: BTreeMap<Id, u32>,
    /// How often it may have been beyond need.
    excused: BTreeMap<Id, u32>,
    /// How often it may be missing.
    dropped: BTreeMap<Id, u32>,
}

impl Stored {
    pub(crate) fn accept(&mut self, documents: &[Id]) {
        for id in documents {
            *self.accepted.entry(*id).or_default() += 1;
        }
    }

    /// The plugin can't know that these were stored.
    pub(crate) fn excuse(&mut self, documents: &[Id]) {
        for id in documents {
            *self.excused.entry(*id).or_default() += 1;
        }
    }

    /// What was accepted of these is not known anymore.
    pub(crate) fn forget(&mut self, documents: &[Id]) {
        for id in documents {
            let accepted = self.accepted.get(id).copied().unwrap_or_default();
            let excused = self.excused.entry(*id).or_default();
            *excused = accepted.max(*excused);
        }
    }

    /// A document was refused alone, as what it is.
    pub(crate) fn may_drop(&mut self, id: Id) {
        *self.dropped.entry(id).or_default() += 1;
    }

    /// Whether each document was accepted as often as expected, or is excused.
    pub(crate) fn judge(&self, expected: &BTreeMap<Id, u32>) -> Result<(), String> {
        let of = |map: &BTreeMap<Id, u32>, id| map.get(id).copied().unwrap_or_default();
        for (id, &expected) in expected {
            let (accepted, dropped) = (of(&self.accepted, id), of(&self.dropped, id));
            let excused = of(&self.excused, id);
            if accepted + dropped < expected {
                return Err(format!(
                    "lost: document {id} {accepted} of {expected} times"
                ));
            }
            if accepted > expected + excused {
                return Err(format!(
                    "twice: document {id} {accepted} times for {expected}, {excused} excused"
                ));
            }
        }
        match self.accepted.keys().find(|id| !expected.contains_key(id)) {
            Some(id) => Err(format!("strange: document {id} was never sent")),
            None => Ok(()),
        }
    }
}

/// The documents of each record of a call.
pub(crate) fn records(body: &[u8]) -> Vec<Vec<Id>> {
    let text = std::str::from_utf8(body).expect("a body is text");
    let records = text.split("{\"Data\":\"").skip(1);
    records
        .map(|record| ids(record.split('"').next().expect("a split has a first")))
        .collect()
}

/// The numbers of a record's documents, which must be whole lines.
fn ids(data: &str) -> Vec<Id> {
    let data = base64_simd::STANDARD
        .decode_to_vec(data)
        .expect("data is base64");
    let text = String::from_utf8(data).expect("a record is text");
    let lines = text.strip_suffix('\n').expect("a record ends in a newline");
    let id = |line: &str| -> Id {
        let number = line
            .strip_prefix("{\"id\":")
            .and_then(|rest| rest.strip_suffix('}'));
        let number = number.unwrap_or_else(|| panic!("{line:?} is no document"));
        number.parse().expect("an id is a number")
    };
    lines.split('\n').map(id).collect()
}
