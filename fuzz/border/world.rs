//! The descriptors and the memory of a program.

use crate::border::arrays::Arrays;
use crate::border::batches::Batches;
use crate::border::input::Input;
use crate::border::kernel;
use crate::border::mux::Muxes;
use owfat_io::capi::{io_fd, io_open};
use std::collections::BTreeSet;
use std::ffi::{c_int, c_void};
use std::ptr;

const SLOTS: usize = 8;

/// Room for any length that the kernel takes: pages that nobody touches cost nothing.
pub(crate) const ARENA: usize = 1 << 31;

pub(crate) struct World {
    /// Numbers that the program has open.
    slots: [Option<i64>; SLOTS],
    /// The last one that was closed.
    closed: i64,
    /// Numbers that may be registered.
    pub(crate) known: BTreeSet<i64>,
    arena: *mut c_void,
    pub(crate) batches: Batches,
    pub(crate) muxes: Muxes,
    pub(crate) arrays: Arrays,
}

impl World {
    pub(crate) fn new() -> World {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping.
        let arena = unsafe { libc::mmap(ptr::null_mut(), ARENA, prot, flags | libc::MAP_NORESERVE, -1, 0) };
        assert_ne!(arena, libc::MAP_FAILED);
        World {
            slots: [None; SLOTS],
            closed: -1,
            known: BTreeSet::new(),
            arena,
            batches: Batches::new(),
            muxes: Muxes::new(),
            arrays: Arrays::new(),
        }
    }

    /// Memory that can be read and written.
    pub(crate) fn arena(&self) -> *mut c_void {
        self.arena
    }

    /// A number: nearly always one that the program has open, but never one that somebody else has.
    pub(crate) fn number(&self, input: &mut Input) -> i64 {
        let b = input.byte();
        let own = self.slots[usize::from(b) % SLOTS];
        match (b, own) {
            (0..208, Some(own)) => own,
            (208..216, Some(own)) => own | 1 << 32,
            (216..224, _) => -1,
            (224..228, _) => i64::MIN,
            (228..232, _) => i64::MAX,
            (232..236, _) => 1 << 31,
            (236, _) => i64::from(i32::MAX),
            (237..240, _) => 100_000,
            (240..244, _) => 1 << 32,
            _ if !is_open(self.closed) => self.closed,
            _ => 999,
        }
    }

    /// A number that the program has open, or -1.
    pub(crate) fn own(&self, input: &mut Input) -> i64 {
        self.slots[input.below(SLOTS)].unwrap_or(-1)
    }

    pub(crate) fn has(&self, fd: i64) -> bool {
        self.slots.contains(&Some(fd))
    }

    /// The program has `fd` open from now on, or closes it if it has enough.
    pub(crate) fn adopt(&mut self, fd: i64) {
        match self.slots.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(fd),
            None => self.io_close(fd),
        }
    }

    pub(crate) fn io_close(&mut self, fd: i64) {
        io_fd::io_close(fd);
        self.gone(fd);
        self.known.remove(&fd);
        assert!(fd < 0 || !is_open(fd), "{fd} is open after io_close");
    }

    fn gone(&mut self, fd: i64) {
        for slot in self.slots.iter_mut().filter(|slot| **slot == Some(fd)) {
            *slot = None;
            self.closed = fd;
        }
    }

    /// From now on nothing on `fd` blocks.
    pub(crate) fn quiet(&self, fd: i64) {
        if self.has(fd) {
            set_nonblocking(fd);
        }
    }

    pub(crate) fn quiet_all(&self) {
        self.slots.iter().flatten().for_each(|&fd| set_nonblocking(fd));
    }

    /// Whether `fd` is not open, or would not block.
    pub(crate) fn answers_at_once(&self, fd: i64, events: i16) -> bool {
        let mut poll = libc::pollfd { fd: fd as c_int, events, revents: 0 };
        // SAFETY: one entry.
        !self.has(fd) || unsafe { libc::poll(&mut poll, 1, 0) == 1 }
    }

    /// Something that the library does not see: files, peers, and what they do.
    pub(crate) fn happen(&mut self, input: &mut Input) {
        match input.byte() % 24 {
            16.. => self.happen_rarely(input),
            0..3 => self.pair(libc::SOCK_STREAM),
            3 => self.pair(libc::SOCK_DGRAM),
            4 => self.tcp_pair(),
            5 => self.file(input),
            6 => self.open(if input.yes() { c"/dev/null" } else { c"." }),
            7..10 => {
                let (fd, n) = (self.own(input), input.size().min(5_000) as usize);
                self.quiet(fd);
                // SAFETY: the arena has that many bytes; no SIGPIPE, `io_sigpipe` was called.
                unsafe { libc::write(fd as c_int, self.arena, n) };
            }
            10..12 => {
                let (fd, n) = (self.own(input), input.size().min(70_000) as usize);
                self.quiet(fd);
                // SAFETY: as above.
                unsafe { libc::read(fd as c_int, self.arena, n) };
            }
            12 => {
                let (fd, how) = (self.own(input), input.below(3) as c_int);
                // SAFETY: takes no memory.
                unsafe { libc::shutdown(fd as c_int, how) };
            }
            13 => {
                // Behind the library's back.
                let fd = self.own(input);
                if fd >= 0 {
                    // SAFETY: the program's own descriptor.
                    unsafe { libc::close(fd as c_int) };
                    self.gone(fd);
                }
            }
            14 => {
                let mut d = [-1; 2];
                // SAFETY: room for two numbers, or NULL.
                unsafe {
                    assert_eq!(io_open::io_pipe(ptr::null_mut()), 0);
                    if io_open::io_pipe(d.as_mut_ptr()) == 1 {
                        self.known.extend(d);
                        d.into_iter().for_each(|fd| self.adopt(fd));
                    }
                }
            }
            _ => {
                let mut d = [-1; 2];
                // SAFETY: as above.
                if unsafe { io_open::io_socketpair(d.as_mut_ptr()) } == 1 {
                    self.known.extend(d);
                    d.into_iter().for_each(|fd| self.adopt(fd));
                }
            }
        }
    }

    pub(super) fn pair(&mut self, kind: c_int) {
        let mut d = [-1; 2];
        // SAFETY: room for two numbers.
        if unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_NONBLOCK, 0, d.as_mut_ptr()) } == 0 {
            d.into_iter().for_each(|fd| self.adopt(fd.into()));
        }
    }

    fn tcp_pair(&mut self) {
        let open = || -> std::io::Result<_> {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            let a = std::net::TcpStream::connect(listener.local_addr()?)?;
            let (b, _) = listener.accept()?;
            Ok([a, b])
        };
        for s in open().into_iter().flatten() {
            let fd = std::os::fd::IntoRawFd::into_raw_fd(s).into();
            set_nonblocking(fd);
            self.adopt(fd);
        }
    }

    fn file(&mut self, input: &mut Input) {
        // SAFETY: a string.
        let fd = unsafe { libc::memfd_create(c"fuzz".as_ptr(), 0) };
        if fd >= 0 {
            // SAFETY: takes no memory.
            unsafe { libc::ftruncate(fd, (input.size() % 200_000) as i64) };
            self.adopt(fd.into());
        }
    }

    fn open(&mut self, path: &std::ffi::CStr) {
        // SAFETY: a string.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) };
        if fd >= 0 {
            self.adopt(fd.into());
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        kernel::limit_numbers(libc::RLIM_INFINITY);
        self.batches.end();
        for fd in self.slots.into_iter().flatten() {
            self.io_close(fd);
        }
        self.muxes.end();
        self.arrays.end();
        io_fd::io_finishandshutdown();
        // SAFETY: made in `new`; nobody uses it any more.
        unsafe { libc::munmap(self.arena, ARENA) };
    }
}

pub(super) fn set_nonblocking(fd: i64) {
    // SAFETY: takes no memory.
    unsafe {
        let flags = libc::fcntl(fd as c_int, libc::F_GETFL);
        libc::fcntl(fd as c_int, libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

pub(crate) fn is_open(fd: i64) -> bool {
    // SAFETY: takes no memory.
    c_int::try_from(fd).is_ok_and(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0)
}

/// No program has more than that.
const NUMBERS: i64 = 160;

pub(crate) fn open_numbers() -> Vec<i64> {
    (0..NUMBERS).filter(|&fd| is_open(fd)).collect()
}
