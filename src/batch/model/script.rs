//! Shared by the models and tests of batches: batches as programs have them, and a descriptor that follows a script.

use super::super::Place;
use super::super::filter::Filter;
use super::super::plan::{Piece, Small};
use super::super::send::Carrier;
use super::super::window::drop_window;
use super::super::{Batch, empty};
use crate::ctypes::{IoBatch, IobEntry};
use crate::outcome::Outcome;
use crate::sys::message::Gather;
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::cell::RefCell;
use std::ffi::c_long;
use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::slice;

thread_local! {
    /// The sizes of the entries that were released, in order.
    static RELEASED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Clean-up function of owned buffers: notes the original length, by which the tests recognise an entry.
pub(in crate::batch) unsafe extern "C-unwind" fn note_buffer(e: *mut IobEntry) {
    // SAFETY: called by the batch with a live entry.
    let n = unsafe { (*e).offset + (*e).n };
    RELEASED.with_borrow_mut(|r| r.push(n));
}

/// Clean-up function of owned files: notes the end of the piece.
pub(in crate::batch) unsafe extern "C-unwind" fn note_file(e: *mut IobEntry) {
    // SAFETY: called by the batch with a live entry of `item::file`.
    unsafe {
        drop_window(e);
        note_buffer(e);
    }
}

pub(in crate::batch) fn released() -> Vec<u64> {
    RELEASED.take()
}

/// A batch as a program has it: 64 zero bytes, and other data right behind them.
#[repr(C)]
pub(in crate::batch) struct Embedded {
    pub(in crate::batch) batch: IoBatch,
    pub(in crate::batch) behind: u64,
}

pub(in crate::batch) const BEHIND: u64 = 0x5a5a_5a5a_5a5a_5a5a;
/// The guard after a batch with autofree was reset: its first half is the member `autofree`.
const BEHIND_AUTOFREE: u64 = u64::from_ne_bytes([0, 0, 0, 0, 0x5a, 0x5a, 0x5a, 0x5a]);

impl Embedded {
    pub(in crate::batch) fn new() -> Box<Embedded> {
        Box::new(Embedded { batch: empty(0), behind: BEHIND })
    }

    /// Whether nothing was written past the batch, after a reset.
    pub(super) fn is_whole(&self, autofree: bool) -> bool {
        self.behind == if autofree { BEHIND_AUTOFREE } else { BEHIND }
    }

    pub(in crate::batch) fn view(&mut self) -> Batch {
        // SAFETY: a valid batch that the tests keep alive.
        unsafe { Batch::new(&raw mut self.batch) }.unwrap()
    }
}

/// The fields that programs see: bytesleft, next, bufs, files, and `[offset, n]` of each entry.
pub(in crate::batch) type Seen = (u64, c_long, c_long, c_long, Vec<[u64; 2]>);

pub(in crate::batch) fn seen(b: Batch) -> Seen {
    // SAFETY: a valid batch; nothing else runs.
    let (next, bufs, files) = unsafe { ((*b.raw()).next, (*b.raw()).bufs, (*b.raw()).files) };
    // SAFETY: as above.
    let entries =
        (0..b.len()).map(|i| unsafe { &*b.entry(Place::of(i)).unwrap() }).map(|e| [e.offset, e.n]).collect();
    (b.bytesleft(), next, bufs, files, entries)
}

/// What the descriptor or the filter does at one call.
#[derive(Clone, Copy, Debug)]
pub(in crate::batch) enum Answer {
    All,
    Some(usize),
    Again,
    Fail,
}

/// A descriptor that follows a script, and takes everything when the script is over.
#[derive(Default)]
pub(in crate::batch) struct Script {
    pub(in crate::batch) answers: Vec<Answer>,
    pub(in crate::batch) got: Vec<u8>,
    /// Whether it holds bytes back for more.
    pub(in crate::batch) held: bool,
    pub(in crate::batch) calls: usize,
    /// Files are not in the page cache.
    pub(in crate::batch) cold: bool,
}

impl Script {
    pub(in crate::batch) fn take(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
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

    /// The bytes of a piece of a file, as far as the file has them.
    fn read(fd: i64, off: u64, n: u64) -> Vec<u8> {
        // SAFETY: the descriptor is the test's own, open file.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd as i32) });
        let mut bytes = vec![0; n as usize];
        let read = file.read_at(&mut bytes, off).unwrap();
        bytes.truncate(read);
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

    fn around(&mut self, list: &mut Gather, small: Small, more: bool) -> Option<Result<usize, Errno>> {
        let bytes = Script::read(small.fd, small.off, small.n as u64);
        if self.cold || bytes.len() < small.n {
            return None;
        }
        list.fill(small.gap, &bytes);
        Some(self.buffers(list, more))
    }

    fn file(&mut self, Piece { fd, off, n }: Piece) -> Outcome {
        let bytes = Script::read(fd, off, n);
        if bytes.is_empty() {
            return Ok(0);
        }
        let n = self.take(&bytes)?;
        self.held = false;
        Ok(n)
    }

    fn push_held(&mut self, _: bool) {
        self.held = false;
    }

    fn drop_held(&mut self) -> bool {
        false
    }
}

impl Filter for Script {
    fn target(&self) -> i64 {
        -1
    }

    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome<u64> {
        assert_ne!(n, 0, "a filter is never offered nothing");
        // SAFETY: the batch offers memory of that size.
        Ok(self.take(unsafe { slice::from_raw_parts(bytes, n as usize) })? as u64)
    }

    fn takes_files(&self) -> bool {
        false
    }

    fn take_file(&mut self, _: i64, _: u64, _: u64) -> Outcome<u64> {
        unreachable!("asked first")
    }
}

/// A file in memory, and its number.
pub(in crate::batch) fn file_of(bytes: &[u8]) -> (File, i64) {
    let mut f = File::from(memfd_create(c"batch", MFdFlags::empty()).unwrap());
    f.write_all(bytes).unwrap();
    let fd = i64::from(f.as_raw_fd());
    (f, fd)
}
