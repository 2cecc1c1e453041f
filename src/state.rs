//! The directory of `state_path`: the journals of delivery streams. A thread of its own reads and
//! writes them, so that nothing else waits for a disk that hangs.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::mem;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use firehose_core::deliver::journal::{self, Page, Remembered, UnknownVersion};
use firehose_core::deliver::ledger::{Key, Secret};
use tokio::sync::oneshot;

/// Names a journal that is open. One that was opened anew has another name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct JournalId(u64);

/// What a journal's file told.
pub struct Opened {
    pub id: JournalId,
    /// The key of the hashes that name its chunks.
    pub secret: Secret,
    pub remembered: Remembered,
    /// How many bytes at its end were no entries.
    pub cut: usize,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// A directory, which the outputs of the process share.
pub struct State {
    jobs: Sender<Job>,
}

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

enum Job {
    Open {
        name: String,
        stream: String,
        opened: oneshot::Sender<Result<Opened, String>>,
    },
    Write {
        id: JournalId,
        page: Page,
        is_synced: bool,
        done: Done,
    },
    Close {
        id: JournalId,
        is_empty: bool,
    },
    Call(Box<dyn FnOnce() + Send>),
}

/// A journal is a megabyte by default. A file of more bytes than this is no journal.
const MOST_BYTES: u64 = 1_000_000_000;

/// How often the lock is tried: an output of this process, or a process that is about to end, may
/// still be writing.
const TRIES: u32 = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// All that the thread does is call the system.
const STACK: usize = 128 * 1024;

impl State {
    /// The directory, which its thread opens if this is its first output.
    pub fn shared(path: &Path) -> Result<Arc<Self>, io::Error> {
        static SHARED: Mutex<BTreeMap<PathBuf, Weak<State>>> = Mutex::new(BTreeMap::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = shared.get(path).and_then(Weak::upgrade) {
            return Ok(state);
        }
        let (sender, jobs) = channel();
        let own = path.to_owned();
        let builder = thread::Builder::new().name("firehose".to_owned());
        builder.stack_size(STACK).spawn(move || work(&own, &jobs))?;
        let state = Arc::new(Self { jobs: sender });
        shared.retain(|_, state| state.strong_count() > 0);
        shared.insert(path.to_owned(), Arc::downgrade(&state));
        Ok(state)
    }

    /// Reads the journal of a stream. `name` is for whoever looks at the directory.
    pub fn open(&self, name: &str, stream: &str) -> oneshot::Receiver<Result<Opened, String>> {
        let (opened, receiver) = oneshot::channel();
        let (name, stream) = (name.to_owned(), stream.to_owned());
        // The thread takes jobs as long as anybody can give it one.
        _ = self.jobs.send(Job::Open {
            name,
            stream,
            opened,
        });
        receiver
    }

    /// Writes a page of a journal.
    pub fn write(&self, id: JournalId, page: Page, is_synced: bool, done: Done) {
        _ = self.jobs.send(Job::Write {
            id,
            page,
            is_synced,
            done,
        });
    }

    /// Nothing more is written to a journal. The file of one that tells of no chunk is removed.
    pub fn close(&self, id: JournalId, is_empty: bool) {
        _ = self.jobs.send(Job::Close { id, is_empty });
    }

    /// Calls when all before it is done.
    pub fn then(&self, call: impl FnOnce() + Send + 'static) {
        _ = self.jobs.send(Job::Call(Box::new(call)));
    }
}

/// Names chunks where there is no directory.
pub fn secret_of_process() -> Secret {
    static SECRET: OnceLock<Secret> = OnceLock::new();
    SECRET.get_or_init(new_secret).clone()
}

/// Of what the system seeds hash maps with.
fn new_secret() -> Secret {
    let mut secret = [0; Secret::LENGTH];
    for (number, bytes) in secret.chunks_exact_mut(8).enumerate() {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_usize(number);
        bytes.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    Secret(secret)
}

fn work(path: &Path, jobs: &Receiver<Job>) {
    let mut directory = Directory::open(path);
    for job in jobs {
        match job {
            Job::Open {
                name,
                stream,
                opened,
            } => {
                let read = match &mut directory {
                    Ok(directory) => directory.read(&name, &stream),
                    Err(why) => Err(why.clone()),
                };
                // Who asked may have waited long enough.
                _ = opened.send(read);
            }
            Job::Write {
                id,
                page,
                is_synced,
                done,
            } => done(match &mut directory {
                Ok(directory) => directory.write(id, &page, is_synced),
                Err(why) => Err(why.clone()),
            }),
            Job::Close { id, is_empty } => {
                if let Ok(directory) = &mut directory {
                    directory.close(id, is_empty);
                }
            }
            Job::Call(call) => call(),
        }
    }
}

struct Directory {
    path: PathBuf,
    secret: Secret,
    /// What the output that opens the next journal should say.
    notes: Vec<String>,
    journals: HashMap<JournalId, Journal>,
    last: JournalId,
    /// It is held until the thread ends, however the process does.
    _lock: File,
}

struct Journal {
    path: PathBuf,
    /// None before the journal's first page, and after a page that could not be written.
    file: Option<File>,
}

impl Directory {
    fn open(path: &Path) -> Result<Self, String> {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        made.map_err(|why| failed("made", path, &why))?;
        let place = path.join("lock");
        let lock = private().create(true).append(true).open(&place);
        let lock = lock.map_err(|why| failed("opened", &place, &why))?;
        for tries in 1.. {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::WouldBlock) => {
                    return Err(format!(
                        "`{}` is in use by another process: give each its own",
                        path.display()
                    ));
                }
                Err(TryLockError::Error(why)) => return Err(failed("locked", &place, &why)),
            }
        }
        let place = path.join("key");
        let secret = secret(&place).map_err(|why| failed("read or written", &place, &why))?;
        let (secret, is_new) = secret;
        let mut notes = Vec::new();
        if is_new && has_journals(path) {
            notes.push(format!(
                "`{}` is no key and was made anew: what the journals beside it told of may be \
                 sent again; they can be removed",
                place.display()
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            secret,
            notes,
            journals: HashMap::new(),
            last: JournalId::default(),
            _lock: lock,
        })
    }

    fn read(&mut self, name: &str, stream: &str) -> Result<Opened, String> {
        let hash = Key::new(&self.secret, stream, "", b"");
        let path = self.path.join(format!("{name}-{hash}.journal"));
        let (mut notes, mut bytes) = (mem::take(&mut self.notes), Vec::new());
        match File::open(&path) {
            Ok(file) => {
                let read = file.take(MOST_BYTES).read_to_end(&mut bytes);
                read.map_err(|why| failed("read", &path, &why))?;
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(failed("opened", &path, &why)),
        }
        let (remembered, cut) = journal::read(&bytes).unwrap_or_else(|UnknownVersion(version)| {
            let aside = path.with_extension(format!("version-{version}"));
            let moved = fs::rename(&path, &aside);
            notes.push(format!(
                "the journal {} is of version {version}, which this plugin does not know: {}",
                path.display(),
                match moved {
                    Ok(()) => format!("it is set aside as {}", aside.display()),
                    Err(why) => format!("it will be written over, as it can't be renamed: {why}"),
                }
            ));
            Default::default()
        });
        if cut > 0 {
            notes.push(format!(
                "the last {cut} bytes of the journal {} are not whole and are left out: what they \
                 told of may be sent again",
                path.display()
            ));
        }
        let journal = Journal { path, file: None };
        self.last.0 += 1;
        self.journals.insert(self.last, journal);
        Ok(Opened {
            id: self.last,
            secret: self.secret.clone(),
            remembered,
            cut,
            notes,
        })
    }

    fn write(&mut self, id: JournalId, page: &Page, is_synced: bool) -> Result<(), String> {
        let journal = self.journals.get_mut(&id);
        let journal = journal.ok_or("its journal was not opened")?;
        let file = journal.file.take();
        let written = match page.is_whole {
            true => write_anew(&self.path, &journal.path, &page.bytes, is_synced),
            false => match file {
                Some(file) => append(file, &page.bytes, is_synced),
                None => Err(io::Error::other("a page before it could not be written")),
            },
        };
        match written {
            Ok(file) => journal.file = Some(file),
            Err(why) => return Err(failed("written", &journal.path, &why)),
        }
        Ok(())
    }

    fn close(&mut self, id: JournalId, is_empty: bool) {
        let Some(Journal { path, .. }) = self.journals.remove(&id) else {
            return;
        };
        // The stream may have come again meanwhile: then the file is that journal's.
        if is_empty && !self.journals.values().any(|other| other.path == path) {
            // Where it stays it tells of nothing that comes again.
            _ = fs::remove_file(path);
        }
    }
}

/// Only its owner may read it.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.mode(0o600);
    options
}

fn failed(what: &str, path: &Path, why: &io::Error) -> String {
    format!("`{}` can't be {what}: {why}", path.display())
}

/// In whole or not at all.
fn write_anew(directory: &Path, path: &Path, bytes: &[u8], is_synced: bool) -> io::Result<File> {
    let new = path.with_extension("new");
    let file = private()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&new)?;
    let file = append(file, bytes, is_synced)?;
    fs::rename(&new, path)?;
    if is_synced {
        File::open(directory)?.sync_all()?;
    }
    Ok(file)
}

fn append(mut file: File, bytes: &[u8], is_synced: bool) -> io::Result<File> {
    file.write_all(bytes)?;
    if is_synced {
        file.sync_data()?;
    }
    Ok(file)
}

/// Whether a process kept any here.
fn has_journals(directory: &Path) -> bool {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths = files.map(|file| file.path());
    paths.any(|path| path.extension().is_some_and(|it| it == "journal"))
}

/// The directory's own, made once, and whether that is now. One of another length is no key, so
/// that nothing is known by it.
fn secret(path: &Path) -> io::Result<(Secret, bool)> {
    let known = fs::read(path).or_else(|why| match why.kind() {
        io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(why),
    })?;
    if let Ok(known) = known.try_into() {
        return Ok((Secret(known), false));
    }
    let secret = new_secret();
    let directory = path.parent().unwrap_or(path);
    write_anew(directory, path, &secret.0, true)?;
    Ok((secret, true))
}
