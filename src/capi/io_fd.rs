//! Registration, mode, cookie, close: what a program does with a descriptor besides waiting for it.

use super::guard::{cancellable, guard_state};
use super::ret::one_or_zero;
use super::trace_call;
use crate::event_loop::{self, Flags};
use crate::fd::Fd;
use crate::mode::Mode;
use crate::text::Text;
use crate::trace;
use nix::errno::Errno;
use std::ffi::{c_char, c_int, c_uint, c_void};

/// `io_fd_flags`: the descriptor can be written to at once.
const CAN_WRITE: c_int = 1;
/// `io_fd_flags`: the descriptor is in blocking mode.
const BLOCK: c_int = 2;
/// `io_fd_flags`: the descriptor is in non-blocking mode.
const NONBLOCK: c_int = 4;

/// Registers descriptor `d` with the event loop, whatever its mode, which is never changed. Nothing is wanted
/// of it then; it has no cookie and no deadline. Calling it again keeps all three; but if the number was closed
/// by close(2) and now stands for another file, that file starts clean.
///
/// Returns 1, or 0 with errno: EBADF (not open, negative, past INT_MAX), ENOMEM, EMFILE or ENFILE (no
/// descriptor left for the event loop itself). Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_fd(d: i64) -> c_int {
    trace_call::flag("io_fd", d, guard_state(0, || register(d, Flags::default())))
}

/// Like `io_fd`, for a descriptor that is known to be writable, as a new connection is: the next
/// `io_wantwrite` makes `io_canwrite` return it without a wait. The hint serves once, and a write that
/// found no room voids it.
///
/// Returns and errno as `io_fd`. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_fd_canwrite(d: i64) -> c_int {
    let r = guard_state(0, || register(d, Flags { can_write: true, mode: None }));
    trace_call::flag("io_fd_canwrite", d, r)
}

/// Like `io_fd`, with what the caller knows already. `flags` is a sum of IO_FD_CANWRITE (as
/// `io_fd_canwrite`) and IO_FD_BLOCK or IO_FD_NONBLOCK: the mode is believed and no system call is made, so
/// that a number that is not open is not noticed. With both, IO_FD_NONBLOCK counts; other bits are ignored.
///
/// Returns and errno as `io_fd`. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_fd_flags(d: i64, flags: c_int) -> c_int {
    let r = guard_state(0, || {
        let mode = match (flags & NONBLOCK != 0, flags & BLOCK != 0) {
            (true, _) => Some(Mode::Nonblocking),
            (false, true) => Some(Mode::Blocking),
            (false, false) => None,
        };
        register(d, Flags { can_write: flags & CAN_WRITE != 0, mode })
    });
    trace_call::flag_of("io_fd_flags", d, r, &[("flags", flags.into())])
}

fn register(d: i64, flags: Flags) -> c_int {
    one_or_zero(Fd::new(d).and_then(|fd| event_loop::register(fd, flags)))
}

/// Attaches `cookie`, any value, to a registered descriptor. The library hands it back and does nothing
/// else with it. Without effect on a descriptor that is not registered. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_setcookie(d: i64, cookie: *mut c_void) {
    guard_state((), || {
        event_loop::set_cookie(d, cookie.expose_provenance());
    });
}

/// Returns what `io_setcookie` attached: NULL before that, after `io_close`, and for a descriptor that is
/// not registered. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_getcookie(d: i64) -> *mut c_void {
    guard_state(std::ptr::null_mut(), || std::ptr::with_exposed_provenance_mut(event_loop::cookie(d)))
}

/// Puts the open file behind `d`, registered or not, in non-blocking mode. The mode belongs to the open
/// file and so to its duplicates and to forked processes as well (fcntl(2), O_NONBLOCK).
///
/// An error shows in errno only: EBADF. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_nonblock(d: i64) {
    set_mode(d, Mode::Nonblocking);
}

/// Puts the open file behind `d`, registered or not, in blocking mode; see `io_nonblock`.
///
/// An error shows in errno only: EBADF. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_block(d: i64) {
    set_mode(d, Mode::Blocking);
}

#[cold]
fn close_failed(d: i64, e: Errno) {
    e.set();
    trace_call::count("io_close", d, -1, &[]);
}

fn set_mode(d: i64, mode: Mode) {
    let failed =
        guard_state(None, || Fd::new(d).and_then(|fd| event_loop::set_blocking_mode(fd, mode)).err());
    if let Some(e) = failed {
        e.set();
    }
    if trace::is_on() {
        trace_mode(d, mode, failed);
    }
}

#[cold]
fn trace_mode(d: i64, mode: Mode, failed: Option<Errno>) {
    let what = if mode == Mode::Nonblocking { "io_nonblock" } else { "io_block" };
    trace::call(Some(d), what, if failed.is_some() { -1 } else { 0 }, failed.is_some(), &[]);
}

/// Closes `d`, registered or not. Its cookie, deadline and wants are gone and no event of it will be
/// reported, even one that the last wait had found; the number is free when the function returns.
///
/// An error shows in errno only: EBADF (not open; closing twice is harmless), EIO. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_close(d: i64) {
    // Before the number can be another file's.
    trace_call::silent("io_close", d, &[]);
    if let Some(e) = cancellable(|| Fd::new(d).and_then(event_loop::close).err()) {
        close_failed(d, e);
    }
}

/// Frees everything that the event loop holds, its own descriptor included. The program's descriptors stay
/// open and are no longer registered; `io_fd` begins anew. Threads inside a wait call return from it.
/// Harmless at any time, and twice.
#[unsafe(no_mangle)]
pub extern "C" fn io_finishandshutdown() {
    guard_state((), event_loop::shutdown);
    trace_call::without_fd("io_finishandshutdown", 0, &[]);
}

/// Describes the state of a registered descriptor for a person, as a string of at most `bufsize` bytes with
/// its terminating zero. The wording may change.
///
/// Returns the length without the zero, or 0: not registered, `buf` is NULL, or `bufsize` is too small (200
/// is enough). Any thread may call it.
///
/// # Safety
/// `buf` is NULL or points to `bufsize` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_debugstring(s: i64, buf: *mut c_char, bufsize: c_uint) -> c_uint {
    guard_state(0, || {
        let mut text = Text::new();
        let known = Fd::new(s).is_ok_and(|fd| event_loop::describe(fd, &mut text));
        let Some(bytes) = text.bytes().filter(|b| known && !buf.is_null() && b.len() < bufsize as usize)
        else {
            return 0;
        };
        // SAFETY: the zero included, the text is no longer than `bufsize`, which the caller vouches for.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), buf.cast(), bytes.len());
            buf.add(bytes.len()).write(0);
        }
        bytes.len() as c_uint
    })
}
