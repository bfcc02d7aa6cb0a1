//! `io_mmapwritefile`: passes a file to a filter, without a batch.
//!
//! What was offered and not taken is kept in a [`Window`], under the number of the target. [`forget`] drops it when one of
//! the two numbers is closed. The window is kept there also while the filter runs, because the filter may leave by an
//! exception, `pthread_exit` or `longjmp`.

use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::sorted::Sorted;
use crate::sys::guard::cancellable;
use crate::sys::lock::ForkLock;
use crate::sys::mode::{self, Identity};
use crate::xfer::window::Window;
use nix::errno::Errno;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Offers `n` bytes of `file` from `off` to `take`, piece by piece, until it takes less than it is offered. If the file
/// ends at or before `off`, the result is `EIO`.
pub(crate) fn feed(
    out: i64,
    file: Fd,
    off: u64,
    n: u64,
    mut take: impl FnMut(*const u8, u64) -> Outcome<u64>,
) -> Outcome<u64> {
    if n == 0 {
        return Ok(0);
    }
    let key = cancellable(|| begin(out, file, off))?;
    let mut total = 0;
    let end = loop {
        if total == n {
            break Ok(0);
        }
        let at = off.saturating_add(total);
        let (bytes, len) = match cancellable(|| piece(key, file, at, n - total)) {
            Ok(piece) => piece,
            Err(stop) => break Err(stop),
        };
        match take(bytes, len) {
            Ok(k) if k >= len => total += len,
            Ok(k) => {
                total += k;
                break Ok(0);
            }
            Err(stop) => break Err(stop),
        }
    };
    let refused = !matches!(end, Err(Stop::Failed(_))) && total < n;
    cancellable(|| finish(key, refused.then(|| off.saturating_add(total))));
    if total > 0 { Ok(total) } else { end }
}

/// A target, and which of the calls for it. There can be several: a filter may call the function again for the same target,
/// and a filter that left by a jump has left its window.
type Key = (i64, u32);

/// What a call keeps for the next one with the same target.
struct Kept {
    file: Fd,
    /// Which file it is of. The number may be closed and reused by close(2).
    identity: Option<Identity>,
    window: Window,
    /// A filter is using it, or has left by a jump.
    is_lent: bool,
}

type Store = Sorted<Key, Kept>;

/// Not locked while a callback runs.
static STORE: ForkLock<Store> = ForkLock::new(Sorted::new());

/// How many entries [`STORE`] has, so that a close costs one load in programs that never filter files.
static KEPT: AtomicUsize = AtomicUsize::new(0);

fn count(store: &Store) {
    KEPT.store(store.len(), Ordering::Relaxed);
}

/// For a new child process. If another thread of the parent was changing the store, its memory is abandoned.
pub(crate) fn in_child() {
    STORE.in_child(|store, torn| {
        if torn {
            mem::forget(mem::replace(store, Sorted::new()));
            count(store);
        }
    });
}

/// Chooses the window for a call. If an earlier call with the same target, file and position kept one, it is used.
/// Otherwise what was kept for the target is dropped, and the call gets a new window.
fn begin(out: i64, file: Fd, off: u64) -> Result<Key, Errno> {
    let identity = mode::identity(file).ok();
    let mut store = STORE.lock();
    let mut level = 0;
    let mut found = None;
    store.retain(|(target, this), kept| {
        if target != out {
            return true;
        }
        let is_same = kept.file == file && kept.identity == identity && kept.window.holds(off);
        if is_same && found.is_none() {
            found = Some(this);
        } else if !kept.is_lent {
            return false;
        }
        level = level.max(this + 1);
        true
    });
    let key = (out, found.unwrap_or(level));
    let fresh = || Kept { file, identity, window: Window::default(), is_lent: true };
    let kept = store.get_or_insert_with(key, fresh).map(|kept| kept.is_lent = true);
    count(&store);
    kept.map(|()| key)
}

/// The next bytes for the filter. They stay where they are until the filter returns, or closes the target or the file.
fn piece(key: Key, file: Fd, off: u64, n: u64) -> Result<(*const u8, u64), Stop> {
    let mut store = STORE.lock();
    let fresh = || Kept { file, identity: None, window: Window::default(), is_lent: true };
    let kept = store.get_or_insert_with(key, fresh)?;
    if !kept.window.holds(off) {
        // Taken out of the store, so that no lock is held while the disk is read.
        let mut window = mem::take(&mut kept.window);
        drop(store);
        let read = window.at(file, off, n).map(drop);
        store = STORE.lock();
        store.get_or_insert_with(key, fresh)?.window = window;
        count(&store);
        read?;
    }
    let kept = store.get_or_insert_with(key, fresh)?;
    let bytes = kept.window.at(file, off, n)?;
    Ok((bytes.as_ptr(), bytes.len() as u64))
}

/// Ends a call. What begins at `refused` is kept for the next one.
fn finish(key: Key, refused: Option<u64>) {
    let mut store = STORE.lock();
    let stays = match (store.get_mut(key), refused) {
        (Some(kept), Some(off)) => {
            kept.is_lent = false;
            kept.window.keep(off);
            kept.window.holds(off) && kept.identity.is_some()
        }
        _ => false,
    };
    let gone = if stays { None } else { store.remove(key) };
    count(&store);
    drop(store);
    drop(gone);
}

/// Drops what is kept for `d` as a target and as a file. Called when `d` is closed, so that a new file under the number
/// gets nothing of it.
pub(crate) fn forget(d: Fd) {
    if KEPT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut store = STORE.lock();
    let number = i64::from(d.raw());
    store.retain(|(out, _), kept| out != number && kept.file != d);
    count(&store);
}

/// Frees everything that is kept.
pub(crate) fn shut_down() {
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
    fn offered(out: i64, fd: Fd, off: u64, n: u64, answer: Outcome<u64>) -> (usize, u64, u8) {
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
    fn pieces_end_at_16_kib_boundaries() {
        let (_f, fd) = file(200_000, 0);
        let mut sizes = Vec::new();
        let r = feed(-77, fd, 10, 150_000, |_, n| {
            sizes.push(n);
            Ok(n)
        });
        let mut expected = vec![16374];
        expected.extend([16384; 8]);
        expected.push(150_000 - 16374 - 8 * 16384);
        assert_eq!((r, sizes), (Ok(150_000), expected));
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
        let kept = || STORE.lock().get_mut((number, 0)).is_some();
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
    fn a_filter_that_never_comes_back_leaves_its_window_for_the_next_call() {
        let (_f, fd) = file(100_000, 5);
        let key = begin(-82, fd, 10).unwrap();
        let lost = piece(key, fd, 10, 1000).unwrap();
        let (at, n, _) = offered(-82, fd, 10, 1000, AGAIN);
        assert_eq!((at, n), (lost.0.addr(), lost.1));
        // A second call gets memory of its own, whether the first filter is still running or not.
        let key = begin(-82, fd, 10).unwrap();
        let lost = piece(key, fd, 10, 1000).unwrap();
        assert_ne!(offered(-82, fd, 70_000, 1000, AGAIN).0, lost.0.addr());
        assert_eq!(piece(key, fd, 10, 1000), Ok(lost));
        finish(key, None);
    }

    #[test]
    fn the_end_of_the_file_is_an_error_once_everything_before_it_is_taken() {
        let (_f, fd) = file(100, 0);
        let mut sizes = Vec::new();
        let r = feed(-80, fd, 40, 4096, |_, n| {
            sizes.push(n);
            Ok(n)
        });
        assert_eq!((r, sizes), (Ok(60), vec![60]));
        let gone = feed(-80, fd, 100, 3996, |_, _| panic!("nothing to offer"));
        assert_eq!(gone, Err(Stop::Failed(Errno::EIO)));
        assert!(STORE.lock().get_mut((-80, 0)).is_none());
    }

    #[test]
    fn what_cannot_be_read_at_a_position_fails() {
        let (pipe, _other) = nix::unistd::pipe().unwrap();
        let fd = Fd::new(i64::from(pipe.as_raw_fd())).unwrap();
        let r = feed(-81, fd, 0, 10, |_, _| panic!("nothing to offer"));
        assert_eq!(r, Err(Stop::Failed(Errno::ESPIPE)));
        let (_f, fd) = file(10, 0);
        let r = feed(-81, fd, u64::MAX, 10, |_, _| panic!("nothing to offer"));
        assert_eq!(r, Err(Stop::Failed(Errno::EINVAL)));
    }
}
