//! What clients do to `examples/tls.c`.

use super::{Checked, Random};
use crate::servers::http::{Client, request};
use crate::servers::raw::{open, reset, rest_of};
use crate::servers::tls::{FILES, SClient, fetch};
use crate::servers::victim::{Victim, same};
use std::io::Write;

type Act = fn(&Victim, &mut Random) -> Checked;

pub(super) const ACTS: &[Act] =
    &[download, keep_alive, leave_in_a_download, leave_in_a_handshake, leave_in_a_handshake, plain_text];

/// The head of a record that announces 512 bytes of a ClientHello.
const HELLO_BEGINS: &[u8] = b"\x16\x03\x01\x02\x00\x01";

fn download(victim: &Victim, random: &mut Random) -> Checked {
    let last = if random.below(10) == 0 { FILES.len() } else { FILES.len() - 1 };
    fetch(victim.server(), FILES[random.below(last)].0)?;
    Ok(1)
}

fn keep_alive(victim: &Victim, _: &mut Random) -> Checked {
    const TURNS: u64 = 5;
    let mut client = SClient::connect(victim.server())?;
    for _ in 0..TURNS {
        same(&client.get("/one")?, &[0])?;
    }
    Ok(TURNS)
}

fn leave_in_a_download(victim: &Victim, _: &mut Random) -> Checked {
    let mut client = SClient::connect(victim.server())?;
    client.send(&request("GET", "/big"))?;
    client.read_some(100_000)?;
    Ok(0)
}

fn leave_in_a_handshake(victim: &Victim, random: &mut Random) -> Checked {
    let mut client = Client::connect(victim.address())?;
    client.send(&HELLO_BEGINS[..random.below(HELLO_BEGINS.len() + 1)])?;
    if random.below(2) == 0 {
        reset(client.into_stream())?;
    }
    Ok(0)
}

/// It is refused with an alert: a record of type 21.
fn plain_text(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(request("GET", "/one").as_bytes())?;
    match rest_of(&mut stream)?.first() {
        None | Some(21) => Ok(1),
        Some(other) => Err(format!("plain text was answered with a record of type {other}").into()),
    }
}
