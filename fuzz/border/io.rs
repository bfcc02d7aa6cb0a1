//! `io.h`.

use crate::border::input::Input;
use crate::border::world::{ARENA, World};
use libc::c_int;
use owfat_io::capi::{io_fd::*, io_open::*, io_rw::*, io_sendfile::*, io_wait::*, io_want::*};
use owfat_io::ctypes::{Tai, Taia};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;

const IO_FD_NONBLOCK: c_int = 4;

pub(crate) fn set_errno(e: c_int) {
    // SAFETY: this thread's own.
    unsafe { *libc::__errno_location() = e };
}

pub(crate) fn errno() -> c_int {
    // SAFETY: this thread's own.
    let e = unsafe { *libc::__errno_location() };
    assert_ne!(e, libc::ENOTRECOVERABLE, "a panic");
    e
}

/// What moves bytes.
pub(crate) fn moved(r: i64, most: u64) {
    match r {
        -1 => assert_eq!(errno(), libc::EAGAIN),
        -3 => assert_ne!(errno(), 0, "an error without errno"),
        n => assert!(u64::try_from(n).is_ok_and(|n| n <= most), "{n} of {most}"),
    }
}

/// 1, or 0 with errno.
pub(crate) fn one(r: c_int) -> bool {
    assert!(r == 1 || (r == 0 && errno() != 0), "{r}");
    r == 1
}

/// What has no result and must not touch errno, unless it fails.
fn quietly(f: impl FnOnce()) {
    set_errno(libc::EXDEV);
    f();
    assert_eq!(errno(), libc::EXDEV);
}

fn label(input: &mut Input) -> Taia {
    let mut now = Taia { sec: Tai { x: 0 }, nano: 0, atto: 0 };
    // SAFETY: a label.
    unsafe { owfat_io::capi::tai::taia_now(&mut now) };
    let x = match input.byte() % 8 {
        0..3 => now.sec.x.wrapping_sub(1),
        3 => now.sec.x,
        4 => now.sec.x + 1000,
        5 => 0,
        6 => u64::MAX,
        _ => input.long(),
    };
    let nano = input.one_of(&[now.nano, now.nano, 0, 999_999_999, u32::MAX]);
    Taia { sec: Tai { x }, nano, atto: 0 }
}

pub(crate) fn call(world: &mut World, input: &mut Input) {
    set_errno(0);
    match input.byte() % 32 {
        0..3 => register(world, input),
        3..7 => {
            let fd = world.number(input);
            let calls = [io_wantread, io_wantwrite, io_dontwantread, io_dontwantwrite];
            quietly(|| input.one_of(&calls)(fd));
        }
        7 => {
            let fd = world.number(input);
            quietly(|| input.one_of(&[io_eagain as extern "C" fn(i64), io_eagain_read, io_eagain_write])(fd));
        }
        8..11 => wait(world, input),
        11..13 => {
            let fd = if input.yes() { io_canread() } else { io_canwrite() };
            assert!(fd == -1 || world.known.contains(&fd), "an event of {fd}");
        }
        13 => {
            let fd = world.number(input);
            let queued = if input.yes() { io_queueforread(fd) } else { io_queueforwrite(fd) };
            assert!(queued == 0 || (queued == 1 && world.known.contains(&fd)));
        }
        14 => {
            let (fd, at) = (world.number(input), label(input));
            quietly(|| io_timeout(fd, at));
            assert!([0, 1].contains(&io_timedout(fd)));
        }
        15 => {
            let mut named = BTreeSet::new();
            while let fd @ 0.. = io_timeouted() {
                assert!(
                    world.known.contains(&fd) && named.insert(fd),
                    "{fd} is named twice or never was there"
                );
            }
        }
        16 => {
            let (fd, cookie) = (world.number(input), input.long() as usize);
            quietly(|| io_setcookie(fd, ptr::without_provenance_mut(cookie)));
            assert!([0, cookie].contains(&io_getcookie(fd).addr()));
        }
        17 => {
            let fd = world.number(input);
            input.one_of(&[io_nonblock as extern "C" fn(i64), io_block, io_closeonexec])(fd);
        }
        18 => {
            let fd = world.number(input);
            world.io_close(fd);
        }
        19..23 => read(world, input),
        23..27 => write(world, input),
        27 => sendfile(world, input),
        28 => pass(world, input),
        29 => open(world, input),
        30 => debug(world, input),
        _ => {
            io_finishandshutdown();
            world.known.clear();
            assert_eq!((io_canread(), io_canwrite(), io_timeouted()), (-1, -1, -1));
        }
    }
    errno();
}

fn register(world: &mut World, input: &mut Input) {
    let fd = world.number(input);
    let with_flags = |flags| {
        if flags & IO_FD_NONBLOCK != 0 {
            // The library believes it, so let it be true.
            world.quiet(fd);
        }
        io_fd_flags(fd, flags)
    };
    let registered = match input.byte() % 8 {
        0..3 => io_fd(fd),
        3 => io_fd_canwrite(fd),
        4 => with_flags(input.word() as c_int),
        n => with_flags(c_int::from(n)),
    };
    if one(registered) {
        world.known.insert(fd);
        let cookie = ptr::without_provenance_mut(fd as usize);
        io_setcookie(fd, cookie);
        assert_eq!(io_getcookie(fd), cookie);
    } else if errno() == libc::EBADF {
        world.known.remove(&fd);
    }
}

fn wait(world: &mut World, input: &mut Input) {
    match input.byte() % 8 {
        0..3 => {
            let found = io_waituntil2(input.below(3) as i64);
            assert!(found >= 0 || (found == -1 && [libc::EINTR, libc::EMFILE].contains(&errno())), "{found}");
        }
        3 => drop(io_check()),
        4 => io_waituntil(Taia { sec: Tai { x: input.long() >> 2 }, nano: input.word(), atto: 0 }),
        // Without a limit, but what is queued ends it.
        n => {
            let fd = world.own(input);
            if io_queueforread(fd) == 1 {
                match n {
                    5 => drop(io_wait()),
                    6 => io_waituntil(Taia { sec: Tai { x: u64::MAX }, nano: 0, atto: 0 }),
                    _ => drop(io_waituntil2(input.one_of(&[-1, -2, i64::MIN, i64::MAX, 1 << 32]))),
                }
            }
        }
    }
}

/// A length, and memory for it: of exactly that size if it is small, so that a sanitizer sees what is beyond.
fn memory(world: &World, input: &mut Input, exact: &mut Vec<u8>) -> (*mut c_char, i64) {
    let n = input.size() as i64;
    match n {
        _ if input.byte() == 255 => (ptr::null_mut(), n),
        0..4096 => {
            *exact = vec![7; n as usize].into_boxed_slice().into_vec();
            (exact.as_mut_ptr().cast(), n)
        }
        _ => (world.arena().cast(), n),
    }
}

fn in_time(r: i64, most: u64) {
    if r == -2 { assert_eq!(errno(), libc::ETIMEDOUT) } else { moved(r, most) }
}

fn read(world: &mut World, input: &mut Input) {
    let (fd, mut exact) = (world.number(input), Vec::new());
    let (p, n) = memory(world, input, &mut exact);
    // SAFETY: memory for what can come.
    unsafe {
        match input.byte() % 4 {
            0 | 1 => moved(io_tryread(fd, p, n), n.max(0) as u64),
            2 => in_time(io_tryreadtimeout(fd, p, n), n.max(0) as u64),
            _ if world.answers_at_once(fd, libc::POLLIN) => moved(io_waitread(fd, p, n), n.max(0) as u64),
            _ => {}
        }
    }
}

fn write(world: &mut World, input: &mut Input) {
    let (fd, mut exact) = (world.number(input), Vec::new());
    let (p, n) = memory(world, input, &mut exact);
    // A file would take all of it.
    let n = if n > 1 << 20 && is_file(fd) { 1 << 20 } else { n };
    // SAFETY: memory for as much as the kernel takes at once.
    unsafe {
        match input.byte() % 4 {
            0 | 1 => moved(io_trywrite(fd, p, n), n.max(0) as u64),
            2 => in_time(io_trywritetimeout(fd, p, n), n.max(0) as u64),
            _ if world.answers_at_once(fd, libc::POLLOUT) => {
                world.quiet(fd);
                moved(io_waitwrite(fd, p, n), n.max(0) as u64);
            }
            _ => {}
        }
    }
}

/// Whether `fd` takes any number of bytes.
fn is_file(fd: i64) -> bool {
    kind(fd) == libc::S_IFREG
}

/// Whether `fd` gives any number of bytes.
pub(crate) fn is_device(fd: i64) -> bool {
    kind(fd) == libc::S_IFCHR
}

/// 0 if it is not open.
fn kind(fd: i64) -> libc::mode_t {
    // SAFETY: all-zero is a value of the structure, which has room for the answer.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        match c_int::try_from(fd).map(|fd| libc::fstat(fd, &mut stat)) {
            Ok(0) => stat.st_mode & libc::S_IFMT,
            _ => 0,
        }
    }
}

unsafe extern "C-unwind" fn takes_some(_: i64, _: *const c_void, n: u64) -> i64 {
    if n % 3 == 0 {
        set_errno(libc::EAGAIN);
        return -1;
    }
    (n / 2) as i64
}

fn sendfile(world: &mut World, input: &mut Input) {
    world.quiet_all();
    let (s, fd, off, n) = (world.number(input), world.number(input), input.size(), input.size());
    if input.yes() {
        moved(io_sendfile(s, fd, off, n), n);
    } else {
        let cb: owfat_io::ctypes::WriteCallback = if input.byte() == 255 { None } else { Some(takes_some) };
        // SAFETY: a function, or none.
        moved(unsafe { io_mmapwritefile(s, fd, off, n, cb) }, n);
    }
}

fn pass(world: &mut World, input: &mut Input) {
    let (sock, fd) = (world.number(input), world.number(input));
    world.quiet(sock);
    if input.yes() {
        let r = io_passfd(sock, fd);
        assert!(r == 0 || (r == -1 && errno() != 0), "{r}");
        return;
    }
    let r = io_receivefd(sock);
    assert!(r >= 0 || (r == -1 && errno() != 0), "{r}");
    if r >= 0 {
        world.adopt(r);
        // The number may be known, from before a plain close.
        world.quiet(r);
    }
}

fn open(world: &mut World, input: &mut Input) {
    // Not /dev/null, which takes memory unread: writing what is not there succeeds, and the sanitizer objects.
    const PATHS: [&CStr; 5] = [c"/dev/full", c".", c"", c"/dev/full/x", c"/nowhere/at/all"];
    let path = input.one_of(&PATHS.map(Some));
    let path = if input.byte() == 255 { None } else { path };
    let mut d = -7;
    let open = input.one_of(&[
        io_readfile as unsafe extern "C-unwind" fn(_, _) -> _,
        io_createfile,
        io_readwritefile,
        io_appendfile,
    ]);
    // SAFETY: room for a number, and a string or NULL.
    if one(unsafe { open(&mut d, path.map_or(ptr::null(), CStr::as_ptr)) }) {
        world.adopt(d);
    } else {
        assert_eq!(d, -7, "touched by a failure");
    }
}

fn debug(world: &World, input: &mut Input) {
    let (fd, n) = (world.number(input), input.byte());
    let mut text = vec![0xffu8; usize::from(n)].into_boxed_slice();
    // SAFETY: room for as many bytes as are said.
    let len = unsafe { io_debugstring(fd, text.as_mut_ptr().cast(), n.into()) } as usize;
    assert!(len == 0 || (len < text.len() && text[len] == 0));
}

const _: () = assert!(ARENA > 0x7fff_f000);
