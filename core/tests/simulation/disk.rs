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
    pending: VecDeque<(Page, Told)>,
    /// What the next page will tell.
    told: Told,
}

/// What is not in the file yet.
#[derive(Default)]
pub(crate) struct Told {
    /// Documents that were accepted.
    pub(crate) accepted: Vec<Id>,
    /// Chunks of which the host knows that they are done with.
    pub(crate) closed: Vec<usize>,
    /// Some of it may be there all the same.
    pub(crate) is_torn: bool,
}

impl Disk {
    pub(crate) fn accepted(&mut self, documents: &[Id]) {
        self.told.accepted.extend(documents);
    }

    pub(crate) fn closed(&mut self, chunk: usize) {
        self.told.closed.push(chunk);
    }

    pub(crate) fn write(&mut self, page: Page) {
        let told = mem::take(&mut self.told);
        self.pending.push_back((page, told));
    }

    /// The oldest page is written, or can't be: its number, and how that went.
    pub(crate) fn written(&mut self, is_bad: bool) -> Option<(u64, Result<(), String>)> {
        let (page, told) = self.pending.pop_front()?;
        let is_lost = is_bad || (self.is_torn && !page.is_whole);
        if is_lost {
            self.told.accepted.extend(told.accepted);
            self.told.closed.extend(told.closed);
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

    /// The process ends, when so many bytes of what it was writing are written: what is not.
    pub(crate) fn die(&mut self, bytes: usize) -> Told {
        let mut told = mem::take(&mut self.told);
        if let Some((page, _)) = self.pending.front() {
            let bytes = bytes % page.bytes.len();
            told.is_torn = bytes > 0;
            let page = Page {
                bytes: page.bytes.clone(),
                ..*page
            };
            self.tear(&page, bytes);
        }
        for (_, unwritten) in self.pending.drain(..) {
            told.accepted.extend(unwritten.accepted);
            told.closed.extend(unwritten.closed);
        }
        told
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
