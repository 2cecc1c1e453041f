//! What is in `state_path`, and how it goes bad.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;

use crate::output::Output;
use crate::trial::Trial;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    None,
    Kept,
    /// No file can be written anew.
    Full,
    ReadOnly,
    /// Its last half is lost.
    Cut,
    OtherVersion,
}

impl State {
    pub(super) const BAD: &[State] = &[
        State::Full,
        State::ReadOnly,
        State::Cut,
        State::OtherVersion,
    ];

    /// What an output is told to keep.
    pub(super) fn of(output: Output) -> &'static [State] {
        match output.is_of_this_project() {
            true => &[State::None, State::Kept],
            false => &[State::None],
        }
    }

    /// The end of its section.
    pub(super) fn option(self, trial: &Trial<'_>) -> String {
        let path = match self {
            State::None => return String::new(),
            // Nobody can make a directory there.
            State::ReadOnly => PathBuf::from("/proc/firehose"),
            _ => trial.path("state"),
        };
        format!("    state_path {}\n", path.display())
    }

    pub(super) fn remark(self) -> Option<String> {
        let what = match self {
            State::None => return None,
            State::Kept => "",
            State::Full => " on a full disk",
            State::ReadOnly => " on a read-only one",
            State::Cut => ", its journal cut in half",
            State::OtherVersion => ", its journal of another version",
        };
        Some(format!("state_path{what}"))
    }

    /// Happens to the directory while no process runs.
    pub(super) fn damage(self, trial: &Trial<'_>) -> io::Result<()> {
        if matches!(self, State::None | State::Kept | State::ReadOnly) {
            return Ok(());
        }
        for file in fs::read_dir(trial.path("state"))? {
            let path = file?.path();
            if path.extension().is_none_or(|it| it != "journal") {
                continue;
            }
            let journal = OpenOptions::new().write(true).open(&path)?;
            match self {
                State::Cut => journal.set_len(journal.metadata()?.len() / 2)?,
                State::OtherVersion => journal.write_all_at(&[9], 7)?,
                // What takes the file's place is written there first.
                _ => match symlink("/dev/full", path.with_extension("new")) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                },
            }
        }
        Ok(())
    }
}
