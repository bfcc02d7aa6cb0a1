//! The structures that C programs hold, with the layout of libowfat 0.32.
//!
//! The headers declare them in text written by hand. The assertions here and those in `c-tests/layout/` keep the two equal.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::mem::{MaybeUninit, align_of, offset_of, size_of};

/// Seconds, as a TAI64 label.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tai {
    /// The label.
    pub x: u64,
}

/// A TAI64NA label: seconds, nanoseconds and attoseconds. Passed by value to `io_timeout`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Taia {
    /// Seconds.
    pub sec: Tai,
    /// 0 to 999,999,999.
    pub nano: u32,
    /// 0 to 999,999,999.
    pub atto: u32,
}

/// libowfat's growing array. Lengths are in bytes.
#[repr(C)]
#[derive(Debug)]
pub struct Array {
    /// `malloc` memory, or NULL.
    pub p: *mut c_char,
    /// Bytes allocated; negative with a NULL `p` marks a failed array.
    pub allocated: i64,
    /// Bytes in use.
    pub initialized: u64,
    /// Never used by libowfat 0.32 and 0 in every array it made.
    pub headroom: usize,
}

/// An I/O batch as programs embed it: the 64 bytes of libowfat 0.32. A program built with 0.34 has eight more
/// ([`WideBatch`]). The library writes those only in batches that it allocated or that came through an `iob_init` function.
#[repr(C)]
#[derive(Debug)]
pub struct IoBatch {
    /// The entries, each an [`IobEntry`].
    pub b: Array,
    /// Bytes not yet sent.
    pub bytesleft: u64,
    /// Index of the first entry with unsent bytes.
    pub next: c_long,
    /// Buffer entries added since the last reset.
    pub bufs: c_long,
    /// File entries added since the last reset.
    pub files: c_long,
}

/// An `io_batch` as 0.34's header declares it. Only batches that the library allocated, or that came through an `iob_init`
/// function, surely have the second part.
#[repr(C)]
#[derive(Debug)]
pub struct WideBatch {
    /// What every batch has.
    pub batch: IoBatch,
    /// 1 if entries are released as soon as they are sent. The program may read it; the library does not.
    pub autofree: c_int,
}

/// One entry of a batch; libowfat installs its layout in `iob_internal.h`.
#[repr(C)]
#[derive(Debug)]
pub struct IobEntry {
    /// [`FROM_BUF`] or [`FROM_FILE`].
    pub kind: c_int,
    /// The file of a file entry.
    pub fd: i64,
    /// The memory of a buffer entry.
    pub buf: *const c_char,
    /// Bytes of the buffer already sent, or the file position of the next byte.
    pub offset: u64,
    /// Bytes not yet sent.
    pub n: u64,
    /// Called once, with the entry's address, when the batch releases it; may be NULL.
    pub cleanup: Option<unsafe extern "C-unwind" fn(*mut IobEntry)>,
}

/// [`IobEntry::kind`] of memory.
pub const FROM_BUF: c_int = 0;
/// [`IobEntry::kind`] of a piece of a file.
pub const FROM_FILE: c_int = 1;

/// Entries of the queue inside [`IoMux`].
pub const SLOTS: usize = 128;

/// One slot of the queue inside [`IoMux`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct IoMuxSlot {
    /// Descriptor.
    pub fd: c_int,
    /// `IOM_*` bits.
    pub events: c_int,
}

/// Has the size and alignment of `sem_t`.
#[repr(C)]
#[derive(Debug)]
pub struct MuxSemaphore(MaybeUninit<libc::sem_t>);

/// An I/O multiplexer for several threads, as libowfat 0.32 lays it out.
#[repr(C)]
#[derive(Debug)]
pub struct IoMux {
    /// The descriptor of the multiplexer.
    pub ctx: c_int,
    /// Synchronisation word.
    pub working: c_int,
    /// Queue head.
    pub h: c_uint,
    /// Queue tail.
    pub l: c_uint,
    /// Queue.
    pub q: [IoMuxSlot; SLOTS],
    /// libowfat's semaphore.
    pub sem: MuxSemaphore,
}

/// A filter: takes up to `n` bytes. Returns how many it took, 0 for end of file, or -1 with errno.
pub type WriteCallback = Option<unsafe extern "C-unwind" fn(s: i64, buf: *const c_void, n: u64) -> i64>;

/// A filter for whole pieces of files, like `SSL_sendfile`.
pub type SendfileCallback =
    Option<unsafe extern "C-unwind" fn(s: i64, fd: i64, off: u64, n: u64, cb: WriteCallback) -> i64>;

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Tai>() == 8 && align_of::<Tai>() == 8);
    assert!(size_of::<Taia>() == 16 && align_of::<Taia>() == 8);
    assert!(offset_of!(Taia, nano) == 8 && offset_of!(Taia, atto) == 12);
    assert!(size_of::<Array>() == 32 && align_of::<Array>() == 8);
    assert!(offset_of!(Array, allocated) == 8 && offset_of!(Array, initialized) == 16);
    assert!(offset_of!(Array, headroom) == 24);
    assert!(size_of::<IoBatch>() == 64 && align_of::<IoBatch>() == 8);
    assert!(offset_of!(IoBatch, bytesleft) == 32 && offset_of!(IoBatch, next) == 40);
    assert!(offset_of!(IoBatch, bufs) == 48 && offset_of!(IoBatch, files) == 56);
    assert!(size_of::<IobEntry>() == 48 && align_of::<IobEntry>() == 8);
    assert!(offset_of!(IobEntry, fd) == 8 && offset_of!(IobEntry, buf) == 16);
    assert!(offset_of!(IobEntry, offset) == 24 && offset_of!(IobEntry, n) == 32);
    assert!(offset_of!(IobEntry, cleanup) == 40);
    assert!(size_of::<IoMux>() == (1040 + size_of::<libc::sem_t>()).next_multiple_of(align_of::<IoMux>()));
    assert!(offset_of!(IoMux, working) == 4 && offset_of!(IoMux, h) == 8 && offset_of!(IoMux, l) == 12);
    assert!(offset_of!(IoMux, q) == 16 && offset_of!(IoMux, sem) == 1040);
};

/// i386 aligns numbers of 64 bits to 4 bytes.
#[cfg(target_arch = "x86")]
const _: () = {
    assert!(size_of::<Tai>() == 8 && align_of::<Tai>() == 4);
    assert!(size_of::<Taia>() == 16 && align_of::<Taia>() == 4);
    assert!(offset_of!(Taia, nano) == 8 && offset_of!(Taia, atto) == 12);
    assert!(size_of::<Array>() == 24 && align_of::<Array>() == 4);
    assert!(offset_of!(Array, allocated) == 4 && offset_of!(Array, initialized) == 12);
    assert!(offset_of!(Array, headroom) == 20);
    assert!(size_of::<IoBatch>() == 44 && align_of::<IoBatch>() == 4);
    assert!(offset_of!(IoBatch, bytesleft) == 24 && offset_of!(IoBatch, next) == 32);
    assert!(offset_of!(IoBatch, bufs) == 36 && offset_of!(IoBatch, files) == 40);
    assert!(size_of::<IobEntry>() == 36 && align_of::<IobEntry>() == 4);
    assert!(offset_of!(IobEntry, fd) == 4 && offset_of!(IobEntry, buf) == 12);
    assert!(offset_of!(IobEntry, offset) == 16 && offset_of!(IobEntry, n) == 24);
    assert!(offset_of!(IobEntry, cleanup) == 32);
    assert!(size_of::<IoMux>() == 1056 && align_of::<IoMux>() == 4);
    assert!(offset_of!(IoMux, q) == 16 && offset_of!(IoMux, sem) == 1040);
};
