//! What things cost, counted: system calls, instructions, bytes.

use super::process::{Server, fresh_path};
use super::tracker::{TORRENT, Tracker};
use super::{OnBackend, Verdict, announce, echo, http, stage, web};
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

/// From `io_wait` returning to the next `io_wait`: all that the library executes but `io_wait` itself.
fn instructions_of_an_echo(backend: &str) -> Verdict {
    const LIMIT: f64 = 700.0;
    let whole = instructions_per_echo(backend, &[])?;
    let waiting = instructions_per_echo(backend, &["--toggle-collect=io_wait"])?;
    let each = whole - waiting;
    if waiting <= 0.0 || each <= 0.0 || each > LIMIT {
        return Err(format!("{each:.0} instructions an echo, and {waiting:.0} in io_wait").into());
    }
    Ok(())
}

/// What one more message costs.
fn instructions_per_echo(backend: &str, options: &[&str]) -> Result<f64, Box<dyn Error>> {
    const TURNS: usize = 300;
    let few = instructions_in_the_library(backend, options, TURNS)?;
    let many = instructions_in_the_library(backend, options, 2 * TURNS)?;
    Ok((many as f64 - few as f64) / TURNS as f64)
}

fn instructions_in_the_library(backend: &str, options: &[&str], turns: usize) -> Result<u64, Box<dyn Error>> {
    let profile = fresh_path("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.args(options).arg(stage::program("echo", &[])?);
    let server = Server::start(&mut valgrind, backend)?;
    echo::converse(server.address, turns)?;
    server.terminate()?;
    let text = fs::read_to_string(&profile)?;
    fs::remove_file(&profile)?;
    Ok(self_cost(&text, "libowfat_io.so"))
}

/// The instructions executed in code of `object` itself, from a profile in callgrind's format.
fn self_cost(profile: &str, object: &str) -> u64 {
    let mut numbers = HashMap::new();
    let (mut inside, mut skip, mut sum) = (false, false, 0);
    for line in profile.lines() {
        if let Some((key @ ("ob" | "cob"), name)) = line.split_once('=') {
            // "(3) path" names an object once; "(3)" means it from then on.
            let (number, path) = name.split_once(' ').unwrap_or((name, ""));
            if !path.is_empty() {
                numbers.insert(number.to_owned(), path.contains(object));
            }
            if key == "ob" {
                inside = numbers.get(number).copied().unwrap_or(false);
            }
        } else if line.starts_with("calls=") {
            skip = true; // the next line is the inclusive cost of the callee
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line.split_whitespace().nth(1).and_then(|c| c.parse::<u64>().ok()).unwrap_or(0);
            if inside && !skip {
                sum += cost;
            }
            skip = false;
        }
    }
    sum
}

fn memory_of_an_idle_descriptor(backend: &str) -> Verdict {
    const LIMIT: f64 = 128.0;
    let mut idle = Command::new(stage::program("idle", &[])?);
    idle.env("OWFAT_IO_BACKEND", backend).env("LD_LIBRARY_PATH", stage::library_directory()?);
    let bytes: f64 = stage::succeed(&mut idle, Duration::from_secs(20))?.trim().parse()?;
    if bytes > LIMIT { Err(format!("{bytes} bytes a descriptor").into()) } else { Ok(()) }
}
