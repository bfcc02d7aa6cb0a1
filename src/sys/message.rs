//! Moving bytes to a descriptor: gathering sends, `sendfile`, positioned reads and their hints.
//!
//! Descriptor numbers and memory are the C caller's. The kernel checks both, so each call is an errno at
//! worst; nothing here dereferences a caller's pointer.

use super::count::{Call, count};
use super::moving::{self, MORE, QUIET};
pub(crate) use super::moving::{push_held, read_ahead};
use super::wide;
use crate::buf::Source;
use crate::fd::Fd;
use nix::errno::Errno;
use std::ffi::c_int;
use std::mem::{MaybeUninit, zeroed};
use std::{ptr, slice};

/// Pieces that one gathering send may have (`UIO_MAXIOV`).
pub(crate) const GATHER_MAX: usize = 1024;

/// The kernel moves no more than this in one call (`MAX_RW_COUNT` with 4 KiB pages; larger pages allow less,
/// which shows as a short count).
pub(crate) const TRANSFER_MAX: usize = 0x7fff_f000;

/// Buffers for one gathering send, without allocation.
pub(crate) struct Gather {
    iov: [MaybeUninit<libc::iovec>; GATHER_MAX],
    len: usize,
    bytes: usize,
}

impl Gather {
    pub(crate) fn new() -> Gather {
        Gather { iov: [const { MaybeUninit::uninit() }; GATHER_MAX], len: 0, bytes: 0 }
    }

    /// Begins anew with as many of `items` as are buffers that fit in whole, and says how many these are.
    #[inline(always)]
    pub(crate) fn start<T>(&mut self, items: &[T], buffer: impl Fn(&T) -> Option<Source>) -> usize {
        let (mut len, mut bytes, mut taken) = (0, 0, 0);
        for item in items {
            let Some(s) = buffer(item) else { break };
            if s.len() > TRANSFER_MAX - bytes {
                break;
            }
            let Some(place) = self.iov.get_mut(len) else { break };
            // One of no size is written over.
            place.write(libc::iovec { iov_base: s.ptr().cast_mut().cast(), iov_len: s.len() });
            len += usize::from(s.len() > 0);
            bytes += s.len();
            taken += 1;
        }
        (self.len, self.bytes) = (len, bytes);
        taken
    }

    /// Adds a buffer, or as much of it as one call can move. False: not all of it went in, and whatever
    /// follows it must wait for the next call.
    pub(crate) fn push(&mut self, s: Source) -> bool {
        let len = s.len().min(TRANSFER_MAX - self.bytes);
        let Some(place) = self.iov.get_mut(self.len).filter(|_| len > 0) else { return s.len() == 0 };
        place.write(libc::iovec { iov_base: s.ptr().cast_mut().cast(), iov_len: len });
        self.len += 1;
        self.bytes += len;
        len == s.len()
    }

    /// Leaves room for `n` bytes that [`Gather::fill`] will name. False: they do not fit.
    pub(crate) fn push_gap(&mut self, n: usize) -> bool {
        // SAFETY: it is sent only after `fill` has replaced it.
        n <= TRANSFER_MAX - self.bytes && self.push(unsafe { Source::new(ptr::null(), n) })
    }

    /// Names the bytes of the gap at index `gap`. They must outlive the sending of the list.
    pub(crate) fn fill(&mut self, gap: usize, bytes: &[u8]) {
        if let Some(v) = self.list_mut().get_mut(gap) {
            debug_assert_eq!(v.iov_len, bytes.len());
            *v = iovec(bytes);
        }
    }

    /// Takes out what begins at index `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        let out: usize = self.list().iter().skip(len).map(|v| v.iov_len).sum();
        self.bytes -= out;
        self.len = self.len.min(len);
    }

    /// Buffers in the list.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in the list.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Addresses and lengths.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (usize, usize)> {
        self.list().iter().map(|v| (v.iov_base.addr(), v.iov_len))
    }

    #[cfg(any(test, fuzzing))]
    /// Copies what the list names, for tests whose buffers are alive.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let copy = |v: &libc::iovec| {
            // SAFETY: the test vouches that the memory can be read.
            unsafe { slice::from_raw_parts(v.iov_base.cast(), v.iov_len) }.to_vec()
        };
        self.list().iter().flat_map(copy).collect()
    }

    fn list(&self) -> &[libc::iovec] {
        // SAFETY: `push` wrote the first `len` elements.
        unsafe { slice::from_raw_parts(self.iov.as_ptr().cast(), self.len) }
    }

    fn list_mut(&mut self) -> &mut [libc::iovec] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts_mut(self.iov.as_mut_ptr().cast(), self.len) }
    }
}

/// `sendmsg` without SIGPIPE. `more`: the last segment may wait for the bytes that follow.
pub(crate) fn send(s: Fd, list: &Gather, more: bool) -> Result<usize, Errno> {
    send_list(s, list.list(), more)
}

/// `writev`, for what is no socket.
pub(crate) fn write(d: Fd, list: &Gather) -> Result<usize, Errno> {
    write_list(d, list.list())
}

/// [`send`] for bytes of our own.
pub(crate) fn send_bytes(s: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    send_list(s, &[iovec(bytes)], false)
}

/// [`write`] for bytes of our own.
pub(crate) fn write_bytes(d: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    write_list(d, &[iovec(bytes)])
}

fn iovec(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn send_list(s: Fd, list: &[libc::iovec], more: bool) -> Result<usize, Errno> {
    let flags = QUIET | if more { MORE } else { 0 };
    // SAFETY: all-zero is a message without address, data and control part.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = list.as_ptr().cast_mut();
    // The C libraries disagree on the type of the length; it is at most `GATHER_MAX`.
    message.msg_iovlen = list.len() as _;
    count(Call::Sendmsg);
    // SAFETY: the header and the list live through the call; the memory that the list names is read by the
    // kernel, which checks it.
    moved(unsafe { libc::sendmsg(s.raw(), &message, flags) })
}

fn write_list(d: Fd, list: &[libc::iovec]) -> Result<usize, Errno> {
    count(Call::Writev);
    // SAFETY: as for `sendmsg`; the length is at most `GATHER_MAX`.
    moved(unsafe { libc::writev(d.raw(), list.as_ptr(), list.len() as c_int) })
}

/// `sendfile` from a position; the file's own position stays. A position that no file can have reaches the
/// kernel as a negative one, which it refuses.
pub(crate) fn sendfile(out: Fd, file: Fd, off: u64, n: usize) -> Result<usize, Errno> {
    moving::sendfile(out, file, off as wide::off_t, n)
}

/// `pread`: bytes at the front of `room` that were read from a position of the file.
pub(crate) fn pread(file: Fd, room: &mut [MaybeUninit<u8>], off: u64) -> Result<usize, Errno> {
    count(Call::Pread);
    let n = room.len();
    // SAFETY: the room is ours and has `n` bytes.
    moved(unsafe { wide::pread(file.raw(), room.as_mut_ptr().cast(), n, off as wide::off_t) })
}

/// All of `room` from a position of a file, if the page cache has it.
pub(crate) fn read_cached(file: Fd, room: &mut [MaybeUninit<u8>], off: u64) -> Option<&[u8]> {
    // -1 would mean the file's own position.
    let off = wide::off_t::try_from(off).ok()?;
    let read = moved(moving::read_cached(file, room, off));
    // SAFETY: the kernel has filled it all.
    (read == Ok(room.len())).then(|| unsafe { slice::from_raw_parts(room.as_ptr().cast(), room.len()) })
}

fn moved(r: isize) -> Result<usize, Errno> {
    usize::try_from(r).map_err(|_| Errno::last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(len: usize) -> Source {
        // SAFETY: the test never lets the kernel read it.
        unsafe { Source::new(ptr::dangling(), len) }
    }

    #[test]
    fn a_list_takes_1024_buffers() {
        let mut list = Gather::new();
        for _ in 0..GATHER_MAX {
            assert!(list.push(source(2)));
        }
        assert!(!list.push(source(2)));
        assert!(list.push(source(0)), "nothing always fits");
        assert_eq!((list.list().len(), list.bytes()), (GATHER_MAX, 2 * GATHER_MAX));
    }

    #[test]
    fn a_list_begins_with_what_fits() {
        let mut list = Gather::new();
        let mut start = |sizes: &[Option<usize>]| {
            let taken = list.start(sizes, |n| n.map(source));
            (taken, list.len(), list.bytes())
        };
        assert_eq!(start(&[Some(2), Some(0), Some(3)]), (3, 2, 5));
        assert_eq!(start(&[Some(2), None, Some(3)]), (1, 1, 2));
        assert_eq!(start(&[]), (0, 0, 0));
        assert_eq!(start(&[Some(2); GATHER_MAX + 1]), (GATHER_MAX, GATHER_MAX, 2 * GATHER_MAX));
        assert_eq!(start(&[Some(1), Some(TRANSFER_MAX)]), (1, 1, 1), "no part of a buffer");
        assert_eq!(start(&[Some(1), Some(TRANSFER_MAX - 1), Some(0), Some(1)]), (3, 2, TRANSFER_MAX));
    }

    #[test]
    fn a_huge_buffer_is_cut_and_ends_the_list() {
        let mut list = Gather::new();
        assert!(list.push(source(10)));
        assert!(!list.push(source(usize::MAX)));
        assert_eq!(list.bytes(), TRANSFER_MAX);
        assert!(!list.push(source(1)), "it would overtake the rest of the huge one");
    }
}
