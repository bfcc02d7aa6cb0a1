//! `examples/loops.c`, whose threads take events from the library's.

use super::echo::converse;
use super::process::{Server, in_parallel};
use super::{OnBackend, Verdict, stage};
use std::process::Command;

pub(super) const TRIALS: &[OnBackend] = &[
    ("loops::many_clients_get_their_bytes_back", many_clients),
    ("loops::a_client_that_reads_late_gets_everything", a_client_that_reads_late),
];

pub(super) fn command() -> Result<Command, String> {
    Ok(Command::new(stage::program("loops", &["-pthread"])?))
}

/// Every answer is checked, and at the end the threads go.
fn many_clients(backend: &str) -> Verdict {
    let server = Server::start(&mut command()?, backend)?;
    in_parallel(200, |_| converse(server.address, 20))?;
    server.ends_well()
}

/// The socket fills up, so that the thread that writes has to go on where a reading one stopped.
fn a_client_that_reads_late(backend: &str) -> Verdict {
    let server = Server::start(&mut command()?, backend)?;
    in_parallel(4, |_| super::echo::pour(server.address, 8 << 20))?;
    server.ends_well()
}
