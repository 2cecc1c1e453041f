//! The file of a stream's journal, on a disk that may be bad, and what a death leaves of it.

use std::collections::VecDeque;
use std::mem;

use firehose_core::deliver::journal::{self, Page, Remembered};

use super::script::Id;

#[derive(Default)]
pub(crate) struct Disk {
    file: Vec<u8>,
    /// A page was written in part: nothing can follow it.
    is_torn: bool,
    /// Each with the documents of which it tells that they were accepted.
    pending: VecDeque<(Page, Vec<Id>)>,
    /// Those of which the next page will tell.
    accepted: Vec<Id>,
}

impl Disk {
    pub(crate) fn accepted(&mut self, documents: &[Id]) {
        self.accepted.extend(documents);
    }

    pub(crate) fn write(&mut self, page: Page) {
        let accepted = mem::take(&mut self.accepted);
        self.pending.push_back((page, accepted));
    }

    /// The oldest page is written, or can't be: its number, and how that went.
    pub(crate) fn written(&mut self, is_bad: bool) -> Option<(u64, Result<(), String>)> {
        let (page, accepted) = self.pending.pop_front()?;
        let is_lost = is_bad || (self.is_torn && !page.is_whole);
        if is_lost {
            self.accepted.extend(accepted);
            self.tear(&page, page.bytes.len() / 2);
            return Some((page.number, Err("the disk is bad".to_owned())));
        }
        if page.is_whole {
            self.file.clear();
            self.is_torn = false;
        }
        self.file.extend(&page.bytes);
        Some((page.number, Ok(())))
    }

    /// A page that takes the place of the file does so in whole or not at all.
    fn tear(&mut self, page: &Page, bytes: usize) {
        if !page.is_whole && !self.is_torn {
            self.file.extend(&page.bytes[..bytes.min(page.bytes.len())]);
            self.is_torn = true;
        }
    }

    /// The process ends, when so many bytes of what it was writing are written: the accepted
    /// documents of which the file may not tell.
    pub(crate) fn die(&mut self, bytes: usize) -> Vec<Id> {
        let pages: Vec<(Page, Vec<Id>)> = self.pending.drain(..).collect();
        if let Some((page, _)) = pages.first() {
            self.tear(page, bytes % page.bytes.len());
        }
        let unwritten = pages.into_iter().flat_map(|(_, accepted)| accepted);
        unwritten.chain(mem::take(&mut self.accepted)).collect()
    }

    /// The machine ends: the file ends before, or a piece of it is empty.
    pub(crate) fn lose_power(&mut self, place: usize) {
        let at = place / 2 % (self.file.len() + 1);
        match place % 2 {
            0 => self.file.truncate(at),
            _ => self.file[at..]
                .iter_mut()
                .take(64)
                .for_each(|byte| *byte = 0),
        }
    }

    /// What the next process reads.
    pub(crate) fn read(&mut self) -> Remembered {
        self.is_torn = false;
        // The version may have been lost: then the file is set aside.
        journal::read(&self.file).map_or_else(|_| Remembered::default(), |(read, _)| read)
    }
}
