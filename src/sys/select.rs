//! select(2), for a process that has lowered its limit of descriptors below the number of those it asks about: poll(2)
//! refuses it then, select goes by what is open.

use super::cancel;
use super::count::{Call, count};
use super::mode::is_open;
use super::poll::{IN, NVAL, OUT};
use crate::fd::Fd;
use libc::{c_int, c_ulong, pollfd};
use nix::errno::Errno;
use std::ptr;

/// The words of a set. It has the same layout on systems with smaller words, because they put the low bits first.
type Word = c_ulong;

/// As [`super::poll::poll`], but errors and hang-ups appear only as readiness in a direction that is asked for. A mere
/// hang-up is readiness for reading only.
#[cold]
pub(super) fn select(fds: &mut [pollfd], mut timeout: c_int) -> Result<usize, Errno> {
    fds.iter_mut().for_each(|p| p.revents = 0);
    while let Err(e) = ask(fds, timeout) {
        // select does not say which one is not open. The others are asked once more.
        let closed =
            fds.iter_mut().filter(|p| p.revents == 0 && p.fd >= 0 && !is_open(Fd::unchecked(p.fd.into())));
        if e != Errno::EBADF || closed.map(|p| p.revents = NVAL as i16).count() == 0 {
            return Err(e);
        }
        timeout = 0;
    }
    Ok(fds.iter().filter(|p| p.revents != 0).count())
}

/// Asks about those that have no answer yet.
fn ask(fds: &mut [pollfd], timeout: c_int) -> Result<(), Errno> {
    let numbers = fds.iter().map(|p| p.fd + 1).max().unwrap_or(0);
    let words = numbers as usize / Word::BITS as usize + 1;
    // One for reading, and behind it one for writing.
    let mut sets: Vec<Word> = Vec::new();
    sets.try_reserve_exact(2 * words).map_err(|_| Errno::ENOMEM)?;
    sets.resize(2 * words, 0);
    let place = |p: &pollfd, direction| {
        let is_asked = p.revents == 0 && p.events as u32 & direction != 0;
        let number = usize::try_from(p.fd).ok().filter(|_| is_asked)?;
        let first = if direction == OUT { words } else { 0 };
        Some((first + number / Word::BITS as usize, 1 << (number % Word::BITS as usize)))
    };
    for (at, bit) in fds.iter().flat_map(|p| [place(p, IN), place(p, OUT)]).flatten() {
        if let Some(word) = sets.get_mut(at) {
            *word |= bit;
        }
    }
    let mut limit =
        libc::timeval { tv_sec: (timeout / 1000).into(), tv_usec: (timeout % 1000 * 1000).into() };
    let limit = if timeout < 0 { ptr::null_mut() } else { &raw mut limit };
    let (read, write) = (sets.as_mut_ptr(), sets.as_mut_ptr().wrapping_add(words));
    count(Call::Select);
    // SAFETY: the sets have a bit for each number below `numbers`, and live through the call as the limit does.
    let found = unsafe { cancel::select(numbers, read.cast(), write.cast(), ptr::null_mut(), limit) };
    Errno::result(found)?;
    for p in fds {
        let is_set = |(at, bit): (usize, Word)| sets.get(at).is_some_and(|word| word & bit != 0);
        let ready = |direction| if place(p, direction).is_some_and(is_set) { direction } else { 0 };
        let found = ready(IN) | ready(OUT);
        p.revents |= found as i16;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pair::stream_sockets;
    use std::os::fd::AsRawFd;

    fn question(fd: c_int, events: u32) -> pollfd {
        pollfd { fd, events: events as i16, revents: 0 }
    }

    #[test]
    fn select_gives_the_answers_of_poll() {
        let ([a, b], [c, _d]) = (stream_sockets().unwrap(), stream_sockets().unwrap());
        nix::unistd::write(&b, b"x").unwrap();
        let (a, c) = (a.as_raw_fd(), c.as_raw_fd());
        let mut asked = [question(-1, IN), question(a, IN | OUT), question(c, IN), question(c, OUT)];
        assert_eq!(select(&mut asked, 0), Ok(3 - 1));
        assert_eq!(asked.map(|p| p.revents as u32), [0, IN | OUT, 0, OUT]);
        assert_eq!(select(&mut asked[2..3], 1), Ok(0));
    }

    #[test]
    fn a_closed_number_is_named_and_the_open_ones_are_answered() {
        let [a, b] = stream_sockets().unwrap();
        let low = a.as_raw_fd();
        let closed = b.as_raw_fd();
        drop(b);
        let mut asked = [question(low, OUT), question(closed, IN)];
        // Another test may have the number by now.
        while select(&mut asked, 0) == Ok(1) && asked[1].revents == 0 {
            asked[1].fd += 1;
        }
        assert_eq!(asked.map(|p| p.revents as u32), [OUT, NVAL]);
        drop(a);
    }
}
