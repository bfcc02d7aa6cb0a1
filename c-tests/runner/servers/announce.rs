//! Announces and scrapes as a BitTorrent client sends them, over HTTP and UDP (BEP 3, 15, 48).

use super::http;
use super::process::PATIENCE;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};

/// A torrent's name on the wire.
pub(super) type Hash = [u8; 20];

pub(super) fn escaped(hash: &Hash) -> String {
    hash.iter().map(|b| format!("%{b:02x}")).collect()
}

pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// The request of a seeder that listens on `port`.
pub(super) fn announce_path(hash: &Hash, port: u16) -> String {
    format!(
        "/announce?info_hash={}&peer_id=-test000-{port:011}&port={port}&uploaded=0&downloaded=0&left=0&compact=1",
        escaped(hash)
    )
}

/// Announces a seeder on a connection of its own, which the tracker must close after its answer.
pub(super) fn over_http(tracker: SocketAddr, hash: &Hash, port: u16) -> Result<(), Box<dyn Error>> {
    let mut client = http::Client::connect(tracker).map_err(|e| format!("connecting: {e}"))?;
    let answer = client.get(&announce_path(hash, port)).map_err(|e| format!("request and answer: {e}"))?;
    check_announced(&answer.body)?;
    if client.at_end()? { Ok(()) } else { Err("bytes after the answer".into()) }
}

pub(super) fn check_announced(answer: &[u8]) -> Result<(), Box<dyn Error>> {
    if answer.starts_with(b"d8:completei") && answer.ends_with(b"e") {
        Ok(())
    } else {
        Err(format!("the tracker answered '{}'", String::from_utf8_lossy(answer)).into())
    }
}

/// How many seeders the tracker counts.
pub(super) fn seeders(tracker: SocketAddr, hash: &Hash) -> Result<u32, Box<dyn Error>> {
    let answer = http::fetch(tracker, &format!("/scrape?info_hash={}", escaped(hash)))?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let Some((_, rest)) = text.split_once("8:completei") else { return Ok(0) };
    Ok(rest.split_once('e').ok_or("a scrape without end")?.0.parse()?)
}

/// A client that announces over UDP from one socket.
pub(super) struct UdpClient {
    socket: UdpSocket,
    connection: [u8; 8],
    turn: u32,
}

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const PROTOCOL: u64 = 0x0417_2710_1980;

impl UdpClient {
    pub(super) fn connect(tracker: SocketAddr) -> Result<UdpClient, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(tracker)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut client = UdpClient { socket, connection: PROTOCOL.to_be_bytes(), turn: 0 };
        let answer = client.ask(CONNECT, &[])?;
        client.connection = answer.get(8..16).ok_or("a short answer to connect")?.try_into()?;
        Ok(client)
    }

    /// Announces a seeder and gives the number of seeders that the tracker counts.
    pub(super) fn announce(&mut self, hash: &Hash, port: u16) -> Result<u32, Box<dyn Error>> {
        let mut body = hash.to_vec();
        body.extend(format!("-test000-{port:011}").bytes());
        body.extend([0; 8 + 8 + 8 + 4 + 4 + 4]); // downloaded, left, uploaded, event, address, key
        body.extend((-1i32).to_be_bytes()); // as many peers as the tracker likes to send
        body.extend(port.to_be_bytes());
        let answer = self.ask(ANNOUNCE, &body)?;
        Ok(u32::from_be_bytes(answer.get(16..20).ok_or("a short answer to announce")?.try_into()?))
    }

    fn ask(&mut self, action: u32, body: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        self.turn += 1;
        let numbers = [action.to_be_bytes(), self.turn.to_be_bytes()].concat();
        self.socket.send(&[&self.connection[..], &numbers, body].concat())?;
        let mut answer = vec![0; 2048];
        let n = self.socket.recv(&mut answer)?;
        answer.truncate(n);
        if answer.starts_with(&numbers) { Ok(answer) } else { Err(format!("answered {answer:x?}").into()) }
    }
}
