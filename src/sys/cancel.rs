//! The C library's cancellation points that this library uses (pthreads(7)).
//!
//! A thread that is cancelled unwinds out of such a call, as it would in a C program. The libc crate declares them as
//! functions that never do; so all of them are declared here. Whoever calls one must leave nothing behind that a drop
//! does not mend, and must be called from exported functions that let an unwinding pass (`capi::guard`).

use libc::{c_char, c_int, c_void, iovec, mode_t, msghdr, nfds_t, pollfd, size_t, ssize_t};

unsafe extern "C-unwind" {
    pub(super) fn close(fd: c_int) -> c_int;
    pub(super) fn poll(fds: *mut pollfd, n: nfds_t, timeout: c_int) -> c_int;
    pub(super) fn read(fd: c_int, buf: *mut c_void, n: size_t) -> ssize_t;
    pub(super) fn write(fd: c_int, buf: *const c_void, n: size_t) -> ssize_t;
    pub(super) fn writev(fd: c_int, v: *const iovec, n: c_int) -> ssize_t;
    pub(super) fn recv(fd: c_int, buf: *mut c_void, n: size_t, flags: c_int) -> ssize_t;
    pub(super) fn send(fd: c_int, buf: *const c_void, n: size_t, flags: c_int) -> ssize_t;
    pub(super) fn recvmsg(fd: c_int, m: *mut msghdr, flags: c_int) -> ssize_t;
    pub(super) fn sendmsg(fd: c_int, m: *const msghdr, flags: c_int) -> ssize_t;
    pub(super) fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    #[cfg(target_os = "linux")]
    pub(super) fn epoll_wait(set: c_int, events: *mut libc::epoll_event, n: c_int, timeout: c_int) -> c_int;
}
