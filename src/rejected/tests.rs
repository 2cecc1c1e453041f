use std::collections::BTreeSet;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::{TempDir, tempdir};

use super::*;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A folder, and the path of a file in it that is not there.
fn place() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("rejected.jsonl");
    (folder, path)
}

fn file(path: &Path, max_bytes: u64) -> File {
    let path = path.to_owned();
    File::new(RejectedFile { path, max_bytes })
}

fn started(path: &Path) -> (Queue, Thread) {
    let options = RejectedFile {
        path: path.to_owned(),
        max_bytes: u64::MAX,
    };
    let (format, totals) = (Format::default(), Arc::default());
    start(options, "logs", &format, None, totals, Level::Info)
}

fn rotated(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn soon() -> Instant {
    Instant::now() + LONG
}

// === the file ===

#[test]
fn a_file_is_rotated_when_a_line_more_would_be_too_much() {
    let (_folder, path) = place();
    let file = file(&path, 8);
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    for (line, now, before) in [
        ("aaa\n", "aaa\n", ""),
        ("bbb\n", "aaa\nbbb\n", ""),
        ("\n", "\n", "aaa\nbbb\n"),
        ("0123456789\n", "0123456789\n", "\n"),
        ("c\n", "c\n", "0123456789\n"),
    ] {
        file.append(line.as_bytes()).unwrap();
        assert_eq!((&*read(&path), &*read(&rotated(&path))), (now, before));
    }
}

#[test]
fn a_file_and_its_folder_are_made_for_the_user_alone() {
    let (folder, _) = place();
    let path = folder.path().join("a/b/rejected.jsonl");
    let file = file(&path, 8);
    for _ in 0..2 {
        file.append(b"0123456789\n").unwrap();
    }
    let modes = [&*path, &rotated(&path), path.parent().unwrap()].map(mode);
    assert_eq!(modes, [0o600, 0o600, 0o700]);
    // What an operator has allowed stays.
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    file.make().unwrap();
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_link_leads_no_line_to_another_file() {
    let (folder, path) = place();
    let other = folder.path().join("other");
    fs::write(&other, "").unwrap();
    symlink(&other, &path).unwrap();
    assert!(file(&path, 100).append(b"line\n").is_err());
    assert_eq!(fs::read_to_string(other).unwrap(), "");
}

#[test]
fn a_line_that_has_no_end_spoils_no_other() {
    let (_folder, path) = place();
    fs::write(&path, "tor").unwrap();
    let file = file(&path, 100);
    file.make().unwrap();
    file.append(b"whole\n").unwrap();
    file.append(b"whole\n").unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "tor\nwhole\nwhole\n");
}

/// As on a disk that becomes full. In a process of its own, whose files can't grow beyond 1,024
/// bytes.
#[test]
fn a_part_of_a_line_is_taken_back() {
    const IS_LIMITED: &str = "FIREHOSE_TEST_IS_LIMITED";
    if std::env::var_os(IS_LIMITED).is_none() {
        let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" a_part_of_a_line_is_taken_back";
        let mut limited = Command::new("sh");
        limited.env(IS_LIMITED, "").args(["-c", script]);
        let output = limited.arg(std::env::current_exe().unwrap()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let (_folder, path) = place();
    let file = file(&path, 10_000);
    file.append(&[b'\n'; 1000]).unwrap();
    assert!(file.append(&[b'\n'; 100]).is_err());
    assert_eq!(fs::metadata(path).unwrap().len(), 1000);
}

/// Each has half of what both files together may hold, and there is one rotation.
#[test]
fn who_writes_to_one_file_loses_nothing_by_another_s_rotation() {
    const WRITERS: usize = 4;
    const LINES: usize = 100;
    for round in 0..20 {
        let (_folder, path) = place();
        let line = |writer, number| format!("{round} {writer} {number:03} {}\n", "x".repeat(40));
        let all = WRITERS * LINES * line(0, 0).len();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let file = file(&path, all as u64 * 2 / 3);
                scope.spawn(move || {
                    for number in 0..LINES {
                        file.append(line(writer, number).as_bytes()).unwrap();
                    }
                });
            }
        });
        let written = [&*path, &rotated(&path)].map(|path| fs::read_to_string(path).unwrap());
        let written: BTreeSet<String> = written
            .iter()
            .flat_map(|text| text.split_inclusive('\n').map(str::to_owned))
            .collect();
        let numbers =
            (0..WRITERS).flat_map(|writer| (0..LINES).map(move |number| (writer, number)));
        let expected: BTreeSet<String> = numbers.map(|(w, number)| line(w, number)).collect();
        assert!(
            written == expected,
            "{} of {}",
            written.len(),
            expected.len()
        );
    }
}

// === the thread ===

#[test]
fn all_that_was_kept_is_written_when_the_queue_is_gone() {
    let (_folder, path) = place();
    let (queue, thread) = started(&path);
    // Depth costs no stack, of which there is little.
    let deep = [vec![0x91; 200_000], vec![1]].concat();
    queue.keep("app", Reason::NoEvent, None, &deep);
    for _ in 0..1000 {
        queue.keep("app", Reason::NoEvent, None, &[1]);
    }
    drop(queue);
    assert_eq!(thread.end(soon()), []);
    let written = fs::read_to_string(path).unwrap();
    let (first, others) = written.split_once('\n').unwrap();
    assert!(first.ends_with("]]]]\"}"));
    assert_eq!(others.lines().count(), 1000);
    assert!(
        others
            .lines()
            .all(|line| line.ends_with(",\"document\":\"1\"}"))
    );
}

#[test]
fn what_a_full_disk_does_not_take_is_counted_and_told_once() {
    let (queue, thread) = started(Path::new("/dev/full"));
    for _ in 0..3 {
        queue.keep("app", Reason::NoEvent, None, &[1]);
    }
    drop(queue);
    let lines = thread.end(soon());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].level, Level::Error);
    assert!(
        lines[0].text.starts_with("rejected_path `/dev/full`"),
        "{lines:?}"
    );
    assert!(lines[0].text.contains("No space left"), "{lines:?}");
    assert_eq!(thread.shared.totals.unkept.get(), 3);
}

#[test]
fn a_folder_that_is_none_is_told_at_the_start_and_may_be_mended() {
    let (folder, _) = place();
    let parent = folder.path().join("parent");
    fs::write(&parent, "").unwrap();
    let path = parent.join("rejected.jsonl");
    let (queue, thread) = started(&path);
    let told = loop {
        match thread.lines() {
            lines if lines.is_empty() => thread::yield_now(),
            lines => break lines,
        }
    };
    assert!(told[0].text.contains("Not a directory"), "{told:?}");
    fs::remove_file(&parent).unwrap();
    queue.keep("app", Reason::NoEvent, None, &[1]);
    drop(queue);
    assert_eq!(thread.end(soon()), []);
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 1);
    assert_eq!(thread.shared.totals.unkept.get(), 0);
}

/// A pipe that nobody reads is a disk that hangs.
#[test]
fn a_disk_that_hangs_keeps_nobody_waiting() {
    let (_folder, path) = place();
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let mut reader = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let (queue, thread) = started(&path);
    let value = vec![0; MOST_QUEUED / 4];
    for _ in 0..10 {
        queue.keep("app", Reason::Corrupt, None, &value);
    }
    drop(queue);
    let lines = thread.end(Instant::now());
    let has = |words| lines.iter().any(|line| line.text.contains(words));
    assert!(has("more slowly than they come"), "{lines:?}");
    assert!(has("ends with 3146496 bytes not yet written"), "{lines:?}");
    assert_eq!(thread.shared.totals.unkept.get(), 7);
    // It is written when the disk comes back.
    let (mut byte, mut ends) = ([0; 4096], 0);
    while ends < 3 {
        let length = reader.read(&mut byte).unwrap();
        ends += byte[..length].iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(thread.end(soon()), []);
}
