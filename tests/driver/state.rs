//! The directory of `state_path`: what a process finds there, and what it makes of a bad one.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use firehose::driver::{Message, Place};
use firehose::lent::LentChunk;
use firehose::state::State;
use firehose_core::deliver::journal::Page;
use firehose_core::deliver::verdict::Verdict;
use firehose_core::options;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{advance, pause};

use crate::rig::{EVENT, OUTPUT, Rig, end_of};

const CHUNKS: u8 = 3;
/// The documents of all.
const ALL: usize = 2 * CHUNKS as usize;

fn place(path: &Path) -> Option<Place> {
    place_of(path, 100_000)
}

fn place_of(path: &Path, max_bytes: usize) -> Option<Place> {
    Some(Place {
        state: State::shared(path).expect("there is a thread"),
        name: "logs".to_owned(),
        stream: "logs of an account".to_owned(),
        options: options::State {
            path: path.to_owned(),
            is_synced: true,
            max_bytes,
        },
    })
}

/// A process: a runtime that ends whatever its tasks do, with a driver.
fn process<F: Future>(place: Option<Place>, life: impl FnOnce(Rig) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }
        .enable_all()
        .build()
        .expect("there is a runtime");
    let lived = runtime.block_on(async { life(Rig::with(place)).await });
    drop(runtime);
    lived
}

fn chunk(number: u8) -> Vec<u8> {
    [EVENT, &[0x92, 0, 0x81, 0xa1, b'n', number]].concat()
}

/// Half of each chunk is accepted, and then the process ends.
fn begin(path: &Path) {
    process(place(path), |rig| async move {
        rig.service.is_halving.store(true, Ordering::Relaxed);
        let flushes: Vec<_> = (0..CHUNKS)
            .map(|number| rig.flush(LentChunk::new(chunk(number))))
            .collect();
        // What was refused is under way again: so the rest was told of.
        while rig.service.under_way.lock().unwrap().len() < 2 * flushes.len() {
            yield_now().await;
        }
        written(path).await;
    });
}

/// Returns when all is written.
async fn written(path: &Path) {
    let (written, done) = oneshot::channel();
    let state = State::shared(path).expect("it is there");
    state.then(move || _ = written.send(()));
    done.await.expect("the thread runs");
}

/// What another process sends of the same chunks, and what its log says.
fn end(path: &Path) -> (usize, Vec<String>) {
    process(place(path), |rig| async move {
        let mut all = Vec::new();
        for number in 0..CHUNKS {
            let (verdict, _, lines) = end_of(rig.flush(LentChunk::new(chunk(number)))).await;
            assert_eq!(verdict, Verdict::Delivered);
            all.extend(lines.into_iter().map(|line| line.text));
        }
        // The host has surely heard of all of them by then.
        pause();
        advance(Duration::from_secs(2)).await;
        yield_now().await;
        written(path).await;
        (rig.service.accepted().iter().sum(), all)
    })
}

/// The files of a directory, the one journal first.
fn files(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).expect("it is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it is").path()).collect();
    files.sort_by_key(|path| path.extension().is_none_or(|it| it != "journal"));
    files
}

/// A directory in which a process has ended.
fn begun() -> TempDir {
    let directory = tempfile::tempdir().expect("there is room");
    begin(&directory.path().join("state"));
    directory
}

fn only(lines: &[String], words: &str) {
    assert!(
        lines.len() == 1 && lines[0].contains(words),
        "{words}: {lines:?}"
    );
}

#[test]
fn the_next_process_sends_the_rest_and_the_one_after_it_all() {
    let directory = begun();
    let path = directory.path().join("state");
    assert_eq!(end(&path), (ALL / 2, vec![]));
    assert_eq!(end(&path), (ALL, vec![]));
}

/// An output that leaves a stream as nothing comes for it anymore.
#[test]
fn a_journal_goes_with_its_last_output_if_it_tells_of_nothing() {
    let directory = begun();
    let path = directory.path().join("state");
    let leaves = async |rig: Rig| {
        let (left, told) = mpsc::channel();
        rig.send(Message::Leave(OUTPUT, left));
        while told.try_recv().is_err() {
            yield_now().await;
        }
        written(&path).await;
        let journal = |path: &&PathBuf| path.extension().is_some_and(|it| it == "journal");
        files(&path).iter().filter(journal).count()
    };
    assert_eq!(process(place(&path), leaves), 1);
    assert_eq!(end(&path).0, ALL / 2);
    assert_eq!(process(place(&path), leaves), 0);
}

#[test]
fn only_its_owner_can_read_it_and_it_names_the_stream() {
    let directory = begun();
    let path = directory.path().join("state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let files = files(&path);
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    let journal = files[0].file_name().unwrap().to_string_lossy();
    assert!(journal.starts_with("logs-"), "{journal}");
    assert_eq!(journal.len(), "logs-.journal".len() + 32, "{journal}");
    let bytes = fs::read(&files[0]).unwrap();
    assert!(!bytes.windows(3).any(|bytes| bytes == b"app"), "no tag");
}

#[test]
fn a_journal_that_was_cut_anywhere_loses_nothing() {
    let directory = begun();
    let path = directory.path().join("state");
    let whole = fs::read(&files(&path)[0]).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut told = 0;
    for _ in 0..100 {
        let copy = tempfile::tempdir().unwrap();
        for file in files(&path) {
            fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
        }
        let length = random.usize(..whole.len());
        fs::write(&files(copy.path())[0], &whole[..length]).unwrap();
        let (sent, lines) = end(copy.path());
        assert!(
            (ALL / 2 + 1..=ALL).contains(&sent),
            "cut to {length}: {sent}"
        );
        if !lines.is_empty() {
            only(&lines, "are not whole and are left out");
            told += 1;
        }
    }
    assert!(told > 50, "{told}");
}

#[test]
fn a_journal_of_another_version_is_set_aside() {
    let directory = begun();
    let path = directory.path().join("state");
    let journal = &files(&path)[0];
    let mut bytes = fs::read(journal).unwrap();
    bytes[7] = 9;
    fs::write(journal, &bytes).unwrap();
    let (sent, lines) = end(&path);
    assert_eq!(sent, ALL);
    only(&lines, "it is set aside as");
    assert_eq!(
        fs::read(journal.with_extension("version-9")).unwrap(),
        bytes
    );
    assert_eq!(end(&path).1, [""; 0]);
}

#[test]
fn a_directory_without_its_key_is_begun_anew() {
    let directory = begun();
    let path = directory.path().join("state");
    fs::write(path.join("key"), b"short").unwrap();
    let (sent, lines) = end(&path);
    assert_eq!(sent, ALL);
    only(&lines, "is no key and was made anew");
    begin(&path);
    assert_eq!(end(&path).0, ALL / 2);
}

#[test]
fn a_second_process_goes_on_without() {
    let directory = begun();
    let path = directory.path().join("state");
    let other = File::open(path.join("lock")).unwrap();
    other.lock().unwrap();
    let (sent, lines) = end(&path);
    assert_eq!(sent, ALL);
    only(&lines, "is in use by another process");
    // A process that ends releases it.
    drop(other);
    assert_eq!(end(&path), (ALL / 2, vec![]));
}

#[test]
fn what_is_no_directory_is_told_and_delivery_goes_on() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (sent, lines) = end(&file.path().join("state"));
    assert_eq!(sent, ALL);
    only(&lines, "can't be made");
}

#[test]
fn a_disk_that_breaks_is_told_once_and_delivery_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let path = path.as_path();
    let (failures, lines) = process(place_of(path, 1), |rig| async move {
        let mut all = Vec::new();
        // Some pages take the place of the file, and after the first there is none.
        for number in 0..3 * CHUNKS {
            let (verdict, _, lines) = end_of(rig.flush(LentChunk::new(chunk(number)))).await;
            assert_eq!(verdict, Verdict::Delivered);
            all.extend(lines.into_iter().map(|line| line.text));
            if number == 0 {
                fs::remove_dir_all(path).unwrap();
                fs::write(path, b"").unwrap();
            }
        }
        (rig.totals.journal_failures.get(), all)
    });
    assert_eq!(failures, 1);
    only(&lines, "the journal in state_path can't be written: ");
}

/// It would stand behind what the page before it should have taken the place of.
#[test]
fn no_page_follows_one_that_could_not_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let state = State::shared(directory.path()).expect("there is a thread");
    let opened = state.open("logs", "stream").blocking_recv();
    let opened = opened.expect("its thread runs").expect("it is a directory");
    let write = |number: u8, is_whole| {
        let bytes = vec![number];
        let number = number.into();
        let page = Page {
            number,
            bytes,
            is_whole,
        };
        let (done, written) = mpsc::channel();
        let done = Box::new(move |result| _ = done.send(result));
        state.write(opened.id, page, false, done);
        written.recv().expect("its thread runs")
    };
    assert_eq!(write(1, true), Ok(()));
    let journal = files(directory.path())[0].clone();
    // A directory is in the way.
    let new = journal.with_extension("new");
    fs::create_dir(&new).unwrap();
    assert!(write(2, true).is_err());
    assert!(write(3, false).is_err());
    fs::remove_dir(&new).unwrap();
    assert_eq!(write(4, true), Ok(()));
    assert_eq!(write(5, false), Ok(()));
    assert_eq!(fs::read(&journal).unwrap(), [4, 5]);
}

/// Whoever opens a pipe waits for who reads it.
#[test]
fn a_disk_that_hangs_keeps_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    let made = Command::new("mkfifo").arg(&lock).status().unwrap();
    assert!(made.success());
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
    let (verdict, lines) = runtime.block_on(async {
        let rig = Rig::with(place(directory.path()));
        let (verdict, _, lines) = end_of(rig.flush(LentChunk::new(chunk(0)))).await;
        (verdict, lines)
    });
    assert_eq!(verdict, Verdict::Delivered);
    only(&[lines[0].text.clone()], "reading it takes more than 5s");
    // Its thread goes on.
    File::open(&lock).unwrap();
}
