//! The file of `rejected_path`, to which several outputs and processes may write: whole lines, one
//! after the other.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use firehose_core::options::RejectedFile;

pub(super) struct File {
    path: PathBuf,
    /// Where its lines are moved to when it is full.
    rotated: PathBuf,
    max_bytes: u64,
}

impl File {
    pub(super) fn new(RejectedFile { path, max_bytes }: RejectedFile) -> Self {
        let mut rotated = path.clone().into_os_string();
        rotated.push(".1");
        Self {
            path,
            rotated: rotated.into(),
            max_bytes,
        }
    }

    /// Makes the file, if it is not there.
    pub(super) fn make(&self) -> io::Result<()> {
        self.open().map(drop)
    }

    /// Appends lines, all of them or none. The file is opened each time: it may have been taken
    /// away, and little is written.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = self.open()?;
        let mut length = file.metadata()?.len();
        if length > 0 && length + lines.len() as u64 > self.max_bytes {
            // If not, somebody else has done it, and the lines there are new.
            if is_at(&self.path, &file)? {
                fs::rename(&self.path, &self.rotated)?;
            }
            file = self.open()?;
            length = file.metadata()?.len();
        }
        let mut whole = Vec::new();
        if is_torn(&file, length)? {
            whole.push(b'\n');
        }
        whole.extend_from_slice(lines);
        let written = file.write_all(&whole);
        if written.is_err() {
            // A part of a line, on a disk that is full.
            _ = file.set_len(length);
        }
        written
    }

    /// Opens the file to append to it, and locks it. Logs are nobody else's: a file or folder that
    /// is not there is made for this user alone, and no link leads to another place.
    fn open(&self) -> io::Result<fs::File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(&self.path);
        if let (Err(error), Some(folder)) = (&file, self.path.parent())
            && error.kind() == ErrorKind::NotFound
        {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            file = options.open(&self.path);
        }
        let file = file?;
        // If the file system has no locks, there is one writer, or nobody who minds.
        _ = file.lock();
        Ok(file)
    }
}

/// Whether the path still leads to the file.
fn is_at(path: &Path, file: &fs::File) -> io::Result<bool> {
    let (there, open) = (fs::symlink_metadata(path)?, file.metadata()?);
    Ok((there.dev(), there.ino()) == (open.dev(), open.ino()))
}

/// Whether its last line has no end, as of a process that was killed.
fn is_torn(file: &fs::File, length: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    Ok(last != [b'\n'])
}
