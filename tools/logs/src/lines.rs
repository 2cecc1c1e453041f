//! Reads sample logs line by line: a file or standard input, as it is or gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use firehose_core::limits::MAX_RECORD_BYTES;
use flate2::bufread::MultiGzDecoder;

/// The lines of a sample, one in memory at a time.
pub(crate) struct Lines {
    /// What to call the sample in a sentence.
    pub(crate) name: String,
    reader: Box<dyn BufRead>,
    number: u64,
    text: Vec<u8>,
}

/// A line's number, from 1, and its text without the line break: None where it is longer than a record
/// may be.
pub(crate) type Line<'a> = (u64, Option<&'a [u8]>);

impl Lines {
    /// Opens a file, or standard input for `-`. An error is a sentence for the operator.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let (name, input): (_, io::Result<Box<dyn Read>>) = match path.as_os_str() == "-" {
            true => ("standard input".to_owned(), Ok(Box::new(io::stdin()))),
            false => (
                path.display().to_string(),
                File::open(path).map(|file| Box::new(file) as _),
            ),
        };
        let lines = input.and_then(|input| Self::read(&name, input));
        lines.map_err(|error| format!("cannot read {name}: {error}"))
    }

    /// A gzip file begins with two bytes that no line of JSON begins with.
    fn read(name: &str, input: impl Read + 'static) -> io::Result<Self> {
        let mut input = BufReader::new(input);
        let reader: Box<dyn BufRead> = match input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            true => Box::new(BufReader::new(MultiGzDecoder::new(input))),
            false => Box::new(input),
        };
        Ok(Self {
            name: name.to_owned(),
            reader,
            number: 0,
            text: Vec::new(),
        })
    }

    /// The next line that is not blank, if there is one. An error is a sentence for the operator.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>, String> {
        self.text.clear();
        while self.text.trim_ascii().is_empty() {
            self.number += 1;
            let (number, name) = (self.number, &self.name);
            let fail = |error| format!("cannot read line {number} of {name}: {error}");
            if !read_line(&mut self.reader, &mut self.text).map_err(fail)? {
                return Ok(None);
            }
        }
        let is_whole = self.text.len() <= MAX_RECORD_BYTES;
        let text = is_whole.then_some(self.text.as_slice());
        Ok(Some((self.number, text)))
    }
}

/// Whether there was another line. No more of it is kept than tells that it is too long.
fn read_line(reader: &mut dyn BufRead, text: &mut Vec<u8>) -> io::Result<bool> {
    text.clear();
    // A line break may have two bytes.
    let limit = MAX_RECORD_BYTES as u64 + 2;
    if reader.take(limit).read_until(b'\n', text)? == 0 {
        return Ok(false);
    }
    if text.pop_if(|last| *last == b'\n').is_some() {
        text.pop_if(|last| *last == b'\r');
    } else if text.len() as u64 == limit {
        reader.skip_until(b'\n')?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// The lines of an input; of one that is too long, nothing.
    fn read_all(input: Vec<u8>) -> Result<Vec<(u64, String)>, String> {
        let mut lines = Lines::read("sample", Cursor::new(input)).unwrap();
        let mut all = Vec::new();
        while let Some((number, text)) = lines.next_line()? {
            let text = String::from_utf8(text.unwrap_or_default().to_vec());
            all.push((number, text.unwrap()));
        }
        Ok(all)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn line_breaks_of_any_kind_are_taken_off_and_blank_lines_passed_over() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n \t\n", &[]),
            ("a\nb", &[(1, "a"), (2, "b")]),
            ("a\r\n\r\nb\r", &[(1, "a"), (3, "b\r")]),
        ] {
            let owned = |(number, text): &(u64, &str)| (*number, (*text).to_owned());
            let expected: Vec<_> = expected.iter().map(owned).collect();
            assert_eq!(read_all(text.into()).unwrap(), expected, "{text:?}");
            let half = text.len() / 2;
            let gzip = [gzip(&text[..half]), gzip(&text[half..])].concat();
            assert_eq!(read_all(gzip).unwrap(), expected, "{text:?}, gzip");
        }
    }

    #[test]
    fn a_gzip_file_that_ends_too_early_is_an_error_with_its_line() {
        let mut cut = gzip(&"0123456789abcdef\n".repeat(10_000));
        cut.truncate(cut.len() - 20);
        let error = read_all(cut).unwrap_err();
        assert!(error.starts_with("cannot read line "), "{error}");
        assert!(error.contains(" of sample: "), "{error}");
    }

    #[test]
    fn a_line_over_the_limit_is_told_and_passed_over() {
        for ending in ["\n", "\r\n"] {
            for more in [0, 1, 2, 3, MAX_RECORD_BYTES] {
                let long = "x".repeat(MAX_RECORD_BYTES + more);
                let lines = read_all(format!("{long}{ending}b{ending}").into()).unwrap();
                let shown = if more == 0 { long } else { String::new() };
                let expected = [(1, shown), (2, "b".to_owned())];
                assert!(lines == expected, "{more} {ending:?}");
            }
        }
    }
}
