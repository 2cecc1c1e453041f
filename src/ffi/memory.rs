//! Reads the memory of the process itself, without trust in an address.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many bytes are read from the start of the host's instance, which is shorter.
pub(super) const INSTANCE_BYTES: usize = 4096;

/// The longest text that is read.
const MAX_TEXT: usize = 64 * 1024;

/// The kernel reads for us: an address that is not mapped gives fewer bytes or none, where a
/// pointer that is followed would end the process.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    pub(super) fn open() -> io::Result<Self> {
        File::open("/proc/self/mem").map(Self)
    }

    /// The words from an address on, as many as are mapped of `count`.
    pub(super) fn words(&self, address: usize, count: usize) -> Vec<usize> {
        let bytes = self.bytes(address, count * size_of::<usize>());
        let (words, _) = bytes.as_chunks();
        words.iter().copied().map(usize::from_ne_bytes).collect()
    }

    /// The same as C's `int`s.
    pub(super) fn ints(&self, address: usize, count: usize) -> Vec<i32> {
        let bytes = self.bytes(address, count * size_of::<i32>());
        let (ints, _) = bytes.as_chunks();
        ints.iter().copied().map(i32::from_ne_bytes).collect()
    }

    /// The C string at an address; none if it has no end. What is no UTF-8 is replaced.
    pub(super) fn text(&self, address: usize) -> Option<String> {
        let bytes = self.bytes(address, MAX_TEXT);
        let text = CStr::from_bytes_until_nul(&bytes).ok()?;
        Some(text.to_string_lossy().into_owned())
    }

    fn bytes(&self, address: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = self.0.read_at(&mut bytes, address as u64);
        bytes.truncate(read.unwrap_or(0));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_is_read_and_what_is_not_gives_nothing() {
        let memory = Memory::open().unwrap();
        let words = [1, usize::MAX, 3];
        assert_eq!(memory.words(words.as_ptr().addr(), 3), words);
        let ints = [-1, 7];
        assert_eq!(memory.ints(ints.as_ptr().addr(), 2), ints);
        for address in [0, 8, usize::MAX, usize::MAX / 2] {
            assert!(memory.words(address, 4).is_empty(), "{address:x}");
            assert_eq!(memory.text(address), None, "{address:x}");
        }
    }

    #[test]
    fn a_text_ends_at_its_zero_and_nowhere_else() {
        let memory = Memory::open().unwrap();
        for length in [0, 1, 255, 256, 257, 1000] {
            let text = vec![b'x'; length];
            let input = [&text[..], b"\0after"].concat();
            let read = memory.text(input.as_ptr().addr());
            assert_eq!(read.unwrap().len(), length);
        }
        let endless = vec![b'x'; 2 * MAX_TEXT];
        assert_eq!(memory.text(endless.as_ptr().addr()), None);
        let damaged = memory.text(c"a\xff".as_ptr().addr());
        assert_eq!(damaged.as_deref(), Some("a\u{fffd}"));
    }
}
