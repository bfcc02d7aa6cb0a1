//! Random programs on a scripted kernel and on each backend.

use super::super::model::scripted::{Scripted, run_scripted};
use super::super::model::{Op, PLACES, World, run};
use crate::backend::fake::Fake;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::poll::ready_now;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{read, write};
use proptest::prelude::*;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::catch_unwind;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any::<[u8; 3]>().prop_map(Op::decode), 1..60)
}

/// Socket pairs: our end under a fixed number, and the peer.
struct Real {
    ours: Vec<OwnedFd>,
    peers: Vec<Option<OwnedFd>>,
}

impl Real {
    fn new() -> Real {
        let (ours, peers) = (0..PLACES).map(|_| pair()).map(|(a, b)| (a, Some(b))).unzip();
        Real { ours, peers }
    }
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_NONBLOCK).unwrap()
}

impl World for Real {
    fn fd(&self, place: usize) -> Fd {
        Fd::new(i64::from(self.ours[place].as_raw_fd())).unwrap()
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
            (5, Some(peer)) => {
                nix::sys::socket::shutdown(peer.as_raw_fd(), nix::sys::socket::Shutdown::Write).unwrap_or(())
            }
            _ if what > 200 => self.peers[place] = None,
            _ => {}
        }
    }

    fn read_short(&mut self, place: usize, n: usize) -> bool {
        read(&self.ours[place], &mut vec![0; n]) != Ok(n)
    }

    fn write_short(&mut self, place: usize, n: usize) -> bool {
        write(&self.ours[place], &vec![0; n]) != Ok(n)
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
    // SAFETY: ignoring a signal installs no handler.
    unsafe {
        nix::sys::signal::signal(nix::sys::signal::Signal::SIGPIPE, nix::sys::signal::SigHandler::SigIgn)
    }
    .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rules_hold_on_a_scripted_kernel(ops in ops()) {
        run_scripted(&ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rules_hold_on_epoll(ops in ops()) {
        no_sigpipe();
        run(&ops, crate::backend::open_named("epoll").unwrap(), &mut Real::new());
    }

    #[test]
    fn rules_hold_on_poll(ops in ops()) {
        no_sigpipe();
        run(&ops, crate::backend::open_named("poll").unwrap(), &mut Real::new());
    }
}

/// Without this, the random programs might never come to what they are to test.
#[test]
fn turns_lead_to_edges() {
    let edges = run_scripted(&[Op::Turn(0); 5]);
    assert!(edges >= 3, "{edges}");
}

#[test]
fn the_model_itself_can_fail() {
    struct Liar(Scripted);
    impl World for Liar {
        fn fd(&self, place: usize) -> Fd {
            self.0.fd(place)
        }
        fn ready(&self, _: usize) -> Interest {
            Interest::NONE
        }
        fn happen(&mut self, place: usize, what: u8) {
            self.0.happen(place, what);
        }
        fn read_short(&mut self, place: usize, n: usize) -> bool {
            self.0.read_short(place, n)
        }
        fn write_short(&mut self, place: usize, n: usize) -> bool {
            self.0.write_short(place, n)
        }
        fn replace(&mut self, place: usize, can_be_watched: bool) {
            self.0.replace(place, can_be_watched);
        }
    }
    let ops = [Op::Want(0, Direction::Read), Op::World(0, 1), Op::Wait];
    let lie = || {
        let fake = Fake::new();
        run(&ops, fake.clone(), &mut Liar(Scripted(fake)))
    };
    assert!(catch_unwind(lie).is_err());
}
