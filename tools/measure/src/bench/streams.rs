//! Many lines as forty files, each a tag of its own: to one delivery stream, and to one for each tag.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// As many streams, too: `trial` has the service know them.
pub(crate) const TAGS: usize = 40;
/// So often each line is there: a stream's first calls are small, as its rate is not known yet, and
/// they are to be few among all.
pub(super) const TIMES: u64 = 4;
pub(super) const TAG: &str = "file.*";
/// The file's name without its ending.
pub(super) const TEMPLATE: &str = "app-$TAG[-2]";

pub(crate) fn names() -> impl Iterator<Item = String> {
    (0..TAGS).map(|tag| format!("app-{tag}"))
}

/// Deals the lines of a file out to files of a directory that is not there yet; returns their glob.
pub(super) fn deal(input: &Path, directory: &Path) -> io::Result<PathBuf> {
    fs::create_dir(directory)?;
    let file = |tag| File::create(directory.join(format!("{tag}.log"))).map(BufWriter::new);
    let mut files: Vec<BufWriter<File>> = (0..TAGS).map(file).collect::<Result<_, _>>()?;
    for _ in 0..TIMES {
        let lines = BufReader::new(File::open(input)?).split(b'\n');
        for (line, tag) in lines.zip((0..TAGS).cycle()) {
            files[tag].write_all(&line?)?;
            files[tag].write_all(b"\n")?;
        }
    }
    files.iter_mut().try_for_each(BufWriter::flush)?;
    Ok(directory.join("*.log"))
}
