//! System calls that send lists of buffers and pieces of files, and read files at a position.
//!
//! Descriptor numbers and memory are the C caller's. The kernel checks both, so the worst case is an errno. No pointer of
//! the caller is dereferenced here.

use super::cancel;
use super::count::{Call, count};
use super::mem;
use super::spare::Spare;
use super::system::moving::{self, MORE, QUIET};
pub(crate) use super::system::moving::{drop_held, push_held, read_ahead};
use super::wide;
use crate::buf::Source;
use crate::fd::Fd;
use nix::errno::Errno;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, zeroed};
use std::ptr::NonNull;
use std::{ptr, slice};

/// How many buffers one call can send (`UIO_MAXIOV`).
pub(crate) const GATHER_MAX: usize = 1024;

/// The kernel moves no more than this in one call (`MAX_RW_COUNT` with 4 KiB pages). With larger pages the limit is lower
/// and the count comes back short.
pub(crate) const TRANSFER_MAX: usize = 0x7fff_f000;

/// A list of buffers for one call. A short list is on the stack, which may have only 16 KiB. A long one is in a block that
/// is kept from one call to the next. Without memory for it the list stays short.
pub(crate) struct Gather {
    few: [MaybeUninit<libc::iovec>; FEW],
    many: Option<NonNull<MaybeUninit<libc::iovec>>>,
    len: usize,
    bytes: usize,
}

const FEW: usize = 32;

static LONG_LIST: Spare = Spare::new();

impl Gather {
    #[inline(always)]
    pub(crate) fn new() -> Gather {
        Gather { few: [const { MaybeUninit::uninit() }; FEW], many: None, len: 0, bytes: 0 }
    }

    #[inline(always)]
    fn places(&mut self) -> &mut [MaybeUninit<libc::iovec>] {
        match self.many {
            // SAFETY: a block of that size, which this list owns.
            Some(p) => unsafe { slice::from_raw_parts_mut(p.as_ptr(), GATHER_MAX) },
            None => &mut self.few,
        }
    }

    /// Turns a short list into a long one.
    #[cold]
    #[inline(never)]
    fn lengthen(&mut self) {
        if self.many.is_some() {
            return;
        }
        // SAFETY: a new block.
        let fresh = || unsafe { mem::realloc(ptr::null_mut(), GATHER_MAX * size_of::<libc::iovec>()) }.ok();
        if let Some(p) = LONG_LIST.take().or_else(fresh) {
            let p = p.cast::<MaybeUninit<libc::iovec>>();
            // SAFETY: the block has more places than the short list.
            unsafe { ptr::copy_nonoverlapping(self.few.as_ptr(), p.as_ptr(), FEW) };
            self.many = Some(p);
        }
    }

    /// Empties the list and fills it with those of the first `items` that are buffers and fit whole. Returns how many.
    #[inline(always)]
    pub(crate) fn start<T>(&mut self, items: &[T], buffer: impl Fn(&T) -> Option<Source>) -> usize {
        if items.len() > FEW {
            self.lengthen();
        }
        let (mut len, mut bytes, mut taken) = (0, 0, 0);
        let places = self.places();
        for item in items {
            let Some(s) = buffer(item) else { break };
            if s.len() > TRANSFER_MAX - bytes {
                break;
            }
            let Some(place) = places.get_mut(len) else { break };
            // The next one overwrites a buffer of no size.
            place.write(libc::iovec { iov_base: s.ptr().cast_mut().cast(), iov_len: s.len() });
            len += usize::from(s.len() > 0);
            bytes += s.len();
            taken += 1;
        }
        (self.len, self.bytes) = (len, bytes);
        taken
    }

    /// Adds a buffer, or as much of it as one call can move. False if not all of it fits, so that what follows must wait for
    /// the next call.
    pub(crate) fn push(&mut self, s: Source) -> bool {
        let len = s.len().min(TRANSFER_MAX - self.bytes);
        if self.len == FEW {
            self.lengthen();
        }
        let at = self.len;
        let Some(place) = self.places().get_mut(at).filter(|_| len > 0) else { return s.len() == 0 };
        place.write(libc::iovec { iov_base: s.ptr().cast_mut().cast(), iov_len: len });
        self.len += 1;
        self.bytes += len;
        len == s.len()
    }

    /// Adds a gap of `n` bytes for [`Gather::fill`]. False if they do not fit.
    pub(crate) fn push_gap(&mut self, n: usize) -> bool {
        // SAFETY: it is sent only after `fill` has replaced it.
        n <= TRANSFER_MAX - self.bytes && self.push(unsafe { Source::new(ptr::null(), n) })
    }

    /// Sets the bytes of the gap at index `gap`. They must live until the list was sent.
    pub(crate) fn fill(&mut self, gap: usize, bytes: &[u8]) {
        if let Some(v) = self.list_mut().get_mut(gap) {
            debug_assert_eq!(v.iov_len, bytes.len());
            *v = iovec(bytes);
        }
    }

    /// Removes what begins at index `len`.
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
    /// Copies the bytes of the list, for tests.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let copy = |v: &libc::iovec| {
            // SAFETY: the test vouches that the memory can be read.
            unsafe { slice::from_raw_parts(v.iov_base.cast(), v.iov_len) }.to_vec()
        };
        self.list().iter().flat_map(copy).collect()
    }

    fn first(&self) -> *const MaybeUninit<libc::iovec> {
        self.many.map_or(self.few.as_ptr(), |p| p.as_ptr().cast_const())
    }

    fn list(&self) -> &[libc::iovec] {
        // SAFETY: `push` wrote the first `len` elements.
        unsafe { slice::from_raw_parts(self.first().cast(), self.len) }
    }

    fn list_mut(&mut self) -> &mut [libc::iovec] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts_mut(self.places().as_mut_ptr().cast(), self.len) }
    }
}

impl Drop for Gather {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(superfluous) = self.many.and_then(|p| LONG_LIST.leave(p.cast())) {
            // SAFETY: `lengthen` made it, and nobody else has it.
            unsafe { mem::free(superfluous.as_ptr()) };
        }
    }
}

/// Frees the spare list.
pub(crate) fn shut_down() {
    if let Some(p) = LONG_LIST.take() {
        // SAFETY: as for the drop of a list.
        unsafe { mem::free(p.as_ptr()) };
    }
}

/// `sendmsg` without SIGPIPE. `more`: the kernel may hold the last segment back for bytes that follow.
pub(crate) fn send(s: Fd, list: &Gather, more: bool) -> Result<usize, Errno> {
    send_list(s, list.list(), more)
}

/// `writev`, for descriptors that are no sockets.
pub(crate) fn write(d: Fd, list: &Gather) -> Result<usize, Errno> {
    write_list(d, list.list())
}

/// [`write()`] for bytes of the library.
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
    moved(unsafe { cancel::sendmsg(s.raw(), &message, flags) })
}

fn write_list(d: Fd, list: &[libc::iovec]) -> Result<usize, Errno> {
    count(Call::Writev);
    // SAFETY: as for `sendmsg`; the length is at most `GATHER_MAX`.
    moved(unsafe { cancel::writev(d.raw(), list.as_ptr(), list.len() as c_int) })
}

/// `sendfile` from a position; the file's own position does not move. An impossible position reaches the kernel as a
/// negative number, which it refuses.
pub(crate) fn sendfile(out: Fd, file: Fd, off: u64, n: usize) -> Result<usize, Errno> {
    moving::sendfile(out, file, off as wide::off_t, n)
}

/// `pread` into `room`. Returns how many bytes were read.
pub(crate) fn pread(file: Fd, room: &mut [MaybeUninit<u8>], off: u64) -> Result<usize, Errno> {
    count(Call::Pread);
    let n = room.len();
    // SAFETY: the room is ours and has `n` bytes.
    moved(unsafe { cancel::pread(file.raw(), room.as_mut_ptr().cast(), n, off as wide::off_t) })
}

/// Memory that [`read_scattered`] fills.
#[repr(transparent)]
pub(crate) struct Place<'a>(libc::iovec, PhantomData<&'a mut [MaybeUninit<u8>]>);

impl<'a> Place<'a> {
    pub(crate) const NONE: Place<'static> =
        Place(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }, PhantomData);

    pub(crate) fn new(room: &'a mut [MaybeUninit<u8>]) -> Place<'a> {
        Place(libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() }, PhantomData)
    }

    fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the memory that `new` was given, or none.
        unsafe { slice::from_raw_parts_mut(self.0.iov_base.cast(), self.0.iov_len) }
    }
}

/// [`pread`] into several places, one after the other. Where a sandbox refuses `preadv`, only into the first.
pub(crate) fn read_scattered(file: Fd, places: &mut [Place], off: u64) -> Result<usize, Errno> {
    if places.len() > 1 {
        count(Call::Preadv);
        let (list, n) = (places.as_ptr().cast::<libc::iovec>(), places.len() as c_int);
        // SAFETY: the places are vectors, and name memory that is theirs alone.
        match moved(unsafe { cancel::preadv(file.raw(), list, n, off as wide::off_t) }) {
            Err(Errno::ENOSYS | Errno::EPERM) => {}
            read => return read,
        }
    }
    places.first_mut().map_or(Ok(0), |place| pread(file, place.room(), off))
}

/// Fills `room` from a position of a file, if the page cache has all of it.
pub(crate) fn read_cached(file: Fd, room: &mut [MaybeUninit<u8>], off: u64) -> Option<&[u8]> {
    // To the kernel -1 means the file's own position.
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
