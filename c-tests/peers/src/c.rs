//! What the adapter calls of io.h, in types of Rust.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, SystemTime};

/// `tai6464` of taia.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tai6464 {
    sec: u64,
    nano: u32,
    atto: u32,
}

#[link(name = "owfat_io")]
unsafe extern "C" {
    fn io_fd(d: i64) -> i32;
    fn io_wantread(d: i64);
    fn io_wantwrite(d: i64);
    fn io_dontwantread(d: i64);
    fn io_dontwantwrite(d: i64);
    fn io_wait();
    fn io_waituntil(until: Tai6464);
    fn io_canread() -> i64;
    fn io_canwrite() -> i64;
    fn io_pipe(d: *mut i64) -> i32;
    fn io_nonblock(d: i64);
    fn io_tryread(d: i64, buf: *mut u8, len: i64) -> i64;
    fn io_trywrite(d: i64, buf: *const u8, len: i64) -> i64;
    fn io_close(d: i64);
}

/// Registers `fd` and states what is wanted of it, no more and no less.
pub(crate) fn want(fd: RawFd, readable: bool, writable: bool) -> io::Result<()> {
    let d = i64::from(fd);
    // SAFETY: these calls take any number.
    unsafe {
        if io_fd(d) == 0 {
            return Err(io::Error::last_os_error());
        }
        if readable { io_wantread(d) } else { io_dontwantread(d) }
        if writable { io_wantwrite(d) } else { io_dontwantwrite(d) }
    }
    Ok(())
}

pub(crate) fn want_nothing(fd: RawFd) {
    // SAFETY: these calls take any number.
    unsafe {
        io_dontwantread(fd.into());
        io_dontwantwrite(fd.into());
    }
}

/// Waits until an event, a signal, or the time that is left has passed; `None` is no limit.
pub(crate) fn wait(left: Option<Duration>) {
    /// The label of 1970-01-01, as libowfat counts.
    const EPOCH: u64 = (1 << 62) + 10;
    let label = left.and_then(|left| SystemTime::now().checked_add(left)?.duration_since(SystemTime::UNIX_EPOCH).ok());
    // SAFETY: both take what they are given by value.
    unsafe {
        match label {
            Some(at) => io_waituntil(Tai6464 { sec: EPOCH + at.as_secs(), nano: at.subsec_nanos(), atto: 0 }),
            None => io_wait(),
        }
    }
}

/// The next descriptor with an event, and whether that is for reading.
pub(crate) fn next() -> Option<(RawFd, bool)> {
    // SAFETY: neither takes anything.
    let read = unsafe { io_canread() };
    if read != -1 {
        return Some((read as RawFd, true));
    }
    // SAFETY: as above.
    let write = unsafe { io_canwrite() };
    (write != -1).then_some((write as RawFd, false))
}

/// A pipe through which one thread ends the wait of another.
pub(crate) struct Waker([i64; 2]);

impl Waker {
    pub(crate) fn new() -> io::Result<Waker> {
        let mut ends = [-1; 2];
        // SAFETY: there is room for two numbers.
        if unsafe { io_pipe(ends.as_mut_ptr()) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: takes any number.
        ends.into_iter().for_each(|d| unsafe { io_nonblock(d) });
        Ok(Waker(ends))
    }

    /// The end that becomes readable.
    pub(crate) fn fd(&self) -> RawFd {
        self.0[0] as RawFd
    }

    pub(crate) fn wake(&self) {
        // SAFETY: there is one byte. A full pipe ends the wait anyway.
        unsafe { io_trywrite(self.0[1], b"!".as_ptr(), 1) };
    }

    pub(crate) fn drain(&self) {
        let mut bytes = [0; 64];
        // SAFETY: there is room for so many bytes.
        while unsafe { io_tryread(self.0[0], bytes.as_mut_ptr(), bytes.len() as i64) } > 0 {}
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // SAFETY: takes any number, and these two are ours.
        self.0.into_iter().for_each(|d| unsafe { io_close(d) });
    }
}
