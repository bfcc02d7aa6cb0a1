//! `examples/proxy.c`: what it passes on, and what it keeps meanwhile.

use super::process::{PATIENCE, Server, in_parallel, loopback, wait_until};
use super::swarm::payload;
use super::usage::Usage;
use super::victim::same;
use super::{OnBackend, Verdict, echo, raw, stage};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("proxy::many_clients_get_through", many_clients),
    ("proxy::slow_readers_cost_no_memory", slow_readers_cost_no_memory),
    ("proxy::an_end_is_passed_on_alone", an_end_is_passed_on_alone),
    ("proxy::a_client_of_a_dead_target_is_hung_up_on", dead_target),
    ("proxy::a_target_that_does_not_answer_is_given_up", target_that_does_not_answer),
    ("proxy::resets_are_passed_on_at_once", resets_are_passed_on),
    ("proxy::idle_connections_are_given_up", idle_connections_are_given_up),
];

fn start(backend: &str, target: SocketAddr, seconds: &str) -> Result<Server, Box<dyn Error>> {
    let mut command = Command::new(stage::program("proxy", &["-lowfat"])?);
    command.args([&target.ip().to_string(), &target.port().to_string(), "0", seconds]);
    Server::start(&mut command, backend)
}

/// A proxy, and the listening socket of its target.
fn before_a_target(backend: &str) -> Result<(Server, TcpListener), Box<dyn Error>> {
    let target = TcpListener::bind(loopback(0))?;
    Ok((start(backend, target.local_addr()?, "60")?, target))
}

/// The two ends of a connection through the proxy.
fn connect(proxy: &Server, target: &TcpListener) -> Result<(TcpStream, TcpStream), Box<dyn Error>> {
    let client = raw::open(proxy.address)?;
    let (server, _) = target.accept()?;
    server.set_read_timeout(Some(PATIENCE))?;
    server.set_write_timeout(Some(PATIENCE))?;
    Ok((client, server))
}

fn many_clients(backend: &str) -> Verdict {
    let target = echo::start(backend, &[])?;
    let proxy = start(backend, target.address, "60")?;
    let before = (proxy.open_descriptors()?, target.open_descriptors()?);
    in_parallel(32, |_| echo::converse(proxy.address, 50))?;
    in_parallel(4, |_| echo::pour(proxy.address, 4 << 20))?;
    wait_until("all connections are closed", || {
        Ok((proxy.open_descriptors()?, target.open_descriptors()?) == before)
    })
}

/// Much is sent both ways, and nobody reads before the senders are stuck.
fn slow_readers_cost_no_memory(backend: &str) -> Verdict {
    const SIZE: usize = 64 << 20;
    let (proxy, target) = before_a_target(backend)?;
    let (client, server) = connect(&proxy, &target)?;
    let before = Usage::of(proxy.pid())?;
    let bytes = payload(SIZE);
    thread::scope(|scope| -> Verdict {
        let send = |stream: &TcpStream| -> std::io::Result<()> {
            let mut stream = stream;
            stream.write_all(&bytes)?;
            stream.shutdown(Shutdown::Write)
        };
        let senders =
            [&client, &server].map(|stream| scope.spawn(move || send(stream).map_err(|e| e.to_string())));
        wait_until("the senders are stuck", || {
            let before = Usage::of(proxy.pid())?;
            thread::sleep(Duration::from_millis(200));
            Ok(Usage::of(proxy.pid())?.awake_since(&before) < 5.0)
        })?;
        let readers = [&client, &server].map(|stream| scope.spawn(|| read_slowly(stream, &bytes)));
        for thread in senders.into_iter().chain(readers) {
            thread.join().map_err(|_| "panic")??;
        }
        Ok(())
    })?;
    // The peak, and that of both directions together.
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid()))?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    if peak > before.resident + 1024 {
        return Err(format!("{} KiB at first, {peak} at most", before.resident).into());
    }
    Ok(())
}

/// A pause after each piece, so that the sender waits again and again.
fn read_slowly(mut stream: &TcpStream, wanted: &[u8]) -> Result<(), String> {
    const PIECE: usize = 4 << 20;
    let mut piece = vec![0; PIECE];
    for wanted in wanted.chunks(PIECE) {
        let piece = &mut piece[..wanted.len()];
        stream.read_exact(piece).map_err(|e| e.to_string())?;
        same(piece, wanted).map_err(|e| e.to_string())?;
        thread::sleep(Duration::from_millis(20));
    }
    match stream.read(&mut piece).map_err(|e| e.to_string())? {
        0 => Ok(()),
        n => Err(format!("{n} bytes too many")),
    }
}

/// Either side ends first; the other then sends what it has.
fn an_end_is_passed_on_alone(backend: &str) -> Verdict {
    let (proxy, target) = before_a_target(backend)?;
    let before = proxy.open_descriptors()?;
    for first in [0, 1] {
        let (client, server) = connect(&proxy, &target)?;
        let (mut early, mut late) = if first == 0 { (client, server) } else { (server, client) };
        early.write_all(b"a question")?;
        early.shutdown(Shutdown::Write)?;
        same(&raw::rest_of(&mut late)?, b"a question")?;
        let answer = payload(3 << 20);
        let sent = late.try_clone()?;
        thread::scope(|scope| {
            scope.spawn(|| (&sent).write_all(&answer).and_then(|()| sent.shutdown(Shutdown::Write)));
            same(&raw::rest_of(&mut early)?, &answer)
        })?;
    }
    wait_until("both connections are closed", || Ok(proxy.open_descriptors()? == before))
}

fn dead_target(backend: &str) -> Verdict {
    let nobody = TcpListener::bind(loopback(0))?.local_addr()?;
    let mut proxy = start(backend, nobody, "60")?;
    let before = proxy.open_descriptors()?;
    for _ in 0..20 {
        let mut client = raw::open(proxy.address)?;
        // It may be too late already.
        let _ = client.write_all(b"is anybody there?");
        same(&raw::rest_of(&mut client)?, b"")?;
    }
    wait_until("all connections are closed", || Ok(proxy.open_descriptors()? == before))?;
    if proxy.alive() { Ok(()) } else { Err("the proxy has ended".into()) }
}

/// A socket that listens, but whose queue is full, and what fills it.
fn deaf() -> Result<(OwnedFd, SocketAddr, Vec<OwnedFd>), Box<dyn Error>> {
    let deaf = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(deaf.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)))?;
    listen(&deaf, Backlog::new(1)?)?;
    let address = SocketAddr::V4(getsockname::<SockaddrIn>(deaf.as_raw_fd())?.into());
    let queue = (0..4).map(|_| raw::begin(address)).collect::<Result<_, _>>()?;
    Ok((deaf, address, queue))
}

/// The kernel would go on for minutes.
fn target_that_does_not_answer(backend: &str) -> Verdict {
    let (_deaf, address, _queue) = deaf()?;
    let proxy = start(backend, address, "1")?;
    let before = proxy.open_descriptors()?;
    let mut client = raw::open(proxy.address)?;
    client.write_all(b"is anybody there?")?;
    wait_until("it has begun to connect", || Ok(proxy.open_descriptors()? == before + 2))?;
    same(&raw::rest_of(&mut client)?, b"")?;
    wait_until("both are closed", || Ok(proxy.open_descriptors()? == before))
}

fn resets_are_passed_on(backend: &str) -> Verdict {
    let target = TcpListener::bind(loopback(0))?;
    // Longer than anybody here waits.
    let proxy = start(backend, target.local_addr()?, "60")?;
    let before = proxy.open_descriptors()?;
    for _ in 0..10 {
        let (client, mut server) = connect(&proxy, &target)?;
        raw::reset(client)?;
        same(&raw::rest_of(&mut server)?, b"")?;
        let (mut client, server) = connect(&proxy, &target)?;
        raw::reset(server)?;
        same(&raw::rest_of(&mut client)?, b"")?;
    }
    wait_until("all connections are closed", || Ok(proxy.open_descriptors()? == before))
}

fn idle_connections_are_given_up(backend: &str) -> Verdict {
    let target = TcpListener::bind(loopback(0))?;
    let proxy = start(backend, target.local_addr()?, "1")?;
    let (mut client, mut server) = connect(&proxy, &target)?;
    server.write_all(b"one word")?;
    same(&raw::rest_of(&mut client)?, b"one word")?;
    same(&raw::rest_of(&mut server)?, b"")
}
