//! `examples/pool.c`: threads that share one multiplexer. It has no loop, so backends make no difference.

use super::process::{PATIENCE, Server, fresh_path, in_parallel, wait_until};
use super::{Once, Verdict, raw, stage};
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

pub(super) const TRIALS: &[Once] = &[
    ("pool::two_hundred_clients_of_a_pool_are_answered", two_hundred_clients),
    ("pool::clients_that_do_not_read_are_given_up", clients_that_do_not_read),
    ("pool::helgrind_finds_no_race_in_a_pool_of_threads", helgrind_finds_nothing),
];

const THREADS: &str = "4";

pub(super) fn command() -> Result<Command, String> {
    let mut command = Command::new(stage::program("pool", &[])?);
    command.arg(THREADS);
    Ok(command)
}

/// Starts it under `wrapper`.
fn start(wrapper: &mut Command) -> Result<Server, Box<dyn Error>> {
    let command = command()?;
    Server::start(wrapper.arg(command.get_program()).args(command.get_args()), "epoll")
}

fn connect(address: SocketAddr) -> Result<TcpStream, Box<dyn Error>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens some connections and sends a message on each of them before it takes the answers, `rounds` times. Only then
/// they are closed.
fn converse(address: SocketAddr, client: usize, connections: usize, rounds: usize) -> Verdict {
    let mut streams = (0..connections).map(|_| connect(address)).collect::<Result<Vec<_>, _>>()?;
    for round in 0..rounds {
        let message = |n| format!("client {client}, connection {n}, round {round}");
        for (n, stream) in streams.iter_mut().enumerate() {
            stream.write_all(message(n).as_bytes())?;
        }
        for (n, stream) in streams.iter_mut().enumerate() {
            let mut back = vec![0; message(n).len()];
            stream.read_exact(&mut back)?;
            if back != message(n).as_bytes() {
                return Err(
                    format!("'{}' came back as '{}'", message(n), String::from_utf8_lossy(&back)).into()
                );
            }
        }
    }
    Ok(())
}

/// Ends the server while a client is connected, and all its threads asleep. They say how many messages each has answered.
fn end(server: Server) -> Result<Vec<usize>, Box<dyn Error>> {
    let _client = connect(server.address)?;
    let said = server.last_words()?;
    let counts = said.lines().map(|l| l.strip_prefix("answered ").unwrap_or_default().parse());
    Ok(counts.collect::<Result<_, _>>().map_err(|e| format!("'{said}': {e}"))?)
}

/// A message that two threads were told of would be counted twice, or its answer cut in two.
fn two_hundred_clients() -> Verdict {
    const CLIENTS: usize = 8;
    const CONNECTIONS: usize = 25;
    const ROUNDS: usize = 40;
    let server = start(&mut Command::new("env"))?;
    let before = server.open_descriptors()?;
    in_parallel(CLIENTS, |client| converse(server.address, client, CONNECTIONS, ROUNDS))?;
    wait_until("all connections are closed", || Ok(server.open_descriptors()? == before))?;
    let counts = end(server)?;
    let busy = counts.iter().filter(|&&n| n > 0).count();
    if counts.iter().sum::<usize>() != CLIENTS * CONNECTIONS * ROUNDS || busy < 2 {
        return Err(format!("the threads have answered {counts:?}").into());
    }
    Ok(())
}

/// More of them than threads. Whoever does not read is given up, so that a thread is free for others.
fn clients_that_do_not_read() -> Verdict {
    const STUCK: Duration = Duration::from_millis(300);
    let server = start(&mut Command::new("env"))?;
    let mut silent = (0..6).map(|_| raw::open_narrow(server.address)).collect::<Result<Vec<_>, _>>()?;
    let bytes = vec![b'x'; 1 << 20];
    for stream in &mut silent {
        stream.set_write_timeout(Some(STUCK))?;
        while stream.write(&bytes).is_ok() {}
    }
    converse(server.address, 0, 1, 1)
}

/// Runs one thread at a time, and slowly.
fn helgrind_finds_nothing() -> Verdict {
    let report = fresh_path("helgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=helgrind", "--error-exitcode=9"]);
    let server = start(valgrind.arg(format!("--log-file={}", report.display())))?;
    in_parallel(2, |client| converse(server.address, client, 4, 25))?;
    let ended = end(server);
    let found = fs::read_to_string(&report)?;
    fs::remove_file(&report)?;
    ended.map(drop).map_err(|e| format!("{e}\n{found}").into())
}
