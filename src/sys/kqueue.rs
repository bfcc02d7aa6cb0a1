//! kqueue by raw numbers: nix's wrapper owns its descriptor, and ours may have to be let go unclosed.

use super::count::{Call, count};
use super::kevent::{ADD, CHANGES, CLEAR, DELETE, EOF, ERROR, Kevent, RECEIPT};
use super::own;
use crate::fd::Fd;
use crate::interest::Direction;
use nix::errno::Errno;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::IntoRawFd;
use std::ptr;
use std::time::Duration;

const _: () = {
    assert!(ADD == libc::EV_ADD as u32 && DELETE == libc::EV_DELETE as u32);
    assert!(CLEAR == libc::EV_CLEAR as u32 && RECEIPT == libc::EV_RECEIPT as u32);
    assert!(ERROR == libc::EV_ERROR as u32 && EOF == libc::EV_EOF as u32);
};

pub(crate) const ENABLE: u32 = libc::EV_ENABLE as u32;
pub(crate) const DISABLE: u32 = libc::EV_DISABLE as u32;
pub(crate) const ONESHOT: u32 = libc::EV_ONESHOT as u32;

/// A new set, closed on exec.
pub(crate) fn create() -> Result<Fd, Errno> {
    count(Call::Kqueue);
    // SAFETY: takes nothing.
    let n = Errno::result(unsafe { libc::kqueue() })?;
    // SAFETY: just opened.
    let set = unsafe { own::owner(n) }?;
    super::system::close_on_exec(&set)?;
    Fd::new(own::above_standard(set)?.into_raw_fd().into())
}

/// The entries of one answer, of which there are `N` at most.
pub(crate) struct Entries<const N: usize> {
    room: [MaybeUninit<libc::kevent>; N],
    len: usize,
}

impl<const N: usize> Entries<N> {
    pub(crate) fn new() -> Entries<N> {
        Entries { room: [const { MaybeUninit::uninit() }; N], len: 0 }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == N
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Kevent> {
        // SAFETY: the kernel has written the first `len`.
        self.room.iter().take(self.len).filter_map(|entry| from_system(unsafe { entry.assume_init_ref() }))
    }
}

/// Tells the kernel of up to `N` changes, and `hear` what became of them. Nothing is taken that happened.
pub(crate) fn change<const N: usize>(
    set: Fd,
    changes: &[Kevent],
    hear: &mut dyn FnMut(Kevent),
) -> Result<(), Errno> {
    let mut entries = Entries::<N>::new();
    // As much room as there are changes, and each is answered: no room for events.
    kevent::<N, N>(set, changes, RECEIPT, &mut entries, changes.len(), Some(Duration::ZERO))?;
    entries.iter().for_each(hear);
    Ok(())
}

/// Tells the kernel of up to [`CHANGES`] changes, then waits for up to `most` events.
pub(crate) fn look<const N: usize>(
    set: Fd,
    changes: &[Kevent],
    entries: &mut Entries<N>,
    most: usize,
    timeout: Option<Duration>,
) -> Result<(), Errno> {
    match changes {
        [] => kevent::<0, N>(set, &[], 0, entries, most, timeout),
        some => kevent::<CHANGES, N>(set, some, 0, entries, most, timeout),
    }
}

fn kevent<const C: usize, const N: usize>(
    set: Fd,
    changes: &[Kevent],
    how: u32,
    entries: &mut Entries<N>,
    most: usize,
    timeout: Option<Duration>,
) -> Result<(), Errno> {
    // SAFETY: a structure of numbers and pointers, for which zeroes are "none".
    let mut list: [libc::kevent; C] = unsafe { zeroed() };
    let n = changes.len().min(C);
    list.iter_mut().zip(changes).for_each(|(place, change)| to_system(place, *change, how));
    let timeout = timeout.map(timespec);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    entries.len = 0;
    count(Call::Kevent);
    // SAFETY: the list has `n` changes, the room at least as many entries as said, and both live through the call.
    let found = unsafe {
        libc::kevent(
            set.raw(),
            list.as_ptr(),
            n as _,
            entries.room.as_mut_ptr().cast(),
            most.min(N) as _,
            timeout,
        )
    };
    entries.len = Errno::result(found)? as usize;
    Ok(())
}

/// Some kernels refuse more than 2^31 seconds.
fn timespec(d: Duration) -> libc::timespec {
    let tv_sec = d.as_secs().min(i32::MAX as u64) as _;
    libc::timespec { tv_sec, tv_nsec: d.subsec_nanos() as _ }
}

/// The systems disagree on the widths.
fn to_system(place: &mut libc::kevent, change: Kevent, how: u32) {
    place.ident = change.fd.index() as _;
    place.filter = match change.dir {
        Direction::Read => libc::EVFILT_READ,
        Direction::Write => libc::EVFILT_WRITE,
    };
    place.flags = (change.flags | how) as _;
    place.udata = ptr::without_provenance_mut(change.mark as usize);
}

/// `None` for what is not ours.
fn from_system(entry: &libc::kevent) -> Option<Kevent> {
    let dir = match entry.filter {
        libc::EVFILT_READ => Direction::Read,
        libc::EVFILT_WRITE => Direction::Write,
        _ => return None,
    };
    Some(Kevent {
        fd: Fd::new(i64::try_from(entry.ident).ok()?).ok()?,
        dir,
        flags: entry.flags.into(),
        fflags: entry.fflags,
        data: entry.data as i64,
        mark: entry.udata.addr() as u32,
    })
}
