//! `iob.h`.

use crate::border::input::Input;
use crate::border::io::{errno, is_device, moved, one, set_errno};
use crate::border::world::World;
use libc::c_int;
use owfat_io::capi::{io_want::*, iob::*, iob_send::*};
use owfat_io::ctypes::{IoBatch, IobEntry, WriteCallback};
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::{mem, ptr};

const BATCHES: usize = 4;
const BEHIND: u64 = 0x5a5a_5a5a_5a5a_5a5a;
const PAGE: usize = 4096;

/// A batch of 0.34's 72 bytes, or one of 0.32's 64 bytes with something behind it.
#[repr(C)]
struct Embedded {
    batch: IoBatch,
    behind: u64,
}

pub(crate) struct Batches {
    embedded: [Box<Embedded>; 2],
    made: [*mut IoBatch; 2],
    left: [u64; BATCHES],
    /// Something that is not there has been queued.
    bad: bool,
}

impl Batches {
    pub(crate) fn new() -> Batches {
        // SAFETY: all-zero is an empty batch.
        let zeroed = || Box::new(Embedded { batch: unsafe { mem::zeroed() }, behind: BEHIND });
        let mut embedded = [zeroed(), zeroed()];
        // SAFETY: room for 72 bytes.
        assert_eq!(unsafe { iob_init_autofree(&raw mut embedded[1].batch, 5) }, 0);
        Batches { embedded, made: [iob_new(0), iob_new_autofree(usize::MAX)], left: [0; BATCHES], bad: false }
    }

    fn at(&mut self, i: usize) -> *mut IoBatch {
        match i {
            0 | 1 => &raw mut self.embedded[i].batch,
            i => self.made[i - 2],
        }
    }

    pub(crate) fn end(&mut self) {
        for i in 0..BATCHES {
            let b = self.at(i);
            // SAFETY: a valid batch.
            unsafe { if i < 2 { iob_reset(b) } else { iob_free(b) } }
        }
        assert_eq!(self.embedded[0].behind, BEHIND, "written behind a batch of 64 bytes");
    }
}

pub(crate) fn call(world: &mut World, input: &mut Input) {
    set_errno(0);
    let i = input.below(BATCHES + 1);
    let b = if i < BATCHES { world.batches.at(i) } else { ptr::null_mut() };
    match input.byte() % 16 {
        0..8 => {
            let (n, is_added) = add(world, input, b);
            if is_added && i < BATCHES {
                world.batches.left[i] += n;
            }
        }
        8..11 => {
            let s = world.number(input);
            world.quiet_all();
            // Nothing is sent but what exists, and that is not much.
            // SAFETY: a valid batch or NULL.
            let r = unsafe { iob_send(s, b) };
            count(world, i, r, true);
        }
        11..14 => filter(world, input, i, b),
        14 => {
            // SAFETY: a valid batch or NULL.
            unsafe { iob_prefetch(b, input.size()) };
        }
        _ => {
            // SAFETY: as above.
            unsafe { iob_reset(b) };
            if i < BATCHES {
                world.batches.left[i] = 0;
            }
        }
    }
    // SAFETY: as above.
    let left = unsafe { iob_bytesleft(b) };
    assert_eq!(left, if i < BATCHES { world.batches.left[i] } else { 0 });
    errno();
}

/// A call said that it has sent `r` bytes.
fn count(world: &mut World, i: usize, r: i64, zero_is_all: bool) {
    let Some(left) = world.batches.left.get_mut(i) else {
        assert_eq!((r, errno()), (-3, libc::EFAULT));
        return;
    };
    moved(r, *left);
    assert!(r != 0 || !zero_is_all || *left == 0, "0 and {left} bytes left");
    *left -= r.max(0) as u64;
}

unsafe extern "C-unwind" fn forget(_: *mut IobEntry) {}

/// Adds something to `b`: how many bytes, and whether they were added.
fn add(world: &mut World, input: &mut Input, b: *mut IoBatch) -> (u64, bool) {
    let n = input.size();
    // SAFETY: what is handed over was made for it.
    unsafe {
        match input.byte() % 16 {
            // Nowhere, which only the kernel finds out.
            0 => {
                world.batches.bad = true;
                (n, one(iob_addbuf(b, ptr::null(), n)))
            }
            1..4 => {
                let n = n.min(100_000);
                (n, one(iob_addbuf(b, world.arena(), n)))
            }
            4..6 => {
                let n = n.min(300_000);
                (n, one(iob_addbuf_free(b, libc::calloc(1, n.max(1) as usize), n)))
            }
            6 => {
                let n = n.clamp(1, 70_000) as usize;
                let (prot, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
                let p = libc::mmap(ptr::null_mut(), n.next_multiple_of(PAGE), prot, flags, -1, 0);
                (n as u64, one(iob_addbuf_munmap(b, p, n as u64)))
            }
            7 => {
                let text: &CStr = input.one_of(&[c"", c"x", c"HTTP/1.1 200 OK\r\n\r\n"]);
                let s = if input.byte() == 255 { ptr::null() } else { text.as_ptr() };
                (text.count_bytes() as u64, one(iob_adds(b, s)))
            }
            8 => {
                let text: &CStr = input.one_of(&[c"", c"freed"]);
                (text.count_bytes() as u64, one(iob_adds_free(b, libc::strdup(text.as_ptr()))))
            }
            9 => {
                let n = n.min(100_000);
                (n, one(iob_addbuf_internal(b, world.arena(), n, input.one_of(&[None, Some(forget as _)]))))
            }
            10..13 => {
                let (fd, off) = (world.number(input), input.size());
                let n = within_reason(fd, n);
                if n > 0 {
                    world.known.insert(fd);
                }
                (n, one(iob_addfile(b, fd, off, n)))
            }
            _ => {
                // The batch gets a descriptor of its own.
                let (fd, off) = (world.number(input), input.size());
                // What is not open now may be somebody else's when it is closed.
                let fd = if world.has(fd) { libc::dup(fd as c_int).into() } else { fd.min(-1) };
                let n = within_reason(fd, n);
                if n > 0 {
                    world.known.insert(fd);
                }
                (n, one(iob_addfile_close(b, fd, off, n)))
            }
        }
    }
}

/// Bytes of `fd` that can be queued: a filter may take whatever a device gives, for as long as it gives any.
fn within_reason(fd: i64, n: u64) -> u64 {
    if is_device(fd) { n.min(1 << 20) } else { n }
}

/// What the filter does, and to whom.
struct Plan {
    answers: Vec<u8>,
    batch: *mut IoBatch,
    arena: *const c_char,
    /// Bytes that it has added.
    added: u64,
    reset: bool,
    /// What is offered is there.
    good: bool,
}

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

/// One answer of the filter, offered `n` bytes.
fn answer(s: i64, n: u64) -> i64 {
    let (act, batch, arena) = PLAN.with_borrow_mut(|plan| {
        let plan = plan.as_mut().expect("only called within iob_write");
        (plan.answers.pop().unwrap_or(3), plan.batch, plan.arena)
    });
    match act / 16 {
        0 => io_wantread(s),
        1 => io_eagain_write(s),
        2 => {
            // SAFETY: a valid batch or NULL, and memory that stays.
            let added = unsafe { iob_addbuf(batch, arena.cast(), 5) };
            PLAN.with_borrow_mut(|plan| plan.as_mut().unwrap().added += 5 * added as u64);
        }
        3 => {
            // SAFETY: a valid batch or NULL.
            unsafe { iob_reset(batch) };
            PLAN.with_borrow_mut(|plan| plan.as_mut().unwrap().reset = true);
        }
        _ => {}
    }
    match act % 8 {
        0 => i64::MAX,
        1..4 => n.min(i64::MAX as u64) as i64,
        4 => (n / 2) as i64,
        5 => 0,
        6 => {
            set_errno(libc::EAGAIN);
            -1
        }
        _ => {
            set_errno(libc::EPIPE);
            if act & 8 == 0 { -1 } else { -3 }
        }
    }
}

unsafe extern "C-unwind" fn take(s: i64, p: *const c_void, n: u64) -> i64 {
    assert_ne!(n, 0, "offered nothing");
    if PLAN.with_borrow(|plan| plan.as_ref().unwrap().good) {
        // SAFETY: what is offered can be read, to its end.
        unsafe { (p.cast::<u8>().read_volatile(), p.cast::<u8>().add(n as usize - 1).read_volatile()) };
    }
    answer(s, n)
}

unsafe extern "C-unwind" fn take_file(s: i64, _: i64, _: u64, n: u64, _: WriteCallback) -> i64 {
    answer(s, n)
}

fn filter(world: &mut World, input: &mut Input, i: usize, b: *mut IoBatch) {
    let s = world.number(input);
    let answers = (0..input.below(6)).map(|_| input.byte()).collect();
    let plan = Plan {
        answers,
        batch: b,
        arena: world.arena().cast(),
        added: 0,
        reset: false,
        good: !world.batches.bad,
    };
    PLAN.set(Some(plan));
    let take: WriteCallback = if input.byte() == 255 { None } else { Some(take) };
    let files = input.yes();
    // SAFETY: a valid batch or NULL, functions or none.
    let r = unsafe { if files { iob_write2(s, b, take, Some(take_file)) } else { iob_write(s, b, take) } };
    let plan = PLAN.take().expect("put there above");
    if plan.reset || r == i64::MAX {
        // What there was, and what was taken of it, is beyond knowing from here; or more than can be said.
        assert!(r >= -3);
        if i < BATCHES {
            // SAFETY: a valid batch.
            world.batches.left[i] = unsafe { iob_bytesleft(b) };
        }
        return;
    }
    if i < BATCHES && take.is_none() {
        assert_eq!((r, errno()), (-3, libc::EFAULT));
        return;
    }
    if let Some(left) = world.batches.left.get_mut(i) {
        *left += plan.added;
    }
    count(world, i, r, false);
}
