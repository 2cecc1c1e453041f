//! What is written to the journal, when the host waits for it, and what the next process makes of it.

use std::time::Duration;

use firehose_core::deliver::failure::Cause;
use firehose_core::deliver::journal::{self, Page, UnknownVersion};
use firehose_core::deliver::stream::CallId;
use firehose_core::deliver::verdict::Verdict;

use crate::host::{DELIVERED, Host, ID, event};

const HALF: Result<&[Result<(), Cause>], Cause> = Ok(&[Ok(()), Err(Cause::Server)]);
const MAX_BYTES: usize = 10_000;

/// Two documents.
fn chunk(key: u8) -> Vec<u8> {
    [event(&[(key, 1)]), event(&[(key, 2)])].concat()
}

fn host() -> Host {
    host_at(0)
}

/// A process that begins so many hours after the first one.
fn host_at(hours: u64) -> Host {
    let mut host = Host::new(&[]);
    let unix_time = Duration::from_hours(500_000 + hours);
    host.stream.keep_journal(host.now, unix_time, MAX_BYTES);
    host
}

/// The next process, with what the file tells.
fn after(file: &[u8]) -> Host {
    let mut host = host();
    let (remembered, cut) = journal::read(file).expect("it is of this version");
    assert_eq!(cut, 0);
    host.stream.remember(host.now, remembered);
    host
}

impl Host {
    /// Flushes a chunk, to the one call that it takes.
    fn call(&mut self, chunk: &[u8]) -> CallId {
        self.begin(ID, 0, chunk);
        let (calls, _) = self.calls();
        assert_eq!(calls.len(), 1);
        calls[0]
    }

    /// The one document of a chunk that is not sent yet is refused for good: another is accepted.
    fn refuse(&mut self, chunk: &[u8]) {
        const LATER: Duration = Duration::from_secs(5);
        let refused = Err(Cause::Payload);
        let call = self.call(chunk);
        self.answer(call, refused);
        self.now += LATER;
        let alone = self.calls().0[0];
        self.answer(alone, refused);
        self.now += LATER;
        let other = self.call(&self::chunk(b'b'));
        self.answer(other, DELIVERED);
        self.now += LATER;
        let alone = self.calls().0[0];
        self.answer(alone, refused);
        assert_eq!(self.totals.rejected.get(), 1);
    }

    /// The verdicts of flushes that have ended.
    fn verdicts(&mut self) -> Vec<Verdict> {
        self.calls();
        self.ended.drain(..).map(|(_, verdict)| verdict).collect()
    }

    /// Has all pages written to a file.
    fn write(&mut self, file: &mut Vec<u8>) {
        self.calls();
        for page in std::mem::take(&mut self.pages) {
            if page.is_whole {
                file.clear();
            }
            file.extend(&page.bytes);
            self.stream.written(self.now, page.number, Ok(()));
        }
        self.calls();
    }

    /// A chunk is accepted whole, to the end.
    fn deliver_to(&mut self, key: u8, file: &mut Vec<u8>) {
        let call = self.call(&chunk(key));
        self.answer(call, DELIVERED);
        self.write(file);
        assert_eq!(self.verdicts().last(), Some(&Verdict::Delivered));
        self.close(file);
    }

    /// Until the host has heard of what was answered.
    fn close(&mut self, file: &mut Vec<u8>) {
        self.now += Duration::from_secs(1);
        self.write(file);
    }

    fn fail(&mut self) {
        self.calls();
        for page in std::mem::take(&mut self.pages) {
            let full = Err("the disk is full".to_owned());
            self.stream.written(self.now, page.number, full);
        }
    }

    /// A chunk goes out: the first page that is to be written.
    fn deliver(&mut self, key: u8) -> Option<Page> {
        self.pages.clear();
        let call = self.call(&chunk(key));
        self.answer(call, DELIVERED);
        self.calls();
        (!self.pages.is_empty()).then(|| self.pages.remove(0))
    }
}

#[test]
fn the_host_hears_of_nothing_that_is_not_written() {
    let (mut host, mut file) = (host(), Vec::new());
    let call = host.call(&chunk(b'a'));
    host.answer(call, DELIVERED);
    assert_eq!(host.verdicts(), []);
    host.write(&mut file);
    let written = file.len();
    assert_eq!(host.verdicts(), [Verdict::Delivered]);
    // It is closed when the host has surely heard.
    let is_known = |file: &[u8]| !journal::read(file).expect("it is one").0.is_empty();
    host.write(&mut file);
    assert!(file.len() == written && is_known(&file));
    host.close(&mut file);
    assert!(file.len() > written && !is_known(&file));
}

/// A worker hands its answer on after the next flush, if one waits for it.
#[test]
fn what_the_host_has_not_heard_outlives_the_process() {
    let (mut first, mut file) = (host(), Vec::new());
    let call = first.call(&chunk(b'a'));
    first.answer(call, DELIVERED);
    first.write(&mut file);
    assert_eq!(first.verdicts(), [Verdict::Delivered]);
    first.call(&chunk(b'b'));
    for _ in 0..20 {
        first.close(&mut file);
    }
    let mut next = after(&file);
    next.begin(ID, 0, &chunk(b'a'));
    assert_eq!(next.verdicts(), [Verdict::Delivered]);
    assert_eq!(next.all_calls(), 0);
}

#[test]
fn without_a_journal_nothing_is_written_or_named() {
    let mut host = Host::new(&[]);
    assert!(!host.stream.wants_names(ID));
    assert_eq!(host.flush(&chunk(b'a'), DELIVERED), Verdict::Delivered);
    assert_eq!(host.pages, []);
}

#[test]
fn the_next_process_sends_what_was_not_accepted() {
    let (mut first, mut file) = (host(), Vec::new());
    let call = first.call(&chunk(b'a'));
    first.answer(call, HALF);
    first.write(&mut file);

    let mut next = after(&file);
    next.deliver_to(b'b', &mut file);
    assert_eq!(next.totals.documents.get(), 2);
    let call = next.call(&chunk(b'a'));
    next.answer(call, Ok(&[Ok(())]));
    next.write(&mut file);
    assert_eq!(next.verdicts(), [Verdict::Delivered]);
    assert_eq!(next.totals.documents.get(), 3);
    assert_eq!(next.totals.resumed_chunks.get(), 1);
    // It is used once.
    next.close(&mut file);
    let mut third = after(&file);
    let call = third.call(&chunk(b'a'));
    third.answer(call, DELIVERED);
    assert_eq!(third.totals.documents.get(), 2);
}

#[test]
fn what_was_accepted_whole_is_not_sent_again_if_the_host_had_not_heard() {
    let (mut first, mut file) = (host(), Vec::new());
    for _ in 0..2 {
        let call = first.call(&chunk(b'a'));
        first.answer(call, DELIVERED);
    }
    first.write(&mut file);
    let mut next = after(&file);
    for _ in 0..2 {
        assert_eq!(next.flush(&chunk(b'a'), DELIVERED), Verdict::Delivered);
        assert_eq!(next.all_calls(), 0);
    }
    next.call(&chunk(b'a'));
}

#[test]
fn what_was_refused_for_good_is_not_sent_again() {
    let (mut first, mut file) = (host(), Vec::new());
    first.refuse(&event(&[(b'a', 1)]));
    first.write(&mut file);
    let mut next = after(&file);
    next.begin(ID, 0, &event(&[(b'a', 1)]));
    assert_eq!(next.verdicts(), [Verdict::Failed]);
    assert_eq!(next.all_calls(), 0);
}

/// What an earlier process delivered of it counts too.
#[test]
fn a_chunk_whose_rest_is_bad_is_not_wholly_bad() {
    let (mut first, mut file) = (host(), Vec::new());
    let call = first.call(&chunk(b'a'));
    first.answer(call, HALF);
    first.write(&mut file);
    let mut next = after(&file);
    next.refuse(&chunk(b'a'));
    next.write(&mut file);
    assert_eq!(next.verdicts(), [Verdict::Delivered; 2]);
}

#[test]
fn a_slow_disk_keeps_the_host_for_a_second_and_is_told_once() {
    let mut host = host();
    let slow = host.deliver(b'a').expect("a page is to be written");
    host.now += Duration::from_millis(999);
    assert_eq!(host.verdicts(), []);
    let (_, until) = host.calls();
    host.now += Duration::from_millis(1);
    assert_eq!(until, Some(host.now));
    assert_eq!(host.verdicts(), [Verdict::Delivered]);
    // Nothing more is given to a disk that hangs.
    for key in b'b'..b'f' {
        assert_eq!(host.deliver(key), None);
        assert_eq!(host.verdicts(), [Verdict::Delivered]);
    }
    let told = host.lines().join("; ");
    assert!(told.starts_with("Warn: the journal in state_path can't be written: a write takes"));
    assert!(
        !told.contains(';') || told.matches("journal").count() == 1,
        "{told}"
    );

    // It comes back: the file is written anew.
    host.stream.written(host.now, slow.number, Ok(()));
    host.calls();
    assert_eq!(host.lines(), [""; 0]);
    let page = host.pages.pop().expect("a page is to be written");
    assert!(page.is_whole);
    host.stream.written(host.now, page.number, Ok(()));
    host.calls();
    assert_eq!(
        host.lines(),
        ["Info: the journal in state_path is written again"]
    );
}

#[test]
fn a_full_disk_costs_nothing_but_the_memory() {
    let mut host = host();
    host.deliver(b'a');
    host.calls();
    let page = host.deliver(b'b').expect("a page is to be written");
    host.stream
        .written(host.now, page.number, Err("the disk is full".to_owned()));
    assert_eq!(host.verdicts(), [Verdict::Delivered; 2]);
    host.now += Duration::from_secs(29);
    assert_eq!(host.deliver(b'c'), None);
    assert_eq!(host.verdicts(), [Verdict::Delivered]);
    let (_, until) = host.calls();
    host.now += Duration::from_secs(1);
    // Though nothing happens.
    assert_eq!(until, Some(host.now));
    host.calls();
    assert!(host.pages.iter().all(|page| page.is_whole) && host.pages.len() == 1);
    host.fail();
    let told = host.lines();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn the_file_is_written_anew_before_it_grows_too_large() {
    let (mut host, mut file) = (host(), Vec::new());
    let call = host.call(&chunk(b'z'));
    host.answer(call, HALF);
    // Its rest is under way all the time.
    host.write(&mut file);
    let mut whole = 0;
    for round in 0..1_000_u16 {
        let before = file.len();
        host.deliver_to(b'a' + (round % 20) as u8, &mut file);
        whole += usize::from(file.len() < before);
        assert!(file.len() <= MAX_BYTES, "{}", file.len());
    }
    assert!((2..200).contains(&whole), "{whole}");
    // What was open all the time is there.
    let mut next = after(&file);
    next.begin(ID, 0, &chunk(b'z'));
    assert_eq!(next.totals.resumed_chunks.get(), 1);
}

#[test]
fn what_no_process_is_handed_again_ages_over_all_of_them() {
    let mut file = Vec::new();
    let mut first = host();
    let call = first.call(&chunk(b'a'));
    first.answer(call, HALF);
    first.write(&mut file);
    // Each delivers something else an hour after its start. In between, none runs for days.
    for process in 1..8 {
        let (remembered, _) = journal::read(&file).expect("it is of this version");
        let mut next = host_at(100 * process);
        next.stream.remember(next.now, remembered);
        next.now += Duration::from_hours(1);
        next.deliver_to(b'b', &mut file);
        let (remembered, _) = journal::read(&file).expect("it is of this version");
        assert_eq!(remembered.is_empty(), process >= 6, "process {process}");
    }
}

#[test]
fn what_earlier_processes_left_is_bounded() {
    let (remembered, _) = journal::read(&some_file()).expect("it is of this version");
    let mut next = Host::new(&[]);
    next.stream.leave(next.now, ID, |_| false);
    next.stream.remember(next.now, remembered);
    next.join(ID, &[("resume_max_chunks", "2")]);
    let mut known = Vec::new();
    for key in b'a'..b'h' {
        let before = next.totals.resumed_chunks.get();
        next.begin(ID, 0, &chunk(key));
        known.push(next.totals.resumed_chunks.get() > before);
    }
    assert_eq!(known, [false, false, false, false, false, true, true]);
}

#[test]
fn what_is_open_may_be_larger_than_the_file_should_be() {
    let mut host = Host::new(&[]);
    host.stream.keep_journal(host.now, Duration::ZERO, 100);
    let mut file = Vec::new();
    for key in b'a'..b'k' {
        let call = host.call(&chunk(key));
        host.answer(call, HALF);
        host.write(&mut file);
    }
    let mut whole = 0;
    for _ in 0..20 {
        let before = file.len();
        host.deliver_to(b'z', &mut file);
        whole += usize::from(file.len() < before);
    }
    assert!((1..10).contains(&whole), "{whole}");
}

/// The file of some chunks, and how many of them it tells of at each of its lengths.
fn some_file() -> Vec<u8> {
    let (mut host, mut file) = (host(), Vec::new());
    for key in b'a'..b'h' {
        let call = host.call(&chunk(key));
        host.answer(call, HALF);
        host.write(&mut file);
    }
    file
}

#[test]
fn a_file_that_was_cut_or_changed_tells_of_what_stands_before() {
    let file = some_file();
    let (all, cut) = journal::read(&file).expect("it is of this version");
    assert_eq!((all.len(), cut), (7, 0));
    let mut last = 0;
    for length in 0..file.len() {
        let (read, cut) = journal::read(&file[..length]).expect("it is of this version");
        assert!(read.len() >= last && read.len() < 7 && cut <= length);
        last = read.len();

        for flip in [1, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[length] ^= flip;
            match journal::read(&changed) {
                Ok((read, cut)) => assert!(read.len() <= last && cut > 0, "{length}"),
                Err(UnknownVersion(version)) => assert!(length == 7 && version != 1),
            }
        }
    }
}

#[test]
fn what_is_no_journal_is_not_read() {
    for file in [&b""[..], b"fbfhjn", b"something else", &[0; 5_000]] {
        let (read, cut) = journal::read(file).expect("no version is told");
        assert!(read.is_empty());
        assert_eq!(cut, file.len());
    }
    assert_eq!(
        journal::read(b"fbfhjnl\x02...").err(),
        Some(UnknownVersion(2))
    );
}

#[test]
fn a_new_machine_begins_the_file_anew_and_numbers_its_pages_on() {
    let mut host = host();
    let old = host.deliver(b'a').expect("a page is to be written");
    host.stream = host.stream.anew(host.now, 1);
    host.join(ID, &[]);
    let new = host.deliver(b'b').expect("a page is to be written");
    assert!(new.is_whole && new.number > old.number);
    host.stream.written(host.now, old.number, Ok(()));
    assert_eq!(host.verdicts(), []);
    host.stream.written(host.now, new.number, Ok(()));
    assert_eq!(host.verdicts(), [Verdict::Delivered]);
}

#[test]
fn what_waits_when_an_output_ends_is_not_forgotten_untold() {
    let mut host = host();
    for key in b'a'..b'd' {
        let call = host.call(&chunk(key));
        host.answer(call, HALF);
    }
    host.stream.leave(host.now, ID, |_| true);
    host.join(ID, &[("resume_max_chunks", "1")]);
    // There is room for one.
    assert_eq!(host.totals.forgotten_chunks.get(), 2);
    host.begin(ID, 0, &chunk(b'c'));
    assert_eq!(host.totals.resumed_chunks.get(), 1);
}

#[test]
fn a_disk_that_is_well_again_is_told_what_was_left_out_though_nothing_happens() {
    let (mut first, mut file) = (host(), Vec::new());
    let call = first.call(&chunk(b'a'));
    first.answer(call, HALF);
    first.fail();
    first.now += Duration::from_secs(30);
    first.write(&mut file);
    let mut next = after(&file);
    next.begin(ID, 0, &chunk(b'a'));
    assert_eq!(next.totals.resumed_chunks.get(), 1);
}
