//! Log lines that an application writes at a steady pace: numbered, all of one length.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::bench::lines;
use crate::bench::setup::{Error, Setup};

/// For the host to start and to open its files.
const HOST_STARTS_WITHIN: Duration = Duration::from_secs(2);

const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Lines that go to the files in turn.
pub(crate) struct Feed {
    pub(crate) files: Vec<PathBuf>,
    /// Of a line, its newline included.
    pub(crate) bytes: usize,
    /// Between two lines.
    pub(crate) every: Duration,
    pub(crate) count: u64,
}

/// What a document tells of its line.
#[derive(Deserialize)]
struct Numbered {
    n: usize,
}

/// Without its newline, and so many bytes with it. The time is in the form that the sidecar's
/// parser takes.
pub(crate) fn line(number: u64, bytes: usize) -> String {
    let head = format!(
        "{{\"timestamp\":\"{}\",\"level\":\"info\",\"n\":{number},\"message\":\"",
        lines::timestamp(number)
    );
    let tail = "\"}";
    let filler = "GET /products/1234 answered 200 within 12.5 ms; "
        .chars()
        .cycle();
    let message: String = filler.take(bytes - head.len() - tail.len() - 1).collect();
    head + &message + tail
}

/// Which line a document was made of.
pub(crate) fn number(document: &[u8]) -> Option<usize> {
    let numbered: Numbered = serde_json::from_slice(document).ok()?;
    Some(numbered.n)
}

// === impl Feed ===

impl Feed {
    /// As many as fit into this time.
    pub(crate) fn lasting(
        files: Vec<PathBuf>,
        bytes: usize,
        every: Duration,
        time: Duration,
    ) -> Feed {
        Feed {
            files,
            bytes,
            every,
            count: (time.as_nanos() / every.as_nanos()) as u64,
        }
    }

    /// Makes the files, without a line yet.
    pub(crate) fn create(&self) -> Result<Vec<File>, Error> {
        let files: Result<Vec<File>, _> = self.files.iter().map(File::create).collect();
        Ok(files?)
    }

    /// Writes all lines, and returns when it wrote each. Stops at the first error of `check`, which
    /// comes before each line.
    pub(crate) fn write(
        &self,
        files: &mut [File],
        setup: &Setup<'_>,
        mut check: impl FnMut() -> Result<(), Error>,
    ) -> Result<Vec<Instant>, Error> {
        setup.pause(HOST_STARTS_WITHIN)?;
        let mut written = Vec::new();
        let mut due = Instant::now();
        let mut progress_due = due;
        for (number, file) in (0..self.count).zip((0..files.len()).cycle()) {
            setup.pause_until(due)?;
            check()?;
            if due >= progress_due {
                eprint!(".");
                progress_due += PROGRESS_EVERY;
            }
            written.push(Instant::now());
            files[file].write_all(format!("{}\n", line(number, self.bytes)).as_bytes())?;
            due += self.every;
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_length_and_is_known_again_by_its_number() {
        for number in [0, 7, 86_400_000, u64::from(u32::MAX)] {
            for bytes in [200, 400, 500] {
                let line = line(number, bytes);
                assert_eq!(line.len() + 1, bytes);
                assert_eq!(super::number(line.as_bytes()), Some(number as usize));
            }
        }
        assert_eq!(super::number(b"{}"), None);
        assert_eq!(super::number(b"{\"n\":1"), None);
    }

    #[test]
    fn as_many_lines_as_fit_into_the_time() {
        let [fifth, minute] = [Duration::from_millis(200), Duration::from_secs(60)];
        assert_eq!(Feed::lasting(Vec::new(), 400, fifth, minute).count, 300);
        assert_eq!(Feed::lasting(Vec::new(), 400, minute, fifth).count, 0);
    }
}
