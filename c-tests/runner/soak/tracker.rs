//! What clients do to opentracker. All of them announce the same peers of one torrent, so that its tables do not grow.

use super::{Checked, Random};
use crate::servers::announce::{self, UdpClient};
use crate::servers::http::{self, Client};
use crate::servers::raw::{open, reset, rest_of};
use crate::servers::tracker::TORRENT;
use crate::servers::victim::{Victim, same};
use std::io::Write;

type Act = fn(&Victim, &mut Random) -> Checked;

pub(super) const ACTS: &[Act] =
    &[over_http, over_http, over_udp, over_udp, scrape, in_two_pieces, leave_half_way, too_long];

/// Their ports are 1 to this.
const PEERS: u16 = 50;

/// From here on every answer must count all peers.
pub(super) fn announce_everybody(victim: &Victim) -> Checked {
    let mut client = UdpClient::connect(victim.address())?;
    for port in 1..=PEERS {
        client.announce(&TORRENT, port)?;
    }
    Ok(u64::from(PEERS))
}

fn some_port(random: &mut Random) -> u16 {
    1 + random.below(usize::from(PEERS)) as u16
}

fn over_http(victim: &Victim, random: &mut Random) -> Checked {
    let mut client = Client::connect(victim.address())?;
    let answer = client.get(&announce::announce_path(&TORRENT, some_port(random)))?;
    check_peers(&answer.body)?;
    if client.at_end()? { Ok(1) } else { Err("bytes after the answer".into()) }
}

/// The number of seeders, and the peers themselves: each is our address and a port that was announced.
fn check_peers(answer: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let wrong = || format!("the tracker answered '{}'", String::from_utf8_lossy(answer));
    let head = format!("d8:completei{PEERS}e10:downloadedi0e10:incompletei0e8:intervali");
    let list = answer.windows(7).position(|w| w == b"5:peers").ok_or_else(wrong)? + 7;
    let colon = list + answer[list..].iter().position(|&b| b == b':').ok_or_else(wrong)?;
    let length: usize = std::str::from_utf8(&answer[list..colon])?.parse()?;
    let peers = answer.get(colon + 1..colon + 1 + length).ok_or_else(wrong)?;
    let known = |peer: &[u8]| {
        peer.starts_with(&[127, 0, 0, 1]) && (1..=PEERS).any(|port| peer.ends_with(&port.to_be_bytes()))
    };
    let complete = answer.starts_with(head.as_bytes()) && answer.get(colon + 1 + length..) == Some(b"e");
    if complete && length == 6 * usize::from(PEERS) && peers.chunks(6).all(known) {
        Ok(())
    } else {
        Err(wrong().into())
    }
}

fn over_udp(victim: &Victim, random: &mut Random) -> Checked {
    const TURNS: u64 = 20;
    let mut client = UdpClient::connect(victim.address())?;
    for _ in 0..TURNS {
        match client.announce(&TORRENT, some_port(random))? {
            n if n == u32::from(PEERS) => {}
            n => return Err(format!("the tracker counts {n} seeders").into()),
        }
    }
    Ok(TURNS)
}

fn scrape(victim: &Victim, _: &mut Random) -> Checked {
    match announce::seeders(victim.address(), &TORRENT)? {
        n if n == u32::from(PEERS) => Ok(1),
        n => Err(format!("the scrape counts {n} seeders").into()),
    }
}

fn in_two_pieces(victim: &Victim, random: &mut Random) -> Checked {
    let request = http::request("GET", &announce::announce_path(&TORRENT, some_port(random)));
    let (head, tail) = request.split_at(1 + random.below(request.len() - 1));
    let mut client = Client::connect(victim.address())?;
    client.send(head.as_bytes())?;
    client.send(tail.as_bytes())?;
    check_peers(&client.answer(true)?.body)?;
    Ok(1)
}

fn leave_half_way(victim: &Victim, random: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(b"GET /announce?info_hash=half a req")?;
    if random.below(2) == 0 {
        reset(stream)?;
    }
    Ok(0)
}

/// It is refused, maybe before the tracker has got everything: then the refusal may be lost.
fn too_long(victim: &Victim, _: &mut Random) -> Checked {
    let wanted =
        b"HTTP/1.0 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 37\r\n\r\n\
        <title>Internal Server Error</title>\n";
    let mut stream = open(victim.address())?;
    let _ = stream.write_all(b"GET /announce?info_hash=");
    let _ = stream.write_all(&[b'x'; 50_000]);
    let answer = rest_of(&mut stream)?;
    if !answer.is_empty() {
        same(&answer, wanted)?;
    }
    Ok(1)
}
