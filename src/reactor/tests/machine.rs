//! Random programs against a model that is too simple to be wrong: after a wait call exactly the wanted
//! and ready directions are pending; nothing else makes one so but the hint; popping, withdrawing and
//! closing take one away.

use super::super::Limit;
use super::Rig;
use crate::backend::{Backend, fake::Fake};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::poll::ready_now;
use crate::time::Deadline;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{read, write};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
enum Op {
    Want(usize, Direction),
    DontWant(usize, Direction),
    /// The program's own read or write answered "again".
    Eagain(usize, Direction),
    Pop(Direction),
    Wait,
    /// A read of so many bytes through the library.
    Read(usize, usize),
    /// A deadline that has passed, one that is far, or none.
    Deadline(usize, u8),
    /// `io_timeouted` until it says -1.
    Sweep,
    /// Something happens in the kernel, or a plain read(2) behind the library's back.
    World(usize, u8),
    /// `io_close`, and another file under the number, registered.
    Replace(usize, bool),
    /// close(2), another file under the number, and `io_fd`.
    ReplaceBehind(usize),
}

const PLACES: usize = 4;

fn op() -> impl Strategy<Value = Op> {
    let dir = prop_oneof![Just(Direction::Read), Just(Direction::Write)];
    let place = 0..PLACES;
    prop_oneof![
        4 => (place.clone(), dir.clone()).prop_map(|(p, d)| Op::Want(p, d)),
        2 => (place.clone(), dir.clone()).prop_map(|(p, d)| Op::DontWant(p, d)),
        1 => (place.clone(), dir.clone()).prop_map(|(p, d)| Op::Eagain(p, d)),
        4 => dir.prop_map(Op::Pop),
        4 => Just(Op::Wait),
        5 => (place.clone(), any::<u8>()).prop_map(|(p, what)| Op::World(p, what)),
        3 => (place.clone(), 1..40usize).prop_map(|(p, n)| Op::Read(p, n)),
        1 => (place.clone(), any::<u8>()).prop_map(|(p, what)| Op::Deadline(p, what)),
        1 => Just(Op::Sweep),
        1 => (place.clone(), any::<bool>()).prop_map(|(p, hint)| Op::Replace(p, hint)),
        1 => place.prop_map(Op::ReplaceBehind),
    ]
}

/// Where the descriptors come from and what happens to them.
trait World {
    fn fd(&self, place: usize) -> Fd;
    fn ready(&self, place: usize) -> Interest;
    fn happen(&mut self, place: usize, what: u8);
    /// Reads up to `n` bytes and says whether there were fewer, or none.
    fn read_short(&mut self, place: usize, n: usize) -> bool;
    /// Puts another file under the place's number; the old one has been, or is thereby, closed.
    fn replace(&mut self, place: usize);
}

#[derive(Default, Clone)]
struct Place {
    want: Interest,
    hint: bool,
    expired: bool,
}

/// The naive model.
struct Model {
    places: Vec<Place>,
    pending: [BTreeSet<usize>; 2],
}

impl Model {
    fn new() -> Model {
        Model { places: vec![Place::default(); PLACES], pending: Default::default() }
    }

    fn clear(&mut self, p: usize) {
        self.places[p] = Place::default();
        self.pending.iter_mut().for_each(|s| {
            s.remove(&p);
        });
    }

    fn wait(&mut self, world: &dyn World) {
        for dir in [Direction::Read, Direction::Write] {
            self.pending[dir.index()] = (0..PLACES)
                .filter(|&p| {
                    let place = &self.places[p];
                    let told = dir == Direction::Write && place.hint && self.pending[1].contains(&p);
                    place.want.has(dir) && (world.ready(p).has(dir) || told)
                })
                .collect();
        }
    }
}

fn run(ops: &[Op], backend: Arc<dyn Backend>, world: &mut dyn World) -> Result<(), TestCaseError> {
    let rig = Rig::new(backend);
    let mut model = Model::new();
    (0..PLACES).for_each(|p| rig.register(world.fd(p), false));
    for op in ops {
        match *op {
            Op::Want(p, dir) => {
                rig.state().want(world.fd(p), dir);
                let place = &mut model.places[p];
                if !place.want.has(dir) && dir == Direction::Write && place.hint {
                    model.pending[1].insert(p);
                }
                place.want |= dir.into();
            }
            Op::DontWant(p, dir) => {
                rig.state().dont_want(world.fd(p), dir);
                model.places[p].want -= dir.into();
                model.pending[dir.index()].remove(&p);
            }
            Op::Eagain(p, dir) => {
                rig.state().eagain(world.fd(p), dir);
                model.pending[dir.index()].remove(&p);
                model.places[p].hint &= dir != Direction::Write;
            }
            Op::Pop(dir) => {
                let set = &mut model.pending[dir.index()];
                match rig.pop(dir) {
                    None => prop_assert!(set.is_empty(), "{:?} was not reported", set),
                    Some(number) => {
                        let p = (0..PLACES).find(|&p| world.fd(p).index() as u32 == number).unwrap();
                        prop_assert!(set.remove(&p), "place {} is a false report", p);
                        model.places[p].hint &= dir != Direction::Write;
                    }
                }
            }
            Op::Wait => {
                rig.wait(Limit::Now).unwrap();
                model.wait(world);
            }
            Op::World(p, what) => world.happen(p, what),
            Op::Read(p, n) => {
                if world.read_short(p, n) {
                    rig.state().moved(world.fd(p), Direction::Read, false);
                    model.pending[0].remove(&p);
                }
            }
            Op::Deadline(p, what) => {
                let at = match what % 3 {
                    0 => Deadline::from_nanos(1),
                    1 => Deadline::from_nanos(i64::MAX - 1),
                    _ => Deadline::NEVER,
                };
                rig.state().set_deadline(world.fd(p), at).unwrap();
                model.places[p].expired = what % 3 == 0;
            }
            Op::Sweep => {
                let named: BTreeSet<u32> =
                    std::iter::from_fn(|| rig.state().next_expired(Deadline::now)).collect();
                let quiet = |p: &usize| model.pending.iter().all(|set| !set.contains(p));
                let expected = (0..PLACES).filter(|&p| model.places[p].expired).filter(quiet);
                prop_assert_eq!(named, expected.map(|p| world.fd(p).index() as u32).collect());
            }
            Op::Replace(p, hint) => {
                rig.state().unregister(world.fd(p));
                world.replace(p);
                rig.register(world.fd(p), hint);
                model.clear(p);
                model.places[p].hint = hint;
            }
            Op::ReplaceBehind(p) => {
                // A number that never got to the kernel cannot be told from its successor.
                let known = rig.state().table.get(world.fd(p)).is_some_and(|e| !e.watched.is_none());
                if known {
                    world.replace(p);
                    rig.register(world.fd(p), false);
                    model.clear(p);
                }
            }
        }
    }
    rig.wait(Limit::Now).unwrap();
    model.wait(world);
    for dir in [Direction::Read, Direction::Write] {
        let reported: BTreeSet<u32> = rig.drain(dir).into_iter().collect();
        let expected = model.pending[dir.index()].iter().map(|&p| world.fd(p).index() as u32).collect();
        prop_assert_eq!(reported, expected);
    }
    Ok(())
}

struct Scripted(Arc<Fake>);

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
        let ready = [Interest::NONE, Interest::READ, Interest::WRITE, Interest::BOTH][usize::from(what % 4)];
        s.ready.insert(fd, ready);
    }

    fn read_short(&mut self, place: usize, n: usize) -> bool {
        let fd = self.fd(place);
        let mut s = self.0.script();
        let ready = s.ready.entry(fd).or_default();
        // A small read finds more than it takes, if it finds anything.
        let short = n > 20 || !ready.has(Direction::Read);
        if short {
            *ready -= Interest::READ;
        }
        short
    }

    fn replace(&mut self, place: usize) {
        let fd = self.fd(place);
        let mut s = self.0.script();
        s.watched.remove(&fd);
        s.ready.remove(&fd);
        s.hung_up.remove(&fd);
    }
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

    fn replace(&mut self, place: usize) {
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
    fn rules_hold_on_a_scripted_kernel(ops in prop::collection::vec(op(), 1..60)) {
        let fake = Fake::new();
        run(&ops, fake.clone(), &mut Scripted(fake))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rules_hold_on_epoll(ops in prop::collection::vec(op(), 1..60)) {
        no_sigpipe();
        run(&ops, crate::backend::open_named("epoll").unwrap(), &mut Real::new())?;
    }

    #[test]
    fn rules_hold_on_poll(ops in prop::collection::vec(op(), 1..60)) {
        no_sigpipe();
        run(&ops, crate::backend::open_named("poll").unwrap(), &mut Real::new())?;
    }
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
        fn replace(&mut self, place: usize) {
            self.0.replace(place);
        }
    }
    let fake = Fake::new();
    let ops = [Op::Want(0, Direction::Read), Op::World(0, 1), Op::Wait];
    assert!(run(&ops, fake.clone(), &mut Liar(Scripted(fake))).is_err());
}
