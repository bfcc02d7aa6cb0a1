//! Registration, mode, cookie, close, and shutting the loop down.

use super::entry::{
    cancellable, guard_state, one_or_zero, trace_count, trace_flag, trace_flag_of, trace_silent,
    trace_without_fd,
};
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

/// Registers descriptor `d` with the event loop, in whichever mode it is; the mode is not changed. A new
/// registration has no interest, no cookie and no deadline.
///
/// If `d` is registered already, all three stay. If it was closed by close(2) since then and is another file
/// now, the registration starts anew.
///
/// Returns 1, or 0 with errno: EBADF (`d` is negative, above INT_MAX, not open, or cannot be watched, as with
/// O_PATH), ENOMEM, EMFILE or ENFILE (no descriptor left for the event loop itself). Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_fd(d: i64) -> c_int {
    trace_flag("io_fd", d, guard_state(0, || register(d, Flags::default())))
}

/// Registers `d` as `io_fd` does, and notes that it can be written to now, as a new connection can. The next
/// `io_wantwrite` then makes `io_canwrite` return it without a wait call. This hint serves once. A write that
/// finds no room cancels it.
///
/// Returns 1, or 0 with the errno of `io_fd`. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_fd_canwrite(d: i64) -> c_int {
    let r = guard_state(0, || register(d, Flags { can_write: true, mode: None }));
    trace_flag("io_fd_canwrite", d, r)
}

/// Registers `d` as `io_fd` does, using what the caller knows about it. `flags` is the bitwise OR of
/// IO_FD_CANWRITE (see `io_fd_canwrite`) and one of IO_FD_BLOCK and IO_FD_NONBLOCK, which state the mode `d`
/// is in.
///
/// If the mode is stated, the library makes no system call to learn it, and so does not notice that `d` is
/// not open. If both modes are stated, IO_FD_NONBLOCK counts. Other bits are ignored.
///
/// Returns 1, or 0 with the errno of `io_fd`. Any thread may call it.
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
    trace_flag_of("io_fd_flags", d, r, &[("flags", flags.into())])
}

fn register(d: i64, flags: Flags) -> c_int {
    one_or_zero(Fd::new(d).and_then(|fd| event_loop::register(fd, flags)))
}

/// Attaches the pointer `cookie` to registered descriptor `d`. The library only hands it back. Does nothing
/// if `d` is not registered. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_setcookie(d: i64, cookie: *mut c_void) {
    guard_state((), || {
        event_loop::set_cookie(d, cookie.expose_provenance());
    });
}

/// Returns the pointer that `io_setcookie` attached to `d`. Returns NULL if none was attached, after
/// `io_close`, and if `d` is not registered. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_getcookie(d: i64) -> *mut c_void {
    guard_state(std::ptr::null_mut(), || std::ptr::with_exposed_provenance_mut(event_loop::cookie(d)))
}

/// Sets non-blocking mode (O_NONBLOCK) on `d`, registered or not. The mode belongs to the open file.
/// Duplicates of `d` and processes that inherited it share it (fcntl(2)).
///
/// Returns nothing. If it fails, errno is EBADF. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_nonblock(d: i64) {
    set_mode(d, Mode::Nonblocking);
}

/// Sets blocking mode on `d`, registered or not; see `io_nonblock`.
///
/// Returns nothing. If it fails, errno is EBADF. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_block(d: i64) {
    set_mode(d, Mode::Blocking);
}

#[cold]
fn close_failed(d: i64, e: Errno) {
    e.set();
    trace_count("io_close", d, -1, &[]);
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

/// Closes `d`, registered or not, and ends its registration: interest, cookie and deadline are gone. Reports
/// that the last wait call found for it are dropped. The number is free when the function returns.
///
/// Returns nothing. If it fails, errno is EBADF (`d` is not open; closing twice is harmless) or EIO. Any
/// thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_close(d: i64) {
    // Traced first: once it is closed, the number may be another file's.
    trace_silent("io_close", d, &[]);
    if let Some(e) = cancellable(|| Fd::new(d).and_then(event_loop::close).err()) {
        close_failed(d, e);
    }
}

/// Frees everything that the event loop holds, and closes the loop's own descriptor. The program's
/// descriptors stay open, but are no longer registered. Threads that sleep in a wait call return from it. The
/// next `io_fd` starts a new loop.
///
/// Returns nothing and never fails. It may be called at any time, before `io_fd` and twice. Any thread may
/// call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_finishandshutdown() {
    guard_state((), event_loop::shutdown);
    trace_without_fd("io_finishandshutdown", 0, &[]);
}

/// Writes the state of registered descriptor `s`, as text for a person, to `buf`. `bufsize` is the room in
/// bytes, with the terminating zero; 200 is enough. The wording may change between versions.
///
/// Returns the length without the zero. Returns 0 if `s` is not registered, `buf` is NULL or `bufsize` is too
/// small. Any thread may call it.
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
