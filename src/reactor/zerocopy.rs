//! Sends without a copy (`MSG_ZEROCOPY`): which are under way, and when the kernel is done with them.
//!
//! The kernel counts such sends by socket and says in the socket's error queue up to which one it is done. Until then a
//! share in the memory ([`Pin`]) is kept here. What is said is looked at by the wait that meets the notice, by the next
//! send to the socket, and before it is closed; what is still under way then is abandoned, which is safe (`pin.rs`).
//!
//! Off unless the environment asks for it: on loopback and between network namespaces, which is all that could be
//! measured, the kernel copies all the same, and the notices come on top (`docs/performance.md`).

use crate::batch::pin::Pin;
use crate::fd::Fd;
use crate::grow::Grow;
use crate::sorted::Sorted;
use crate::sys::env;
use crate::sys::notices::{self, Finished};
use crate::sys::sockets::begin_zero_copy;
use std::collections::VecDeque;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering};

const VARIABLE: &CStr = c"OWFAT_IO_ZEROCOPY";

/// Notices taken at a time. More are met by the next look.
const NOTICES: usize = 64;

/// Whether the environment asks for it: `OWFAT_IO_ZEROCOPY=1`.
pub(super) fn is_asked_for() -> bool {
    const NO: u8 = 1;
    const YES: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(0);
    match ANSWER.load(Ordering::Relaxed) {
        0 => {
            let yes = env::with_secure(VARIABLE, |value| value == Some(b"1"));
            ANSWER.store(if yes { YES } else { NO }, Ordering::Relaxed);
            yes
        }
        answer => answer == YES,
    }
}

pub(super) struct ZeroCopy {
    /// By descriptor number.
    sockets: Sorted<Fd, Socket>,
    /// Sockets so far.
    born: u32,
    /// Done with, to be dropped without the lock.
    done: Vec<Pin>,
}

struct Socket {
    /// Tells it from the next one under the number.
    birth: u32,
    /// What the kernel will call the next send.
    next: u32,
    under_way: VecDeque<(u32, Pin)>,
    /// A thread is between `begin` and `end`.
    busy: bool,
    /// Not to be used, or not any more.
    off: bool,
}

/// A send between [`ZeroCopy::begin`] and [`ZeroCopy::end`].
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    fd: Fd,
    birth: u32,
}

impl Socket {
    fn new(birth: u32, off: bool) -> Socket {
        Socket { birth, next: 0, under_way: VecDeque::new(), busy: false, off }
    }

    fn abandon(&self) {
        self.under_way.iter().for_each(|(_, pin)| pin.abandon());
    }

    /// The kernel has said so.
    fn finished(&mut self, f: Finished, done: &mut Vec<Pin>) {
        self.off |= f.copied;
        let (is_meant, mut i) = (|n: u32| n.wrapping_sub(f.first) <= f.last.wrapping_sub(f.first), 0);
        while let Some(&(n, _)) = self.under_way.get(i) {
            match is_meant(n) {
                true => self.under_way.remove(i).into_iter().for_each(|(_, pin)| put_aside(pin, done)),
                false => i += 1,
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Without memory for that it is dropped at once.
fn put_aside(pin: Pin, done: &mut Vec<Pin>) {
    let _ = done.try_push(pin);
}

impl ZeroCopy {
    pub(super) const fn new() -> ZeroCopy {
        ZeroCopy { sockets: Sorted::new(), born: 0, done: Vec::new() }
    }

    /// Announces a send from pinned memory. `None`: it has to be copied.
    pub(super) fn begin(&mut self, fd: Fd, pin: Pin) -> Option<Ticket> {
        let born = &mut self.born;
        let fresh = || {
            *born = born.wrapping_add(1);
            Socket::new(*born, !begin_zero_copy(fd))
        };
        let socket = self.sockets.get_or_insert_with(fd, fresh).ok()?;
        if socket.off || socket.busy || socket.under_way.try_reserve(1).is_err() {
            return None;
        }
        // Now, because the kernel may be done before the send returns.
        socket.under_way.put((socket.next, pin));
        socket.busy = true;
        Some(Ticket { fd, birth: socket.birth })
    }

    /// The send has moved bytes, or else the kernel has not counted it.
    pub(super) fn end(&mut self, ticket: Ticket, sent: bool) {
        // Another thread may have closed the socket.
        let socket = self.sockets.get_mut(ticket.fd).filter(|s| s.birth == ticket.birth);
        let Some(socket) = socket else { return };
        socket.busy = false;
        if sent {
            socket.next = socket.next.wrapping_add(1);
        } else if socket.under_way.back().is_some_and(|&(n, _)| n == socket.next) {
            // Not the last share: the entry has one.
            socket.under_way.pop_back();
        }
    }

    /// Looks what the kernel is done with. False: nothing may be sent to `fd` without a copy.
    pub(super) fn look(&mut self, fd: Fd) -> bool {
        if self.sockets.get(fd).is_some_and(|socket| !socket.under_way.is_empty()) {
            self.take_notices(fd);
        }
        self.sockets.get(fd).is_none_or(|socket| !socket.off)
    }

    /// Takes notices off the error queue of `fd`; how many there were.
    pub(super) fn take_notices(&mut self, fd: Fd) -> usize {
        let ZeroCopy { sockets, done, .. } = self;
        let mut socket = sockets.get_mut(fd);
        notices::drain(fd, NOTICES, |f| {
            if let Some(socket) = &mut socket {
                socket.finished(f, done);
            }
        })
    }

    /// The number is about to be closed, or stands for another file.
    pub(super) fn forget(&mut self, fd: Fd) {
        if self.sockets.is_empty() {
            return;
        }
        self.look(fd);
        if let Some(mut socket) = self.sockets.remove(fd) {
            socket.abandon();
            for (_, pin) in std::mem::take(&mut socket.under_way) {
                put_aside(pin, &mut self.done);
            }
        }
    }

    /// What nobody waits for any more, to be dropped when the lock is free.
    pub(super) fn take_done(&mut self) -> Vec<Pin> {
        std::mem::take(&mut self.done)
    }

    /// In a new child process. What is under way is the parent's, and its memory there another than this process's;
    /// so to abandon it later does no harm, and needs no mark.
    pub(super) fn inherit(&mut self) {
        self.sockets.values_mut().for_each(|socket| socket.off = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::item;
    use crate::ctypes::IobEntry;
    use std::ffi::CStr;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    thread_local! {
        static RELEASED: AtomicUsize = const { AtomicUsize::new(0) };
    }

    unsafe extern "C-unwind" fn count(_: *mut IobEntry) {
        RELEASED.with(|r| r.fetch_add(1, Ordering::Relaxed));
    }

    fn released() -> usize {
        RELEASED.with(|r| r.load(Ordering::Relaxed))
    }

    /// The share that a send has in memory whose entry is gone.
    fn pin() -> Pin {
        const TEXT: &CStr = c"0123456789";
        let mut e = item::buffer(TEXT.as_ptr(), 10, Some(count));
        // SAFETY: the entry lives through both calls and is not used again.
        unsafe {
            let pin = Pin::of(&mut e).unwrap();
            item::release(&mut e);
            pin
        }
    }

    fn socket_with(numbers: &[u32]) -> Socket {
        let mut socket = Socket::new(1, false);
        socket.under_way.extend(numbers.iter().map(|&n| (n, pin())));
        socket
    }

    fn left(socket: &Socket) -> Vec<u32> {
        socket.under_way.iter().map(|&(n, _)| n).collect()
    }

    #[test]
    fn notices_name_ranges_in_any_order() {
        let mut socket = socket_with(&[u32::MAX - 1, u32::MAX, 0, 1, 2]);
        let mut done = Vec::new();
        let mut finish = |socket: &mut Socket, first, last| {
            socket.finished(Finished { first, last, copied: false }, &mut done);
            left(socket)
        };
        assert_eq!(finish(&mut socket, 1, 1), [u32::MAX - 1, u32::MAX, 0, 2]);
        assert_eq!(finish(&mut socket, u32::MAX, 0), [u32::MAX - 1, 2]);
        assert_eq!(finish(&mut socket, 7, 9), [u32::MAX - 1, 2]);
        assert_eq!(released(), 0, "not while the lock is held");
        drop(done);
        assert_eq!(released(), 3);
        assert!(!socket.off);
        socket.finished(Finished { first: 2, last: 2, copied: true }, &mut Vec::new());
        assert!(socket.off);
    }

    fn fd(s: &impl AsRawFd) -> Fd {
        Fd::new(s.as_raw_fd().into()).unwrap()
    }

    fn tcp() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (here, listener.accept().unwrap().0)
    }

    #[test]
    fn the_kernel_counts_as_we_do() {
        let (s, _peer) = tcp();
        let mut z = ZeroCopy::new();
        static MEMORY: [u8; 8192] = [7; 8192];
        for round in 1..=3 {
            let ticket = z.begin(fd(&s), pin()).expect("a new TCP socket");
            assert!(z.begin(fd(&s), pin()).is_none(), "one thread at a time");
            // SAFETY: the memory is never freed.
            let piece = unsafe { crate::buf::Source::new(MEMORY.as_ptr(), MEMORY.len()) };
            crate::sys::message::send_without_copy(fd(&s), piece, false).unwrap();
            z.end(ticket, true);
            let until = Instant::now() + Duration::from_secs(10);
            while released() < 2 * round {
                assert!(Instant::now() < until, "no notice of send {round}");
                z.look(fd(&s));
                drop(z.take_done());
            }
            // On loopback the kernel copies, which would end it.
            z.sockets.get_mut(fd(&s)).unwrap().off = false;
            // A send that fails is not counted.
            let ticket = z.begin(fd(&s), pin()).unwrap();
            z.end(ticket, false);
            drop(z.take_done());
            RELEASED.with(|r| r.fetch_sub(1, Ordering::Relaxed));
        }
        assert_eq!(z.sockets.get(fd(&s)).unwrap().next, 3);
    }

    #[test]
    fn only_tcp_sockets_that_nobody_else_uses_so() {
        let (a, _b) = UnixStream::pair().unwrap();
        let mut z = ZeroCopy::new();
        assert!(z.begin(fd(&a), pin()).is_none());
        let (s, _peer) = tcp();
        assert!(begin_zero_copy(fd(&s)), "the program");
        assert!(z.begin(fd(&s), pin()).is_none());
        assert!(!z.look(fd(&s)));
    }

    #[test]
    fn what_ends_while_a_send_is_under_way_ends_once() {
        let (s, _peer) = tcp();
        let mut z = ZeroCopy::new();
        let old = z.begin(fd(&s), pin()).unwrap();
        z.forget(fd(&s));
        assert_eq!(released(), 0, "not while the lock is held");
        drop(z.take_done());
        assert_eq!(released(), 1);
        let (other, _peer) = tcp();
        // The next socket under the number.
        assert!(z.sockets.get_or_insert_with(fd(&s), || Socket::new(z.born + 1, false)).is_ok());
        z.sockets.get_mut(fd(&s)).unwrap().busy = true;
        z.end(old, true);
        let successor = z.sockets.get(fd(&s)).unwrap();
        assert_eq!((successor.busy, successor.next), (true, 0));
        z.inherit();
        assert!(z.begin(fd(&s), pin()).is_none(), "the count is the parent's");
        assert!(z.begin(fd(&other), pin()).is_some());
    }
}
