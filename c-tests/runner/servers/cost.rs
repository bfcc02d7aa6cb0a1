//! What things cost, counted: system calls, instructions, bytes.

use super::process::{Server, fresh_path};
use super::tracker::{TORRENT, Tracker};
use super::{OnBackend, Verdict, announce, echo, http, stage, web};
use crate::profile;
use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("cost::system_calls_of_an_announce", system_calls_of_an_announce),
    ("cost::system_calls_of_a_keep_alive_answer", system_calls_of_a_keep_alive_answer),
    ("cost::system_calls_of_taking_turns", system_calls_of_taking_turns),
    ("cost::instructions_of_an_echo", instructions_of_an_echo),
    ("cost::memory_of_an_idle_descriptor", memory_of_an_idle_descriptor),
];

/// Requests per count; what happens once in a run, or by the clock, is allowed to vanish in `SLACK` of them.
const REQUESTS: u64 = 300;
const SLACK: u64 = 10;

fn system_calls_of_an_announce(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    let address = tracker.server.address;
    let counts = tracker.server.system_calls(|| {
        (0..REQUESTS).try_for_each(|n| announce::over_http(address, &TORRENT, 1 + n as u16))
    })?;
    let (all, epoll_ctl) = (counts.values().sum::<u64>(), calls(&counts, "epoll_ctl"));
    if all > 12 * REQUESTS + SLACK || epoll_ctl > REQUESTS + SLACK {
        return Err(per_request(&counts).into());
    }
    Ok(())
}

fn system_calls_of_a_keep_alive_answer(backend: &str) -> Verdict {
    let server = web::start(backend)?;
    let mut client = http::Client::connect(server.address)?;
    client.get("/")?;
    let counts = server.system_calls(|| {
        for _ in 0..REQUESTS {
            client.get("/")?;
        }
        Ok(())
    })?;
    expect_no_bookkeeping(&counts)
}

/// The echo server changes from reading to writing and back with each message.
fn system_calls_of_taking_turns(backend: &str) -> Verdict {
    let server = echo::start(backend, &["turns"])?;
    let counts = server.system_calls(|| echo::converse(server.address, REQUESTS as usize))?;
    // Greeting the connection is allowed its registration.
    let bookkeeping = calls(&counts, "epoll_ctl") + calls(&counts, "fcntl");
    if bookkeeping > SLACK { Err(per_request(&counts).into()) } else { Ok(()) }
}

fn expect_no_bookkeeping(counts: &HashMap<String, u64>) -> Verdict {
    if calls(counts, "epoll_ctl") + calls(counts, "fcntl") > 0 {
        return Err(per_request(counts).into());
    }
    Ok(())
}

fn calls(counts: &HashMap<String, u64>, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or(0)
}

fn per_request(counts: &HashMap<String, u64>) -> String {
    let mut rows: Vec<_> = counts.iter().map(|(name, n)| (*n, name)).collect();
    rows.sort_by(|a, b| b.cmp(a));
    let total = counts.values().sum::<u64>() as f64 / REQUESTS as f64;
    let rows: Vec<String> = rows.iter().map(|(n, name)| format!("{name} {n}")).collect();
    format!("{total:.2} system calls a request; of {REQUESTS} requests: {}", rows.join(", "))
}

/// All that the library executes for one more message but `io_wait` itself, which is shared by all that are ready.
fn instructions_of_an_echo(backend: &str) -> Verdict {
    const LIMIT: f64 = 500.0;
    const TURNS: usize = 300;
    let (few, many) = (instructions(backend, TURNS)?, instructions(backend, 2 * TURNS)?);
    let each = (many as f64 - few as f64) / TURNS as f64;
    if each <= 0.0 || each > LIMIT { Err(format!("{each:.0} instructions an echo").into()) } else { Ok(()) }
}

fn instructions(backend: &str, turns: usize) -> Result<i64, Box<dyn Error>> {
    let report = fresh_path("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", report.display()));
    let server = Server::start(valgrind.arg(stage::program("echo", &[])?), backend)?;
    echo::converse(server.address, turns)?;
    server.terminate()?;
    let text = fs::read_to_string(&report)?;
    fs::remove_file(&report)?;
    let functions = profile::functions(&text, "libowfat_io.so");
    Ok(functions.iter().filter(|(name, _)| **name != "io_wait").map(|(_, cost)| cost).sum())
}

fn memory_of_an_idle_descriptor(backend: &str) -> Verdict {
    const LIMIT: f64 = 128.0;
    let mut idle = Command::new(stage::program("idle", &[])?);
    idle.env("OWFAT_IO_BACKEND", backend).env("LD_LIBRARY_PATH", stage::library_directory()?);
    let bytes: f64 = stage::succeed(&mut idle, Duration::from_secs(20))?.trim().parse()?;
    if bytes > LIMIT { Err(format!("{bytes} bytes a descriptor").into()) } else { Ok(()) }
}
