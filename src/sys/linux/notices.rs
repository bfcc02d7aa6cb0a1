//! The error queue of a socket: time stamps, and the kernel's word that it is done with memory that was sent without
//! a copy (msg_zerocopy in the kernel's documentation).

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use std::mem::{size_of_val, zeroed};

/// Missing in libc (linux/errqueue.h).
const SO_EE_ORIGIN_ZEROCOPY: u8 = 5;
const SO_EE_CODE_ZEROCOPY_COPIED: u8 = 1;

/// The kernel no longer reads the memory of some sends with `MSG_ZEROCOPY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    /// Numbers of the first and the last one. Successful sends are counted from 0 and the count may wrap.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// The kernel has made a copy after all.
    pub(crate) copied: bool,
}

/// Takes up to `limit` notices off the queue and says how many there were. Those that are not handed to `finished` are
/// thrown away.
pub(crate) fn drain(fd: Fd, limit: usize, mut finished: impl FnMut(Finished)) -> usize {
    let mut control = [0u64; 64];
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    let mut taken = 0;
    while taken < limit {
        // SAFETY: all-zero is a valid msghdr: no name, no data, no control.
        let mut m: libc::msghdr = unsafe { zeroed() };
        m.msg_control = control.as_mut_ptr().cast();
        m.msg_controllen = size_of_val(&control) as _;
        count(Call::Recvmsg);
        // SAFETY: the header describes `control`, which outlives the call.
        if unsafe { libc::recvmsg(fd.raw(), &mut m, flags) } < 0 {
            break;
        }
        taken += 1;
        // SAFETY: the kernel has filled in `m`, and `control` is alive and aligned for a header.
        if let Some(notice) = unsafe { extended_error(&m) }.and_then(of_zero_copy) {
            finished(notice);
        }
    }
    taken
}

/// # Safety
/// The control messages of `m` are as the kernel wrote them, in memory aligned for their headers.
unsafe fn extended_error(m: &libc::msghdr) -> Option<libc::sock_extended_err> {
    // SAFETY: the caller vouches for the message.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(m) };
    while !header.is_null() {
        // SAFETY: not NULL, so it is a header within the control messages.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if matches!((level, kind), (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)) {
            // SAFETY: messages of these kinds begin with this structure (ip(7), IP_RECVERR).
            return Some(unsafe {
                libc::CMSG_DATA(header).cast::<libc::sock_extended_err>().read_unaligned()
            });
        }
        // SAFETY: as for the first one.
        header = unsafe { libc::CMSG_NXTHDR(m, header) };
    }
    None
}

fn of_zero_copy(e: libc::sock_extended_err) -> Option<Finished> {
    (e.ee_errno == 0 && e.ee_origin == SO_EE_ORIGIN_ZEROCOPY).then_some(Finished {
        first: e.ee_info,
        last: e.ee_data,
        copied: e.ee_code & SO_EE_CODE_ZEROCOPY_COPIED != 0,
    })
}
