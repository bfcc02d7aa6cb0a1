//! Where the lines of a trace go: a buffer, and from there a file.

use super::path::KeptPath;
use super::{TRACED, complain, end, lines, process};
use crate::sys::logfile::{LogFile, size_limit};
use crate::text::Text;
use nix::errno::Errno;
use std::ffi::c_int;

/// What is gathered before it is written.
const ROOM: usize = 64 << 10;
/// How long the file may become, whoever writes to it.
const LIMIT: u64 = 64 << 20;
/// Kept free for the line that says so.
const LAST_LINE: u64 = 256;

/// Processes that one fork made of another, and programs that one started, append to the same file.
const FLAGS: c_int = libc::O_APPEND;

/// All zeros at first, so that the program file has no room for it.
pub(super) struct Sink {
    pub(super) path: KeptPath,
    file: Option<LogFile>,
    bytes: [u8; ROOM],
    len: usize,
}

impl Sink {
    pub(super) const fn new() -> Sink {
        Sink { path: KeptPath::new(), file: None, bytes: [0; ROOM], len: 0 }
    }

    /// Adds a line. The first one opens the file; each is made under the lock, so that their times are in order.
    pub(super) fn add(&mut self, line: impl FnOnce() -> Text) {
        if self.file.is_none() {
            match LogFile::open(self.path.get(), FLAGS) {
                Ok(file) => self.file = Some(file),
                Err(e) => {
                    end(TRACED);
                    return complain("OWFAT_IO_TRACE", self.path.get(), e);
                }
            }
            self.gather(&lines::plain("begin", lines::Shown::Nothing));
        }
        self.gather(&line());
    }

    fn gather(&mut self, line: &Text) {
        let line = line.bytes().unwrap_or_default();
        if ROOM - self.len.min(ROOM) < line.len() {
            self.write_out();
        }
        let free = self.bytes.get_mut(self.len..).and_then(|free| free.get_mut(..line.len()));
        if let Some(place) = free {
            place.copy_from_slice(line);
            self.len += line.len();
        }
    }

    /// Writes what was gathered. That the file is gone, full or cannot be written ends the trace.
    pub(super) fn write_out(&mut self) {
        let len = std::mem::take(&mut self.len);
        let (Some(file), Some(gathered)) = (&self.file, self.bytes.get(..len)) else { return };
        if len > 0 && append(file, gathered).is_err() {
            end(TRACED);
        }
    }

    /// In a forked child: what was gathered is the parent's to write. It says by a first line of its own that it is there.
    pub(super) fn inherited(&mut self) {
        self.len = 0;
        process::forget();
        if self.file.is_some() {
            self.gather(&lines::with(
                "begin",
                lines::Shown::Nothing,
                &[("parent", process::parent().into())],
            ));
        }
    }
}

fn append(file: &LogFile, gathered: &[u8]) -> Result<(), Errno> {
    let limit = LIMIT.min(size_limit());
    let (size, len) = (file.size()?, gathered.len() as u64);
    if size.saturating_add(len).saturating_add(LAST_LINE) <= limit {
        return file.append(gathered);
    }
    let last = lines::plain("full", lines::Shown::Nothing);
    let last = last.bytes().unwrap_or_default();
    if size.saturating_add(last.len() as u64) <= limit {
        file.append(last)?;
    }
    Err(Errno::EFBIG)
}
