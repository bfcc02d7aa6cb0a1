//! What clients do to the echo servers: `examples/echo.c`, `loops.c`, `pool.c`.

use super::{Checked, Random};
use crate::servers::echo::{converse, pour};
use crate::servers::raw::{open, open_narrow, reset, send_urgent};
use crate::servers::victim::{Victim, same};
use std::io::{Read, Write};
use std::net::Shutdown;

type Act = fn(&Victim, &mut Random) -> Checked;

pub(super) const ACTS: &[Act] = &[
    talk,
    talk,
    many_at_once,
    pour_without_reading,
    half_closed,
    reset_with_an_answer_on_its_way,
    leave_late,
    urgent,
];

fn talk(victim: &Victim, random: &mut Random) -> Checked {
    let turns = 1 + random.below(20);
    converse(victim.address(), turns)?;
    Ok(turns as u64)
}

/// All of them are connected at once.
fn many_at_once(victim: &Victim, _: &mut Random) -> Checked {
    const CLIENTS: usize = 20;
    let mut streams = (0..CLIENTS).map(|_| open(victim.address())).collect::<Result<Vec<_>, _>>()?;
    let message = |n: usize| format!("client {n:8}").into_bytes();
    for (n, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&message(n))?;
    }
    for (n, stream) in streams.iter_mut().enumerate() {
        let mut back = message(0);
        stream.read_exact(&mut back)?;
        same(&back, &message(n))?;
    }
    Ok(CLIENTS as u64)
}

/// Far more than the sockets take.
fn pour_without_reading(victim: &Victim, random: &mut Random) -> Checked {
    pour(victim.address(), if random.below(10) == 0 { 8 << 20 } else { 100_000 })?;
    Ok(1)
}

fn half_closed(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(b"the last words")?;
    stream.shutdown(Shutdown::Write)?;
    let mut back = Vec::new();
    stream.read_to_end(&mut back)?;
    same(&back, b"the last words")?;
    Ok(1)
}

fn reset_with_an_answer_on_its_way(victim: &Victim, random: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(&vec![b'x'; 1 + random.below(10_000)])?;
    reset(stream)?;
    Ok(0)
}

/// The server is stuck with what it has to send when the client goes.
fn leave_late(victim: &Victim, random: &mut Random) -> Checked {
    let mut stream = open_narrow(victim.address())?;
    stream.set_nonblocking(true)?;
    while stream.write(&[b'x'; 65_536]).is_ok() {}
    if random.below(2) == 0 {
        stream.shutdown(Shutdown::Write)?;
    }
    if random.below(2) == 0 {
        reset(stream)?;
    }
    Ok(0)
}

/// The byte stands beside the stream and does not come back.
fn urgent(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(b"before")?;
    send_urgent(&stream)?;
    stream.write_all(b"after")?;
    let mut back = [0; 11];
    stream.read_exact(&mut back)?;
    same(&back, b"beforeafter")?;
    Ok(1)
}
