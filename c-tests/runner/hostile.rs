//! Hostile peers. Each attack is made at least twice on a fresh server, while an honest client that was connected before
//! goes on asking. Each time this is checked:
//!
//! - the honest client gets its answer in time, and so does one who comes then, unless all descriptors are in use;
//! - while the attackers hold their connections and do nothing, or send a byte a second, the server sleeps;
//! - when they have gone, it has the descriptors that it had before;
//! - the last attack leaves no more memory behind than malloc keeps for the next one: 1 MiB, or half of what the first
//!   left. After one that does, some more are made: heaps settle, a loss goes on. That shows the loss of a client's
//!   record; for less there is `soak`.
//!
//! `OWFAT_IO_HOSTILE` is the number of attacks, for `make hostile`; then what the servers used is written to
//! `build/hostile.txt`.

#[path = "hostile/big.rs"]
mod big;
#[path = "hostile/half_open.rs"]
mod half_open;
#[path = "hostile/held.rs"]
mod held;
#[path = "hostile/limit.rs"]
mod limit;
#[path = "hostile/original.rs"]
mod original;
#[path = "hostile/slow.rs"]
mod slow;
#[path = "hostile/storm.rs"]
mod storm;
#[path = "hostile/table.rs"]
mod table;
#[path = "hostile/urgent.rs"]
mod urgent;
#[path = "hostile/window.rs"]
mod window;

use super::process::wait_until;
use super::tracker::TORRENT;
use super::usage::Usage;
use super::victim::{Kind, Victim};
use super::{Verdict, announce, http};
use crate::behaviour::BACKENDS;
use held::Held;
use libtest_mimic::{Failed, Trial};
use std::env;
use std::error::Error;
use std::time::{Duration, Instant};
use table::{Row, Spent};

pub(super) const KNOB: &str = "OWFAT_IO_HOSTILE";
const ATTACKS_OF_EACH: usize = 2;
/// How long an honest client may wait.
const IN_TIME: Duration = Duration::from_secs(5);
/// The attackers hold still for this long.
const QUIET: Duration = Duration::from_millis(200);
/// As long it is watched before they come and when they have gone.
const CALM: Duration = Duration::from_millis(100);
/// For how much of it the server may be awake, in per cent, in the quietest of some spans: in the first ones it may
/// have work left over, which takes long on a busy machine. One that spins never sleeps.
const AWAKE: f64 = 30.0;
const SPANS_LAST: Duration = Duration::from_secs(20);
/// What an attack may leave behind, in KiB: a backlog of clients is now longer, now shorter.
const MEMORY_SLACK: u64 = 1024;
/// Attacks that are added at most, until the memory has settled.
const MORE_ATTACKS: usize = 4;

/// The connections that an attack holds.
type Launched = Result<Held, Box<dyn Error>>;

#[derive(Clone, Copy)]
struct Attack {
    name: &'static str,
    launch: fn(&Victim) -> Launched,
    /// Descriptors of the server, and then there is no room for anybody new.
    descriptors: Option<usize>,
    /// How long it is held.
    quiet: Duration,
    on: &'static [Kind],
}

const fn attack(name: &'static str, launch: fn(&Victim) -> Launched, on: &'static [Kind]) -> Attack {
    Attack { name, launch, descriptors: None, quiet: QUIET, on }
}

const ATTACKS: &[Attack] = &[
    // Some bytes have to come in it.
    Attack {
        quiet: Duration::from_millis(1200),
        ..attack("slow", slow::launch, &[Kind::Web, Kind::Tracker, Kind::Tls])
    },
    // opentracker spins then, see `original`.
    Attack {
        descriptors: Some(limit::DESCRIPTORS),
        ..attack("limit", limit::launch, &[Kind::Web, Kind::Tls, Kind::Echo, Kind::Loops, Kind::Pool])
    },
    attack("storm", storm::launch, &[Kind::Web, Kind::Tracker, Kind::Tls, Kind::Echo]),
    attack("half_open", half_open::launch, &[Kind::Web, Kind::Tracker, Kind::Echo]),
    attack("urgent", urgent::launch, &[Kind::Web, Kind::Tracker, Kind::Echo]),
    attack("window", window::launch, &[Kind::Web, Kind::Echo, Kind::Loops]),
    attack("big", big::launch, &[Kind::Web, Kind::Tracker, Kind::Tls, Kind::Echo]),
];

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for &attack in ATTACKS {
        for &kind in attack.on {
            // The multiplexer has no backends.
            let backends = if kind == Kind::Pool { &BACKENDS[..1] } else { &BACKENDS[..] };
            trials.extend(
                backends.iter().map(|&backend| {
                    trial(kind, attack.name, backend, move || endure(kind, &attack, backend))
                }),
            );
        }
    }
    let beside_the_original =
        |backend| trial(Kind::Tracker, "limit", backend, move || original::compare(backend));
    trials.extend(BACKENDS.map(beside_the_original));
    trials
}

fn trial(kind: Kind, attack: &str, backend: &str, run: impl FnOnce() -> Verdict + Send + 'static) -> Trial {
    let name = format!("hostile::{}::{attack}::{backend}", kind.name());
    Trial::test(name, move || run().map_err(|e| Failed::from(e.to_string())))
}

/// How many attacks there will be.
fn attacks() -> Result<usize, Box<dyn Error>> {
    match env::var(KNOB) {
        Ok(text) => Ok(text.parse().map_err(|e| format!("{KNOB}={text}: {e}"))?),
        Err(_) => Ok(ATTACKS_OF_EACH),
    }
}

/// A request that is never complete, as far as it goes.
fn beginning(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Web => b"GET /small.txt HTTP/1.1\r\nX-Long: ",
        Kind::Tracker => b"GET /announce?info_hash=",
        // The head of a record that announces 512 bytes of a ClientHello.
        Kind::Tls => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        Kind::Echo | Kind::Loops | Kind::Pool => b"",
    }
}

/// One with a long answer, if there is such.
fn request(kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Web => http::request("GET", "/big").into_bytes(),
        Kind::Tracker => http::request("GET", &announce::announce_path(&TORRENT, 1)).into_bytes(),
        Kind::Tls => beginning(kind).to_vec(),
        Kind::Echo | Kind::Loops | Kind::Pool => vec![b'x'; 10_000],
    }
}

fn endure(kind: Kind, attack: &Attack, backend: &str) -> Verdict {
    let victim = Victim::start(kind, backend, attack.descriptors)?;
    let mut regular = victim.regular()?;
    regular.is_served()?;
    let idle = victim.server().open_descriptors()?;
    victim.serves_a_newcomer()?;
    let mut row = Row::new([kind.name(), attack.name, backend], calm(&victim, idle)?);
    let mut left = vec![row.before.1.anonymous];
    let wanted = attacks()?;
    while left.len() <= wanted || (!has_settled(&left) && left.len() <= wanted + MORE_ATTACKS) {
        let begin = Usage::of(victim.server().pid())?;
        let mut held = (attack.launch)(&victim)?;
        in_time("a client that was there before", || regular.is_served())?;
        row.attacked = Usage::of(victim.server().pid())?.cpu_since(&begin);
        if attack.descriptors.is_none() {
            in_time("a client that comes during the attack", || victim.serves_a_newcomer())?;
        }
        row.during = quiet(&victim, &mut held, attack.quiet)?;
        in_time("a client that was there before", || regular.is_served())?;
        held.leave()?;
        row.after = calm(&victim, idle)?;
        in_time("a client that comes after the attack", || victim.serves_a_newcomer())?;
        left.push(row.after.1.anonymous);
    }
    row.write()?;
    if has_settled(&left) {
        Ok(())
    } else {
        Err(format!("memory grows with each attack: {left:?} KiB").into())
    }
}

/// Whether the last attack added little to what the server had `left` before and after each, in KiB.
fn has_settled(left: &[u64]) -> bool {
    let added = |n: usize| left[n].saturating_sub(left[n - 1]);
    added(left.len() - 1) <= MEMORY_SLACK.max(added(1) / 2)
}

/// Waits for the number of descriptors that the server has without attackers, and then as [`quiet`].
fn calm(victim: &Victim, descriptors: usize) -> Result<Spent, Box<dyn Error>> {
    wait_until("the server has the descriptors that it had before", || {
        Ok(victim.server().open_descriptors()? == descriptors)
    })?;
    quiet(victim, &mut Held::default(), CALM)
}

/// The processor time of a quiet span, in per cent, and what the server uses at its end.
fn quiet(victim: &Victim, held: &mut Held, span: Duration) -> Result<Spent, Box<dyn Error>> {
    let pid = victim.server().pid();
    let mut least = f64::INFINITY;
    let first = Instant::now();
    while first.elapsed() < SPANS_LAST {
        let begin = Usage::of(pid)?;
        held.stay(span);
        let end = Usage::of(pid)?;
        least = least.min(end.awake_since(&begin));
        if least <= AWAKE {
            return Ok((end.cpu_since(&begin), end));
        }
    }
    Err(format!("with nothing to do it is awake for {least:.0} % of the time").into())
}

fn in_time(whom: &str, mut ask: impl FnMut() -> Verdict) -> Verdict {
    let begin = Instant::now();
    ask().map_err(|e| format!("{whom}: {e}"))?;
    let took = begin.elapsed();
    if took <= IN_TIME { Ok(()) } else { Err(format!("{whom} waited {took:?}").into()) }
}
