//! The log lines: numbered, all of one length, each told from every other.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

const HEAD: &str = "{\"n\":";
const TAIL: &str = "\"}";
const FILLER: &str = "GET /api/v1/orders answered 200 within 12.5 ms to okhttp 4.12.0 ";

/// Bytes of the shortest lines: a number of any size, and something to tell them apart.
const LEAST: usize = 64;

/// Lines of so many bytes, the newline included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    bytes: usize,
}

impl Lines {
    pub(crate) const fn of(bytes: usize) -> Lines {
        assert!(bytes >= LEAST);
        Lines { bytes }
    }

    pub(crate) fn bytes(self, count: u64) -> u64 {
        count * self.bytes as u64
    }

    /// Without its newline. JSON that every output writes as it reads it.
    pub(crate) fn line(self, number: u64) -> String {
        let mut line = format!("{HEAD}{number},\"message\":\"");
        let end = self.bytes - TAIL.len() - 1;
        // Begins elsewhere in each line, so that a line with a wrong number is seen to be wrong.
        let start = (number % FILLER.len() as u64) as usize;
        let filler = FILLER[start..].chars().chain(FILLER.chars().cycle());
        line.extend(filler.take(end - line.len()));
        line + TAIL
    }

    /// The number of a document that is one of these lines, unchanged.
    pub(crate) fn number(self, document: &[u8]) -> Option<u64> {
        let rest = document.strip_prefix(HEAD.as_bytes())?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        (self.line(number).as_bytes() == document).then_some(number)
    }

    /// Appends these lines to a file.
    pub(crate) fn append(self, path: &Path, numbers: Range<u64>) -> io::Result<()> {
        let file = File::options().create(true).append(true).open(path)?;
        let mut file = BufWriter::new(file);
        for number in numbers {
            file.write_all(self.line(number).as_bytes())?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_length_and_is_known_again() {
        for bytes in [LEAST, 400] {
            let lines = Lines::of(bytes);
            for number in [0, 7, 63, 64, 99_999, u64::MAX] {
                let line = lines.line(number);
                assert_eq!(line.len() + 1, bytes);
                assert_eq!(lines.number(line.as_bytes()), Some(number));
            }
        }
    }

    #[test]
    fn what_is_changed_is_no_line() {
        let lines = Lines::of(400);
        let line = lines.line(12);
        let changed = [
            line.replace("{\"n\":12,", "{\"n\":13,"),
            line.replace("{\"n\":12,", "{\"n\":012,"),
            line.replace("GET", "get"),
            line[..399 - 1].to_owned(),
            format!("{line}\n"),
            String::new(),
        ];
        for document in changed {
            assert_eq!(lines.number(document.as_bytes()), None, "{document}");
        }
    }
}
