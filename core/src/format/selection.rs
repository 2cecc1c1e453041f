//! Takes the values that `data_keys` names out of an event's body, where one of them is nested.
//!
//! It writes a smaller body in msgpack, which goes on as any other. So only whoever sets such an
//! option pays for it.

use crate::format::accessor::{Accessor, Step};
use crate::format::msgpack::{Malformed, Reader, Token};

/// What is chosen of a value: all of it, if no step leads on from here.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    steps: Vec<(Step, Selection)>,
}

impl Selection {
    pub(crate) fn new(accessors: &[Accessor]) -> Self {
        let mut all = Self::default();
        for accessor in accessors {
            all.add(&accessor.steps);
        }
        all
    }

    fn add(&mut self, steps: &[Step]) {
        let mut inner = self;
        for step in steps {
            let known = inner.steps.iter().position(|(known, _)| known == step);
            let index = known.unwrap_or(inner.steps.len());
            if known.is_none() {
                inner.steps.push((step.clone(), Self::default()));
            }
            inner = &mut inner.steps[index].1;
            if known.is_some() && inner.steps.is_empty() {
                return;
            }
        }
        inner.steps.clear();
    }

    /// Appends what is chosen of the next value of `reader`, within the same containers; false, and
    /// nothing, if there is none of it.
    ///
    /// It calls itself for each step of an accessor, which has few.
    pub(crate) fn write(
        &self,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Malformed> {
        let start = *reader;
        if self.steps.is_empty() {
            reader.skip()?;
            out.extend_from_slice(reader.since(&start));
            return Ok(true);
        }
        let head = out.len();
        let (kind, length, is_map) = match reader.read()? {
            Token::Map(length) => (0xdf, length, true),
            Token::Array(length) => (0xdd, length, false),
            _ => return Ok(false),
        };
        out.push(kind);
        out.extend_from_slice(&[0; 4]);
        let mut count = 0_u32;
        for index in 0..length {
            let member = out.len();
            let inner = match is_map {
                true => self.push_key(reader, out)?,
                false => self.after(|step| *step == Step::Index(index)),
            };
            match inner {
                Some(inner) if inner.write(reader, out)? => count += 1,
                Some(_) => out.truncate(member),
                None => reader.skip()?,
            }
        }
        out[head + 1..head + 5].copy_from_slice(&count.to_be_bytes());
        if count == 0 {
            out.truncate(head);
        }
        Ok(count > 0)
    }

    /// Copies the key of a pair of which something is chosen.
    fn push_key(
        &self,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<&Self>, Malformed> {
        let start = *reader;
        let Some(name) = reader.read_name()? else {
            return Ok(None);
        };
        let is_it = |step: &Step| matches!(step, Step::Key(key) if key.as_bytes() == name);
        let inner = self.after(is_it);
        if inner.is_some() {
            out.extend_from_slice(reader.since(&start));
        }
        Ok(inner)
    }

    fn after(&self, is_it: impl Fn(&Step) -> bool) -> Option<&Self> {
        let found = self.steps.iter().find(|(step, _)| is_it(step));
        found.map(|(_, inner)| inner)
    }
}
