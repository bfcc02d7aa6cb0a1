//! `iom_*`: the multiplexer for several threads.

use super::guard::cancellable;
use super::ret::{one_or_zero, or_minus_one};
use super::trace_call;
use crate::ctypes::IoMux;
use crate::fd::Fd;
use crate::mux::{Mux, Wait};
use crate::trace;
use nix::errno::Errno;
use std::ffi::{c_int, c_uint, c_ulong};

/// Makes `c`, whose content does not matter, an empty multiplexer from which several threads can take
/// events. It uses one close-on-exec descriptor, `c->ctx`; closing that, when no thread uses `c` any more,
/// ends the multiplexer. The process that initialised it is the one to use it: a child of fork(2) shares
/// the kernel's half with its parent and should initialise its own.
///
/// Returns 1, or 0 with errno: EFAULT (c is NULL), EMFILE, ENFILE, ENOMEM, ENOSPC (this user's epoll watches are used
/// up). Where the system refuses epoll, poll(2) stands in, with one descriptor more. (The manual of libowfat says 0 and
/// -1; its library has always returned these.)
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

/// Asks for the next event on descriptor `s`. It is reported once, to one thread; afterwards iom_add or
/// iom_requeue is called for the next one. Adding a descriptor that still waits for its event replaces `events`.
/// Closing the last duplicate of a descriptor withdraws it, also if its event has come and was not taken.
/// Whoever is told of the event has the descriptor to itself until it is armed again. Before you close one that
/// is armed, make sure that no other thread is just being told of it.
///
/// `events`: the sum of IOM_READ and IOM_WRITE. With neither, only errors and hang-ups are reported, which
/// always are; other bits are ignored.
///
/// Returns 0, or -1 with errno: EFAULT (c is NULL), EINVAL (c was not initialised, or s is c->ctx), EBADF (s
/// or c->ctx is not open), EPERM (a file or directory, which cannot be waited for), ENOMEM, ENOSPC.
/// Any thread may call it, also while others are in iom_wait.
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
    trace_call::count("iom_add", s, r, &[("events", events.into())]) as c_int
}

/// Asks for one more event on descriptor `s`, which iom_add was given before: its event was taken, or it still
/// waits for it, and then `events` replaces what was asked for. All else is as with iom_add, but that a descriptor
/// which is new is an error: so is one whose number was closed and belongs to another file now.
///
/// Returns 0, or -1 with errno: ENOENT (s was not added), EFAULT (c is NULL), EINVAL (c was not initialised, or s
/// is c->ctx), EBADF (s or c->ctx is not open), EPERM (a file or directory), ENOMEM.
/// Any thread may call it, also while others are in iom_wait. (libowfat 0.34)
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
    trace_call::count("iom_requeue", s, r, &[("events", events.into())]) as c_int
}

/// Waits for one event, up to `timeout` milliseconds; 0 only looks, (unsigned long)-1 waits without limit.
/// The wait never ends early for want of an event. Each event goes to exactly one of the waiting threads, and
/// wakes no other. While other threads take events, a thread that finds none lets the rest of the machine run
/// once, as sched_yield(2) does, before it sleeps.
///
/// Returns 1 with the descriptor in `*s` and the sum of IOM_READ, IOM_WRITE and IOM_ERROR in `*revents`:
/// an error sets all three and a hang-up the first two, asked for or not. 0: the time has passed. -2:
/// iom_abort was called. -1 with errno: EINTR (a signal handler ran while it slept), EFAULT (a NULL argument), EINVAL (c was
/// not initialised), EBADF (c->ctx is not open). `*s` and `*revents` are set only with 1.
/// Any number of threads may call it at once. It is a cancellation point (pthreads(7)).
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
        Some((fd, events)) => trace_call::count("iom_wait", fd, r, &[("events", events.into())]) as c_int,
        None => trace_call::without_fd("iom_wait", r, &[]) as c_int,
    }
}

/// Makes iom_wait return -2 at once in every thread that is in it or calls it later, until `c` is
/// initialised again. Events that were not taken stay untold.
///
/// Returns 0, or -1 with errno: EFAULT (c is NULL), EINVAL (c was not initialised), EBADF (c->ctx is not
/// open). It needs neither memory nor a descriptor, and may be called from any thread and from a signal
/// handler.
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
