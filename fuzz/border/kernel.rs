//! What programs and peers do to descriptors with the kernel's calls, beyond opening, reading and writing.

use crate::border::input::Input;
use crate::border::world::{World, set_nonblocking};
use libc::{c_int, c_void};
use std::{mem, ptr};

impl World {
    pub(crate) fn happen_rarely(&mut self, input: &mut Input) {
        match input.byte() % 16 {
            0 | 1 => self.pair(libc::SOCK_SEQPACKET),
            2 | 3 => self.odd(input),
            4 => self.terminal(),
            5 => self.listener(),
            6 | 7 => {
                let fd = self.own(input);
                // SAFETY: takes no memory.
                self.adopt_opened(unsafe { libc::dup(fd as c_int) });
            }
            8 | 9 => {
                // Another file under a number, behind the library's back.
                let (from, to) = (self.own(input), self.own(input));
                // SAFETY: the program's own descriptors.
                unsafe { libc::dup2(from as c_int, to as c_int) };
            }
            10 | 11 => {
                // A close will reset the connection.
                let linger = libc::linger { l_onoff: 1, l_linger: 0 };
                self.set_option(input, libc::SO_LINGER, &linger);
            }
            12 => self.set_option(input, libc::SO_RCVBUF, &0),
            13 => {
                let fd = self.own(input);
                // An urgent byte of a Unix socket looks like one to read, and is none.
                if option(fd, libc::SO_DOMAIN) == libc::AF_INET {
                    // SAFETY: one byte; no SIGPIPE, `io_sigpipe` was called.
                    unsafe { libc::send(fd as c_int, self.arena(), 1, libc::MSG_OOB | libc::MSG_DONTWAIT) };
                }
            }
            // Takes the pending error.
            14 => {
                option(self.own(input), libc::SO_ERROR);
            }
            _ => limit_numbers(input.one_of(&[0, 1, 4, 20, libc::RLIM_INFINITY, libc::RLIM_INFINITY])),
        }
    }

    fn adopt_opened(&mut self, fd: c_int) {
        if fd >= 0 {
            set_nonblocking(fd.into());
            self.adopt(fd.into());
        }
    }

    /// Of kinds that have no other end.
    fn odd(&mut self, input: &mut Input) {
        // SAFETY: an empty set of signals and a time, which live through the calls.
        let fd = unsafe {
            let none: libc::sigset_t = mem::zeroed();
            match input.byte() % 4 {
                0 => libc::eventfd(input.byte().into(), libc::EFD_NONBLOCK),
                1 => libc::signalfd(-1, &none, libc::SFD_NONBLOCK),
                2 => libc::epoll_create1(0),
                _ => {
                    let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK);
                    let mut soon: libc::itimerspec = mem::zeroed();
                    soon.it_value.tv_nsec = 1;
                    libc::timerfd_settime(fd, 0, &soon, ptr::null_mut());
                    fd
                }
            }
        };
        self.adopt_opened(fd);
    }

    fn terminal(&mut self) {
        let (mut holder, mut terminal) = (-1, -1);
        // SAFETY: room for two numbers.
        let opened = unsafe {
            libc::openpty(&mut holder, &mut terminal, ptr::null_mut(), ptr::null_mut(), ptr::null_mut())
        };
        if opened == 0 {
            self.adopt_opened(terminal);
            self.adopt_opened(holder);
        }
    }

    fn listener(&mut self) {
        if let Ok(listener) = std::net::TcpListener::bind("127.0.0.1:0") {
            if let Ok(Ok(client)) = listener.local_addr().map(std::net::TcpStream::connect) {
                self.adopt_opened(std::os::fd::IntoRawFd::into_raw_fd(client));
            }
            self.adopt_opened(std::os::fd::IntoRawFd::into_raw_fd(listener));
        }
    }

    fn set_option<T>(&self, input: &mut Input, name: c_int, value: &T) {
        let fd = self.own(input);
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the value lives through the call.
        unsafe { libc::setsockopt(fd as c_int, libc::SOL_SOCKET, name, ptr::from_ref(value).cast(), length) };
    }
}

/// What the kernel says of a socket; -1 of anything else.
fn option(fd: i64, name: c_int) -> c_int {
    let (mut value, mut length) = (-1, size_of::<c_int>() as libc::socklen_t);
    let place = (&raw mut value).cast::<c_void>();
    // SAFETY: room for a number.
    unsafe { libc::getsockopt(fd as c_int, libc::SOL_SOCKET, name, place, &mut length) };
    value
}

/// Down to so many, or up to what the process may have.
pub(crate) fn limit_numbers(to: libc::rlim_t) {
    // SAFETY: the structure lives through the calls.
    unsafe {
        let mut limit: libc::rlimit = mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = to.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}
