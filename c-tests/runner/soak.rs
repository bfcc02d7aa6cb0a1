//! `make soak`: checks of all families at random ([`checks`]), and beside them
//! all servers on all backends under a mixed load, for `OWFAT_IO_SOAK` seconds. Every answer is compared.
//! Now and then all clients are held up; then each server must have the descriptors that it began with, and at the end
//! the memory that it had after the warm-up, which is the first quarter of the run.
//!
//! Memory is flat if the last sample differs from the first by at most 1 % in the sum of all servers, and by at most 1 %
//! or 128 KiB in each server's own. These servers are so small that 1 % is six pages, while malloc gives the end of its
//! heap back to the kernel when it is longer than 128 KiB. Code, which is not the server's own, comes in by 64 KiB when
//! some is used first, however late that is.

#[path = "soak/checks.rs"]
mod checks;
#[path = "soak/echo.rs"]
mod echo;
#[path = "soak/gate.rs"]
mod gate;
#[path = "soak/random.rs"]
mod random;
#[path = "soak/tls.rs"]
mod tls;
#[path = "soak/tracker.rs"]
mod tracker;
#[path = "soak/web.rs"]
mod web;

use super::Verdict;
use super::process::wait_until;
use super::raw::open;
use super::usage::Usage;
use super::victim::{Kind, Victim};
use crate::behaviour::BACKENDS;
use gate::Gate;
use libtest_mimic::{Failed, Trial};
use random::Random;
use std::env;
use std::error::Error;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

const KNOB: &str = "OWFAT_IO_SOAK";
/// Between two samples; a short run takes its time in `FEWEST` pieces instead.
const EACH: Duration = Duration::from_secs(30);
const FEWEST: u32 = 4;
/// The part of the run that is not sampled, in which heaps grow to the size that the worst coincidence asks for.
const WARM_UP: u32 = 4;
/// What an act takes at the most, on a busy machine.
const LONGEST_ACT: Duration = Duration::from_secs(120);
/// Clients of a server that act at the same time.
const CLIENTS: usize = 2;
/// In KiB.
const SLACK: u64 = 128;

/// How many answers an act has compared.
type Checked = Result<u64, Box<dyn Error>>;
type Act = fn(&Victim, &mut Random) -> Checked;

pub(super) fn trials() -> Vec<Trial> {
    let on_demand = |name: &str, soak: fn(Duration) -> Verdict| {
        let run = move || soak(length()?).map_err(|e| Failed::from(e.to_string()));
        Trial::test(name, run).with_ignored_flag(env::var_os(KNOB).is_none())
    };
    vec![on_demand("soak::mixed_load", mixed_load), on_demand("soak::random_checks", checks::random_checks)]
}

/// A server, and what was seen of it in the samples.
struct Soaked {
    victim: Victim,
    backend: &'static str,
    idle_descriptors: usize,
    samples: Vec<Usage>,
}

#[derive(Default)]
struct Tally {
    answers: AtomicU64,
    wrong: AtomicU64,
    first: Mutex<Option<String>>,
}

fn length() -> Result<Duration, String> {
    let seconds = env::var(KNOB).unwrap_or_default();
    Ok(Duration::from_secs(seconds.parse().map_err(|e| format!("{KNOB}: {e}"))?))
}

fn mixed_load(length: Duration) -> Verdict {
    let mut servers = start_all()?;
    let (gate, tally) = (Gate::default(), Tally::default());
    let sampled = thread::scope(|scope| {
        let mut clients = 0;
        // The clients borrow the servers, so the samples are kept apart until all clients have gone.
        let servers = &servers;
        for server in servers {
            for _ in 0..CLIENTS {
                let (gate, tally) = (&gate, &tally);
                clients += 1;
                scope.spawn(move || be_a_client(server, Random::new(clients), gate, tally));
            }
        }
        let sampled = take_samples(servers, &gate, clients, &tally, length);
        gate.end();
        sampled.map_err(|e| e.to_string())
    })?;
    for row in sampled {
        servers.iter_mut().zip(row).for_each(|(server, usage)| server.samples.push(usage));
    }
    judge(&servers, &tally)
}

fn start_all() -> Result<Vec<Soaked>, Box<dyn Error>> {
    let everywhere = [Kind::Web, Kind::Tls, Kind::Echo, Kind::Loops, Kind::Tracker];
    let on_backends = BACKENDS.into_iter().flat_map(|backend| everywhere.map(|kind| (kind, backend)));
    // The multiplexer has no backends.
    on_backends.chain([(Kind::Pool, "epoll")]).map(|(kind, backend)| start(kind, backend)).collect()
}

fn start(kind: Kind, backend: &'static str) -> Result<Soaked, Box<dyn Error>> {
    let victim = Victim::start(kind, backend, None)?;
    let idle_descriptors = victim.server().open_descriptors()?;
    if kind == Kind::Tracker {
        tracker::announce_everybody(&victim)?;
    }
    pile_up(&victim, idle_descriptors)?;
    Ok(Soaked { victim, backend, idle_descriptors, samples: Vec::new() })
}

/// More connections at once than the load makes when the machine is so busy that clients have left before the server
/// looks: a heap that has seen them does not grow when that happens.
fn pile_up(victim: &Victim, idle_descriptors: usize) -> Verdict {
    const CONNECTIONS: usize = 50;
    let mut streams = (0..CONNECTIONS).map(|_| open(victim.address())).collect::<Result<Vec<_>, _>>()?;
    for stream in &mut streams {
        // The first byte of a TLS handshake, and elsewhere of nothing.
        stream.write_all(b"\x16")?;
    }
    let process = victim.server();
    wait_until("all are accepted", || Ok(process.open_descriptors()? >= idle_descriptors + CONNECTIONS))?;
    drop(streams);
    wait_until("all are closed", || Ok(process.open_descriptors()? == idle_descriptors))
}

fn be_a_client(server: &Soaked, mut random: Random, gate: &Gate, tally: &Tally) {
    let (acts, pause): (&[Act], _) = match server.victim.kind {
        Kind::Web => (web::ACTS, 40),
        Kind::Tls => (tls::ACTS, 400),
        Kind::Echo | Kind::Loops | Kind::Pool => (echo::ACTS, 40),
        Kind::Tracker => (tracker::ACTS, 40),
    };
    while gate.pass() {
        match random.one_of(acts)(&server.victim, &mut random) {
            Ok(answers) => drop(tally.answers.fetch_add(answers, Ordering::Relaxed)),
            Err(e) => {
                tally.wrong.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut first) = tally.first.lock() {
                    first.get_or_insert_with(|| format!("{}: {e}", name(server)));
                }
            }
        }
        sleep(Duration::from_millis(random.below(2 * pause) as u64));
    }
}

/// A row of usages for every sample.
fn take_samples(
    servers: &[Soaked],
    gate: &Gate,
    clients: usize,
    tally: &Tally,
    length: Duration,
) -> Result<Vec<Vec<Usage>>, Box<dyn Error>> {
    let begin = Instant::now();
    sleep(length / WARM_UP);
    let each = EACH.min((length - length / WARM_UP) / FEWEST);
    let mut rows = Vec::new();
    loop {
        if !gate.close(clients, LONGEST_ACT) {
            return Err("a client hangs".into());
        }
        let row = servers.iter().map(sample).collect::<Result<Vec<_>, _>>()?;
        gate.open();
        let (answers, wrong) = (tally.answers.load(Ordering::Relaxed), tally.wrong.load(Ordering::Relaxed));
        let resident = row.iter().map(|u| u.resident).sum::<u64>();
        let descriptors = row.iter().map(|u| u.descriptors).sum::<usize>();
        let seconds = begin.elapsed().as_secs();
        println!(
            "{seconds:5} s: {answers} answers, {wrong} wrong; {resident} KiB, {descriptors} descriptors"
        );
        rows.push(row);
        if begin.elapsed() + each / 2 > length {
            return Ok(rows);
        }
        sleep(each);
    }
}

/// What a server uses when its last client has gone.
fn sample(server: &Soaked) -> Result<Usage, Box<dyn Error>> {
    let process = server.victim.server();
    wait_until(&format!("{} has the descriptors that it began with", name(server)), || {
        Ok(process.open_descriptors()? == server.idle_descriptors)
    })?;
    Usage::of(process.pid())
}

fn name(server: &Soaked) -> String {
    format!("{} with {}", server.victim.kind.name(), server.backend)
}

fn judge(servers: &[Soaked], tally: &Tally) -> Verdict {
    let (mut complaints, mut sums) = (Vec::new(), [0, 0]);
    for server in servers {
        let (Some(first), Some(last)) = (server.samples.first(), server.samples.last()) else {
            return Err("no sample".into());
        };
        let story = format!(
            "{:20} {:5} KiB ({:4} its own), {} descriptors, then {:5} KiB ({:4}), {}; {:4.1} % of a processor",
            name(server),
            first.resident,
            first.anonymous,
            first.descriptors,
            last.resident,
            last.anonymous,
            last.descriptors,
            last.cpu_since(first),
        );
        println!("{story}");
        sums = [sums[0] + first.resident, sums[1] + last.resident];
        if first.anonymous.abs_diff(last.anonymous) > SLACK.max(first.anonymous / 100) {
            complaints.push(format!("not flat: {story}"));
        }
    }
    let (answers, wrong) = (tally.answers.load(Ordering::Relaxed), tally.wrong.load(Ordering::Relaxed));
    println!("{answers} answers, {wrong} wrong; from {} to {} KiB", sums[0], sums[1]);
    if sums[0].abs_diff(sums[1]) > sums[0] / 100 {
        complaints.push(format!("not flat: all servers, from {} to {} KiB", sums[0], sums[1]));
    }
    if let Some(first) = tally.first.lock().map_err(|e| e.to_string())?.take() {
        complaints.push(format!("{wrong} wrong answers, the first: {first}"));
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}
