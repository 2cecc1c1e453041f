//! Reads sample logs line by line: a file or standard input, as it is or gzip.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// The longest line that is looked at. A document is no longer: Firehose's limit for a record.
/// Source: <https://docs.aws.amazon.com/firehose/latest/dev/limits.html>.
pub const MAX_LINE_BYTES: usize = 1_024_000;

/// The lines of a sample, one in memory at a time.
pub struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    number: u64,
    text: Vec<u8>,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u64,
    /// Without its line break. None where it is longer than [`MAX_LINE_BYTES`].
    pub text: Option<&'a [u8]>,
}

/// Opens a file, or standard input for `-`. An error is a sentence for the operator.
pub fn open(path: &Path) -> Result<Lines, String> {
    let is_stdin = path.as_os_str() == "-";
    let name = match is_stdin {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let input: io::Result<Box<dyn Read>> = match is_stdin {
        true => Ok(Box::new(io::stdin())),
        false => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
    };
    input
        .and_then(decompressed)
        .map(|reader| Lines {
            name: name.clone(),
            reader,
            number: 0,
            text: Vec::new(),
        })
        .map_err(|error| format!("cannot read {name}: {error}"))
}

/// A gzip file begins with two bytes that no line of JSON begins with.
fn decompressed(input: Box<dyn Read>) -> io::Result<Box<dyn BufRead>> {
    let mut input = BufReader::new(input);
    Ok(match input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(BufReader::new(MultiGzDecoder::new(input))),
        false => Box::new(input),
    })
}

// === impl Lines ===

impl Lines {
    /// What to call the sample in a sentence.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next line, if there is one. An error is a sentence for the operator.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, String> {
        self.number += 1;
        match self.read() {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(Line {
                number: self.number,
                text: (self.text.len() <= MAX_LINE_BYTES).then_some(&self.text),
            })),
            Err(error) => Err(format!(
                "cannot read line {} of {}: {error}",
                self.number, self.name
            )),
        }
    }

    /// Whether there was another line.
    fn read(&mut self) -> io::Result<bool> {
        self.text.clear();
        // A line break may have two bytes. What has none within the limit is too long.
        let limit = MAX_LINE_BYTES as u64 + 2;
        let mut start = self.reader.by_ref().take(limit);
        if start.read_until(b'\n', &mut self.text)? == 0 {
            return Ok(false);
        }
        if self.text.pop_if(|last| *last == b'\n').is_some() {
            self.text.pop_if(|last| *last == b'\r');
        } else if self.text.len() as u64 == limit {
            self.reader.skip_until(b'\n')?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    type OwnedLine = (u64, Option<Vec<u8>>);

    fn read_all(input: Vec<u8>) -> Result<Vec<OwnedLine>, String> {
        let mut lines = Lines {
            name: "sample".to_owned(),
            reader: decompressed(Box::new(Cursor::new(input))).unwrap(),
            number: 0,
            text: Vec::new(),
        };
        let mut all = Vec::new();
        while let Some(line) = lines.next_line()? {
            all.push((line.number, line.text.map(<[u8]>::to_vec)));
        }
        Ok(all)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn owned(lines: &[(u64, Option<&str>)]) -> Vec<OwnedLine> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        lines
            .iter()
            .map(|(number, text)| (*number, text.map(bytes)))
            .collect()
    }

    #[test]
    fn line_breaks_of_any_kind_are_taken_off() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n", &[(1, Some(""))]),
            ("a\nb", &[(1, Some("a")), (2, Some("b"))]),
            (
                "a\r\n\r\nb\r",
                &[(1, Some("a")), (2, Some("")), (3, Some("b\r"))],
            ),
        ] {
            let expected = owned(expected);
            assert_eq!(read_all(text.into()).unwrap(), expected, "{text:?}");
            assert_eq!(
                read_all(gzip(text.as_bytes())).unwrap(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn gzip_files_one_behind_the_other_are_one_sample() {
        let both = [gzip(b"a\n"), gzip(b"b\n")].concat();
        assert_eq!(
            read_all(both).unwrap(),
            owned(&[(1, Some("a")), (2, Some("b"))])
        );
    }

    #[test]
    fn a_gzip_file_that_ends_too_early_is_an_error_with_its_line() {
        let mut cut = gzip("0123456789abcdef\n".repeat(10_000).as_bytes());
        cut.truncate(cut.len() - 20);
        let error = read_all(cut).unwrap_err();
        assert!(error.starts_with("cannot read line "), "{error}");
        assert!(error.contains(" of sample: "), "{error}");
    }

    #[test]
    fn a_line_over_the_limit_is_told_and_passed_over() {
        for ending in ["\n", "\r\n"] {
            for (bytes, is_shown) in [
                (MAX_LINE_BYTES, true),
                (MAX_LINE_BYTES + 1, false),
                (MAX_LINE_BYTES + 2, false),
                (MAX_LINE_BYTES + 3, false),
                (3 * MAX_LINE_BYTES, false),
            ] {
                let long = "x".repeat(bytes);
                let text = format!("{long}{ending}b{ending}");
                let shown = is_shown.then_some(long.as_str());
                let lines = read_all(text.into()).unwrap();
                assert!(
                    lines == owned(&[(1, shown), (2, Some("b"))]),
                    "{bytes} {ending:?}"
                );
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = open(Path::new("no/such/file")).err().unwrap();
        assert!(error.starts_with("cannot read no/such/file: "), "{error}");
    }
}
