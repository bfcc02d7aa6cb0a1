//! The sink of a trace: a buffer, which is written to a file.

use super::path::KeptPath;
use super::{TRACED, complain, end, lines, process};
use crate::sys::logfile::{LogFile, size_limit};
use crate::text::Text;
use nix::errno::Errno;
use std::ffi::c_int;

/// The size of the buffer.
const ROOM: usize = 64 << 10;
/// The largest size of the file, whoever writes to it.
const LIMIT: u64 = 64 << 20;
/// Room in the file for the line that says that it is full.
const LAST_LINE: u64 = 256;

/// Children, and programs that they execute, append to the same file.
const FLAGS: c_int = libc::O_APPEND;

/// All zeros at first, so that it takes no room in the library's file.
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

    /// Adds a line. The first one opens the file. `line` is called under the lock, so that the times are in order.
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

    /// Writes the buffer to the file. If the file is gone, full or cannot be written, the trace ends.
    pub(super) fn write_out(&mut self) {
        let len = std::mem::take(&mut self.len);
        let (Some(file), Some(gathered)) = (&self.file, self.bytes.get(..len)) else { return };
        if len > 0 && append(file, gathered).is_err() {
            end(TRACED);
        }
    }

    /// For a new child process. Empties the buffer, which the parent writes, and adds the child's first line.
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
