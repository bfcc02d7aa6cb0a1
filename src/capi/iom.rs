//! `iom_*`: the multiplexer for several threads.

use super::entry::{cancellable, one_or_zero, or_minus_one, trace_count, trace_without_fd};
use crate::ctypes::IoMux;
use crate::fd::Fd;
use crate::mux::{Mux, Wait};
use crate::trace;
use nix::errno::Errno;
use std::ffi::{c_int, c_uint, c_ulong};

/// Makes `*c` an empty multiplexer, from which several threads can take events. What it held before does not
/// matter. The multiplexer uses one close-on-exec descriptor, `c->ctx`. To end it, close that descriptor when
/// no thread uses `c` any more. Only the process that called this may use `c`; a child of fork(2) should
/// initialise its own.
///
/// Returns 1, or 0 with errno: EFAULT (`c` is NULL), EMFILE, ENFILE, ENOMEM, ENOSPC (the user's limit of
/// epoll watches is reached). (The manual of libowfat says 0 and -1; its library returns 1 and 0.) If the
/// system refuses epoll, the multiplexer uses poll(2) and one descriptor more.
///
/// # Safety
/// `c` is NULL or points to memory for an `iomux_t` that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iom_init(c: *mut IoMux) -> c_int {
    let r = cancellable(|| {
        // SAFETY: the caller's promise is the one that `Mux::new` asks for.
        one_or_zero(unsafe { Mux::new(c) }.and_then(Mux::init))
    });
    if trace::is_on() {
        trace::call(None, "iom_init", r.into(), r == 0, &[]);
    }
    r
}

/// Asks for one event on descriptor `s`. It is reported once, to one thread, which then has the descriptor to
/// itself. Call `iom_add` or `iom_requeue` again to get the next one. If `s` still waits for its event,
/// `events` replaces what was asked for.
///
/// `events` is the bitwise OR of IOM_READ and IOM_WRITE; other bits are ignored. Errors and hang-ups are
/// always reported, also if it is 0.
///
/// Closing the last duplicate of a descriptor removes it, with an event that has not been taken. Before you
/// close one, make sure that no other thread is just being told of it.
///
/// Returns 0, or -1 with errno: EFAULT (`c` is NULL), EINVAL (`c` was not initialised, or `s` is `c->ctx`),
/// EBADF (`s` or `c->ctx` is not open), EPERM (`s` is a file or directory), ENOMEM, ENOSPC. Any thread may
/// call it, even while others are in `iom_wait`.
///
/// # Safety
/// `c` is NULL or points to an `iomux_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iom_add(c: *mut IoMux, s: i64, events: c_uint) -> c_int {
    let r = cancellable(|| {
        // SAFETY: the caller's promise is the one that `Mux::new` asks for.
        let added = unsafe { Mux::new(c) }.and_then(|mux| mux.add(Fd::new(s)?, events));
        or_minus_one(added.map(|()| 0))
    });
    trace_count("iom_add", s, r, &[("events", events.into())]) as c_int
}

/// Asks for one more event on descriptor `s`, which was given to `iom_add` before. It works like `iom_add`,
/// but a descriptor that was not added is an error. So is one that was closed and whose number is another
/// file's now. (libowfat 0.34)
///
/// Returns 0, or -1 with errno: ENOENT (`s` was not added), EFAULT (`c` is NULL), EINVAL (`c` was not
/// initialised, or `s` is `c->ctx`), EBADF (`s` or `c->ctx` is not open), EPERM (`s` is a file or directory),
/// ENOMEM. Any thread may call it, even while others are in `iom_wait`.
///
/// # Safety
/// `c` is NULL or points to an `iomux_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iom_requeue(c: *mut IoMux, s: i64, events: c_uint) -> c_int {
    let r = cancellable(|| {
        // SAFETY: the caller's promise is the one that `Mux::new` asks for.
        let armed = unsafe { Mux::new(c) }.and_then(|mux| mux.requeue(Fd::new(s)?, events));
        or_minus_one(armed.map(|()| 0))
    });
    trace_count("iom_requeue", s, r, &[("events", events.into())]) as c_int
}

/// Waits for one event, for at most `timeout` milliseconds. 0 looks without waiting; (unsigned long)-1 means
/// no limit. Each event goes to exactly one of the waiting threads and wakes no other. A thread that finds no
/// event, while others take theirs, yields the processor once (sched_yield(2)) before it sleeps.
///
/// Returns 1 with the descriptor in `*s`, and in `*revents` the bitwise OR of IOM_READ, IOM_WRITE and
/// IOM_ERROR: an error sets all three, a hang-up IOM_READ and IOM_WRITE, asked for or not. Returns 0 if the
/// time is over and -2 after `iom_abort`. Returns -1 with errno: EINTR (a signal handler ran while it slept),
/// EFAULT (an argument is NULL), EINVAL (`c` was not initialised), EBADF (`c->ctx` is not open). `*s` and
/// `*revents` change only if it returns 1.
///
/// Any thread may call it, and several may wait at once. It is a cancellation point (pthreads(7)).
///
/// # Safety
/// `c` is NULL or points to an `iomux_t`; `s` and `revents` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iom_wait(
    c: *mut IoMux,
    s: *mut i64,
    revents: *mut c_uint,
    timeout: c_ulong,
) -> c_int {
    trace::before_sleep();
    let mut event = None;
    let r = cancellable(|| {
        if s.is_null() || revents.is_null() {
            return or_minus_one(Err(Errno::EFAULT));
        }
        // SAFETY: the caller's promise is the one that `Mux::new` asks for.
        let ended = unsafe { Mux::new(c) }.and_then(|mux| mux.wait(timeout));
        let code = ended.map(|wait| match wait {
            Wait::Event(fd, events) => {
                // SAFETY: not NULL, so writable by the caller's promise.
                unsafe { (s.write(fd), revents.write(events)) };
                event = Some((fd, events));
                1
            }
            Wait::TimedOut => 0,
            Wait::Aborted => -2,
        });
        or_minus_one(code)
    });
    match event {
        Some((fd, events)) => trace_count("iom_wait", fd, r, &[("events", events.into())]) as c_int,
        None => trace_without_fd("iom_wait", r, &[]) as c_int,
    }
}

/// Makes `iom_wait` return -2 in every thread that is in it or calls it later, until `c` is initialised
/// again. Events that were not taken are not reported any more.
///
/// Returns 0, or -1 with errno: EFAULT (`c` is NULL), EINVAL (`c` was not initialised), EBADF (`c->ctx` is
/// not open). It needs neither memory nor a descriptor. Any thread may call it, and so may a signal handler.
///
/// # Safety
/// `c` is NULL or points to an `iomux_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iom_abort(c: *mut IoMux) -> c_int {
    cancellable(|| {
        // SAFETY: the caller's promise is the one that `Mux::new` asks for.
        let aborted = unsafe { Mux::new(c) }.and_then(Mux::abort);
        or_minus_one(aborted.map(|()| 0)) as c_int
    })
}
