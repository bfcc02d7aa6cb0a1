//! Opening files, pipes and socket pairs, and passing descriptors between processes.

use super::entry::{Detail, cancellable, one_or_zero, or_minus_one, trace_count, trace_flag_of};
use crate::event_loop::{self, Flags};
use crate::fd::Fd;
use crate::mode::Mode;
use crate::sys::count::{Call, count};
use crate::sys::path::Path;
use crate::trace;
use crate::xfer::fdpass;
use crate::xfer::open::{self, Access};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::ffi::{c_char, c_int};
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

/// Opens the file `path` for reading and stores its descriptor in `*d`. A directory can be opened as well.
/// The descriptor is in blocking mode, is inherited over exec, and is not registered; `io_fd` does that.
///
/// Returns 1. Returns 0 with the errno of open(2), or EFAULT if an argument is NULL; `*d` is unchanged then.
/// Opening a FIFO waits for its other end, and a signal handler ends that wait with EINTR. Any thread may
/// call it.
///
/// # Safety
/// `d` is NULL or may be written to; `path` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_readfile(d: *mut i64, path: *const c_char) -> c_int {
    // SAFETY: the caller's promises are those that `open_file` asks for.
    unsafe { open_file("io_readfile", d, path, Access::Read) }
}

/// Opens the file `path` for writing and stores its descriptor in `*d`. An existing file is emptied; a new
/// one gets mode 0600 less the umask. The rest is as with `io_readfile`.
///
/// Returns 1. Returns 0 with the errno of open(2), or EFAULT if an argument is NULL; `*d` is unchanged then.
/// Any thread may call it.
///
/// # Safety
/// `d` is NULL or may be written to; `path` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_createfile(d: *mut i64, path: *const c_char) -> c_int {
    // SAFETY: the caller's promises are those that `open_file` asks for.
    unsafe { open_file("io_createfile", d, path, Access::Create) }
}

/// Opens the existing file `path` for reading and writing and stores its descriptor in `*d`. The rest is as
/// with `io_readfile`.
///
/// Returns 1. Returns 0 with the errno of open(2), or EFAULT if an argument is NULL; `*d` is unchanged then.
/// Any thread may call it.
///
/// # Safety
/// `d` is NULL or may be written to; `path` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_readwritefile(d: *mut i64, path: *const c_char) -> c_int {
    // SAFETY: the caller's promises are those that `open_file` asks for.
    unsafe { open_file("io_readwritefile", d, path, Access::ReadWrite) }
}

/// Opens the file `path` for appending and stores its descriptor in `*d`: each write goes to the end of the
/// file. A new file gets mode 0600 less the umask. The rest is as with `io_readfile`.
///
/// Returns 1. Returns 0 with the errno of open(2), or EFAULT if an argument is NULL; `*d` is unchanged then.
/// Any thread may call it.
///
/// # Safety
/// `d` is NULL or may be written to; `path` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_appendfile(d: *mut i64, path: *const c_char) -> c_int {
    // SAFETY: the caller's promises are those that `open_file` asks for.
    unsafe { open_file("io_appendfile", d, path, Access::Append) }
}

/// Makes a pipe: `d[0]` reads what is written to `d[1]`. Both ends are in blocking mode and inherited over
/// exec. They are registered, `d[0]` as by `io_fd`, `d[1]` as by `io_fd_canwrite`.
///
/// Returns 1. Returns 0 with errno EFAULT (`d` is NULL), EMFILE, ENFILE or ENOMEM; `d` is unchanged then, and
/// nothing stays open. Any thread may call it.
///
/// # Safety
/// `d` is NULL or points to two `int64` that may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_pipe(d: *mut i64) -> c_int {
    // SAFETY: the caller's promise is the one that `open_both` asks for.
    unsafe { open_both("io_pipe", d, open::pipe, [false, true]) }
}

/// Makes two connected Unix stream sockets: each reads what is written to the other. Both are in blocking
/// mode, inherited over exec, and registered as by `io_fd_canwrite`.
///
/// Returns 1. Returns 0 with errno EFAULT (`d` is NULL), EMFILE, ENFILE or ENOMEM; `d` is unchanged then, and
/// nothing stays open. Any thread may call it.
///
/// # Safety
/// `d` is NULL or points to two `int64` that may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_socketpair(d: *mut i64) -> c_int {
    // SAFETY: the caller's promise is the one that `open_both` asks for.
    unsafe { open_both("io_socketpair", d, open::socketpair, [true, true]) }
}

/// Sends a duplicate of descriptor `fd` over the Unix socket `sock`, with one byte of data. The peer receives
/// both with `io_receivefd`. `fd` stays open here. If `sock` is no Unix socket the kernel decides: a TCP
/// socket sends the byte and drops the descriptor.
///
/// Returns 0, or -1 with errno: EBADF, ENOTSOCK, ENOTCONN, EPIPE or ECONNRESET (the peer has closed; no
/// signal is raised), EAGAIN (`sock` is non-blocking and full), EINTR (a signal handler ran before anything
/// was sent), ETOOMANYREFS (too many descriptors are in flight), ENOMEM. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_passfd(sock: i64, fd: i64) -> c_int {
    let r = cancellable(|| {
        let passed = Fd::new(sock).and_then(|sock| {
            let fd = Fd::new(fd)?;
            fdpass::pass(sock, fd)?;
            event_loop::mark_shared(fd);
            Ok(0)
        });
        or_minus_one(passed)
    });
    trace_count("io_passfd", sock, r, &[("passed", fd)]) as c_int
}

/// Receives a descriptor that the peer of the Unix socket `sock` sent with `io_passfd`, and takes exactly one
/// byte of data. The descriptor has the mode it was sent with, is inherited over exec, and is not registered.
/// If one message has several descriptors, the first is returned and the others are closed.
///
/// Returns the descriptor, or -1 with errno: EAGAIN (`sock` is non-blocking and empty), EPROTO (the byte came
/// without a descriptor, or the peer has closed), EMFILE (no descriptor left; the byte and the sent
/// descriptor are lost), EINTR (a signal handler ran before anything came), EBADF, ENOTSOCK, ECONNRESET,
/// ENOMEM. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_receivefd(sock: i64) -> i64 {
    let r = cancellable(|| or_minus_one(Fd::new(sock).and_then(fdpass::receive).map(received)));
    trace_count("io_receivefd", sock, r, &[])
}

/// A received descriptor. The sender may still have it open.
fn received(fd: OwnedFd) -> i64 {
    let fd = fresh(fd);
    event_loop::mark_shared(fd);
    fd.raw().into()
}

/// Sets the close-on-exec flag of descriptor `d`, registered or not. Its other flags stay.
///
/// Returns nothing. If it fails, errno is EBADF. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_closeonexec(d: i64) {
    let r = cancellable(|| or_minus_one(Fd::new(d).and_then(close_on_exec).map(|()| 0)));
    trace_count("io_closeonexec", d, r, &[]);
}

/// # Safety
/// `d` is NULL or may be written to; `path` is NULL or a C string.
unsafe fn open_file(what: &'static str, d: *mut i64, path: *const c_char, access: Access) -> c_int {
    // SAFETY: the caller's promises.
    let r = cancellable(|| or_minus_one(unsafe { open_number(d, path, access) }));
    if trace::is_on() {
        opened(what, r, &[]);
    }
    c_int::from(r >= 0)
}

#[cold]
fn opened(what: &'static str, d: i64, details: &[Detail]) {
    if d >= 0 {
        trace_flag_of(what, d, 1, details);
    } else {
        trace::call(None, what, 0, true, details);
    }
}

/// # Safety
/// `d` is NULL or may be written to; `path` is NULL or a C string.
unsafe fn open_number(d: *mut i64, path: *const c_char, access: Access) -> Result<i64, Errno> {
    // Checked before open(2) creates or empties the file.
    if d.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the caller's promise for `path`.
    let file = open::file(unsafe { Path::new(path) }?, access)?;
    let number = fresh(file).raw().into();
    // SAFETY: not NULL, so writable by the caller's promise.
    unsafe { d.write(number) };
    Ok(number)
}

/// # Safety
/// `d` is NULL or points to two numbers that may be written to.
unsafe fn open_both(
    what: &'static str,
    d: *mut i64,
    open: fn() -> Result<[OwnedFd; 2], Errno>,
    can_write: [bool; 2],
) -> c_int {
    let mut ends = [-1; 2];
    // SAFETY: the caller's promise.
    let r = cancellable(|| one_or_zero(unsafe { open_pair(d, open, can_write) }.map(|both| ends = both)));
    if trace::is_on() {
        let [a, b] = ends;
        opened(what, a, &[("other", b)]);
        if r != 0 {
            opened(what, b, &[("other", a)]);
        }
    }
    r
}

/// Opens two ends, registers them and stores them in `d`; if that fails, closes both.
///
/// # Safety
/// `d` is NULL or points to two numbers that may be written to.
unsafe fn open_pair(
    d: *mut i64,
    open: fn() -> Result<[OwnedFd; 2], Errno>,
    can_write: [bool; 2],
) -> Result<[i64; 2], Errno> {
    if d.is_null() {
        return Err(Errno::EFAULT);
    }
    let ends = open()?.map(fresh);
    let flags = can_write.map(|can_write| Flags { can_write, mode: Some(Mode::Blocking) });
    let registered =
        event_loop::register(ends[0], flags[0]).and_then(|()| event_loop::register(ends[1], flags[1]));
    if let Err(e) = registered {
        for end in ends {
            // The caller gets the error of the registration, not of this.
            let _ = event_loop::close(end);
        }
        return Err(e);
    }
    let [a, b] = ends.map(|end| i64::from(end.raw()));
    // SAFETY: not NULL, so room for two numbers by the caller's promise.
    unsafe { (d.write(a), d.add(1).write(b)) };
    Ok([a, b])
}

/// The number of a new descriptor. The kernel has just given it out, so an old registration under it is void.
fn fresh(end: OwnedFd) -> Fd {
    let fd = Fd::from_index(end.into_raw_fd() as u32);
    event_loop::forget(fd);
    fd
}

fn close_on_exec(d: Fd) -> Result<(), Errno> {
    count(Call::Fcntl);
    // SAFETY: not negative. The number is only handed to the kernel, which answers EBADF if it is not open.
    let d = unsafe { BorrowedFd::borrow_raw(d.raw()) };
    fcntl(d, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}
