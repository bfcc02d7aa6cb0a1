//! Whole batches against a naive model: a row of bytes, and a row of owners.

use super::filter::Filter;
use super::send::{Carrier, send};
use super::window::drop_window;
use super::*;
use crate::outcome::{Outcome, Stop};
use crate::sys::message::Gather;
use nix::sys::memfd::{MFdFlags, memfd_create};
use proptest::prelude::*;
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

thread_local! {
    /// The sizes of the entries that were released, in order.
    static RELEASED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Clean-up function of owned buffers: notes the original length, by which the tests know an entry.
unsafe extern "C" fn note_buffer(e: *mut IobEntry) {
    // SAFETY: called by the batch with a live entry.
    let n = unsafe { (*e).offset + (*e).n };
    RELEASED.with_borrow_mut(|r| r.push(n));
}

/// Clean-up function of owned files: notes the end of the piece.
unsafe extern "C" fn note_file(e: *mut IobEntry) {
    // SAFETY: called by the batch with a live entry of `item::file`.
    unsafe {
        drop_window(e);
        note_buffer(e);
    }
}

fn released() -> Vec<u64> {
    RELEASED.take()
}

/// A batch as a program has it: 64 zero bytes, and other data right behind them.
#[repr(C)]
struct Embedded {
    batch: IoBatch,
    behind: u64,
}

const BEHIND: u64 = 0x5a5a_5a5a_5a5a_5a5a;

impl Embedded {
    fn new() -> Box<Embedded> {
        Box::new(Embedded { batch: empty(0), behind: BEHIND })
    }

    fn view(&mut self) -> Batch {
        // SAFETY: a valid batch that the tests keep alive.
        unsafe { Batch::new(&raw mut self.batch) }.unwrap()
    }
}

/// Fields that programs see: bytesleft, next, bufs, files, and `[offset, n]` of each entry.
type Seen = (u64, c_long, c_long, c_long, Vec<[u64; 2]>);

fn seen(b: Batch) -> Seen {
    // SAFETY: a valid batch; nothing else runs.
    let (next, bufs, files) = unsafe { ((*b.raw()).next, (*b.raw()).bufs, (*b.raw()).files) };
    // SAFETY: as above.
    let entries = (0..b.len()).map(|i| unsafe { &*b.entry(i).unwrap() }).map(|e| [e.offset, e.n]).collect();
    (b.bytesleft(), next, bufs, files, entries)
}

/// What the descriptor or the filter does at one call.
#[derive(Clone, Copy, Debug)]
enum Answer {
    All,
    Some(usize),
    Again,
    Fail,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::All),
        4 => (1..300usize).prop_map(Answer::Some),
        1 => Just(Answer::Again),
        1 => Just(Answer::Fail),
    ]
}

/// A descriptor that follows a script, and takes everything when the script is over.
#[derive(Default)]
struct Script {
    answers: Vec<Answer>,
    files: Vec<File>,
    got: Vec<u8>,
    /// Bytes that wait for more.
    held: bool,
    calls: usize,
}

impl Script {
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        self.calls += 1;
        let n = match self.answers.pop().unwrap_or(Answer::All) {
            Answer::All => bytes.len(),
            Answer::Some(n) => n.min(bytes.len()),
            Answer::Again => return Err(Errno::EAGAIN),
            Answer::Fail => return Err(Errno::EPIPE),
        };
        self.got.extend(&bytes[..n]);
        Ok(n)
    }

    /// The bytes of a file piece that exist.
    fn read(fd: i64, off: u64, n: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(n as usize);
        crate::sys::message::pread(crate::fd::Fd::new(fd).unwrap(), &mut bytes, n as usize, off).unwrap();
        bytes
    }
}

impl Carrier for Script {
    fn buffers(&mut self, list: &Gather, more: bool) -> Result<usize, Errno> {
        let bytes = list.contents();
        let n = self.take(&bytes)?;
        self.held = more && n == bytes.len();
        Ok(n)
    }

    fn file(&mut self, fd: i64, off: u64, n: u64) -> Outcome {
        let bytes = Script::read(fd, off, n);
        if bytes.is_empty() {
            return Ok(0);
        }
        let n = self.take(&bytes)?;
        self.held = false;
        Ok(n)
    }

    fn push_held(&mut self) {
        self.held = false;
    }
}

impl Filter for Script {
    fn target(&self) -> i64 {
        -1
    }

    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome {
        assert_ne!(n, 0, "a filter is never offered nothing");
        // SAFETY: the batch offers memory of that size.
        Ok(self.take(unsafe { slice::from_raw_parts(bytes, n as usize) })?)
    }

    fn take_file(&mut self, _: i64, _: u64, _: u64) -> Option<Outcome> {
        None
    }
}

#[derive(Clone, Debug)]
struct Piece {
    file: bool,
    owned: bool,
    bytes: Vec<u8>,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..400));
    prop::collection::vec(piece.prop_map(|(file, owned, bytes)| Piece { file, owned, bytes }), 1..12)
}

/// Queues the pieces; what is expected to arrive, and to be released.
fn fill(b: Batch, pieces: &[Piece], files: &mut Vec<File>) -> (Vec<u8>, Vec<u64>) {
    let (mut stream, mut owners) = (Vec::new(), Vec::new());
    for p in pieces {
        let n = p.bytes.len() as u64;
        let e = if p.file {
            let mut f = File::from(memfd_create(c"piece", MFdFlags::empty()).unwrap());
            f.write_all(&p.bytes).unwrap();
            let fd = i64::from(f.as_raw_fd());
            files.push(f);
            item::file(fd, 0, n, if p.owned { note_file } else { drop_window })
        } else {
            item::buffer(p.bytes.as_ptr().cast(), n, p.owned.then_some(note_buffer as item::Cleanup))
        };
        item::add_owned(Ok(b), e).unwrap();
        stream.extend(&p.bytes);
        if p.owned {
            owners.push(n);
        }
    }
    // Empty pieces were released at once.
    assert_eq!(released(), owners.iter().filter(|&&n| n == 0).copied().collect::<Vec<_>>());
    owners.retain(|&n| n > 0);
    (stream, owners)
}

/// Calls `turn` until the batch is empty and checks the books after each call.
fn drain(
    b: Batch,
    script: &mut Script,
    stream: &[u8],
    mut turn: impl FnMut(Batch, &mut Script) -> Outcome,
) -> Result<(), TestCaseError> {
    for _ in 0..10_000 {
        let before = script.got.len();
        let r = turn(b, script);
        let moved = script.got.len() - before;
        match r {
            Ok(n) => prop_assert_eq!(n, moved),
            Err(_) => prop_assert_eq!(moved, 0),
        }
        prop_assert_eq!(script.got.len() as u64 + b.bytesleft(), stream.len() as u64);
        prop_assert!(!script.held, "the call ended with bytes that wait for more");
        if b.bytesleft() == 0 {
            prop_assert_eq!(&script.got, stream);
            prop_assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
            return Ok(());
        }
    }
    Err(TestCaseError::fail("never done"))
}

proptest! {
    #[test]
    fn every_byte_once_and_every_owner_once(
        pieces in pieces(), answers in prop::collection::vec(answer(), 0..20), autofree: bool, filtered: bool
    ) {
        let mut e = Embedded::new();
        let b = e.view();
        b.init(autofree, 0).unwrap();
        let mut script = Script { answers, ..Script::default() };
        let mut files = Vec::new();
        let (stream, owners) = fill(b, &pieces, &mut files);
        let mut gone = Vec::new();
        drain(b, &mut script, &stream, |b, script| {
            let r = if filtered { filter::write(b, note_file, script) } else { send(script, b).outcome };
            let now = released();
            assert!(autofree || now.is_empty() || b.bytesleft() == 0, "released early");
            gone.extend(now);
            r
        })?;
        prop_assert_eq!(gone, owners);
        prop_assert_eq!(b.autofree(), autofree);
        prop_assert_eq!(e.behind, BEHIND);
    }

    #[test]
    fn sending_and_filtering_may_take_turns(
        pieces in pieces(), answers in prop::collection::vec(answer(), 0..20), first: bool
    ) {
        let mut e = Embedded::new();
        let b = e.view();
        let mut script = Script { answers, ..Script::default() };
        let mut files = Vec::new();
        let (stream, owners) = fill(b, &pieces, &mut files);
        let mut filtered = first;
        drain(b, &mut script, &stream, |b, script| {
            filtered = !filtered;
            if filtered { filter::write(b, note_file, script) } else { send(script, b).outcome }
        })?;
        prop_assert_eq!(released(), owners);
    }
}

fn three(b: Batch) -> &'static [u8] {
    let text = b"0123456789abcdefXYZ";
    for (from, n) in [(0, 10), (10, 6), (16, 3)] {
        b.add(item::buffer(text[from..].as_ptr().cast(), n, None)).unwrap();
    }
    text
}

/// Answers are popped from the end.
fn script(answers: &[Answer]) -> Script {
    Script { answers: answers.iter().rev().copied().collect(), ..Script::default() }
}

#[test]
fn libowfats_books_of_a_send() {
    let mut e = Embedded::new();
    let b = e.view();
    let text = three(b);
    assert_eq!(seen(b), (19, 0, 3, 0, vec![[0, 10], [0, 6], [0, 3]]));
    let mut s = script(&[Answer::Some(13), Answer::Again]);
    assert_eq!(send(&mut s, b).outcome, Ok(13));
    assert_eq!(seen(b), (6, 1, 3, 0, vec![[0, 10], [3, 3], [0, 3]]));
    let sent = send(&mut s, b);
    assert_eq!((sent.outcome, sent.came_up_short), (Err(Stop::Again), true));
    assert_eq!(seen(b).0, 6);
    let sent = send(&mut s, b);
    assert_eq!((sent.outcome, sent.came_up_short), (Ok(6), false));
    assert_eq!((seen(b), &s.got[..]), ((0, 0, 0, 0, vec![]), &text[..]));
    assert_eq!((send(&mut s, b).outcome, s.calls), (Ok(0), 3));
}

#[test]
fn libowfats_books_of_a_filter_that_takes_three() {
    let mut e = Embedded::new();
    let b = e.view();
    three(b);
    let mut s = script(&[Answer::Some(3); 20]);
    let mut turns = Vec::new();
    while b.bytesleft() > 0 {
        let n = filter::write(b, note_file, &mut s).unwrap();
        turns.push((n, seen(b).0, seen(b).4));
    }
    let row = |n, left, entries: [[u64; 2]; 3]| (n, left, entries.to_vec());
    assert_eq!(turns[0], row(3, 16, [[3, 7], [0, 6], [0, 3]]));
    assert_eq!(turns[2], row(3, 10, [[9, 1], [0, 6], [0, 3]]));
    assert_eq!(turns[3], row(4, 6, [[10, 0], [3, 3], [0, 3]]));
    assert_eq!(turns[4], (6, 0, vec![]));
}

#[test]
fn a_file_that_ends_early_is_an_error_after_everything_before_the_gap() {
    let mut e = Embedded::new();
    let b = e.view();
    let mut f = File::from(memfd_create(c"short", MFdFlags::empty()).unwrap());
    f.write_all(&[7; 1000]).unwrap();
    let mut s = Script::default();
    for e in [
        item::buffer(c"head".as_ptr(), 4, None),
        item::file(i64::from(f.as_raw_fd()), 0, 5000, note_file),
        item::buffer(c"tail".as_ptr(), 4, None),
    ] {
        b.add(e).unwrap();
    }
    assert_eq!(send(&mut s, b).outcome, Ok(1004));
    let rest: Seen = (4004, 1, 2, 1, vec![[0, 4], [1000, 4000], [0, 4]]);
    assert_eq!(seen(b), rest);
    for _ in 0..2 {
        assert_eq!(send(&mut s, b).outcome, Err(Stop::Failed(Errno::EIO)));
        assert_eq!(filter::write(b, note_file, &mut s), Err(Stop::Failed(Errno::EIO)));
        assert_eq!(seen(b), rest);
    }
    assert_eq!(released(), []);
    b.reset();
    assert_eq!(released(), [5000]);
}

/// A filter that does something to its own batch and then takes what it is told to.
struct Meddler<F> {
    batch: Batch,
    meddle: F,
    takes: Outcome,
}

impl<F: FnMut(Batch)> Filter for Meddler<F> {
    fn target(&self) -> i64 {
        -1
    }

    fn take(&mut self, _: *const u8, n: u64) -> Outcome {
        (self.meddle)(self.batch);
        self.takes.map(|k| k.min(n as usize))
    }

    fn take_file(&mut self, _: i64, _: u64, _: u64) -> Option<Outcome> {
        None
    }
}

#[test]
fn a_filter_may_add_entries() {
    let mut e = Embedded::new();
    let batch = e.view();
    three(batch);
    let mut rounds = 0;
    // Enough to make the array move.
    let meddle = |b: Batch| {
        rounds += 1;
        if rounds <= 200 {
            b.add(item::buffer(c"more".as_ptr(), 4, None)).unwrap();
        }
    };
    let mut m = Meddler { batch, meddle, takes: Ok(usize::MAX) };
    assert_eq!(filter::write(batch, note_file, &mut m), Ok(19 + 800));
    assert_eq!(seen(batch), (0, 0, 0, 0, vec![]));
}

#[test]
fn a_filter_that_resets_its_batch_ends_the_call() {
    let f = File::from(memfd_create(c"reset", MFdFlags::empty()).unwrap());
    (&f).write_all(&[7; 1000]).unwrap();
    for takes in [Ok(2), Ok(usize::MAX), Err(Stop::Again)] {
        for refill in [0, 1, 3] {
            let mut e = Embedded::new();
            let batch = e.view();
            batch.add(item::file(i64::from(f.as_raw_fd()), 0, 1000, note_file)).unwrap();
            three(batch);
            let meddle = |b: Batch| {
                b.reset();
                for _ in 0..refill {
                    b.add(item::buffer(c"new".as_ptr(), 3, None)).unwrap();
                }
            };
            let mut m = Meddler { batch, meddle, takes };
            let r = filter::write(batch, note_file, &mut m);
            assert_eq!(r, takes.map(|n| n.min(1000)));
            assert_eq!(released(), [1000]);
            assert_eq!(batch.bytesleft(), refill * 3, "the new entries are untouched");
            batch.reset();
        }
    }
}

#[test]
fn an_entry_is_not_released_again_by_a_reset_from_its_own_clean_up() {
    thread_local!(static BATCH: RefCell<Option<Batch>> = const { RefCell::new(None) });
    unsafe extern "C" fn resets(e: *mut IobEntry) {
        // SAFETY: called by the batch with a live entry.
        unsafe { note_buffer(e) };
        BATCH.with_borrow(|b| b.unwrap().reset());
    }
    for autofree in [false, true] {
        let mut e = Embedded::new();
        let batch = e.view();
        batch.init(autofree, 0).unwrap();
        BATCH.set(Some(batch));
        batch.add(item::buffer(c"ab".as_ptr(), 2, Some(resets))).unwrap();
        batch.add(item::buffer(c"abc".as_ptr(), 3, Some(note_buffer))).unwrap();
        let sent = send(&mut script(&[Answer::Some(3), Answer::Again]), batch);
        assert_eq!(sent.outcome, Ok(3));
        batch.reset();
        assert_eq!((released(), batch.len()), (vec![2, 3], 0));
    }
}

#[test]
fn what_cannot_be_added_changes_nothing_and_is_released_if_owned() {
    let mut e = Embedded::new();
    let b = e.view();
    three(b);
    let before = seen(b);
    let huge = item::buffer(ptr::dangling(), u64::MAX, None);
    assert_eq!(b.add(huge), Err(Errno::EOVERFLOW));
    let owned = item::buffer(ptr::dangling(), u64::MAX, Some(note_buffer));
    assert_eq!(item::add_owned(Ok(b), owned), Err(Errno::EOVERFLOW));
    assert_eq!(released(), [u64::MAX]);
    assert_eq!(seen(b), before);
    let nowhere = item::buffer(c"abc".as_ptr(), 3, Some(note_buffer));
    assert_eq!(item::add_owned(Err(Errno::EFAULT), nowhere), Err(Errno::EFAULT));
    assert_eq!(released(), [3]);
    b.reset();
    b.with_array(array::fail);
    let late = item::buffer(c"abcd".as_ptr(), 4, Some(note_buffer));
    assert_eq!(item::add_owned(Ok(b), late), Err(Errno::ENOMEM));
    assert_eq!((released(), b.bytesleft()), (vec![4], 0));
    b.reset();
    three(b);
    assert_eq!(b.bytesleft(), 19, "a reset cures a failed array");
    b.reset();
}

#[test]
fn fields_that_contradict_each_other_are_an_error_and_not_an_endless_zero() {
    let mut e = Embedded::new();
    e.batch.bytesleft = 7;
    let b = e.view();
    let mut s = Script::default();
    assert_eq!(send(&mut s, b).outcome, Err(Stop::Failed(Errno::EINVAL)));
    assert_eq!(filter::write(b, note_file, &mut s), Err(Stop::Failed(Errno::EINVAL)));
    three(b);
    // SAFETY: a valid batch.
    unsafe { (*b.raw()).next = c_long::MAX };
    assert_eq!(send(&mut s, b).outcome, Err(Stop::Failed(Errno::EINVAL)));
    b.reset();
    assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
}

#[test]
fn room_in_advance_shows_nowhere() {
    let mut e = Embedded::new();
    let b = e.view();
    b.init(false, 100).unwrap();
    assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
    let at = e.batch.b.p;
    for _ in 0..33 {
        three(e.view());
    }
    assert_eq!((e.batch.b.p, e.view().len()), (at, 99));
    e.view().reset();
}
