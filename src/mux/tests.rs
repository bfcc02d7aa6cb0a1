//! Each function of the multiplexer, on one pipe.

use super::*;
use crate::sys::mem::kept;
use crate::sys::pair::pipe;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

const READ: c_uint = 1;
const WRITE: c_uint = 2;
const LONG: c_ulong = 10_000;

/// A multiplexer in leaked memory, each byte of which is `byte`.
fn in_memory_of(byte: u8) -> Mux {
    let memory = kept(MaybeUninit::<IoMux>::uninit()).as_mut_ptr();
    // SAFETY: the structure has integers only, which may have any value.
    unsafe { memory.write_bytes(byte, 1) };
    // SAFETY: the memory is an `iomux_t` and never freed.
    unsafe { Mux::new(memory) }.unwrap()
}

fn live() -> Mux {
    let mux = in_memory_of(0xab);
    mux.init().unwrap();
    mux
}

fn number(end: &OwnedFd) -> Fd {
    Fd::new(end.as_raw_fd().into()).unwrap()
}

/// Both ends of a pipe, as numbers too.
fn ends() -> (OwnedFd, std::fs::File, Fd, Fd) {
    let [read, write] = pipe().unwrap();
    let (r, w) = (number(&read), number(&write));
    (read, write.into(), r, w)
}

fn event(fd: Fd, events: c_uint) -> Result<Wait, Errno> {
    Ok(Wait::Event(fd.raw().into(), events))
}

#[test]
fn memory_that_was_never_initialised_is_refused() {
    let (_read, _write, r, _) = ends();
    for byte in [0, 0xff, 0xab] {
        let mux = in_memory_of(byte);
        assert_eq!(mux.add(r, READ), Err(Errno::EINVAL));
        assert_eq!(mux.requeue(r, READ), Err(Errno::EINVAL));
        assert_eq!(mux.wait(0), Err(Errno::EINVAL));
        assert_eq!(mux.abort(), Err(Errno::EINVAL));
    }
}

#[test]
fn each_arming_is_for_one_event() {
    let (mux, (_read, mut write, r, w)) = (live(), ends());
    assert_eq!(mux.add(r, READ), Ok(()));
    assert_eq!(mux.wait(0), Ok(Wait::TimedOut));
    write.write_all(b"x").unwrap();
    assert_eq!(mux.wait(LONG), event(r, READ));
    assert_eq!(mux.wait(0), Ok(Wait::TimedOut));
    for arm in [Mux::add, Mux::requeue] {
        assert_eq!(arm(mux, r, READ), Ok(()));
        assert_eq!(mux.wait(LONG), event(r, READ));
    }
    assert_eq!(mux.add(w, WRITE), Ok(()));
    assert_eq!(mux.wait(LONG), event(w, WRITE));
}

#[test]
fn only_what_was_added_is_armed_again() {
    let (mux, (_read, _write, r, w)) = (live(), ends());
    assert_eq!(mux.add(r, READ), Ok(()));
    assert_eq!(mux.requeue(w, WRITE), Err(Errno::ENOENT));
    assert_eq!(mux.wait(0), Ok(Wait::TimedOut));
}

#[test]
fn an_abort_ends_waits_that_have_begun_and_all_later_ones() {
    let (mux, (_read, mut write, r, _)) = (live(), ends());
    mux.add(r, READ).unwrap();
    let kernel = mux.opened().unwrap().kernel().unwrap();
    assert!(!mux.is_aborted());
    assert_eq!(mux.abort(), Ok(()));
    // Like a thread that had checked for an abort just before.
    assert_eq!(mux.take(&kernel, c_int::MAX), Ok(Some(Wait::Aborted)));
    write.write_all(b"x").unwrap();
    assert!(mux.is_aborted());
    assert_eq!(mux.wait(LONG), Ok(Wait::Aborted));
    assert_eq!(mux.init(), Ok(()));
    assert_eq!(mux.wait(0), Ok(Wait::TimedOut));
}

#[test]
fn a_new_multiplexer_has_taken_no_event() {
    let mux = live();
    mux.contention().count_event();
    assert_eq!(mux.contention().0.load(Ordering::Relaxed), 1);
}
