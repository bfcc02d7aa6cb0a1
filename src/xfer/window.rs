//! A window: a part of a file in memory, which does not move until all of it is taken.
//!
//! If a filter answers "again", TLS libraries require the same bytes at the same address next time. So what was offered and
//! not taken is kept. The file is read and not mapped, because a file that shrinks under a mapping means SIGBUS or zeros.
//!
//! Blocks begin at multiples of their size in the file. So do reads of a file that was opened with `O_DIRECT`, as the kernel
//! requires.

use crate::buf::Source;
use crate::fd::Fd;
use crate::outcome::Stop;
use crate::sys::message::{self, Gather, Place};
use crate::xfer::room::{self, Room};
use nix::errno::Errno;

/// No piece crosses a multiple of this file position, so none is longer.
const SPAN: u64 = room::SIZE as u64;

/// How many blocks one read fills. With one block a checksum takes a fifth longer, AES-GCM a seventh
/// (`docs/performance.md`).
const AHEAD: usize = 4;

/// See the module.
#[derive(Default)]
pub(crate) struct Window {
    /// The file position of the first byte held, and how many bytes are held.
    base: u64,
    len: u64,
    /// The block with the first byte, and those after it.
    blocks: [Option<Room>; AHEAD],
    /// A filter has refused some, so it will hardly take much next time.
    was_refused: bool,
}

impl Window {
    /// The file's bytes from `off` on: at least one, at most `n`, and not past the next multiple of [`SPAN`]. Bytes that the
    /// window holds already are not read again, so they have the same address.
    pub(crate) fn at(&mut self, file: Fd, off: u64, n: u64) -> Result<&[u8], Stop> {
        if !self.holds(off) && self.read(file, off, n)? == 0 {
            return Err(Stop::Failed(Errno::EIO));
        }
        self.held(off, n).ok_or(Stop::Failed(Errno::EIO))
    }

    /// [`Window::at`], if they are held.
    #[inline(always)]
    pub(crate) fn held(&self, off: u64, n: u64) -> Option<&[u8]> {
        let before = off.wrapping_sub(self.base);
        if before >= self.len {
            return None;
        }
        let from = off % SPAN;
        let to = from + (self.len - before).min(n).min(SPAN - from);
        let block = ((off / SPAN).wrapping_sub(self.base / SPAN)) as usize;
        let room = self.blocks.get(block)?.as_ref()?;
        // SAFETY: `read` has written what is held, each byte at the place in its block that it has in its span.
        Some(unsafe { room.written(from as usize, to as usize) })
    }

    /// Drops the bytes, and keeps the memory for another file.
    pub(crate) fn forget(&mut self) {
        self.len = 0;
        self.was_refused = false;
    }

    /// Adds to `list` what one read returns of the file from `off` on, at most `n` bytes. Nothing if the file ends there.
    pub(crate) fn gather(&mut self, file: Fd, off: u64, n: u64, list: &mut Gather) -> Result<(), Stop> {
        let read = self.read(file, off, n)?.min(n);
        let mut done = 0;
        while done < read {
            let piece = self.at(file, off + done, read - done)?;
            done += piece.len() as u64;
            // SAFETY: the window outlives the list, and nobody writes to it.
            list.push(unsafe { Source::new(piece.as_ptr(), piece.len()) });
        }
        Ok(())
    }

    pub(crate) fn holds(&self, off: u64) -> bool {
        off.checked_sub(self.base).is_some_and(|d| d < self.len)
    }

    /// After a filter has refused what begins at `off`: keeps only the block with that byte.
    pub(crate) fn keep(&mut self, off: u64) {
        self.was_refused = true;
        if !self.holds(off) {
            return self.clear();
        }
        let end = self.base + self.len;
        let block = ((off / SPAN).wrapping_sub(self.base / SPAN)) as usize;
        let kept = self.blocks.get_mut(block).and_then(Option::take);
        self.blocks = [kept, None, None, None];
        self.base = off;
        self.len = end.min((off / SPAN + 1).saturating_mul(SPAN)) - off;
    }

    /// Drops the bytes and frees the memory.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.blocks = Default::default();
    }

    /// Reads up to `n` bytes from `off` on. Returns how many; 0 if the file ends there. It may be more than `n` with a file
    /// that can be read only in whole blocks.
    fn read(&mut self, file: Fd, off: u64, n: u64) -> Result<u64, Stop> {
        let skipped = off % SPAN;
        let ahead = if self.was_refused { 1 } else { AHEAD as u64 };
        let blocks = self.make_blocks(skipped.saturating_add(n).div_ceil(SPAN).min(ahead) as usize)? as u64;
        self.len = 0;
        let read = match self.fill(file, off, skipped, n.min(blocks * SPAN - skipped)) {
            // O_DIRECT, and something else that shows again.
            Err(Errno::EINVAL) => {
                let whole = self.fill(file, off - skipped, 0, blocks * SPAN)? as u64;
                whole.saturating_sub(skipped)
            }
            read => read? as u64,
        };
        (self.base, self.len) = (off, read);
        Ok(read)
    }

    /// Memory for `n` blocks, or for as many as there is memory for; how many that is.
    fn make_blocks(&mut self, n: usize) -> Result<usize, Errno> {
        for (i, block) in self.blocks.iter_mut().take(n).enumerate() {
            if block.is_none() {
                match Room::new() {
                    Ok(room) => *block = Some(room),
                    Err(e) => return if i > 0 { Ok(i) } else { Err(e) },
                }
            }
        }
        Ok(n)
    }

    /// Reads `wanted` bytes from `off` on, to the place `skipped` bytes into the first block.
    fn fill(&mut self, file: Fd, off: u64, skipped: u64, wanted: u64) -> Result<usize, Errno> {
        let (mut start, mut rest) = (skipped as usize, wanted as usize);
        let mut places = [const { Place::NONE }; AHEAD];
        let mut n = 0;
        for (place, block) in places.iter_mut().zip(self.blocks.iter_mut().flatten()) {
            if rest == 0 {
                break;
            }
            let free = block.all().get_mut(start..).unwrap_or_default();
            let part = free.len().min(rest);
            *place = Place::new(free.get_mut(..part).unwrap_or_default());
            (start, rest, n) = (0, rest - part, n + 1);
        }
        message::read_scattered(file, places.get_mut(..n).unwrap_or_default(), off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn byte(i: u64) -> u8 {
        (i / 3) as u8
    }

    fn file(n: u64) -> (File, Fd) {
        let mut f = File::from(memfd_create(c"window", MFdFlags::empty()).unwrap());
        f.write_all(&(0..n).map(byte).collect::<Vec<_>>()).unwrap();
        let fd = Fd::new(i64::from(f.as_raw_fd())).unwrap();
        (f, fd)
    }

    fn blocks(w: &Window) -> usize {
        w.blocks.iter().flatten().count()
    }

    #[test]
    fn every_stretch_has_the_files_bytes() {
        let (_f, fd) = file(200_000);
        for off in [0u64, 1, 16_383, 16_384, 70_000, 199_999] {
            for n in [1, 16_384, 16_385, 65_536, 100_000, u64::MAX] {
                let mut w = Window::default();
                let (mut at, end) = (off, 200_000.min(off.saturating_add(n)));
                while at < end {
                    let piece = w.at(fd, at, n - (at - off)).unwrap();
                    assert!(!piece.is_empty() && piece.len() as u64 <= end - at);
                    assert_eq!(at / SPAN, (at + piece.len() as u64 - 1) / SPAN, "crosses a multiple");
                    assert!(piece.iter().zip(at..).all(|(b, i)| *b == byte(i)), "{off} {n} {at}");
                    at += piece.len() as u64;
                }
                assert_eq!(at, end);
            }
        }
    }

    #[test]
    fn what_is_refused_stays_where_it_is_and_the_rest_goes() {
        let (_f, fd) = file(200_000);
        for (off, refused, len) in [(10, 10, 16_374), (0, 20_000, 12_768), (0, 65_535, 1)] {
            let mut w = Window::default();
            let mut at = off;
            w.at(fd, at, 100_000).unwrap();
            assert_eq!(blocks(&w), AHEAD);
            while at / SPAN < refused / SPAN {
                at += w.at(fd, at, 100_000).unwrap().len() as u64;
            }
            let before = w.at(fd, refused, 100_000).unwrap().as_ptr_range();
            w.keep(refused);
            assert_eq!((blocks(&w), w.len), (1, len));
            let piece = w.at(fd, refused, 100_000).unwrap();
            assert_eq!(piece.as_ptr_range(), before);
            assert_eq!((piece[0], piece.len() as u64), (byte(refused), len));
            let next = refused + len;
            assert_eq!(w.at(fd, next, 100_000).unwrap()[0], byte(next));
            assert_eq!(blocks(&w), 1, "what was refused once is not read far ahead of");
        }
    }

    #[test]
    fn the_end_and_what_has_no_positions_are_errors() {
        let (_f, fd) = file(10);
        assert_eq!(Window::default().at(fd, 10, 1), Err(Stop::Failed(Errno::EIO)));
        assert_eq!(Window::default().at(fd, u64::MAX, 1), Err(Stop::Failed(Errno::EINVAL)));
        let (pipe, _other) = nix::unistd::pipe().unwrap();
        let fd = Fd::new(i64::from(pipe.as_raw_fd())).unwrap();
        assert_eq!(Window::default().at(fd, 0, 1), Err(Stop::Failed(Errno::ESPIPE)));
    }
}
