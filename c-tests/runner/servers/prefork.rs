//! `servers/prefork.c`: workers that share one listening socket, each with a loop of its own.

use super::process::{PATIENCE, Server, asleep, cpu_ticks, in_parallel, wait_until, wake_ups};
use super::{OnBackend, Verdict, stage};
use std::collections::HashSet;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("prefork::clients_of_forked_workers_are_all_answered", everyone_is_answered),
    (
        "prefork::clients_are_all_answered_by_workers_forked_after_the_registration",
        everyone_is_answered_early,
    ),
    ("prefork::busy_workers_hold_nobody_up", busy_workers_hold_nobody_up),
    ("prefork::a_connection_wakes_the_workers_within_bounds", wake_ups_of_a_connection),
    (
        "prefork::a_connection_wakes_workers_forked_after_the_registration_within_bounds",
        wake_ups_of_a_connection_early,
    ),
];

const WORKERS: usize = 4;

/// The parent registers the listening socket before it forks, instead of each worker afterwards.
const EARLY: &[&str] = &["early"];

struct Prefork(Server);

/// What a worker says of itself.
struct Worker {
    pid: u32,
    waits: u64,
    /// Waits that returned without an event.
    empty: u64,
    /// Events of the listening socket that brought no client.
    missed: u64,
    answered: u64,
}

impl Prefork {
    /// Started, with all workers asleep in their loops.
    fn start(backend: &str, how: &[&str]) -> Result<Prefork, Box<dyn Error>> {
        let mut command = Command::new(stage::program("prefork", &[])?);
        let server = Prefork(Server::start(command.arg(WORKERS.to_string()).args(how), backend)?);
        wait_until("all workers have begun", || Ok(server.workers()?.iter().all(|w| w.pid != 0)))?;
        server.until_asleep()?;
        Ok(server)
    }

    fn workers(&self) -> Result<Vec<Worker>, Box<dyn Error>> {
        let counts = ask(self.0.address, "count")?;
        let workers: Vec<Worker> = counts.lines().map(worker).collect::<Result<_, _>>()?;
        if workers.len() != WORKERS {
            return Err(format!("{} workers: {counts}", workers.len()).into());
        }
        Ok(workers)
    }

    fn until_asleep(&self) -> Verdict {
        for w in self.workers()? {
            wait_until("the worker sleeps", || asleep(w.pid))?;
        }
        Ok(())
    }

    /// With nothing to do, no worker does anything.
    fn check_idle(&self) -> Verdict {
        const SPAN: Duration = Duration::from_millis(300);
        self.until_asleep()?;
        let workers = self.workers()?;
        let used = |w: &Worker| Ok::<_, Box<dyn Error>>((wake_ups(w.pid)?, cpu_ticks(w.pid)?));
        self.until_asleep()?; // the last question woke them
        let before: Vec<_> = workers.iter().map(used).collect::<Result<_, _>>()?;
        thread::sleep(SPAN);
        for (w, (woken, busy)) in workers.iter().zip(before) {
            let (woken, busy) = (wake_ups(w.pid)? - woken, cpu_ticks(w.pid)? - busy);
            if woken > 10 || busy > 2 {
                return Err(format!("idle for {SPAN:?}: {woken} wake-ups, {busy} clock ticks").into());
            }
        }
        Ok(())
    }
}

/// One connection: a line and its answer.
fn ask(address: SocketAddr, line: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut back = String::new();
    stream.read_to_string(&mut back)?;
    Ok(back)
}

/// Sends a line that comes back, and says which process has answered.
fn echo(address: SocketAddr, line: &str) -> Result<u32, Box<dyn Error>> {
    let back = ask(address, line)?;
    match back.split_once(' ') {
        Some((pid, text)) if text.strip_suffix('\n') == Some(line) => Ok(pid.parse()?),
        _ => Err(format!("'{line}' came back as '{back}'").into()),
    }
}

fn worker(line: &str) -> Result<Worker, Box<dyn Error>> {
    let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    match numbers[..] {
        [pid, waits, empty, missed, answered] => {
            Ok(Worker { pid: u32::try_from(pid)?, waits, empty, missed, answered })
        }
        _ => Err(format!("'{line}' is not what a worker says").into()),
    }
}

fn everyone_is_answered(backend: &str) -> Verdict {
    serve_many(backend, &[])
}

fn everyone_is_answered_early(backend: &str) -> Verdict {
    serve_many(backend, EARLY)
}

fn serve_many(backend: &str, how: &[&str]) -> Verdict {
    const CLIENTS: usize = 16;
    const EACH: usize = 25;
    let server = Prefork::start(backend, how)?;
    let before = server.workers()?;
    in_parallel(CLIENTS, |client| {
        (0..EACH).try_for_each(|turn| echo(server.0.address, &format!("{client} {turn}")).map(drop))
    })?;
    let workers = server.workers()?;
    let sum =
        |of: fn(&Worker) -> u64| workers.iter().map(of).sum::<u64>() - before.iter().map(of).sum::<u64>();
    let connections = (CLIENTS * EACH) as u64;
    let busy = workers.iter().filter(|w| w.answered > 0).count();
    // Each of them is an event for its line and, at the worst, one for every worker before.
    if sum(|w| w.waits) > (connections + 1) * (WORKERS as u64 + 1) || busy < 2 {
        return Err(format!("{busy} workers have waited {} times", sum(|w| w.waits)).into());
    }
    if sum(|w| w.answered) < connections || sum(|w| w.empty) > connections / 10 {
        return Err(format!("{} answers, {} empty waits", sum(|w| w.answered), sum(|w| w.empty)).into());
    }
    server.check_idle()
}

/// A client that connects while all workers but one are busy gets that one; this holds for each of them.
fn busy_workers_hold_nobody_up(backend: &str) -> Verdict {
    let server = Prefork::start(backend, &[])?;
    for round in 0..3 {
        let held: HashSet<u32> =
            (1..WORKERS).map(|_| echo(server.0.address, "hold")).collect::<Result<_, _>>()?;
        let free: HashSet<u32> =
            (0..50).map(|n| echo(server.0.address, &format!("{round} {n}"))).collect::<Result<_, _>>()?;
        if held.len() != WORKERS - 1 || free.len() != 1 || !free.is_disjoint(&held) {
            return Err(format!("held {held:?}, and others were answered by {free:?}").into());
        }
        echo(server.0.address, "release")?;
    }
    server.check_idle()
}

fn wake_ups_of_a_connection(backend: &str) -> Verdict {
    count_wake_ups(backend, &[])
}

fn wake_ups_of_a_connection_early(backend: &str) -> Verdict {
    count_wake_ups(backend, EARLY)
}

/// One connection after the other, each of which finds all workers asleep. Two wake-ups do the work, one to
/// accept and one to read; the rest is workers that wake for a client who is gone when they look.
fn count_wake_ups(backend: &str, how: &[&str]) -> Verdict {
    const CONNECTIONS: u32 = 200;
    let server = Prefork::start(backend, how)?;
    let before = server.workers()?;
    let woken = || before.iter().map(|w| wake_ups(w.pid)).sum::<Result<u64, _>>();
    server.until_asleep()?;
    let woken_before = woken()?;
    for n in 0..CONNECTIONS {
        echo(server.0.address, &n.to_string())?;
    }
    let woken = (woken()? - woken_before) as f64 / f64::from(CONNECTIONS);
    let after = server.workers()?;
    let missed: u64 = after.iter().zip(&before).map(|(a, b)| a.missed - b.missed).sum();
    if !(1.0..=WORKERS as f64 + 1.5).contains(&woken) {
        return Err(format!("{woken:.2} wake-ups a connection, {missed} accepts that found nobody").into());
    }
    Ok(())
}
