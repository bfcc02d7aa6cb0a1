//! Descriptors of a scripted kernel.

use super::run::Tally;
use super::{File, Op, PLACES, World, run};
use crate::backend::scripted::{Script, Scripted};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::mode::{FileKind, Mode};
use crate::slot::Access;
use crate::sys::mode::Identity;
use std::sync::Arc;

pub(crate) fn access() -> Access {
    Access::new(FileKind::Socket, Mode::Nonblocking)
}

pub(in crate::event_loop) struct ScriptedWorld {
    kernel: Arc<Scripted>,
    /// How often each number got another file.
    files: [u64; PLACES],
}

impl ScriptedWorld {
    pub(in crate::event_loop) fn new(kernel: Arc<Scripted>) -> ScriptedWorld {
        ScriptedWorld { kernel, files: [0; PLACES] }
    }
}

/// See [`run`].
pub(crate) fn run_scripted(ops: &[Op]) -> Tally {
    let kernel = Scripted::new();
    run(ops, kernel.clone(), &mut ScriptedWorld::new(kernel))
}

impl World for ScriptedWorld {
    fn fd(&self, place: usize) -> Fd {
        Fd::from_index(place as u32)
    }

    fn file(&self, place: usize) -> File {
        let inode = self.files[place] * PLACES as u64 + place as u64;
        File { access: access(), identity: Identity { device: 1, inode } }
    }

    fn ready(&self, place: usize) -> Interest {
        self.kernel.script().ready(self.fd(place))
    }

    fn happen(&mut self, place: usize, what: u8) {
        let fd = self.fd(place);
        let mut s = self.kernel.script();
        if what % 8 == 7 {
            s.hung_up.insert(fd);
        } else {
            s.hung_up.remove(&fd);
        }
        let ready = [Interest::BOTH, Interest::READ, Interest::WRITE, Interest::NONE][usize::from(what % 4)];
        s.ready.insert(fd, ready);
    }

    fn read(&mut self, place: usize, n: usize) -> bool {
        move_bytes(&mut self.kernel.script(), self.fd(place), n, Direction::Read)
    }

    fn write(&mut self, place: usize, n: usize) -> bool {
        move_bytes(&mut self.kernel.script(), self.fd(place), n, Direction::Write)
    }

    fn replace(&mut self, place: usize, can_be_watched: bool) {
        let fd = self.fd(place);
        self.files[place] += 1;
        let mut s = self.kernel.script();
        s.watched.remove(&fd);
        s.ready.remove(&fd);
        s.hung_up.remove(&fd);
        s.unwatchable.retain(|&f| f != fd);
        if !can_be_watched {
            s.unwatchable.push(fd);
        }
    }

    fn ends_sleeps(&self) -> bool {
        true
    }

    fn watched(&self, place: usize) -> Option<Interest> {
        let watched = self.kernel.script().watched.get(&self.fd(place)).map(|(_, watch)| watch.interest);
        Some(watched.unwrap_or_default())
    }
}

/// A small transfer finds more than it takes, if it finds anything.
fn move_bytes(s: &mut Script, fd: Fd, n: usize, dir: Direction) -> bool {
    let ready = s.ready.entry(fd).or_default();
    let whole = n <= 20 && ready.has(dir);
    if !whole {
        *ready -= dir.into();
    }
    whole
}
