//! select(2) in place of poll(2), for a process that has lowered its limit of descriptors below the number of those it asks
//! about. poll(2) refuses that; select does not.

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

/// As [`super::poll::poll`], but errors and hang-ups appear only as readiness in a direction that is asked for.
#[cold]
pub(super) fn select(fds: &mut [pollfd], timeout: c_int) -> Result<usize, Errno> {
    let numbers = fds.iter().map(|p| p.fd + 1).max().unwrap_or(0);
    let words = numbers as usize / Word::BITS as usize + 1;
    let mut sets = Vec::new();
    sets.try_reserve_exact(2 * words).map_err(|_| Errno::ENOMEM)?;
    sets.resize(2 * words, 0);
    let (read, write) = sets.split_at_mut_checked(words).ok_or(Errno::ENOMEM)?;
    for p in &*fds {
        for (set, direction) in [(&mut *read, IN), (&mut *write, OUT)] {
            let Some((word, bit)) = place(p).filter(|_| asks(p, direction)) else { continue };
            if let Some(word) = set.get_mut(word) {
                *word |= bit;
            }
        }
    }
    let mut limit =
        libc::timeval { tv_sec: (timeout / 1000).into(), tv_usec: (timeout % 1000 * 1000).into() };
    let limit = if timeout < 0 { ptr::null_mut() } else { &raw mut limit };
    count(Call::Select);
    // SAFETY: the sets have a bit for each number below `numbers`, and live through the call as the limit does.
    let found = unsafe {
        cancel::select(numbers, read.as_mut_ptr().cast(), write.as_mut_ptr().cast(), ptr::null_mut(), limit)
    };
    match Errno::result(found) {
        Ok(_) => {}
        // select does not say which one is not open.
        Err(Errno::EBADF) => return Ok(answer(fds, |p| if is_closed(p) { NVAL } else { 0 })),
        Err(e) => return Err(e),
    }
    Ok(answer(fds, |p| {
        let is_set =
            |set: &[Word]| place(p).is_some_and(|(word, bit)| set.get(word).is_some_and(|w| w & bit != 0));
        let found = |set, direction| if asks(p, direction) && is_set(set) { direction } else { 0 };
        found(read, IN) | found(write, OUT)
    }))
}

/// The word and the bit of a number in a set.
fn place(p: &pollfd) -> Option<(usize, Word)> {
    let number = usize::try_from(p.fd).ok()?;
    Some((number / Word::BITS as usize, 1 << (number % Word::BITS as usize)))
}

fn asks(p: &pollfd, direction: u32) -> bool {
    p.events as u32 & direction != 0
}

fn is_closed(p: &pollfd) -> bool {
    p.fd >= 0 && !is_open(Fd::unchecked(p.fd.into()))
}

/// Stores the answer of `f` in each. Returns how many are not 0.
fn answer(fds: &mut [pollfd], f: impl Fn(&pollfd) -> u32) -> usize {
    let mut answers = 0;
    for p in fds {
        p.revents = f(p) as i16;
        answers += usize::from(p.revents != 0);
    }
    answers
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
    fn it_answers_as_poll_does() {
        let ([a, b], [c, _d]) = (stream_sockets().unwrap(), stream_sockets().unwrap());
        nix::unistd::write(&b, b"x").unwrap();
        let (a, c) = (a.as_raw_fd(), c.as_raw_fd());
        let mut asked = [question(-1, IN), question(a, IN | OUT), question(c, IN), question(c, OUT)];
        assert_eq!(select(&mut asked, 0), Ok(3 - 1));
        assert_eq!(asked.map(|p| p.revents as u32), [0, IN | OUT, 0, OUT]);
        assert_eq!(select(&mut asked[2..3], 1), Ok(0));
    }

    #[test]
    fn a_closed_number_is_named_among_open_ones() {
        let [a, b] = stream_sockets().unwrap();
        let low = a.as_raw_fd();
        let closed = b.as_raw_fd();
        drop(b);
        let mut asked = [question(low, OUT), question(closed, IN)];
        // Another test may have the number by now.
        while select(&mut asked, 0) == Ok(1) && asked[1].revents == 0 {
            asked[1].fd += 1;
        }
        assert_eq!(asked[1].revents as u32, NVAL);
        drop(a);
    }
}
