//! The cancellation points of the C library that this library uses (pthreads(7)).
//!
//! A thread that is cancelled unwinds out of such a call. The libc crate declares these functions as ones that do not
//! unwind, so they are declared here again. A caller must clean up in destructors only, and must be reached through an
//! exported function that lets the unwinding pass (`capi::guard`).

use super::wide::off_t;
use libc::{c_char, c_int, c_void, fd_set, iovec, msghdr, nfds_t, pollfd, size_t, ssize_t, timeval};

unsafe extern "C-unwind" {
    pub(super) fn close(fd: c_int) -> c_int;
    pub(super) fn poll(fds: *mut pollfd, n: nfds_t, timeout: c_int) -> c_int;
    #[cfg_attr(target_os = "netbsd", link_name = "__select50")]
    pub(super) fn select(n: c_int, r: *mut fd_set, w: *mut fd_set, e: *mut fd_set, t: *mut timeval) -> c_int;
    #[cfg(owfat_portable)]
    pub(super) fn pthread_cond_wait(c: *mut libc::pthread_cond_t, m: *mut libc::pthread_mutex_t) -> c_int;
    pub(super) fn read(fd: c_int, buf: *mut c_void, n: size_t) -> ssize_t;
    pub(super) fn write(fd: c_int, buf: *const c_void, n: size_t) -> ssize_t;
    pub(super) fn writev(fd: c_int, v: *const iovec, n: c_int) -> ssize_t;
    pub(super) fn recv(fd: c_int, buf: *mut c_void, n: size_t, flags: c_int) -> ssize_t;
    pub(super) fn send(fd: c_int, buf: *const c_void, n: size_t, flags: c_int) -> ssize_t;
    pub(super) fn recvmsg(fd: c_int, m: *mut msghdr, flags: c_int) -> ssize_t;
    pub(super) fn sendmsg(fd: c_int, m: *const msghdr, flags: c_int) -> ssize_t;
    pub(super) fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    #[cfg_attr(all(target_env = "gnu", target_pointer_width = "32"), link_name = "pread64")]
    pub(super) fn pread(fd: c_int, buf: *mut c_void, n: size_t, at: off_t) -> ssize_t;
    #[cfg_attr(all(target_env = "gnu", target_pointer_width = "32"), link_name = "preadv64")]
    pub(super) fn preadv(fd: c_int, v: *const iovec, n: c_int, at: off_t) -> ssize_t;
    #[cfg(all(target_env = "gnu", not(owfat_portable)))]
    #[cfg_attr(target_pointer_width = "32", link_name = "preadv64v2")]
    pub(super) fn preadv2(fd: c_int, v: *const iovec, n: c_int, at: off_t, how: c_int) -> ssize_t;
    #[cfg(all(target_env = "gnu", not(owfat_portable)))]
    #[cfg_attr(target_pointer_width = "32", link_name = "pwritev64v2")]
    pub(super) fn pwritev2(fd: c_int, v: *const iovec, n: c_int, at: off_t, how: c_int) -> ssize_t;
    #[cfg(not(owfat_portable))]
    pub(super) fn epoll_wait(set: c_int, events: *mut libc::epoll_event, n: c_int, timeout: c_int) -> c_int;
}

/// Sleeps by futex(2) as a cancellation point, which the C library has not. Meanwhile the thread can be cancelled at any
/// instruction, so this frame is not inlined and has nothing to drop.
///
/// # Safety
/// `word` lives through the call.
#[cfg(not(owfat_portable))]
#[inline(never)]
pub(super) unsafe fn futex_wait(word: *const u32, operation: c_int, value: u32) {
    unsafe extern "C-unwind" {
        fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int;
        fn syscall(number: libc::c_long, ...) -> libc::c_long;
    }
    // POSIX; missing from the libc crate.
    const ASYNCHRONOUS: c_int = 1;
    let mut before = 0;
    // SAFETY: the caller's promise; without a timeout no other address is used.
    unsafe {
        pthread_setcanceltype(ASYNCHRONOUS, &mut before);
        syscall(libc::SYS_futex, word, operation, value, std::ptr::null::<libc::timespec>());
        pthread_setcanceltype(before, &mut before);
    }
}

// Where the C library may not have them, syscall(2) is used, which is no cancellation point.
#[cfg(not(any(target_env = "gnu", owfat_portable)))]
pub(super) use super::wide::{preadv2, pwritev2};
