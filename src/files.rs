//! Files that options name, read while the host waits for Init.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use firehose_core::options::SchemaFile;
use firehose_core::schema::streams::{Schema, Schemas};
use firehose_core::schema::table;

/// The largest table that is read. Glue's own have a hundredth of it.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The most tables of a directory.
const MOST_FILES: usize = 1_000;

/// Reads a file on a thread of its own, as a dead mount may never give anything. An error is a
/// sentence that names the file.
pub(crate) fn in_time<T: Send + 'static>(
    path: &Path,
    limit: Duration,
    read: impl FnOnce(&Path) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (told, done) = mpsc::channel();
    let own = path.to_owned();
    let thread = thread::Builder::new().name("firehose".to_owned());
    // Who no longer waits needs no answer.
    let thread = thread.spawn(move || _ = told.send(read(&own)));
    thread.map_err(|error| unread(path, error))?;
    let done = done.recv_timeout(limit);
    done.unwrap_or_else(|_| Err(unread(path, format!("it gave nothing within {limit:?}"))))
}

pub(crate) fn unread(path: &Path, why: impl std::fmt::Display) -> String {
    format!("`{}` can not be read: {why}", path.display())
}

/// The table of a file, or those of a directory: `STREAM.json` is a stream's.
pub(crate) fn schemas(file: &SchemaFile, limit: Duration) -> Result<Schemas, String> {
    let file = file.clone();
    let directory = file.files.as_ref().map(|files| &files.directory);
    let path = directory.unwrap_or(&file.path).clone();
    in_time(&path, limit, move |path| {
        if file.files.is_none() && !path.is_dir() {
            return schema(path, file.check_every).map(Schemas::One);
        }
        let stream_of = |path: &Path| match &file.files {
            Some(files) => files.stream_of(path),
            None => named(path),
        };
        let tables = tables(path, stream_of)?;
        if tables.is_empty() {
            let what = if file.files.is_some() {
                "file of a delivery stream that may be used"
            } else {
                "file STREAM.json"
            };
            return Err(format!("`{}` has no {what}", path.display()));
        }
        let read =
            |(stream, path): (String, PathBuf)| Ok((stream, schema(&path, file.check_every)?));
        tables
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Schemas::Each)
    })
}

/// The stream of a file `STREAM.json`.
fn named(path: &Path) -> Option<String> {
    path.extension().filter(|end| *end == "json")?;
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

/// The names of streams and their files.
fn tables(
    directory: &Path,
    stream_of: impl Fn(&Path) -> Option<String>,
) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut tables = BTreeMap::new();
    for entry in directory
        .read_dir()
        .map_err(|error| unread(directory, error))?
    {
        let path = entry.map_err(|error| unread(directory, error))?.path();
        let Some(stream) = stream_of(&path) else {
            continue;
        };
        if let Some(other) = tables.insert(stream.clone(), path.clone()) {
            return Err(format!(
                "`{}` and `{}` are both of the delivery stream {stream}",
                other.display(),
                path.display()
            ));
        }
    }
    let (shown, count) = (directory.display(), tables.len());
    match count <= MOST_FILES {
        true => Ok(tables),
        false => Err(format!(
            "`{shown}` has {count} tables, and {MOST_FILES} are the most"
        )),
    }
}

fn schema(path: &Path, check_every: u32) -> Result<Schema, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unread(path, error))?;
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| unread(path, error))?;
    let shown = path.display();
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("`{shown}` is larger than {MOST_BYTES} bytes"));
    }
    let table = table::read(&text, None);
    let schema = table.and_then(|table| Schema::new(table, check_every));
    schema.map_err(|why| format!("`{shown}` has no table that can be used: {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use firehose_core::route::Route;
    use firehose_core::route::files::StreamFiles;
    use firehose_core::route::template::Template;

    use super::*;

    #[test]
    fn a_file_that_can_not_be_opened_is_not_waited_for() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("ca.pem");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        let (told, done) = mpsc::channel();
        let own = path.clone();
        let read = |path: &Path| fs::read(path).map_err(|error| unread(path, error));
        thread::spawn(move || told.send(in_time(&own, Duration::from_millis(1), read)));
        let done = done.recv_timeout(Duration::from_secs(60));
        let expected = unread(&path, "it gave nothing within 1ms");
        assert_eq!(done.expect("it ends"), Err(expected));
        // Another thread still reads it, which ends now: each end waits to be opened for the other.
        fs::write(path, "").expect("there is a reader");
    }

    const TABLE: &str = r#"{"Columns": [{"Name": "id", "Type": "int"}]}"#;

    #[test]
    fn a_directory_has_a_table_for_each_stream() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(path, text).expect("it can be written");
        };
        let file = SchemaFile {
            path: directory.path().to_owned(),
            files: None,
            check_every: 7,
        };
        let read = || schemas(&file, Duration::from_secs(60));
        let shown = directory.path().display();
        assert_eq!(read(), Err(format!("`{shown}` has no file STREAM.json")));
        write("a.b.json", TABLE);
        write("README.md", "no table");
        let schemas = read().expect("there is a table");
        assert!(schemas.of("a.b").is_some() && schemas.of("README").is_none());
        write("c.json", "{}");
        let error = read().expect_err("one is no table");
        let named = format!("`{shown}/c.json` has no table that can be used: neither from");
        assert!(error.starts_with(&named), "{error}");
        let path = directory.path().join("$TAG[1].json");
        let route = Route {
            template: Template::parse("app-$TAG[1]").expect("it is a template"),
            replace: None,
            is_lower_case: true,
            allow: Vec::new(),
            max_streams: 64,
        };
        let files = StreamFiles::parse(path.to_str().expect("it is text"), Some(&route));
        let by_value = SchemaFile {
            files: Some(files.expect("it has the template's placeholder")),
            path,
            check_every: 7,
        };
        let read_by_value = || super::schemas(&by_value, Duration::from_secs(60));
        write("c.json", TABLE);
        let schemas = read_by_value().expect("there are tables");
        assert!(schemas.of("app-a.b").is_some() && schemas.of("a.b").is_none());
        write("C.json", TABLE);
        let error = read_by_value().expect_err("a stream has one table");
        let end = "are both of the delivery stream app-c";
        assert!(error.ends_with(end), "{error}");
        write("c.json", &" ".repeat(MOST_BYTES as usize + 1));
        let error = read().expect_err("it is too large");
        assert_eq!(
            error,
            format!("`{shown}/c.json` is larger than 4194304 bytes")
        );
    }
}
