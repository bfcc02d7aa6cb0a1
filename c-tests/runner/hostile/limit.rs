//! As many connections as the server has descriptors, and, in two attacks, 20,000 attempts more.

use super::Launched;
use super::held::Held;
use crate::servers::http::Client;
use crate::servers::process::wait_until;
use crate::servers::raw::{begin, open, reset};
use crate::servers::usage::Usage;
use crate::servers::victim::{Kind, Victim};
use std::collections::VecDeque;
use std::net::TcpStream;

/// Descriptors that the server may have.
pub(super) const DESCRIPTORS: usize = 256;
const ATTEMPTS: usize = 10_000;
/// Of these that go on at the same time.
const AT_ONCE: usize = 500;

pub(super) fn launch(victim: &Victim) -> Launched {
    let asker = (victim.kind == Kind::Web).then(|| Client::connect(victim.address())).transpose()?;
    // The rest of them waits to be accepted.
    let streams = (0..DESCRIPTORS).map(|_| open(victim.address())).collect::<Result<Vec<_>, _>>()?;
    let pid = victim.server().pid();
    wait_until("all descriptors are in use", || Ok(Usage::of(pid)?.descriptors == DESCRIPTORS))?;
    let mut attempts = VecDeque::new();
    for _ in 0..ATTEMPTS {
        attempts.push_back(begin(victim.address())?);
        if attempts.len() == AT_ONCE {
            attempts.pop_front().map(TcpStream::from).map_or(Ok(()), reset)?;
        }
    }
    attempts.into_iter().map(TcpStream::from).try_for_each(reset)?;
    if let Some(mut client) = asker {
        let answer = client.get("/small.txt")?;
        if !answer.status.contains(" 503 ") {
            return Err(format!("a file that cannot be opened now: '{}'", answer.status).into());
        }
    }
    Ok(Held::idle(streams))
}
