//! Descriptors of a scripted kernel.

use super::{Op, World, run};
use crate::backend::fake::Fake;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use std::sync::Arc;

pub(crate) struct Scripted(pub(crate) Arc<Fake>);

/// See [`run`].
pub(crate) fn run_scripted(ops: &[Op]) -> usize {
    let fake = Fake::new();
    run(ops, fake.clone(), &mut Scripted(fake))
}

impl World for Scripted {
    fn fd(&self, place: usize) -> Fd {
        Fd::from_index(place as u32)
    }

    fn ready(&self, place: usize) -> Interest {
        self.0.script().ready(self.fd(place))
    }

    fn happen(&mut self, place: usize, what: u8) {
        let fd = self.fd(place);
        let mut s = self.0.script();
        s.hung_up.insert(fd, what % 8 == 7);
        let ready = [Interest::BOTH, Interest::READ, Interest::WRITE, Interest::NONE][usize::from(what % 4)];
        s.happen(fd, ready);
    }

    fn write_short(&mut self, place: usize, n: usize) -> bool {
        self.short(place, n, Direction::Write)
    }

    fn read_short(&mut self, place: usize, n: usize) -> bool {
        self.short(place, n, Direction::Read)
    }

    fn replace(&mut self, place: usize, can_be_watched: bool) {
        let fd = self.fd(place);
        let mut s = self.0.script();
        s.watched.remove(&fd);
        s.ready.remove(&fd);
        s.hung_up.remove(&fd);
        s.unwatchable.retain(|&f| f != fd);
        if !can_be_watched {
            s.unwatchable.push(fd);
        }
    }
}

impl Scripted {
    fn short(&mut self, place: usize, n: usize, dir: Direction) -> bool {
        let fd = self.fd(place);
        let mut s = self.0.script();
        let ready = s.ready.entry(fd).or_default();
        // A small transfer finds more than it takes, if it finds anything.
        let short = n > 20 || !ready.has(dir);
        if short {
            *ready -= dir.into();
        }
        short
    }
}
