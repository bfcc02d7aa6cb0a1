//! Feeding file content to a filter.
//!
//! A filter (TLS, say) that answers "again" must be offered the same bytes at the same address the next
//! time, so a stretch of the file that was offered and not taken is kept. It is read, not mapped: a file that
//! shrinks under a mapping is a SIGBUS, or zeros that nobody wrote.
//!
//! A batch keeps the stretch in its own entry. [`feed`], which has no batch, keeps it here under the number
//! of the target, and [`forget`] drops it when a number involved is closed.

use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::sorted::Sorted;
use crate::sys::fork::at_fork;
use crate::sys::lock::ForkLock;
use crate::sys::message;
use crate::sys::mode::{self, Identity};
use crate::xfer::room::{self, Room};
use nix::errno::Errno;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// No piece offered crosses a multiple of this file position, so none is longer, and each is one read.
const SPAN: u64 = room::SIZE as u64;

/// A stretch of a file in memory that does not move while any of it is untaken.
#[derive(Default)]
pub(crate) struct Window {
    base: u64,
    len: usize,
    /// `None`: nothing has been read.
    room: Option<Room>,
}

impl Window {
    /// The file's bytes from `off` on: at most `n`, not past the next 64 KiB boundary, at least one.
    /// Position that the window holds already is not read again: same address, same bytes.
    pub(crate) fn at(&mut self, file: Fd, off: u64, n: u64) -> Result<&[u8], Stop> {
        let n = n.min(SPAN - off % SPAN) as usize;
        if !self.holds(off) {
            self.read(file, off, n)?;
        }
        let from = (off - self.base) as usize;
        // SAFETY: `len` bytes were read.
        let bytes = self.room.as_ref().map_or(&[][..], |room| unsafe { room.written(from, self.len) });
        Ok(bytes.get(..n).unwrap_or(bytes))
    }

    fn holds(&self, off: u64) -> bool {
        off.checked_sub(self.base).is_some_and(|d| d < self.len as u64)
    }

    /// Its bytes are those of no file any more; the room stays.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    fn read(&mut self, file: Fd, off: u64, n: usize) -> Result<(), Stop> {
        let room = match &mut self.room {
            Some(room) => room,
            None => self.room.insert(Room::new()?),
        };
        (self.base, self.len) = (off, 0);
        while self.len < n {
            let Some(free) = room.all().get_mut(self.len..n) else { break };
            match message::pread(file, free, off.saturating_add(self.len as u64)) {
                Ok(0) if self.len == 0 => return Err(Stop::Failed(Errno::EIO)),
                Err(e) if self.len == 0 => return Err(e.into()),
                // What is there is delivered first; the next read meets the end or the error again.
                Ok(0) | Err(_) => break,
                Ok(read) => self.len += read,
            }
        }
        Ok(())
    }
}

/// Offers `n` bytes of `file` from `off` to `take`, piece by piece, until it takes less than it is offered.
/// A file that ends before anything could be offered is `EIO`.
pub(crate) fn feed(
    out: i64,
    file: Fd,
    off: u64,
    n: u64,
    mut take: impl FnMut(*const u8, usize) -> Outcome<u64>,
) -> Outcome<u64> {
    if n == 0 {
        return Ok(0);
    }
    let mut window = lend(out, file, off);
    let mut total = 0;
    let end = loop {
        if total == n {
            break Ok(0);
        }
        let piece = match window.at(file, off.saturating_add(total), n - total) {
            Ok(piece) => piece,
            Err(stop) => break Err(stop),
        };
        match take(piece.as_ptr(), piece.len()) {
            Ok(k) if k >= piece.len() as u64 => total += piece.len() as u64,
            Ok(k) => {
                total += k;
                break Ok(0);
            }
            Err(stop) => break Err(stop),
        }
    };
    let retry = !matches!(end, Err(Stop::Failed(_))) && window.holds(off.saturating_add(total));
    give_back(out, retry.then(|| mode::identity(file)).and_then(Result::ok), file, window);
    if total > 0 { Ok(total) } else { end }
}

/// What [`feed`] keeps for a target until its next call.
struct Kept {
    file: Fd,
    /// The number may have been closed and reused behind the library's back.
    identity: Identity,
    window: Window,
}

/// By target. `None`: lent to a [`feed`] that is under way, so that a [`forget`] from inside its callback is
/// noticed.
type Store = Sorted<i64, Option<Kept>>;

/// Never locked while a callback runs, nor before forks are watched.
static STORE: ForkLock<Store> = ForkLock::new(Sorted::new());

/// Entries in [`STORE`], so that closing costs a program that never filters files one load.
static KEPT: AtomicUsize = AtomicUsize::new(0);

fn count(store: &Store) {
    KEPT.store(store.len(), Ordering::Relaxed);
}

static FORKS_WATCHED: AtomicBool = AtomicBool::new(false);

/// Whether a child is sure to find the store unlocked; otherwise it must not be locked.
fn forks_watched() -> bool {
    at_fork(&FORKS_WATCHED, before_fork, after_fork, after_fork).is_ok()
}

extern "C" fn before_fork() {
    STORE.hold();
}

extern "C" fn after_fork() {
    STORE.release(|_| ());
}

/// The window of an interrupted [`feed`] with the same target, file and position; otherwise a new one, and
/// what was kept for the target is dropped, because its owner has given it up.
fn lend(out: i64, file: Fd, off: u64) -> Window {
    if !forks_watched() {
        return Window::default();
    }
    let mut store = STORE.lock();
    let kept = store.get_or_insert_with(out, || None).map_or(None, Option::take);
    count(&store);
    drop(store);
    kept.filter(|k| k.file == file && k.window.holds(off))
        .filter(|k| mode::identity(file) == Ok(k.identity))
        .map_or_else(Window::default, |k| k.window)
}

/// Ends a [`lend`]; keeps the window if there is a file to retry.
fn give_back(out: i64, identity: Option<Identity>, file: Fd, window: Window) {
    if KEPT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut store = STORE.lock();
    if let Some(place @ None) = store.get_mut(out) {
        *place = identity.map(|identity| Kept { file, identity, window });
        if place.is_none() {
            store.remove(out);
        }
    }
    count(&store);
}

/// Called when `d` is closed: nothing kept for it as a target, or of it as a file, may reach its successor.
pub(crate) fn forget(d: Fd) {
    if KEPT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut store = STORE.lock();
    let number = i64::from(d.raw());
    store.retain(|out, kept| out != number && kept.as_ref().is_none_or(|k| k.file != d));
    count(&store);
}

/// Gives back all that is kept, and the room for it. What is lent is not taken back any more.
pub(crate) fn shut_down() {
    if !FORKS_WATCHED.load(Ordering::Acquire) {
        // Nothing has ever been kept.
        return;
    }
    let mut store = STORE.lock();
    let old = mem::replace(&mut *store, Sorted::new());
    count(&store);
    drop(store);
    drop(old);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    /// A file of `n` bytes that start with `first`.
    fn file(n: usize, first: u8) -> (File, Fd) {
        let mut f = File::from(memfd_create(c"window", MFdFlags::empty()).unwrap());
        let bytes: Vec<u8> = (0..n).map(|i| (i as u8).wrapping_mul(7).wrapping_add(first)).collect();
        f.write_all(&bytes).unwrap();
        let fd = Fd::new(i64::from(f.as_raw_fd())).unwrap();
        (f, fd)
    }

    /// Runs `feed` with a filter that answers `answer` to its first call, and tells what it was offered.
    fn offered(out: i64, fd: Fd, off: u64, n: u64, answer: Outcome<u64>) -> (usize, usize, u8) {
        let mut seen = None;
        let r = feed(out, fd, off, n, |p, n| {
            assert!(seen.is_none(), "called again after less than everything");
            // SAFETY: `feed` offers memory of that size.
            seen = Some((p.addr(), n, unsafe { *p }));
            answer
        });
        assert_eq!(r, answer);
        seen.unwrap()
    }

    const AGAIN: Outcome<u64> = Err(Stop::Again);

    #[test]
    fn pieces_end_at_64_kib_boundaries() {
        let (_f, fd) = file(200_000, 0);
        let mut sizes = Vec::new();
        let r = feed(-77, fd, 10, 150_000, |_, n| {
            sizes.push(n);
            Ok(n as u64)
        });
        assert_eq!((r, sizes), (Ok(150_000), vec![65526, 65536, 150_000 - 65526 - 65536]));
    }

    #[test]
    fn a_retry_sees_the_same_address_and_length() {
        let (_f, fd) = file(200_000, 3);
        let first = offered(-78, fd, 10, 100_000, AGAIN);
        assert_eq!(offered(-78, fd, 10, 100_000, AGAIN), first);
        let (at, n, byte) = offered(-78, fd, 10, 100_000, Ok(7));
        assert_eq!((at, n, byte), first);
        assert_eq!(offered(-78, fd, 17, 99_993, AGAIN).0, at + 7, "the untaken rest stays where it is");
    }

    #[test]
    fn another_file_under_the_same_number_is_read_afresh() {
        let (one, fd) = file(1000, 1);
        let (two, _) = file(1000, 2);
        assert_eq!(offered(-79, fd, 0, 1000, AGAIN).2, 1);
        // SAFETY: both are open; dup2 makes the number mean the second file.
        unsafe { libc::dup2(two.as_raw_fd(), one.as_raw_fd()) };
        assert_eq!(offered(-79, fd, 0, 1000, AGAIN).2, 2);
    }

    #[test]
    fn closing_either_side_forgets_even_from_inside_the_filter() {
        let (_f, fd) = file(1000, 1);
        // Numbers beyond every limit: no other test's descriptor has them.
        let out = Fd::new(i64::from(i32::MAX)).unwrap();
        let number = i64::from(out.raw());
        let kept = || STORE.lock().get_mut(number).is_some();
        offered(number, fd, 0, 1000, AGAIN);
        assert!(kept());
        forget(fd);
        assert!(!kept());
        offered(number, fd, 0, 1000, AGAIN);
        forget(out);
        assert!(!kept());
        let r = feed(number, fd, 0, 1000, |_, _| {
            forget(out);
            AGAIN
        });
        assert_eq!((r, kept()), (AGAIN, false));
    }

    #[test]
    fn the_end_of_the_file_is_an_error_once_everything_before_it_is_taken() {
        let (_f, fd) = file(100, 0);
        let mut sizes = Vec::new();
        let r = feed(-80, fd, 40, 4096, |_, n| {
            sizes.push(n);
            Ok(n as u64)
        });
        assert_eq!((r, sizes), (Ok(60), vec![60]));
        let gone = feed(-80, fd, 100, 3996, |_, _| panic!("nothing to offer"));
        assert_eq!(gone, Err(Stop::Failed(Errno::EIO)));
        assert!(STORE.lock().get_mut(-80).is_none());
    }

    #[test]
    fn what_cannot_be_read_at_a_position_fails() {
        let (pipe, _other) = std::io::pipe().unwrap();
        let fd = Fd::new(i64::from(pipe.as_raw_fd())).unwrap();
        let r = feed(-81, fd, 0, 10, |_, _| panic!("nothing to offer"));
        assert_eq!(r, Err(Stop::Failed(Errno::ESPIPE)));
        let (_f, fd) = file(10, 0);
        let r = feed(-81, fd, u64::MAX, 10, |_, _| panic!("nothing to offer"));
        assert_eq!(r, Err(Stop::Failed(Errno::EINVAL)));
    }
}
