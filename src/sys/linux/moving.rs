//! Moves bytes by calls that only Linux has: without waiting (`RWF_NOWAIT`), held back (`MSG_MORE`), from a file.

use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::sys::cancel;
use crate::sys::count::{Call, count};
use crate::sys::wide::{self, off_t};
use libc::{c_int, c_void, iovec};
use nix::errno::Errno;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::ptr;

/// For a send: the kernel may hold the last segment back for bytes that follow.
pub(in crate::sys) const MORE: c_int = libc::MSG_MORE;
/// For a send: no SIGPIPE.
pub(in crate::sys) const QUIET: c_int = libc::MSG_NOSIGNAL;

/// `O_NONBLOCK` for one call; `EOPNOTSUPP` if the file cannot do that.
const NOWAIT: c_int = libc::RWF_NOWAIT;
/// The offset that makes `preadv2` and `pwritev2` use the file position, as read and write do.
const AT_POSITION: off_t = -1;

/// read(2) that does not wait, whatever the descriptor's mode.
pub(in crate::sys) fn read_nowait(fd: Fd, t: Target) -> isize {
    count(Call::Preadv2);
    let v = iovec { iov_base: t.ptr().cast::<c_void>(), iov_len: t.len() };
    // SAFETY: one vector, whose memory `Target` vouches for.
    unsafe { cancel::preadv2(fd.raw(), &v, 1, AT_POSITION, NOWAIT) }
}

/// write(2) that does not wait, whatever the descriptor's mode.
pub(in crate::sys) fn write_nowait(fd: Fd, s: Source) -> isize {
    count(Call::Pwritev);
    let v = iovec { iov_base: s.ptr().cast_mut().cast::<c_void>(), iov_len: s.len() };
    // SAFETY: one vector, which the kernel only reads.
    unsafe { cancel::pwritev2(fd.raw(), &v, 1, AT_POSITION, NOWAIT) }
}

/// pread(2) that reads only what the page cache has.
pub(in crate::sys) fn read_cached(file: Fd, room: &mut [MaybeUninit<u8>], off: off_t) -> isize {
    count(Call::Preadv2);
    let v = iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    // SAFETY: one vector, which names `room`.
    unsafe { cancel::preadv2(file.raw(), &v, 1, off, NOWAIT) }
}

/// See `message::sendfile`.
pub(in crate::sys) fn sendfile(out: Fd, file: Fd, mut off: off_t, n: usize) -> Result<usize, Errno> {
    count(Call::Sendfile);
    // SAFETY: `off` lives through the call.
    let sent = unsafe { wide::sendfile(out.raw(), file.raw(), &mut off, n) };
    usize::try_from(sent).map_err(|_| Errno::last())
}

/// Has a socket of any kind send at once what [`MORE`] holds back, unless the program has corked it. `is_sure`: something is
/// held back.
pub(crate) fn push_held(s: Fd, is_sure: bool) {
    match is_corked(s, libc::IPPROTO_TCP, libc::TCP_CORK) {
        Some(true) => {}
        // Setting the option to 0 while it is 0 sends what is held back, and changes nothing else.
        Some(false) => uncork(s, libc::IPPROTO_TCP, libc::TCP_CORK),
        None => match is_corked(s, libc::IPPROTO_UDP, libc::UDP_CORK) {
            Some(true) => {}
            Some(false) => uncork(s, libc::IPPROTO_UDP, libc::UDP_CORK),
            None if is_sure => push_held_otherwise(s),
            None => {}
        },
    }
}

/// Drops a datagram of which [`MORE`] holds a part back. False if the socket holds no such parts, or the program has corked
/// it.
///
/// The send that failed may have dropped the datagram or not. To make sure, this adds so much that it becomes too long,
/// and then the kernel drops it.
pub(crate) fn drop_held(s: Fd) -> bool {
    static PART: [u8; 4096] = [0; 4096];
    if is_corked(s, libc::IPPROTO_UDP, libc::UDP_CORK) != Some(false) {
        return false;
    }
    let mut list = [iovec { iov_base: PART.as_ptr().cast_mut().cast(), iov_len: PART.len() }; 16];
    // The kernel refuses 65,536 bytes before it looks at what it holds.
    list[0].iov_len -= 1;
    // SAFETY: all-zero is a message without address, data and control part.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = list.as_mut_ptr();
    message.msg_iovlen = list.len() as _;
    count(Call::Sendmsg);
    // SAFETY: the header, the list and the bytes live through the call, and are only read.
    unsafe { cancel::sendmsg(s.raw(), &message, QUIET | MORE | libc::MSG_DONTWAIT) };
    true
}

/// Of the other sockets only IP ones hold anything back. They have no option to end that; a send without [`MORE`] does.
fn push_held_otherwise(s: Fd) {
    let domain = socket_option(s, libc::SOL_SOCKET, libc::SO_DOMAIN);
    if domain != Some(libc::AF_INET) && domain != Some(libc::AF_INET6) {
        return;
    }
    count(Call::Send);
    // SAFETY: no bytes are sent. A failure drops what was held, and the next send begins anew.
    unsafe { cancel::send(s.raw(), ptr::null(), 0, QUIET | libc::MSG_DONTWAIT) };
}

/// Whether the program has set the option; `None` if the socket has no such option.
fn is_corked(s: Fd, level: c_int, option: c_int) -> Option<bool> {
    socket_option(s, level, option).map(|corked| corked != 0)
}

fn socket_option(s: Fd, level: c_int, option: c_int) -> Option<c_int> {
    count(Call::Getsockopt);
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: both results live through the call and have the sizes given.
    let r = unsafe { libc::getsockopt(s.raw(), level, option, ptr::from_mut(&mut value).cast(), &mut len) };
    (r == 0).then_some(value)
}

fn uncork(s: Fd, level: c_int, option: c_int) {
    count(Call::Setsockopt);
    let off: c_int = 0;
    // SAFETY: the value lives through the call and has the size given. A failure leaves the bytes to the kernel's own
    // timer.
    unsafe {
        libc::setsockopt(
            s.raw(),
            level,
            option,
            ptr::from_ref(&off).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
}

/// Tells the kernel that a range of a file will be read soon. Only a hint, so failures are not reported.
pub(crate) fn read_ahead(file: Fd, off: u64, n: u64) {
    count(Call::Fadvise);
    let clamp = |v: u64| off_t::try_from(v).unwrap_or(off_t::MAX);
    // SAFETY: no memory is passed.
    unsafe { wide::posix_fadvise(file.raw(), clamp(off), clamp(n), libc::POSIX_FADV_WILLNEED) };
}
