//! Sends and receives descriptors in messages (`SCM_RIGHTS`). nix's wrappers allocate memory, and leak the descriptors of a
//! message that was cut short.

use super::cancel;
use super::count::{Call, count};
use super::own::owner;
use super::system::moving::QUIET;
use crate::fd::Fd;
use nix::errno::Errno;
use std::ffi::{c_int, c_uint};
use std::mem::{size_of, zeroed};
use std::os::fd::OwnedFd;

/// Another message that carries a descriptor: the pidfd of the sender, on a socket with `SO_PASSPIDFD`. The libc crate has
/// no name for it.
const SCM_PIDFD: Option<c_int> = if cfg!(target_os = "linux") { Some(4) } else { None };

const INT: c_uint = size_of::<c_int>() as c_uint;

/// Room for control messages, also for those that can come before the descriptors (credentials, pidfd, time stamp, security
/// label). The kernel closes descriptors that do not fit.
#[repr(C, align(8))]
struct Control([u8; 256]);

impl Control {
    fn new() -> Control {
        Control([0; 256])
    }
}

/// Calls `f` with a message that has one byte, at `byte`, and its control messages in `control`.
fn with_message<R>(byte: &mut u8, control: &mut Control, f: impl FnOnce(&mut libc::msghdr) -> R) -> R {
    let mut iov = libc::iovec { iov_base: (&raw mut *byte).cast(), iov_len: 1 };
    // SAFETY: a structure of numbers and pointers, for which zeroes are "none".
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control.0).cast();
    message.msg_controllen = size_of::<Control>() as _;
    f(&mut message)
}

/// Sends `byte` and a duplicate of `fd`. If it fails, nothing is sent.
pub(crate) fn send(sock: Fd, mut byte: u8, fd: Fd) -> Result<(), Errno> {
    let mut control = Control::new();
    with_message(&mut byte, &mut control, |message| {
        // SAFETY: plain arithmetic.
        let (space, len) = unsafe { (libc::CMSG_SPACE(INT), libc::CMSG_LEN(INT)) };
        message.msg_controllen = space as _;
        // SAFETY: `control` is aligned for a header and larger than `space`, so the first header and its
        // data lie within it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = len as _;
            libc::CMSG_DATA(header).cast::<c_int>().write_unaligned(fd.raw());
        }
        count(Call::Sendmsg);
        // SAFETY: the message points to live locals of the stated sizes.
        Errno::result(unsafe { cancel::sendmsg(sock.raw(), message, QUIET) }).map(drop)
    })
}

/// What came with one byte.
pub(crate) enum Received {
    /// The first descriptor; any others are closed.
    Descriptor(OwnedFd),
    /// No descriptor was sent, or the peer has closed.
    Nothing,
    /// A descriptor was sent, but this process has reached its limit.
    Refused,
}

/// Receives one byte and a descriptor.
pub(crate) fn receive(sock: Fd) -> Result<Received, Errno> {
    let (mut byte, mut control) = (0, Control::new());
    with_message(&mut byte, &mut control, |message| {
        count(Call::Recvmsg);
        // SAFETY: the message points to live locals of the stated sizes.
        Errno::result(unsafe { cancel::recvmsg(sock.raw(), message, 0) })?;
        Ok(match first_descriptor(message) {
            Some(fd) => Received::Descriptor(fd),
            None if message.msg_flags & libc::MSG_CTRUNC != 0 => Received::Refused,
            None => Received::Nothing,
        })
    })
}

/// The first descriptor in the control messages of `recvmsg`. Closes all others.
fn first_descriptor(message: &libc::msghdr) -> Option<OwnedFd> {
    let mut first = None;
    // SAFETY: `message` describes memory that the kernel filled, and has the length that it filled.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR only return headers that lie within the memory.
        let head = unsafe { header.read() };
        let is_rights = head.cmsg_type == libc::SCM_RIGHTS;
        if head.cmsg_level == libc::SOL_SOCKET && (is_rights || Some(head.cmsg_type) == SCM_PIDFD) {
            // SAFETY: plain arithmetic.
            let before = unsafe { libc::CMSG_LEN(0) } as usize;
            #[allow(clippy::unnecessary_cast, reason = "musl counts in 32 bits")]
            let bytes = (head.cmsg_len as usize).saturating_sub(before);
            for i in 0..bytes / size_of::<c_int>() {
                // SAFETY: the message has `bytes` bytes of data.
                let number = unsafe { libc::CMSG_DATA(header).cast::<c_int>().add(i).read_unaligned() };
                // SAFETY: a descriptor that the kernel opened for us just now and that nobody else knows.
                let fd = unsafe { owner(number) };
                if is_rights && first.is_none() {
                    first = fd.ok();
                }
            }
        }
        // SAFETY: `header` is one of the headers of `message`.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    first
}
