//! Counts the system calls of the library, by kind, for `OWFAT_IO_STATS`.
//!
//! They are counted where they are made. Those that the C library makes by itself (memory, threads) are not counted. Fast
//! paths do not count, because they are closed while calls are counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

macro_rules! calls {
    ($($call:ident $name:literal,)*) => {
        /// A system call, by the kernel's name.
        #[derive(Clone, Copy)]
        #[allow(dead_code, reason = "no system has them all")]
        pub(crate) enum Call { $($call,)* }

        const NAMES: &[&str] = &[$($name,)*];
        static COUNTS: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];
    };
}

calls! {
    Close "close",
    Epollcreate "epoll_create",
    Epollcreate1 "epoll_create1",
    Epollctl "epoll_ctl",
    Epollwait "epoll_wait",
    Eventfd "eventfd2",
    Fadvise "fadvise64",
    Fcntl "fcntl",
    Fstat "fstat",
    Futex "futex",
    Getsockopt "getsockopt",
    Ioctl "ioctl",
    Munmap "munmap",
    Open "openat",
    Pipe "pipe2",
    Poll "poll",
    Pread "pread64",
    Preadv "preadv",
    Preadv2 "preadv2",
    Pwritev "pwritev2",
    Read "read",
    Recv "recvfrom",
    Recvmsg "recvmsg",
    Select "select",
    Sendfile "sendfile",
    Sendmsg "sendmsg",
    Send "sendto",
    Setsockopt "setsockopt",
    Sigaction "rt_sigaction",
    Sigpending "rt_sigpending",
    Sigwait "rt_sigtimedwait",
    Socketpair "socketpair",
    Write "write",
    Writev "writev",
    Yield "sched_yield",
}

static ON: AtomicBool = AtomicBool::new(false);

pub(crate) fn begin() {
    ON.store(true, Relaxed);
}

/// Counts a call that is about to be made.
#[inline(always)]
pub(crate) fn count(call: Call) {
    if ON.load(Relaxed) {
        add(call);
    }
}

#[cold]
fn add(call: Call) {
    if let Some(count) = COUNTS.get(call as usize) {
        count.fetch_add(1, Relaxed);
    }
}

/// Calls `f` with each kind that was counted, in alphabetical order.
pub(crate) fn each(mut f: impl FnMut(&'static str, u64)) {
    for (name, count) in NAMES.iter().zip(&COUNTS) {
        let n = count.load(Relaxed);
        if n > 0 {
            f(name, n);
        }
    }
}

/// For a new child process, which counts its own calls.
pub(crate) fn reset() {
    COUNTS.iter().for_each(|count| count.store(0, Relaxed));
}
