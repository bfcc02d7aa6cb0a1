//! Random programs on a scripted kernel and on each backend.

use super::super::model::scripted::{ScriptedWorld, run_scripted};
use super::super::model::{File, Op, PLACES, World, run};
use crate::backend::open_named;
use crate::backend::scripted::Scripted;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::mode::Mode;
use crate::slot::Access;
use crate::sys::mode::who;
use crate::sys::poll::ready_now;
use crate::table;
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use nix::unistd::{read, write};
use proptest::prelude::*;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::catch_unwind;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any::<[u8; 3]>().prop_map(Op::decode), 1..80)
}

/// Socket pairs: our end under a fixed number, and the peer.
struct Sockets {
    ours: Vec<OwnedFd>,
    peers: Vec<Option<OwnedFd>>,
}

impl Sockets {
    fn new() -> Sockets {
        let (ours, peers) = (0..PLACES).map(|_| pair()).map(|(a, b)| (a, Some(b))).unzip();
        Sockets { ours, peers }
    }
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_NONBLOCK).unwrap()
}

impl World for Sockets {
    fn fd(&self, place: usize) -> Fd {
        Fd::new(i64::from(self.ours[place].as_raw_fd())).unwrap()
    }

    fn file(&self, place: usize) -> File {
        let (kind, identity) = who(self.fd(place)).unwrap();
        File { access: Access::new(kind, Mode::Nonblocking), identity }
    }

    fn ready(&self, place: usize) -> Interest {
        ready_now(self.fd(place))
    }

    fn happen(&mut self, place: usize, what: u8) {
        let mut buf = [0; 65536];
        let (ours, peer) = (&self.ours[place], &self.peers[place]);
        match (what % 7, peer) {
            (0, Some(peer)) => drop(write(peer, b"some bytes")),
            (1, _) => drop(read(ours, &mut buf[..3])),
            (2, _) => drop(read(ours, &mut buf)),
            (3, _) => while write(ours, &buf).is_ok() {},
            (4, Some(peer)) => while read(peer, &mut buf).is_ok_and(|n| n > 0) {},
            (5, Some(peer)) => shutdown(peer.as_raw_fd(), Shutdown::Write).unwrap_or(()),
            _ if what > 200 => self.peers[place] = None,
            _ => {}
        }
    }

    fn read(&mut self, place: usize, n: usize) -> bool {
        read(&self.ours[place], &mut vec![0; n]) == Ok(n)
    }

    fn write(&mut self, place: usize, n: usize) -> bool {
        write(&self.ours[place], &vec![0; n]) == Ok(n)
    }

    fn replace(&mut self, place: usize, _: bool) {
        let number = self.ours[place].as_raw_fd();
        let (a, b) = pair();
        // dup2 closes the old file under the number and puts the new one there in one step.
        nix::unistd::dup2(&a, &mut self.ours[place]).unwrap();
        assert_eq!(self.ours[place].as_raw_fd(), number);
        self.peers[place] = Some(b);
    }
}

fn no_sigpipe() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal installs no handler.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_is_ready_is_reported_and_nothing_else_on_a_scripted_kernel(ops in ops(), to_wrap in 0u32..40) {
        // The numbers of looks come round in the middle of a program.
        table::set_look(u32::MAX - to_wrap);
        run_scripted(&ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_ready_is_reported_and_nothing_else_on_epoll(ops in ops(), to_wrap in 0u32..40) {
        no_sigpipe();
        table::set_look(u32::MAX - to_wrap);
        run(&ops, open_named("epoll").unwrap(), &mut Sockets::new());
    }

    #[test]
    fn what_is_ready_is_reported_and_nothing_else_on_poll(ops in ops(), to_wrap in 0u32..40) {
        no_sigpipe();
        table::set_look(u32::MAX - to_wrap);
        run(&ops, open_named("poll").unwrap(), &mut Sockets::new());
    }
}

/// Without this, the random programs might never come to what they are to test.
#[test]
fn programs_find_all_and_part_of_what_is_ready_and_sleep() {
    let take_all = [Op::Want(0, Direction::Read), Op::World(0, 1), Op::Wait, Op::Drain];
    let tally = run_scripted(&take_all);
    assert!(tally.whole > 0 && tally.reports > 1, "{tally:?}");
    let take_one = (0..PLACES).flat_map(|p| [Op::Want(p, Direction::Read), Op::World(p, 1)]);
    let one_a_wait = std::iter::repeat_n([Op::Wait, Op::Pop(Direction::Read)], 5).flatten();
    let tally = run_scripted(&take_one.chain(one_a_wait).collect::<Vec<_>>());
    assert!(tally.full > 0, "{tally:?}");
    assert!(run_scripted(&[Op::Want(0, Direction::Read), Op::Wait]).sleeps > 0);
}

/// A world that says that nothing is ever ready.
struct Liar(ScriptedWorld);

impl World for Liar {
    fn fd(&self, place: usize) -> Fd {
        self.0.fd(place)
    }
    fn file(&self, place: usize) -> File {
        self.0.file(place)
    }
    fn ready(&self, _: usize) -> Interest {
        Interest::NONE
    }
    fn happen(&mut self, place: usize, what: u8) {
        self.0.happen(place, what);
    }
    fn read(&mut self, place: usize, n: usize) -> bool {
        self.0.read(place, n)
    }
    fn write(&mut self, place: usize, n: usize) -> bool {
        self.0.write(place, n)
    }
    fn replace(&mut self, place: usize, can_be_watched: bool) {
        self.0.replace(place, can_be_watched);
    }
}

#[test]
fn a_loop_that_misses_an_event_fails_the_model() {
    let ops = [Op::Want(0, Direction::Read), Op::World(0, 1), Op::Check];
    let lie = || {
        let kernel = Scripted::new();
        run(&ops, kernel.clone(), &mut Liar(ScriptedWorld::new(kernel)))
    };
    assert!(catch_unwind(lie).is_err());
}
