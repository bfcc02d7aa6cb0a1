//! `examples/echo.c`, which needs no library but ours, and the server that stands in libowfat_io(3).

use super::process::{PATIENCE, Server, asleep, in_parallel, limited, wait_until};
use super::{OnBackend, Verdict, stage};
use crate::man::page;
use crate::place;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

pub(super) const TRIALS: &[OnBackend] = &[
    ("echo::many_clients_get_their_bytes_back", many_clients),
    ("echo::many_clients_taking_turns_get_their_bytes_back", many_clients_taking_turns),
    ("echo::the_server_of_the_manual_echoes", of_the_manual),
    ("echo::the_server_of_the_manual_sleeps_while_no_descriptor_is_left", of_the_manual_at_its_limit),
];

pub(super) fn start(backend: &str, arguments: &[&str]) -> Result<Server, Box<dyn Error>> {
    Server::start(command()?.args(arguments), backend)
}

pub(super) fn command() -> Result<Command, String> {
    Ok(Command::new(stage::program("echo", &[])?))
}

fn many_clients(backend: &str) -> Verdict {
    let server = start(backend, &[])?;
    in_parallel(32, |_| converse(server.address, 100))
}

fn many_clients_taking_turns(backend: &str) -> Verdict {
    let server = start(backend, &["turns"])?;
    in_parallel(32, |_| converse(server.address, 100))
}

fn of_the_manual(backend: &str) -> Verdict {
    let server = Server::start(&mut the_manuals()?, backend)?;
    in_parallel(8, |_| converse(server.address, 100))?;
    pour(server.address, 4 << 20)
}

/// More clients than descriptors: those who wait are served when others have gone.
fn of_the_manual_at_its_limit(backend: &str) -> Verdict {
    const DESCRIPTORS: usize = 16;
    let server = Server::start(&mut limited(&the_manuals()?, DESCRIPTORS), backend)?;
    let connect = |_| TcpStream::connect_timeout(&server.address, PATIENCE);
    let clients = (0..2 * DESCRIPTORS).map(connect).collect::<Result<Vec<_>, _>>()?;
    wait_until("all descriptors are in use", || Ok(server.open_descriptors()? >= DESCRIPTORS))?;
    wait_until("the server sleeps", || asleep(server.pid()))?;
    drop(clients);
    converse(server.address, 3)
}

fn the_manuals() -> Result<Command, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(build_the_manuals).as_ref().map(Command::new).map_err(Clone::clone)
}

/// The first example of libowfat_io(3), built as its SYNOPSIS says.
fn build_the_manuals() -> Result<PathBuf, String> {
    let page = page::all()?.into_iter().find(|page| page.file() == "libowfat_io.3").ok_or("no such page")?;
    let program = place::output().join("echo-of-the-manual");
    let source = program.with_extension("c");
    fs::write(&source, page.examples().first().ok_or("no example")?).map_err(|e| e.to_string())?;
    stage::compile(
        &[&source],
        &stage::pkg_config(stage::prefix()?, &["--cflags", "--libs"])?,
        &[],
        &program,
    )?;
    Ok(program)
}

/// Sends `turns` messages on one connection and takes each back.
pub(super) fn converse(address: SocketAddr, turns: usize) -> Verdict {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    for turn in 0..turns {
        let message = format!("message {turn:8}");
        stream.write_all(message.as_bytes())?;
        let mut back = vec![0; message.len()];
        stream.read_exact(&mut back)?;
        if back != message.as_bytes() {
            return Err(format!("'{message}' came back as '{}'", String::from_utf8_lossy(&back)).into());
        }
    }
    Ok(())
}

/// Sends `bytes` without reading, and then takes them back while it sends no more. What does not fit on the way waits in
/// the server.
pub(super) fn pour(address: SocketAddr, bytes: usize) -> Verdict {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut sender = stream.try_clone()?;
    let byte = |i: usize| (i * 7 + i / 251) as u8;
    let sent = std::thread::spawn(move || -> std::io::Result<()> {
        let all: Vec<u8> = (0..bytes).map(byte).collect();
        sender.write_all(&all)?;
        sender.shutdown(std::net::Shutdown::Write)
    });
    // Time for the buffers to fill up. If they do not, the outcome is the same.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let mut back = Vec::new();
    stream.read_to_end(&mut back)?;
    sent.join().map_err(|_| "the sender panicked")??;
    let differs = (0..bytes).find(|&i| back.get(i) != Some(&byte(i)));
    match differs {
        None if back.len() == bytes => Ok(()),
        _ => {
            Err(format!("{} of {bytes} bytes came back, the first wrong one at {differs:?}", back.len())
                .into())
        }
    }
}
